"""Fixtures for the real servers that tests talk to; loaded by conftest for all tests.

Servers start once per worker process (PostgreSQL once per session); what a test gets is a person or
a database of its own, so tests run in any order. A missing server skips the test and says what to
install; with ACCORD_REQUIRE_PEERS=1 it fails.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import httpx2
import pytest

from accord.sandbox.cyrus import Cyrus
from accord.sandbox.postgres import fresh_database, shared_server
from accord.sandbox.process import Peer, PeerMissing, no_tls
from accord.sandbox.radicale import Radicale
from accord.sandbox.xandikos import Xandikos
from tests.kdc import Kdc

DAV_PEERS = ("radicale", "xandikos", "cyrus")
PASSWORD = "correct horse"
P = TypeVar("P", bound=Peer)

_BOOK = (
    '<D:mkcol xmlns:D="DAV:" xmlns:A="urn:ietf:params:xml:ns:carddav"><D:set><D:prop>'
    "<D:resourcetype><D:collection/><A:addressbook/></D:resourcetype></D:prop></D:set></D:mkcol>"
)


class Places(NamedTuple):
    """The URLs of three collections."""

    calendar: str
    tasks: str
    contacts: str


class Account(NamedTuple):
    """A person on a DAV server with an empty calendar, task list and address book of their own."""

    server: Peer
    url: str  # where discovery begins
    user: str
    password: str
    address: str  # calendar user address; empty where the server does not schedule
    calendar: str
    tasks: str
    contacts: str

    def client(self) -> httpx2.Client:
        """Open an HTTP client that acts as this person."""
        return httpx2.Client(auth=(self.user, self.password), timeout=30, verify=no_tls())


@pytest.fixture(scope="session")
def radicale() -> Iterator[Radicale]:
    """A running Radicale."""
    yield from serve(Radicale)


@pytest.fixture(scope="session")
def xandikos() -> Iterator[Xandikos]:
    """A running Xandikos."""
    yield from serve(Xandikos)


@pytest.fixture(scope="session")
def cyrus() -> Iterator[Cyrus]:
    """A running Cyrus, which delivers invitations."""
    yield from serve(Cyrus)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server; make databases with `sandbox.postgres.fresh_database`."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    try:
        with shared_server(folder / "postgres") as url:
            yield url
    except PeerMissing as missing:
        miss(missing)


@pytest.fixture(scope="session")
def davmail_house() -> Iterator[Any]:
    """A stand-in Exchange and a running DavMail before it (`tests.davmail`)."""
    from tests.davmail import houses

    yield from houses()


@pytest.fixture(scope="session")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    """A running Kerberos realm with robot and alice, whose service is HTTP/localhost."""
    try:
        made = Kdc(tmp_path_factory.mktemp("kdc"))
    except PeerMissing as missing:
        miss(missing)
    made.person("robot", "secret")
    made.person("alice", "secret")
    made.service("HTTP/localhost", made.file("server.keytab"))
    made.service("service", made.file("service.keytab"))
    yield made
    made.close()


@pytest.fixture
def realm(kdc: Kdc, monkeypatch: pytest.MonkeyPatch) -> Kdc:
    """That realm as the one of this process, which has no tickets yet."""
    for name, value in kdc.environ.items():
        monkeypatch.setenv(name, value)
    kdc.sign_out()
    return kdc


@pytest.fixture
def radicale_account(radicale: Radicale) -> Account:
    """A new person on Radicale."""
    return new_account(radicale)


@pytest.fixture
def xandikos_account(xandikos: Xandikos) -> Account:
    """New collections on Xandikos, whose only person has no password."""
    return new_account(xandikos)


@pytest.fixture
def cyrus_account(cyrus: Cyrus) -> Account:
    """A new person on Cyrus."""
    return new_account(cyrus)


@pytest.fixture(params=DAV_PEERS)
def dav_account(request: pytest.FixtureRequest) -> Account:
    """A new person on each DAV server in turn."""
    server: Peer = request.getfixturevalue(request.param)
    return new_account(server)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'accord.sqlite'}"
        return
    with fresh_database(request.getfixturevalue("postgres")) as url:
        yield url


def new_account(server: Peer, name: str | None = None, *, mailed: bool = False) -> Account:
    """Make a person, or on Xandikos new collections, that no other test knows.

    `mailed` makes a person to whom Cyrus sends invitations by e-mail into the IMAP INBOX instead
    of the scheduling Inbox.
    """
    name = f"{name or 'user'}-{secrets.token_hex(4)}"
    match server:
        case Radicale():
            home = server.add_user(name, PASSWORD)
            places = Places(f"{home}calendar/", f"{home}tasks/", f"{home}contacts/")
            account = Account(server, server.url, name, PASSWORD, "", *places)
        case Xandikos():
            home = f"{server.url.rstrip('/')}{server.principal}"
            calendars = f"{home}calendars/{name}"
            places = Places(f"{calendars}/", f"{calendars}-tasks/", f"{home}contacts/{name}/")
            account = Account(server, server.url, "alice", "", "", *places)
        case Cyrus():
            address = server.add_user(name, PASSWORD, mailed=mailed)
            tasks = f"{server.url}dav/calendars/user/{name}/tasks/"
            places = Places(server.calendar(name), tasks, server.address_book(name))
            account = Account(server, f"{server.url}dav/", name, PASSWORD, address, *places)
        case _:
            raise TypeError(server)
    _make_collections(account)
    return account


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        if used & {*DAV_PEERS, "dav_account", "kdc"}:
            item.add_marker("peer")
        if "postgres" in used:
            item.add_marker("postgres")


def serve(server: Callable[[], P]) -> Iterator[P]:
    try:
        with server() as running:
            yield running
    except PeerMissing as missing:
        miss(missing)


def miss(missing: PeerMissing) -> None:
    """Skip the test, or fail it where peers are required."""
    if os.environ.get("ACCORD_REQUIRE_PEERS") == "1":
        pytest.fail(str(missing), pytrace=False)
    pytest.skip(str(missing))


def _make_collections(account: Account) -> None:
    with account.client() as client:
        for method, url, body in (
            ("MKCALENDAR", account.calendar, None),
            ("MKCALENDAR", account.tasks, None),
            ("MKCOL", account.contacts, _BOOK),
        ):
            if isinstance(account.server, Cyrus) and url != account.tasks:
                continue  # there from the start
            headers = {"Content-Type": "application/xml"} if body else {}
            reply = client.request(method, url, content=body, headers=headers)
            assert reply.status_code == httpx2.codes.CREATED, (url, reply.text)
