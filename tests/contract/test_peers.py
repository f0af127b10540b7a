"""The peers are what we take them for: plain HTTP shows the habits that our adapters rely on."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import httpx2
import psycopg
import pytest
from sqlalchemy import create_engine, text

from accord.sandbox.cyrus import Cyrus
from accord.sandbox.postgres import fresh_database, shared_server, template_database
from accord.sandbox.radicale import Radicale
from accord.sandbox.xandikos import Xandikos
from tests.peers import Account, new_account

SYNC = (
    '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{token}</D:sync-token>'
    "<D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
)
XML = {"Content-Type": "application/xml"}
ICS = {"Content-Type": "text/calendar; charset=utf-8"}
LOST_TOKEN = {"radicale": 403, "xandikos": 412, "cyrus": 403}
# Cyrus sends whoever has no access to a made-up path in their own home: never follow it in a write.
NO_ACCESS = {"radicale": 403, "cyrus": 301}
BOGUS_TOKEN = {
    "radicale": "http://radicale.org/ns/sync/" + "0" * 64,
    "xandikos": "0" * 40,
    "cyrus": "data:,1-1-1",
}


def event(uid: str, *, hour: int = 10, sequence: int = 1, extra: str = "") -> str:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//accord//peers//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART:20270105T{hour:02}0000Z",
        f"DTEND:20270105T{hour + 1:02}0000Z",
        f"SEQUENCE:{sequence}",
        "SUMMARY:Planning",
        *extra.splitlines(),
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join(lines)


def meeting(uid: str, organizer: str, *guests: str, agent: str = "", **more: int) -> str:
    people = [f"ORGANIZER:mailto:{organizer}"]
    people += [f"ATTENDEE;PARTSTAT=ACCEPTED{agent}:mailto:{organizer}"]
    people += [f"ATTENDEE;PARTSTAT=NEEDS-ACTION{agent}:mailto:{guest}" for guest in guests]
    return event(uid, extra="\n".join(people), **more)


def put(client: httpx2.Client, url: str, body: str, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.put(url, content=body.encode(), headers={**ICS, **named})


def sync(client: httpx2.Client, url: str, token: str = "") -> httpx2.Response:
    headers = {**XML, "Depth": "0"}
    return client.request("REPORT", url, content=SYNC.format(token=token), headers=headers)


def token_of(reply: httpx2.Response) -> str:
    found = re.search(r"<[^>]*sync-token[^>]*>([^<]+)<", reply.text)
    assert found, reply.text
    return found.group(1)


def test_sync_collection_tells_changes_and_deletions(dav_account: Account) -> None:
    with dav_account.client() as client:
        for name in ("a", "b"):
            assert put(client, f"{dav_account.calendar}{name}.ics", event(name)).status_code == 201
        first = sync(client, dav_account.calendar)
        assert first.status_code == 207
        assert {"a.ics", "b.ics"} <= set(re.findall(r"[ab]\.ics", first.text))
        assert put(client, f"{dav_account.calendar}a.ics", event("a", hour=12)).is_success
        assert client.delete(f"{dav_account.calendar}b.ics").is_success
        delta = sync(client, dav_account.calendar, token_of(first)).text
        assert delta.count("a.ics") == 1
        assert delta.count("b.ics") == 1
        assert delta.count("HTTP/1.1 404") == 1


def test_a_lost_token_is_refused_with_a_named_precondition(dav_account: Account) -> None:
    name = dav_account.server.name
    with dav_account.client() as client:
        refused = sync(client, dav_account.calendar, BOGUS_TOKEN[name])
    assert refused.status_code == LOST_TOKEN[name]
    assert "valid-sync-token" in refused.text


def test_conditional_writes_are_kept(dav_account: Account) -> None:
    url = f"{dav_account.calendar}once.ics"
    with dav_account.client() as client:
        created = put(client, url, event("once"), If_None_Match="*")
        assert created.status_code == 201
        assert put(client, url, event("once"), If_None_Match="*").status_code == 412
        assert put(client, url, event("once"), If_Match='"wrong"').status_code == 412
        assert client.delete(url, headers={"If-Match": '"wrong"'}).status_code == 412
        etag = client.head(url).headers["ETag"]
        assert put(client, url, event("once", hour=11), If_Match=etag).is_success


def test_tasks_and_contacts_are_stored(dav_account: Account) -> None:
    todo = event("job").replace("VEVENT", "VTODO").replace("DTEND:", "DUE:")
    card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nFN:Ada\r\nN:;Ada;;;\r\nX-OWN:7\r\nEND:VCARD\r\n"
    with dav_account.client() as client:
        assert put(client, f"{dav_account.tasks}job.ics", todo).status_code == 201
        url = f"{dav_account.contacts}c1.vcf"
        stored = client.put(url, content=card, headers={"Content-Type": "text/vcard"})
        assert stored.status_code == 201
        assert "X-OWN:7" in client.get(url).text


def test_strangers_are_kept_out(radicale: Radicale, cyrus: Cyrus) -> None:
    for server in (radicale, cyrus):
        mine, other = new_account(server), new_account(server)
        with other.client() as client:
            denied = put(client, f"{mine.calendar}x.ics", event("x"))
            assert denied.status_code == NO_ACCESS[server.name]
        with mine.client() as client:
            assert client.get(f"{mine.calendar}x.ics").status_code == 404
        with httpx2.Client(auth=(mine.user, "wrong")) as client:
            assert put(client, f"{mine.calendar}x.ics", event("x")).status_code == 401


def test_radicale_fill_is_what_puts_would_have_left(radicale: Radicale) -> None:
    account = new_account(radicale)
    objects = {f"{n}.ics": event(str(n)) for n in range(5)}
    url = radicale.fill(account.user, "bulk", objects)
    with account.client() as client:
        listed = sync(client, url)
        assert sum(listed.text.count(f"/{name}<") for name in objects) == 5
        assert put(client, f"{url}3.ics", event("3"), If_None_Match="*").status_code == 412
        assert put(client, f"{url}5.ics", event("5")).status_code == 201
        sent = put(client, f"{account.calendar}3.ics", event("3")).headers["ETag"]
        assert client.head(f"{url}3.ics").headers["ETag"] == sent


@pytest.mark.parametrize("mailed", [False, True], ids=["scheduled", "mailed"])
def test_cyrus_delivers_one_message_per_guest_and_change(cyrus: Cyrus, mailed: bool) -> None:
    boss, guest, other = (new_account(cyrus, mailed=mailed) for _ in range(3))
    outsider = f"{secrets.token_hex(4)}@outside.test"
    everyone = (guest.address, other.address, outsider)
    url = f"{boss.calendar}m.ics"
    with boss.client() as client:
        for sequence in (1, 2):
            body = meeting(boss.user, boss.address, *everyone, sequence=sequence, hour=9 + sequence)
            assert put(client, url, body).is_success
            assert [cyrus.received(one.user) for one in (boss, guest, other)] == [
                0,
                sequence,
                sequence,
            ]
            assert len(cyrus.delivered(guest.user)) == sequence
            assert mails_to(cyrus, outsider) == sequence
        assert client.delete(url).is_success
        assert cyrus.received(guest.user) == 3
        assert mails_to(cyrus, outsider) == 3
    in_mail, in_calendar = len(cyrus.messages(guest.user)), len(cyrus.scheduled(guest.user))
    assert (in_mail, in_calendar) == ((3, 0) if mailed else (0, 3))
    assert b"METHOD:CANCEL" in b"".join(cyrus.delivered(guest.user)).replace(b"=\r\n", b"")


@pytest.mark.parametrize("mailed", [False, True], ids=["scheduled", "mailed"])
@pytest.mark.parametrize("agent", ["NONE", "CLIENT"])
def test_cyrus_is_silent_where_asked(cyrus: Cyrus, agent: str, mailed: bool) -> None:
    boss, guest = (new_account(cyrus, mailed=mailed) for _ in range(2))
    outsider = f"{secrets.token_hex(4)}@outside.test"
    quiet = f";SCHEDULE-AGENT={agent}"
    url = f"{boss.calendar}m.ics"
    with boss.client() as client:
        for sequence in (1, 2):
            body = meeting(
                boss.user, boss.address, guest.address, outsider, agent=quiet, sequence=sequence
            )
            assert put(client, url, body).is_success
        assert client.delete(url).is_success
    assert cyrus.delivered(guest.user) == []
    assert cyrus.received(guest.user) == 0
    assert mails_to(cyrus, outsider) == 0


def test_cyrus_cancels_when_the_schedule_agent_is_taken_away(cyrus: Cyrus) -> None:
    boss, guest = (new_account(cyrus, mailed=True) for _ in range(2))
    url = f"{boss.calendar}m.ics"
    with boss.client() as client:
        assert put(client, url, meeting(boss.user, boss.address, guest.address)).is_success
        assert cyrus.received(guest.user) == 1
        quiet = meeting(boss.user, boss.address, guest.address, agent=";SCHEDULE-AGENT=NONE")
        assert put(client, url, quiet).is_success
    assert cyrus.received(guest.user) == 2


def test_cyrus_mails_about_meetings_long_past(cyrus: Cyrus) -> None:
    boss, guest = (new_account(cyrus, mailed=True) for _ in range(2))
    body = meeting(boss.user, boss.address, guest.address).replace("2027", "2020")
    with boss.client() as client:
        assert put(client, f"{boss.calendar}m.ics", body).is_success
    assert cyrus.received(guest.user) == 1


def mails_to(cyrus: Cyrus, address: str) -> int:
    return sum(address in mail.recipients for mail in cyrus.sent_outside())


@pytest.mark.parametrize("server", [Radicale, Xandikos, Cyrus])
@pytest.mark.peer
def test_data_outlives_kill_and_restart(
    server: type[Radicale | Xandikos | Cyrus], request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(server.name)  # skips where it is missing
    with server() as running:
        account = new_account(running)
        with account.client() as client:
            assert put(client, f"{account.calendar}x.ics", event("x")).is_success
        running.kill()
        assert not running.running
        with account.client() as client, pytest.raises(httpx2.TransportError):
            client.get(f"{account.calendar}x.ics")
        running.start().restart()
        with account.client() as client:
            assert "UID:x" in client.get(f"{account.calendar}x.ics").text


def test_databases_of_a_server_are_separate(postgres: str) -> None:
    with fresh_database(postgres) as one, fresh_database(postgres) as other:
        for url in (one, other):
            engine = create_engine(url)
            with engine.begin() as connection:
                connection.execute(text("CREATE TABLE mine (x integer)"))
            engine.dispose()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(one.replace("+psycopg", ""))


def test_a_template_is_built_once_and_copied(postgres: str) -> None:
    built: list[str] = []

    def build(url: str) -> None:
        built.append(url)
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE mine AS SELECT 42 AS x"))
        engine.dispose()

    name = f"template_{secrets.token_hex(4)}"
    for _ in range(2):
        with fresh_database(postgres, template_database(postgres, name, build)) as url:
            engine = create_engine(url)
            with engine.connect() as connection:
                assert connection.execute(text("SELECT x FROM mine")).scalar_one() == 42
            engine.dispose()
    assert len(built) == 1


def test_the_shared_server_lives_until_its_last_holder(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACCORD_TEST_POSTGRES", raising=False)
    with shared_server(tmp_path / "pg") as second:
        with shared_server(tmp_path / "pg") as joined:
            assert joined == second != postgres
        with fresh_database(second) as url:
            assert url
