"""The stage of the crash test: a mailbox, the built-in CRM, and hands that edit both sides.

Every value a hand writes is unique, so that afterwards each can be found, or its fate told.
"""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.model.occurrences import occurrences
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.ports.errors import AccordError
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.explain import explain
from accord.service.init import init
from accord.service.transfer import import_
from tests.elsewhere import Elsewhere
from tests.fault.mailboxes import ADDRESS, LONG, USER, WORD, Lost, Mailbox, Shown

TEXT = """\
[[target]]
name = "mailboxes"
{target}
password = {{ file = "password" }}

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
        self, mailbox: Mailbox, folder: Path, seed: int, database: str, *, split: bool = False
    ) -> None:
        """Set up CRM and link in `folder`; state and CRM live in `database`.

        With `split` the CRM is served by a process of its own, from a database of its own.
        """
        self.folder = folder
        self.mailbox = mailbox
        self.machine = Elsewhere(folder / "crm") if split else None
        self.dice = random.Random(seed)
        (folder / "password").write_text(WORD, encoding="utf-8")
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
        self._crm.add_user(USER, ADDRESS, display_name="Anna")
        import_(self.accord, TEXT.format(target=mailbox.target), "fault.toml", folder=folder)
        self._count = 0
        self.born: set[str] = set()
        self.deleted: set[str] = set()
        self.places: dict[str, list[str]] = {}
        self.days: dict[tuple[str, str], list[str]] = {}
        self._series: dict[str, datetime] = {}
        self._crms: set[str] = set()

    def close(self) -> None:
        """Leave the stage."""
        self.accord.close()
        if self.machine is not None:
            self._there.close()
            self.machine.close()

    def edit(self, times: int) -> None:
        """Let the hands do something, on either side, so many times."""
        acts = [self._add, self._add, self._place, self._place, self._drop]
        if self.mailbox.series:
            acts += [self._add_series, self._place_day, self._place_day, self._drop_day, self._move]
        for _ in range(times):
            act = self.dice.choice(acts)
            with suppress(AccordError, Lost):
                act(crm=self.dice.random() < 0.5)

    def both(self) -> tuple[dict[str, list[Shown]], dict[str, list[Shown]]]:
        """Return what each side shows by name; more than one under a name is a duplicate."""
        records: dict[str, list[Shown]] = {}
        for snapshot in self._crm.list(USER, Kind.EVENT):
            if isinstance(snapshot.item, Event):
                records.setdefault(snapshot.item.title, []).append(_shown(snapshot.item))
        return records, self.mailbox.shown()

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

    def day(self, name: str, number: int) -> str:
        """Return the day of an occurrence of a series."""
        return f"{self._series[name] + timedelta(weeks=number - 1):%Y-%m-%d}"

    def _name(self) -> str:
        self._count += 1
        return f"item-{self._count:05d}"

    def _value(self) -> str:
        self._count += 1
        return f"place-{self._count:05d}"

    def _add(self, *, crm: bool) -> None:
        name = self._name()
        begin = _START + timedelta(hours=self._count)
        end = begin + timedelta(minutes=30)
        if crm:
            self._crm.put(USER, Event(title=name, start=begin, end=end, time_zone="UTC"))
        else:
            self.mailbox.add(name, begin, end)
        self.born.add(name)

    def _place(self, *, crm: bool) -> None:
        """Write a place never written before into an item."""
        name, place = self._pick(self.born - set(self._series)), self._value()
        if crm:
            self._rewrite(name, location=place)
        else:
            self.mailbox.place(name, place)
        self.places.setdefault(name, []).append(place)
        self._crms |= {place} if crm else set()

    def _drop(self, *, crm: bool) -> None:
        name = self._pick(self.born)
        if crm:
            snapshot, event = self._record(name)
            self._crm.delete(USER, Kind.EVENT, snapshot.ref)
            place = event.location
        else:
            place = self.mailbox.drop(name)
        self._dropped(name, place, crm=crm)

    def _dropped(self, name: str, place: str, *, crm: bool) -> None:
        """Note a deletion, and with it what place the hand has let go of knowingly."""
        self.deleted.add(name)
        others = [x for x in self.places.get(name, []) if (x in self._crms) is not crm]
        # What the other hand wrote may stand against this, or have been replaced by it.
        self.places[name] = [*dict.fromkeys([place, *others[-1:], ""])]

    def _add_series(self, *, crm: bool) -> None:
        """Make a series; its hour is such that it can be moved within its day."""
        name = self._name()
        begin = (_START + timedelta(hours=self._count)).replace(hour=9)
        end = begin + timedelta(minutes=30)
        if crm:
            rule = RecurrenceRule(frequency=Frequency.WEEKLY, count=LONG)
            event = Event(title=name, start=begin, end=end, time_zone="UTC", rule=rule)
            self._crm.put(USER, event)
        else:
            self.mailbox.add_series(name, begin, end)
        self._series[name] = begin
        self.born.add(name)

    def _place_day(self, *, crm: bool) -> None:
        """Write a place never written before into one occurrence."""
        name, place = self._pick(set(self._series)), self._value()
        number = self.dice.randint(1, LONG)
        if crm:
            _, event = self._record(name)
            when = event.start + timedelta(weeks=number - 1)
            if when in event.exdates:
                raise Lost
            others = [one for one in event.overrides if one.recurrence_id != when]
            own = Override(recurrence_id=when, location=place)
            self._rewrite(name, overrides=_sorted([*others, own]))
        else:
            self.mailbox.place_day(name, number, place)
        self.days.setdefault((name, self.day(name, number)), []).append(place)

    def _drop_day(self, *, crm: bool) -> None:
        name, number = self._pick(set(self._series)), self.dice.randint(2, LONG)
        if crm:
            _, event = self._record(name)
            when = event.start + timedelta(weeks=number - 1)
            others = [one for one in event.overrides if one.recurrence_id != when]
            gone = tuple(sorted({*event.exdates, when}))
            self._rewrite(name, exdates=gone, overrides=_sorted(others))
        else:
            self.mailbox.drop_day(name, number)
        self.days.setdefault((name, self.day(name, number)), []).append("")

    def _move(self, *, crm: bool) -> None:
        """Let a whole series begin at another minute, its occurrences with it; only in the CRM."""
        name = self._pick(set(self._series))
        _, event = self._record(name)
        by = timedelta(minutes=self.dice.choice((0, 10, 20)) - event.start.minute)
        moved = [
            msgspec.structs.replace(one, recurrence_id=one.recurrence_id + by)
            for one in event.overrides
        ]
        gone = tuple(when + by for when in event.exdates)
        times = {"start": event.start + by, "end": event.end + by}
        self._rewrite(name, **times, exdates=gone, overrides=_sorted(moved))

    def _pick(self, names: set[str]) -> str:
        alive = sorted(names - self.deleted)
        if not alive:
            raise Lost
        return self.dice.choice(alive[-40:])

    def _record(self, name: str) -> tuple[Snapshot, Event]:
        for snapshot in self._crm.list(USER, Kind.EVENT):
            if isinstance(snapshot.item, Event) and snapshot.item.title == name:
                return snapshot, snapshot.item
        raise Lost

    def _rewrite(self, name: str, **values: Any) -> None:
        snapshot, event = self._record(name)
        self._crm.put(USER, msgspec.structs.replace(event, **values), snapshot.ref)


def _sorted(overrides: list[Override]) -> tuple[Override, ...]:
    return tuple(sorted(overrides, key=lambda one: one.recurrence_id))


def _shown(event: Event) -> Shown:
    days: dict[str, str] = {}
    if event.recurs:
        begin = event.start.replace(tzinfo=UTC)
        for one in occurrences(event, begin, begin + timedelta(weeks=LONG + 1)):
            own = UNSET if one.override is None else one.override.location
            place = event.location if own is UNSET else own
            days[f"{one.start:%Y-%m-%d}"] = f"{one.start:%H:%M} {place}"
    return Shown(event.location, days)
