"""The stage of the crash test: Radicale, the built-in CRM, and hands that edit both sides.

Every value a hand writes is unique, so that afterwards each can be found, or its fate told.
"""

from __future__ import annotations

import random
import re
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import msgspec

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.ports.errors import AccordError
from accord.sandbox.radicale import Radicale
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.explain import explain
from accord.service.init import init
from accord.service.transfer import import_
from tests.elsewhere import Elsewhere

TEXT = """\
[[target]]
name = "mailboxes"
adapter = "dav"
url = "{url}"
user = "anna"
password = {{ file = "password" }}
calendar = "calendar"

[[link]]
name = "events"
target = "mailboxes"
user = "anna"
kind = "event"
rule = "events"

[[rule]]
name = "events"
kind = "event"
scope = "all"

[rule.guard]
deletes = 100000
target = 100000
share = 1.0
"""
_START = datetime(2030, 1, 7, 9)


class World:
    """Hold both sides, and what the hands did to each item."""

    def __init__(
        self, server: Radicale, folder: Path, seed: int, database: str, *, split: bool = False
    ) -> None:
        """Set up CRM, mailbox and link in `folder`; state and CRM live in `database`.

        With `split` the CRM is served by a process of its own, from a database of its own.
        """
        self.folder = folder
        self.machine = Elsewhere(folder / "crm") if split else None
        self.dice = random.Random(seed)
        server.fill("anna", "calendar", {})
        self._home = f"{server.url}anna/calendar/"
        (folder / "password").write_text(server.users["anna"], encoding="utf-8")
        if self.machine is not None:
            self.machine.start()
            self.machine.write_key(folder)
        made = init(
            folder, database=database, crm=self.machine.crm if self.machine else "database:"
        )
        self.accord: Accord = open_accord(made.config)
        self._there = self.machine.open() if self.machine is not None else self.accord
        assert isinstance(self._there.crm, DatabaseCrm)
        self._crm = Administration(self._there.crm)
        self._crm.add_user("anna", "anna@example.test", display_name="Anna")
        import_(self.accord, TEXT.format(url=server.url), "fault.toml", folder=folder)
        self._web = httpx2.Client(auth=("anna", server.users["anna"]), timeout=30)
        self._count = 0
        self.born: set[str] = set()
        self.deleted: set[str] = set()
        self.places: dict[str, list[str]] = {}
        self._crms: set[str] = set()

    def close(self) -> None:
        """Leave the stage."""
        self._web.close()
        self.accord.close()
        if self.machine is not None:
            self._there.close()
            self.machine.close()

    def edit(self, times: int) -> None:
        """Let the hands do something, on either side, so many times."""
        for _ in range(times):
            act = self.dice.choice((self._add, self._add, self._place, self._place, self._drop))
            with suppress(AccordError, _Lost):
                act(crm=self.dice.random() < 0.5)

    def both(self) -> tuple[dict[str, list[Event]], dict[str, list[str]]]:
        """Return each side's items by name; more than one under a name is a duplicate."""
        records: dict[str, list[Event]] = {}
        for snapshot in self._crm.list("anna", Kind.EVENT):
            if isinstance(snapshot.item, Event):
                records.setdefault(snapshot.item.title, []).append(snapshot.item)
        entries: dict[str, list[str]] = {}
        for _, text in self._entries():
            entries.setdefault(_line(text, "SUMMARY"), []).append(text)
        return records, entries

    def open_intents(self) -> int:
        """Return how many intents nobody has settled."""
        with self.accord.state.read() as tx:
            return len(tx.intents.all())

    def told(self, name: str) -> str:
        """Return what Accord knows of an item, for a loss that has to be understood."""
        found = explain(self.accord, name)
        said = [f"{one.outcome}, {one.why} {one.waiting} {one.error}".strip() for one in found]
        return "; ".join(said) or "Accord knows nothing of it"

    def standing(self) -> str:
        """Return what waits and where the pulls ended, for losses that have to be understood."""
        with self.accord.state.read() as tx:
            pending = [f"{one.cause}: {one.why}" for one in tx.pending.all()]
            ends = list(tx.cursors.all().values())
        return f"waiting: {pending}; pulls ended at {ends}"

    def kept(self) -> str:
        """Return every losing value that the journal kept, as one text."""
        with self.accord.state.read() as tx:
            entries = tx.journal.query(limit=1_000_000)
        return " ".join(str(entry.fields) for entry in entries if entry.step == "clash")

    def _name(self) -> str:
        self._count += 1
        return f"item-{self._count:05d}"

    def _add(self, *, crm: bool) -> None:
        name = self._name()
        begin = _START + timedelta(hours=self._count)
        end = begin + timedelta(minutes=30)
        if crm:
            self._crm.put("anna", Event(title=name, start=begin, end=end, time_zone="UTC"))
        else:
            lines = [
                "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Hand//EN", "BEGIN:VEVENT",
                f"UID:{name}@hand", "DTSTAMP:20260101T000000Z", f"SUMMARY:{name}",
                f"DTSTART:{begin:%Y%m%dT%H%M%SZ}", f"DTEND:{end:%Y%m%dT%H%M%SZ}",
                "END:VEVENT", "END:VCALENDAR", "",
            ]  # fmt: skip
            self._put(f"{self._home}{name}.ics", "\r\n".join(lines), {"If-None-Match": "*"})
        self.born.add(name)

    def _place(self, *, crm: bool) -> None:
        """Write a place never written before into an item."""
        name = self._pick()
        self._count += 1
        place = f"place-{self._count:05d}"
        if crm:
            for snapshot in self._crm.list("anna", Kind.EVENT):
                if isinstance(snapshot.item, Event) and snapshot.item.title == name:
                    item = msgspec.structs.replace(snapshot.item, location=place)
                    self._crm.put("anna", item, snapshot.ref)
                    break
            else:
                return
        else:
            url, text, tag = self._find(name)
            text = re.sub(r"^LOCATION:.*\r\n", "", text, flags=re.MULTILINE)
            text = text.replace("END:VEVENT", f"LOCATION:{place}\r\nEND:VEVENT", 1)
            self._put(url, text, {"If-Match": tag})
        self.places.setdefault(name, []).append(place)
        self._crms |= {place} if crm else set()

    def _drop(self, *, crm: bool) -> None:
        name = self._pick()
        if crm:
            for snapshot in self._crm.list("anna", Kind.EVENT):
                if isinstance(snapshot.item, Event) and snapshot.item.title == name:
                    self._crm.delete("anna", Kind.EVENT, snapshot.ref)
                    self._dropped(name, snapshot.item.location, crm=True)
                    return
        else:
            url, text, tag = self._find(name)
            if self._web.delete(url, headers={"If-Match": tag}).is_success:
                self._dropped(name, _line(text, "LOCATION"), crm=False)

    def _dropped(self, name: str, place: str, *, crm: bool) -> None:
        """Note a deletion, and with it what place the hand has let go of knowingly."""
        self.deleted.add(name)
        others = [x for x in self.places.get(name, []) if (x in self._crms) is not crm]
        # What the other hand wrote may stand against this, or have been replaced by it.
        self.places[name] = [*dict.fromkeys([place, *others[-1:], ""])]

    def _pick(self) -> str:
        alive = sorted(self.born - self.deleted)
        if not alive:
            raise _Lost
        return self.dice.choice(alive[-40:])

    def _find(self, name: str) -> tuple[str, str, str]:
        for url, text in self._entries():
            if _line(text, "SUMMARY") == name:
                answer = self._web.get(url)
                if answer.is_success:
                    return url, answer.text, answer.headers["ETag"]
        raise _Lost

    def _entries(self) -> list[tuple[str, str]]:
        """Read the whole mailbox in one request."""
        query = (
            '<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop>'
            '<C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter>'
            "</C:calendar-query>"
        )
        answer = self._web.request(
            "REPORT", self._home, content=query, headers={"Depth": "1"}
        ).raise_for_status()
        found = re.findall(
            r"<(?:\w+:)?href>([^<]+\.ics)</.*?calendar-data>(.*?)</(?:\w+:)?calendar-data>",
            answer.text,
            re.DOTALL,
        )
        return [(str(httpx2.URL(self._home).join(href)), _plain(text)) for href, text in found]

    def _put(self, url: str, text: str, headers: dict[str, str]) -> None:
        headers = {**headers, "Content-Type": "text/calendar; charset=utf-8"}
        if not self._web.put(url, content=text.encode(), headers=headers).is_success:
            raise _Lost


class _Lost(Exception):
    """A hand came too late: the item was changed or deleted by somebody else."""


def _line(text: str, name: str) -> str:
    found = re.search(rf"^{name}[^:\r\n]*:(.*?)\r?$", text, re.MULTILINE)
    return found.group(1) if found else ""


def _plain(text: str) -> str:
    text = text.replace("&#13;", "\r").replace("&lt;", "<").replace("&gt;", ">")
    return text.replace("&amp;", "&")
