"""Nothing that nobody may read gets into a log, an answer, the journal, a queue or a metric.

A whole service runs, as loud as it can be, while both sides are edited and things go wrong: a
password is refused, a token was revoked, a server leads to an address with a password in it, and
entries are private. Then all that it left behind is searched for what was planted.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace
from sqlalchemy import MetaData, create_engine, inspect, make_url

from accord.model.kinds import Kind
from accord.model.parts import Body, Privacy
from accord.model.replies import Replies
from accord.ports.adapter import Draft
from accord.sandbox.process import until
from accord.state.codec import unpack
from accord.testing.place import new_key
from accord.testing.samples import plain
from tests.databases import Databases
from tests.exchange import House
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.test_run import SOON, Outlook, running
from tests.unit.interface.phone import CALENDAR, Calling, entry

pytestmark = pytest.mark.waits

PASSWORD = "Xq7planted-of-the-robot"
WRONG = "Xq7planted-that-is-refused"
METRICS = "Xq7planted-for-the-metrics"
ASTRAY = "Xq7planted-in-an-address"
PATIENCE = 2 * SOON
PRIVATE = ("Xq7private in the mailbox", "Xq7private in the crm", "Xq7private on the phone")
BODIES = ("Xq7body in the mailbox", "Xq7body in the crm", "Xq7body on the phone")
TASKS = ("Xq7task in the mailbox", "Xq7task in the crm")
NOTES = ("Xq7notes in the mailbox", "Xq7notes in the crm", "Xq7friend of alice")
ABSENCE = ("Xq7kind of absence", "Xq7answer of a private absence")
FORMER = "Xq7answer of long ago"
"""How the mailbox answered before: only the journal, when asked, shows it as what was replaced."""

HIDDEN = (*PRIVATE, *BODIES, *TASKS, *NOTES, *ABSENCE)

TEXT = """
[[target]]
name = "company"
adapter = "exchange"
url = "{url}"
auth = "basic"
user = "{robot}"
password = {{ env = "MAIL_PASSWORD" }}
time_zone = "Europe/Berlin"

[[target]]
name = "refused"
adapter = "exchange"
url = "{url}"
auth = "basic"
user = "{robot}"
password = {{ env = "WRONG_PASSWORD" }}
time_zone = "Europe/Berlin"

[[target]]
name = "astray"
adapter = "dav"
url = "{astray}"
password = {{ env = "MAIL_PASSWORD" }}

[[link]]
user = "alice"
target = "company"
principal = "{alice}"
kinds = ["event", "task", "contact", "absence"]
mode = "active"

[[link]]
user = "bob"
target = "refused"
principal = "{bob}"
kinds = ["event"]
mode = "active"

[[link]]
user = "carol"
target = "astray"
principal = "carol@example.com"
kinds = ["event"]
mode = "active"

[[rule]]
name = "events"
kind = "event"
scope = "all"
private = "busy"

[[rule]]
name = "tasks"
kind = "task"
scope = "all"
private = "busy"

[[rule]]
name = "contacts"
kind = "contact"
scope = "all"
private = "busy"

[[rule]]
name = "absences"
kind = "absence"
replies.inside = "{{name}} is away."
"""


class Astray(BaseHTTPRequestHandler):
    """A server that leads to itself by an address with a password, and there says nothing."""

    def do_PROPFIND(self) -> None:
        if "closed" in self.path:
            self.connection.close()
            return
        self.send_response(302)
        self.send_header("Location", f"http://carol:{ASTRAY}@{self.headers['Host']}/closed/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_OPTIONS(self) -> None:
        self.do_PROPFIND()

    def do_GET(self) -> None:
        self.do_PROPFIND()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def astray() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Astray) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Loud(Outlook):
    """A mailbox in which private items are written, too."""

    def hide(self, kind: Kind, title: str, **values: Any) -> None:
        item = replace(plain(kind, title), privacy=Privacy.PRIVATE, **values)
        self.session.create(self.place(kind), kind, [Draft(item=item, key=new_key())])

    def place(self, kind: Kind) -> str:
        folders = self.session.folders()
        return next(each.id for each in folders if kind in each.kinds and each.default)

    def told(self, kind: Kind) -> str:
        """Return all that the mailbox holds of a kind."""
        return repr(list(self.session.changes(self.place(kind), kind, "", lambda _: {})))


@pytest.mark.slow
def test_what_nobody_may_read_is_nowhere(
    run: Run,
    tmp_path: Path,
    databases: Databases,
    astray: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", WRONG)
    monkeypatch.setenv("METRICS_TOKEN", METRICS)
    with closing(House()) as house:
        robot = f"loud-{new_key()[:8]}@example.com".lower()
        house.exchange.people.add(robot, PASSWORD, impersonates=True)
        alice, bob = house.person(), house.person()
        url = databases.url()
        run("init", "--database", url, "--crm", f"database:sqlite:///{tmp_path}/crm.db")
        for name, address in (("alice", alice), ("bob", bob), ("carol", "carol@example.com")):
            run("crm", "users", "add", name, "--address", address)
        given = {"url": house.url, "robot": robot, "astray": astray, "alice": alice, "bob": bob}
        (tmp_path / "company.toml").write_text(TEXT.format(**given))
        run("import", "company.toml")
        config = tmp_path / "accord.toml"
        config.write_text(
            config.read_text().replace(':8641"', ':0"\nmetrics_token = { env = "METRICS_TOKEN" }')
            + '\n[interface]\nlisten = "127.0.0.1:0"\n[run]\npoll = 1\n'
            "interval = 2\ninterface = true\n"
        )
        token = run("token", "issue", "alice", "--json").row
        run("token", "revoke", token["id"])
        device = run("interface", "device", "alice", "--json").row["password"]
        planted = [PASSWORD, WRONG, METRICS, ASTRAY, token["token"], device, *HIDDEN]
        with running(tmp_path, "--verbose") as service:
            assert service.told(running=True)
            _edit_both_sides(run, service, house, alice, device)
            _be_refused(service, token["token"])
            seen = until(lambda: _failing(run) == {"authenticate", "retry"}, PATIENCE)
            assert seen, run("status", "--json", code=None).row["failing"]
            address = next(row["web"] for row in service.rows if "web" in row)
            told = _metrics(address)
            told += run("status", "--json", "--links", code=None).out
            told += run("queue", "list", "--planned", "--json").out
            assert service.end() == 0, service.errors
        told += run("journal", "--json").out + run("links", "--json").out
        told += run("token", "log", "--json").out + run("interface", "sessions", "--json").out
        told += run("check", "--json", code=None).out + run("check", code=None).out
        texts = {"the log": service.errors, "what was printed": told}
        texts["the rows"] = "".join(map(json.dumps, service.rows))
    assert "exchange.request" in texts["the log"], "it was loud"
    assert "dav.redirect" in texts["the log"]
    assert all(json.loads(line) for line in texts["the log"].splitlines())
    for name, text in (*texts.items(), *stored(tmp_path, url)):
        shown = [] if name == "what was printed" else [FORMER]
        for each in (*planted, *shown):
            found = [form for form in forms(each) if form in text]
            assert not found, f"{each} is in {name}: {_around(text, found[0])}"


def _edit_both_sides(run: Run, service: Any, house: House, alice: str, device: str) -> None:
    """Edit calendar, CRM and phone, in public and in private, until each has arrived."""
    outlook = Loud(house, alice)

    def recorded() -> list[Any]:
        rows = run("crm", "list", "--as", "alice", "--json").rows
        return [row["item"] for row in rows]

    def has(title: str) -> bool:
        return any(item.get("title") == title for item in recorded())

    outlook.session.set_replies(Replies(inside=FORMER))
    outlook.write("from Outlook")
    outlook.hide(Kind.EVENT, PRIVATE[0], body=Body(text=BODIES[0]))
    outlook.hide(Kind.TASK, TASKS[0])
    outlook.hide(Kind.CONTACT, NOTES[2], notes=NOTES[0])
    run("crm", "put", "--as", "alice", stdin=event("from the CRM"))
    for item in _private_records():
        run("crm", "put", "--as", "alice", stdin=json.dumps(item | {"privacy": "private"}))
    assert until(lambda: has("from Outlook") and len(recorded()) >= 7, PATIENCE)
    assert until(lambda: {"from the CRM", PRIVATE[1]} <= set(outlook.titles()), PATIENCE)
    assert until(lambda: TASKS[1] in outlook.told(Kind.TASK), PATIENCE)
    assert until(lambda: NOTES[1] in outlook.told(Kind.CONTACT), PATIENCE)
    assert until(lambda: outlook.session.replies().on, PATIENCE)
    known = json.dumps(recorded())
    hidden = (PRIVATE[0], BODIES[0], TASKS[0], NOTES[0], NOTES[2])
    assert not any(each in known for each in hidden), "the CRM knows only that there is something"
    phone = Calling("alice", store="calendar", media_type=CALENDAR)
    phone.password = device
    phone.address = next(row["url"] for row in service.rows if "url" in row)
    text = entry("hidden@phone", PRIVATE[2], 4)
    more = f"CLASS:PRIVATE\r\nDESCRIPTION:{BODIES[2]}\r\nEND:VEVENT"
    phone.items["1"] = text.replace("END:VEVENT", more)
    phone.sync()
    assert until(lambda: PRIVATE[2] in outlook.titles(), PATIENCE)
    outlook.adapter.close()


def _private_records() -> list[dict[str, Any]]:
    """Return what alice keeps to herself in the CRM, and an absence whose kind nobody learns."""
    days = {"start": "2040-03-05T00:00:00", "end": "2040-03-08T00:00:00"}
    said = {"absence_kind": ABSENCE[0], "message": ABSENCE[1]}
    return [
        json.loads(event(PRIVATE[1], body={"text": BODIES[1]})),
        {"kind": "task", "title": TASKS[1]},
        {"kind": "contact", "full_name": "Eve East", "notes": NOTES[1]},
        {"kind": "absence", "title": "Away", **days, **said},
    ]


def _be_refused(service: Any, token: str) -> None:
    """Sign in with a token that was revoked."""
    phone = Calling("alice", store="calendar", media_type=CALENDAR)
    phone.password = token
    phone.address = next(row["url"] for row in service.rows if "url" in row)
    with pytest.raises(AssertionError):
        phone.sync()


def _failing(run: Run) -> set[str]:
    rows = run("status", "--json", code=None).row["failing"]
    return {row["action"] for row in rows}


def _metrics(address: str) -> str:
    with httpx2.Client(base_url=address) as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"authorization": f"Bearer {WRONG}"}).is_error
        answer = client.get("/metrics", headers={"authorization": f"Bearer {METRICS}"})
        assert "accord_links" in answer.text
        return answer.text + client.get("/readyz").text


def forms(planted: str) -> list[str]:
    """Return a text as it is and as it travels: in base64 at each of its places, and quoted."""
    found = [planted, json.dumps(planted)[1:-1], planted.replace(" ", "%20")]
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + planted.encode()).decode()
        found.append(coded[4 if shift else 0 : -4])
    return list(dict.fromkeys(found))


def stored(folder: Path, url: str) -> Iterator[tuple[str, str]]:
    """Yield all that Accord's own database and queue hold: bytes of files, and every row."""
    urls = [url]
    if url.startswith("sqlite:///"):
        queue = url.replace(".db", "-queue.db")
        urls.append(queue)
        for each in sorted(folder.glob("accord*.db*")):
            yield each.name, each.read_bytes().decode("latin-1")
    for address in urls:
        yield from rows(address)


def rows(url: str) -> Iterator[tuple[str, str]]:
    """Yield every value of every table that isn't the CRM's, unpacked where it is packed."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed)
    with _closing(engine), engine.connect() as connection:
        schemas = inspect(engine).get_schema_names()
        for schema in [None, *(name for name in schemas if name == "dbos")]:
            meta = MetaData(schema=schema)
            meta.reflect(connection)
            for table in meta.sorted_tables:
                if table.name.startswith("crm_"):
                    continue
                for row in connection.execute(table.select()):
                    for value in row:
                        yield f"{table.name}: {row}"[:300], plainly(value)


@contextmanager
def _closing(engine: Any) -> Iterator[None]:
    yield
    engine.dispose()


def plainly(value: Any) -> str:
    """Return a stored value as text: what is compressed unpacked, what is sealed as it is."""
    if isinstance(value, memoryview):
        value = bytes(value)
    if not isinstance(value, bytes):
        return str(value)
    try:
        return unpack(value).decode("latin-1")
    except ValueError:
        return value.decode("latin-1")


def _around(text: str, found: str) -> str:
    at = text.index(found)
    return text[max(at - 200, 0) : at + 200]


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    """Would the test above notice? Each form, in a row that is packed, and in a file."""
    from accord.state.codec import pack

    long = ("about " * 50) + PRIVATE[0]
    assert PRIVATE[0] in plainly(pack(long.encode()))
    header = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
    assert any(form in header for form in forms(PASSWORD))
