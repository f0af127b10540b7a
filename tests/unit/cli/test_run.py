"""`accord run` as a process: both directions with an Exchange server, and ended by a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from accord.groupware.exchange import build
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Seen
from accord.ports.adapter import Draft
from accord.sandbox.process import until
from accord.testing.place import new_key
from accord.testing.samples import plain
from tests.databases import Databases
from tests.exchange import LINKED, ROBOT, House
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.test_commands import edit, put
from tests.unit.interface.phone import CALENDAR, Calling, entry

pytestmark = pytest.mark.waits

SOON = 60.0


class Service:
    """A running `accord run --json`, or a part of it, and what it printed so far."""

    def __init__(self, folder: Path, *words: str) -> None:
        command = [sys.executable, "-m", "accord.cli.main", "run", *words, "--json"]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.rows: list[Any] = []
        self.errors = ""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.rows.append(json.loads(line))

    def told(self, **values: Any) -> bool:
        def there() -> bool:
            return any(values.items() <= row.items() for row in list(self.rows))

        return until(there, SOON)

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(SOON)
        self._thread.join()
        assert self.process.stderr is not None
        if not self.process.stderr.closed:
            self.errors = self.process.stderr.read()
            self.process.stdout.close()  # type: ignore[union-attr]
            self.process.stderr.close()
        return code


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@contextmanager
def running(folder: Path, *words: str) -> Iterator[Service]:
    service = Service(folder, *words)
    try:
        yield service
    finally:
        service.end(signal.SIGKILL)


@pytest.fixture
def person(
    run: Run,
    house: House,
    tmp_path: Path,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The mailbox of alice, with whom Accord is set up."""
    person = house.person()
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    run("init", "--database", databases.url())
    run("crm", "users", "add", "alice", "--address", person)
    text = LINKED.format(url=house.url, robot=ROBOT, person=person)
    (tmp_path / "company.toml").write_text(text)
    run("import", "company.toml")
    return person


class Outlook:
    """Somebody's calendar, as their own program sees it."""

    def __init__(self, house: House, person: str) -> None:
        given = {"url": house.url, "auth": "basic", "user": ROBOT, "password": "secret"}
        self.adapter = build({**given, "time_zone": "Europe/Berlin"})
        self.session = self.adapter.open(person)
        folders = self.session.folders()
        self.folder = next(f.id for f in folders if Kind.EVENT in f.kinds and f.default)

    def write(self, title: str) -> None:
        draft = Draft(item=plain(Kind.EVENT, title), key=new_key())
        self.session.create(self.folder, Kind.EVENT, [draft])

    def titles(self) -> list[str]:
        seen = [
            each.snapshot.item
            for page in self.session.changes(self.folder, Kind.EVENT, "", lambda _: {})
            for each in page.observations
            if isinstance(each, Seen)
        ]
        return sorted(item.title for item in seen if isinstance(item, Event))


def _contains(shown: Callable[[], list[str]], title: str) -> bool:
    return title in shown()


def test_changes_on_both_sides_arrive_and_a_signal_ends_it(
    run: Run, house: House, tmp_path: Path, person: str
) -> None:
    outlook = Outlook(house, person)
    run("crm", "put", "--as", "alice", stdin=event("from before"))

    def recorded() -> list[str]:
        rows = run("crm", "list", "--as", "alice", "--json").rows
        return sorted(row["item"]["title"] for row in rows)

    def quick() -> dict[str, float]:
        return run("status", "--json", code=None).row["targets"][0]["done"] or {}

    def caused(cause: str, write: Callable[[str], object], shown: Callable[[], list[str]]) -> bool:
        """Write until a visit is made for that; what comes together is one, of what came first."""
        for number in range(5):
            write(title := f"{cause} {number}")
            assert until(partial(_contains, shown, title), SOON)
            if until(lambda: any(row.get("cause") == cause for row in list(service.rows)), 2.0):
                return True
        return False

    with running(tmp_path) as service:
        assert service.told(way="streaming", principal=person, target="company", why="")
        assert until(lambda: outlook.titles() == ["from before"], SOON)
        by_hand = partial(run, "crm", "put", "--as", "alice")
        assert caused("crm", lambda title: by_hand(stdin=event(title)), outlook.titles)
        assert caused("hint", outlook.write, recorded)
        assert until(lambda: quick().get("count", 0) >= 2, SOON)
        assert 0 < quick()["p50"] <= quick()["p95"] < SOON
        house.exchange.notices.sever()
        outlook.write("while nobody listened")
        assert until(lambda: "while nobody listened" in recorded(), SOON)
        assert service.end() == 0, service.errors
    assert {"running": True} in service.rows
    assert service.rows[-1] == {"running": False}
    assert all(row.get("error", "") == "" for row in service.rows)
    assert house.exchange.mails() == []
    assert recorded() == outlook.titles()
    for row in run("sync", "--all", "--json").rows:
        assert row["crm"]["created"] == row["groupware"]["created"] == 0
    outlook.adapter.close()


def test_a_phone_syncs_with_the_crm_meanwhile_and_it_goes_on_to_the_mailbox(
    run: Run, house: House, tmp_path: Path, person: str
) -> None:
    outlook = Outlook(house, person)
    config = tmp_path / "accord.toml"
    more = '\n[interface]\nlisten = "127.0.0.1:0"\n[run]\ninterface = true\n'
    config.write_text(config.read_text() + more)
    phone = Calling("alice", store="calendar", media_type=CALENDAR)
    phone.password = run("interface", "device", "alice", "--json").row["password"]
    phone.items["1"] = entry("lunch@phone", "From the phone", 4)
    with running(tmp_path) as service:
        assert service.told(running=True)
        phone.address = next(row["url"] for row in service.rows if "url" in row)
        phone.sync()
        assert until(lambda: outlook.titles() == ["From the phone"], SOON)
        outlook.write("From Outlook")
        assert until(lambda: "From Outlook" in run("crm", "list", "--as", "alice").out, SOON)
        phone.sync()
        assert any("SUMMARY:From Outlook" in item for item in phone.items.values())
        assert service.end() == 0, service.errors
    with pytest.raises(ConnectionError):
        phone.sync()
    outlook.adapter.close()


def test_undo_and_what_is_held_work_meanwhile(
    run: Run, house: House, tmp_path: Path, person: str
) -> None:
    outlook = Outlook(house, person)

    def recorded() -> list[str]:
        rows = run("crm", "list", "--as", "alice", "--json").rows
        return sorted(row["item"]["title"] for row in rows)

    def newest() -> Any:
        return run("journal", "--json", "--limit", "1").row

    with running(tmp_path) as service:
        assert service.told(way="streaming", principal=person)
        ref = put(run, "Old")
        assert until(lambda: outlook.titles() == ["Old"], SOON)
        edit(run, ref, title="New")
        assert until(lambda: outlook.titles() == ["New"] and newest()["step"] == "update", SOON)
        run("undo", newest()["id"], "--yes")
        assert (recorded(), outlook.titles()) == (["Old"], ["Old"])
        run("mode", "alice-event", "pilot")
        run("crm", "delete", ref, "--as", "alice")
        assert until(lambda: bool(run("held", "--json").rows), SOON)
        assert outlook.titles() == ["Old"]
        run("held", "approve", "--all", "--yes")
        assert until(lambda: outlook.titles() == [], SOON)
        assert run("held", "--json").rows == []
        assert service.end() == 0, service.errors
    errors = {row["error"] for row in service.rows if row.get("error") and not row.get("busy")}
    assert errors <= {"it is a pilot since a moment ago"}
    for row in run("sync", "--all", "--json").rows:
        assert row["crm"]["created"] == row["groupware"]["created"] == 0
    outlook.adapter.close()


def test_a_listener_and_workers_share_the_work_and_a_killed_worker_costs_time_only(
    run: Run, house: House, tmp_path: Path, person: str
) -> None:
    outlook = Outlook(house, person)

    def recorded() -> str:
        return run("crm", "list", "--as", "alice").out

    with running(tmp_path, "listener") as listener:
        assert listener.told(part="listener")
        run("crm", "put", "--as", "alice", stdin=event("first"))
        with running(tmp_path, "worker") as worker:
            assert until(lambda: "first" in outlook.titles(), SOON)
            assert listener.told(way="streaming", principal=person)
            outlook.write("second")
            assert until(lambda: "second" in recorded(), SOON)
            # In the middle of a visit, which the server asks to be patient with.
            asked: list[bytes] = []
            house.exchange.witness = lambda _, text: asked.append(text)
            house.exchange.faults.plan("busy", operation="CreateItem", times=1, seconds=3.0)
            run("crm", "put", "--as", "alice", stdin=event("third"))
            assert until(lambda: any(b"CreateItem" in each for each in asked), SOON)
            worker.end(signal.SIGKILL)
        assert "third" not in outlook.titles()
        assert run("queue", "--json").row["stage"] == "running"
        with running(tmp_path, "worker") as worker:
            assert until(lambda: "third" in outlook.titles(), SOON)
            assert worker.end() == 0, worker.errors
        assert listener.end() == 0, listener.errors
    assert not any("cause" in row for row in listener.rows), "it visits nobody"
    assert not any("way" in row for row in worker.rows), "it listens to nobody"
    assert outlook.titles() == ["first", "second", "third"]
    assert house.exchange.mails() == []
    outlook.adapter.close()


def test_a_part_of_its_own_serves_crm_interface(tmp_path: Path, person: str) -> None:
    config = tmp_path / "accord.toml"
    config.write_text(config.read_text() + '\n[interface]\nlisten = "127.0.0.1:0"\n')
    with running(tmp_path, "web") as service:
        assert service.told(part="web")
        assert any("url" in row for row in service.rows)
        assert service.end() == 0, service.errors
    assert service.rows[-1] == {"running": False}


def test_without_being_told_to_nobody_serves_crm_interface(tmp_path: Path, person: str) -> None:
    with running(tmp_path) as service:
        assert service.told(running=True)
        assert service.end() == 0, service.errors
    assert not any("url" in row for row in service.rows)


def test_a_second_signal_does_not_wait_for_what_hangs(
    house: House, tmp_path: Path, person: str
) -> None:
    (tmp_path / "accord.toml").write_text(
        (tmp_path / "accord.toml").read_text() + "\n[run]\nworkers = 1\n"
    )
    # The server asks for patience, and the visit under way has it.
    asked: list[bytes] = []
    house.exchange.witness = lambda _, text: asked.append(text)
    house.exchange.faults.plan("busy", operation="FindFolder", times=None, seconds=9.0)
    with running(tmp_path) as service:
        assert until(lambda: any(b"FindFolder" in each for each in asked), SOON)
        os.kill(service.process.pid, signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            service.process.wait(1.0)
        assert service.end(signal.SIGINT) == 130, service.errors
        assert service.rows[-1]["action"] == "interrupted"


def test_all_parts_are_seen_at_work_and_how_mailboxes_are_watched(
    run: Run, house: House, tmp_path: Path, person: str
) -> None:
    config = tmp_path / "accord.toml"
    config.write_text(config.read_text() + '\n[interface]\nlisten = "127.0.0.1:0"\n')

    def parts(*, gone: bool = False) -> list[str]:
        rows = run("status", "--json", code=None).row["processes"]
        return sorted(row["part"] for row in rows if row["gone"] is gone)

    def counted() -> dict[str, int]:
        (row,) = run("status", "--json", code=None).row["targets"]
        ways: dict[str, int] = row["streams"]["ways"]
        return ways

    with running(tmp_path, "listener") as listener, running(tmp_path, "worker") as worker:
        web = running(tmp_path, "web", "--web", "127.0.0.1:0")
        with web as served:
            assert served.told(part="web")
            assert until(lambda: parts() == ["listener", "web", "worker"], SOON)
            assert listener.told(way="streaming", principal=person)
            assert until(lambda: counted() == {"streaming": 1}, SOON)
            address = next(row["web"] for row in served.rows if "web" in row)
            with httpx2.Client(base_url=address) as client:
                assert client.get("/readyz").text == "ok\n"
                figures = client.get("/metrics").text
                assert 'accord_mailboxes_watched{target="company",way="streaming"} 1.0' in figures
                assert until(lambda: "accord_visits_total{" in client.get("/metrics").text, SOON)
            assert run("status").out.endswith("All is well.\n")
            worker.end(signal.SIGKILL)
            assert parts(gone=True) == ["worker"], "seen at once on the same machine"
            assert "`accord run worker` on" in run("status", code=1).out
            assert served.end() == 0, served.errors
        with running(tmp_path, "worker") as again:
            assert until(lambda: parts() == ["listener", "worker"], SOON)
            assert parts(gone=True) == [], "the next one takes its place"
            assert again.end() == 0, again.errors
        assert listener.end() == 0, listener.errors
    assert parts() == parts(gone=True) == []
    assert "Nothing runs just now." in run("status", code=None).out
