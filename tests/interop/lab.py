"""The lab of the interoperability tests: people of a house, a proxy before it, and their devices.

Beside it, what people write: the same thing as a text on a device and as a record of the CRM.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import msgspec
import pytest

from accord.sandbox.proxy import Proxy, Reply, Request
from tests.interop.client import Device, Outcome
from tests.interop.house import House
from tests.interop.reference import Reference
from tests.interop.shop import Shop

PATIENCE = 120.0  # seconds until something that does not come counts as missing
KINDS = {"addressbook": "contact", "calendar": "event", "todo": "task"}
"""The kind of record behind each store of a device."""


class Pause:
    """Be a moment in the middle of a sync: the server has acted, and its answer is held back."""

    def __init__(self, spared: int) -> None:
        self._spared = spared
        self._here, self._over = threading.Event(), threading.Event()
        self._lost = False

    def pass_by(self) -> None:
        """Let one answer through, or hold it until the pause is over."""
        self._spared -= 1
        if self._spared == -1:
            self._here.set()
            assert self._over.wait(PATIENCE), "nobody went on"
            if self._lost:
                raise ConnectionAbortedError

    def await_it(self) -> None:
        """Wait until the server has acted and the client waits."""
        assert self._here.wait(PATIENCE), "the sync was over before"

    def end(self, *, lost: bool = False) -> None:
        """Send the answer, or close the connection without it."""
        self._lost = lost
        self._over.set()


class Tap(Proxy):
    """Be a proxy that also keeps what the server answered, whether or not it was passed on.

    While the server is down it closes connections, as if there were nobody between.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.answers: list[tuple[Request, Reply]] = []
        self._pause: Pause | None = None

    def pause(self, post: int) -> Pause:
        """Hold back the answer to the nth request from now on, until its pause ends."""
        self._pause = Pause(post - 1)
        return self._pause

    def forward(self, request: Request) -> Reply:
        """Ask the server; links in the answer lead back here whatever it says."""
        reply = super().forward(request)
        if reply.status == HTTPStatus.BAD_GATEWAY and not reply.headers:
            raise ConnectionAbortedError
        host, port = self.upstream
        here = urljoin(self.url, "/").encode()
        body = reply.body.replace(f"http://{host}:{port}/".encode(), here)
        reply = msgspec.structs.replace(reply, body=body)
        self.answers.append((request, reply))
        if self._pause is not None:
            self._pause.pass_by()
        return reply

    def clear(self) -> None:
        super().clear()
        self.answers.clear()
        self._pause = None

    @property
    def posts(self) -> list[bytes]:
        """The bodies of all requests since `clear`, in order."""
        return [request.body for request in self.requests]

    @property
    def up(self) -> int:
        """Bytes of all requests' bodies."""
        return sum(len(body) for body in self.posts)

    @property
    def down(self) -> int:
        """Bytes of all answers' bodies."""
        return sum(len(reply.body) for _, reply in self.answers)


class Lab:
    """Let people work in a house, and give them devices that speak through the proxy.

    Others may work there, too: whoever is called anna here has a name of her own there.
    """

    def __init__(self, folder: Path, shop: Shop, house: House, proxy: Tap) -> None:
        self.house, self.proxy = house, proxy
        self._folder, self._shop = folder, shop
        self._mark = secrets.token_hex(4)
        self._passwords: dict[str, str] = {}

    def name(self, user: str) -> str:
        """Return what somebody is called in the CRM."""
        return f"{user}-{self._mark}"

    def hire(self, user: str) -> None:
        """Let somebody work here."""
        self._passwords[user] = self.house.hire(self.name(user))

    def device(self, name: str, user: str = "anna", *, legacy: bool = False, **more: str) -> Device:
        """Hand out a device; `more` are properties of the client (`enableWBXML="1"`)."""
        return self._shop.device(
            self._folder / name,
            url=self.proxy.url,
            user=self.name(user),
            password=self._passwords[user],
            device_id=self._id(name),
            legacy=legacy,
            properties=more,
        )

    def _id(self, device: str) -> str:
        return f"dev-{device}-{self._mark}"

    def renew(self, user: str) -> None:
        """Make a new password for somebody's devices."""
        self._passwords[user] = self.house.password(self.name(user))

    def update(self, device: Device, user: str = "anna") -> None:
        """Type somebody's present password into a device."""
        device.configure(password=self._passwords[user])

    def give(self, store: str, *titles: str, note: str = "", user: str = "anna") -> None:
        """Put records with these titles into the CRM."""
        more = {"notes": note} if store == "addressbook" else {"body": {"text": note}}
        more = more if note else {}
        self.put(*(record(store, title, **more) for title in titles), user=user)

    def put(self, *records: Mapping[str, Any], user: str = "anna") -> None:
        """Put records into the CRM."""
        self.house.put(self.name(user), *records)

    def rename(self, store: str, old: str, new: str, user: str = "anna") -> None:
        """Change the title of a record in the CRM."""
        who, kind = self.name(user), KINDS[store]
        self.house.change(who, kind, self.house.ref(who, kind, old), **named(store, new))

    def drop(self, store: str, title: str, user: str = "anna") -> None:
        """Delete a record in the CRM."""
        who, kind = self.name(user), KINDS[store]
        self.house.delete(who, kind, self.house.ref(who, kind, title))

    def records(self, store: str, user: str = "anna") -> list[dict[str, Any]]:
        """Return somebody's records in the CRM."""
        return list(self.house.records(self.name(user), KINDS[store]).values())

    def titles(self, store: str, user: str = "anna") -> list[str]:
        """Return the titles of somebody's records in the CRM, in order."""
        return self.house.titles(self.name(user), KINDS[store])

    def notes(self, store: str, user: str = "anna") -> list[str]:
        """Return the notes of somebody's records in the CRM, in order."""
        items = self.records(store, user)
        if store == "addressbook":
            return sorted(item.get("notes", "") for item in items)
        return sorted(item.get("body", {}).get("text", "") for item in items)


def fine(outcome: Outcome) -> Outcome:
    """Return the outcome of a run in which everything went well."""
    assert outcome.fine, str(outcome)
    return outcome


def alerts(outcome: Outcome) -> dict[str, str]:
    """Return the alert that the client sent for each store in its first accepted message."""
    found: dict[str, str] = {}
    for message in outcome.sent:
        for alert in message.iterfind(".//{*}Alert"):
            code, where = alert.findtext("{*}Data"), alert.findtext(".//{*}Target/{*}LocURI")
            if code and where and (code.startswith("20") or code == "225"):
                found[where.removeprefix("./")] = code
    return found


def record(store: str, title: str, **more: Any) -> dict[str, Any]:
    """Return a record as the CRM takes it."""
    base: dict[str, dict[str, Any]] = {
        "addressbook": {"mails": [{"address": f"{_address(title)}@example.org"}]},
        "calendar": {
            "start": "2031-03-03T10:00:00",
            "end": "2031-03-03T11:00:00",
            "time_zone": "Europe/Berlin",
        },
        "todo": {"due": "2031-03-03T12:00:00", "time_zone": "Europe/Berlin"},
    }
    return {"kind": KINDS[store], **named(store, title), **base[store], **more}


def named(store: str, title: str) -> Mapping[str, str]:
    """Return the fields of a record that hold its title."""
    if store != "addressbook":
        return {"title": title}
    given, _, family = title.partition(" ")
    return {"full_name": title, "given": given, "family": family}


def text(store: str, title: str, *extra: str) -> str:
    """Return what a device keeps of the same thing, as vCard 3.0 or iCalendar 2.0."""
    if store == "addressbook":
        given, _, family = title.partition(" ")
        lines = ["VERSION:3.0", f"FN:{title}", f"N:{family};{given};;;"]
        lines += [f"EMAIL;TYPE=WORK:{_address(title)}@example.org", *extra]
        return "\n".join(["BEGIN:VCARD", *lines, "END:VCARD", ""])
    name = "VEVENT" if store == "calendar" else "VTODO"
    times = ["DTSTART:20310303T090000Z", "DTEND:20310303T100000Z"]
    lines = [f"UID:{_address(title)}@device", "DTSTAMP:20300101T000000Z", f"SUMMARY:{title}"]
    lines += [*(times if store == "calendar" else ["DUE:20310303T110000Z"]), *extra]
    frame = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//device//EN", f"BEGIN:{name}"]
    return "\n".join([*frame, *lines, f"END:{name}", "END:VCALENDAR", ""])


def _address(title: str) -> str:
    return title.lower().replace(" ", ".")


class ReferenceLab(Lab):
    """Be a lab of anna's with SyncEvolution's server in place of the house."""

    def __init__(self, folder: Path, shop: Shop, server: Reference, proxy: Tap) -> None:
        self.server, self.proxy = server, proxy
        self._folder, self._shop = folder, shop
        self._mark = secrets.token_hex(4)
        self._passwords = {server.user_name: server.password}

    def name(self, user: str) -> str:
        return user

    @property
    def house(self) -> House:  # type: ignore[override]
        pytest.skip("only CRM.interface does this")

    def device(self, name: str, user: str = "anna", *, legacy: bool = False, **more: str) -> Device:
        self.server.admit(self._id(name))
        return super().device(name, user, legacy=legacy, **more)

    def give(self, store: str, *titles: str, note: str = "", user: str = "anna") -> None:
        name = "NOTE" if store == "addressbook" else "DESCRIPTION"
        more = [f"{name}:{note}"] if note else []
        for title in titles:
            made = text(store, title, *more).replace("@device", "@server")
            self.server.give(store, _address(title), made)

    def rename(self, store: str, old: str, new: str, user: str = "anna") -> None:
        self.server.rename(store, old, new)

    def drop(self, store: str, title: str, user: str = "anna") -> None:
        self.server.drop(store, title)

    def titles(self, store: str, user: str = "anna") -> list[str]:
        return self.server.titles(store)

    def notes(self, store: str, user: str = "anna") -> list[str]:
        return self.server.notes(store)
