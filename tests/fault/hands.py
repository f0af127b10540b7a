"""The hands of one person: they edit both sides, on and on, and remember what they did.

Every value a hand writes is unique, so that afterwards each can be found, or its fate told.
"""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET

from accord.crm.database.admin import Administration
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.model.occurrences import occurrences
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.ports.adapter import Outcome, Removal
from accord.ports.errors import AccordError
from accord.testing.place import revise
from tests.fault.mailboxes import LONG, Lost, Mailbox, Shown

_START = datetime(2030, 1, 7, 9)


class Hands:
    """Edit one person's records and mailbox, and keep what was done to each item."""

    def __init__(
        self, mailbox: Mailbox, crm: Administration, user: str, dice: random.Random
    ) -> None:
        """Work as `user` in the CRM, and in that person's mailbox."""
        self.mailbox, self.user, self.dice = mailbox, user, dice
        self.stock = 0
        """How many items are left alone: a folder that is emptied waits for somebody's word."""
        self._crm = crm
        self._count = 0
        self.born: set[str] = set()
        self.deleted: set[str] = set()
        self.places: dict[str, list[str]] = {}
        self.days: dict[tuple[str, str], list[str]] = {}
        self._series: dict[str, datetime] = {}
        self._crms: set[str] = set()

    def edit(self, times: int) -> None:
        """Let the hands do something, on either side, so many times."""
        acts = [self._add, self._add, self._place, self._place, self._drop]
        if self.mailbox.series:
            acts += [self._add_series, self._place_day, self._place_day, self._drop_day, self._move]
        for _ in range(times):
            act = self.dice.choice(acts)
            with suppress(AccordError, Lost):
                act(crm=self.dice.random() < 0.5)

    def add_there(self) -> None:
        """Make an entry in the mailbox."""
        self._add(crm=False)

    def both(self) -> tuple[dict[str, list[Shown]], dict[str, list[Shown]]]:
        """Return what each side shows by name; more than one under a name is a duplicate."""
        records: dict[str, list[Shown]] = {}
        for snapshot in self._crm.list(self.user, Kind.EVENT):
            if isinstance(snapshot.item, Event):
                records.setdefault(snapshot.item.title, []).append(_shown(snapshot.item))
        return records, self.mailbox.shown()

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
            self._crm.put(self.user, Event(title=name, start=begin, end=end, time_zone="UTC"))
        else:
            self.mailbox.add(name, begin, end)
        self.born.add(name)

    def _place(self, *, crm: bool) -> None:
        """Write a place never written before into an item."""
        name, place = self._pick(self.born - set(self._series)), self._value()
        if crm:
            self._rewrite(self._record(name)[0], location=place)
        else:
            self.mailbox.place(name, place)
        self.places.setdefault(name, []).append(place)
        self._crms |= {place} if crm else set()

    def _drop(self, *, crm: bool) -> None:
        if len(self.born - self.deleted) <= self.stock:
            raise Lost
        name = self._pick(self.born)
        if crm:
            snapshot, event = self._record(name)
            with self._crm.crm.open(self.user) as session:
                gone = Removal(ref=snapshot.ref, version=snapshot.version)
                _done(session.delete("", Kind.EVENT, [gone]))
            place = event.location
        else:
            place = self.mailbox.drop(name)
        self._dropped(name, place, crm=crm)

    def _dropped(self, name: str, place: str, *, crm: bool) -> None:
        """Note a deletion, and with it what places the hand has let go of knowingly."""
        self.deleted.add(name)
        for (series, _), places in self.days.items():
            # Should it stand, because it was edited on the other side, its days are as there.
            if series == name:
                places.append("")
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
            self._crm.put(self.user, event)
        else:
            self.mailbox.add_series(name, begin, end)
        self._series[name] = begin
        self.born.add(name)

    def _place_day(self, *, crm: bool) -> None:
        """Write a place never written before into one occurrence."""
        name, place = self._pick(set(self._series)), self._value()
        number = self.dice.randint(1, LONG)
        if crm:
            snapshot, event = self._record(name)
            when = event.start + timedelta(weeks=number - 1)
            if when in event.exdates:
                raise Lost
            others = [one for one in event.overrides if one.recurrence_id != when]
            own = Override(recurrence_id=when, location=place)
            self._rewrite(snapshot, overrides=_sorted([*others, own]))
        else:
            self.mailbox.place_day(name, number, place)
        self.days.setdefault((name, self.day(name, number)), []).append(place)

    def _drop_day(self, *, crm: bool) -> None:
        name, number = self._pick(set(self._series)), self.dice.randint(2, LONG)
        if crm:
            snapshot, event = self._record(name)
            when = event.start + timedelta(weeks=number - 1)
            others = [one for one in event.overrides if one.recurrence_id != when]
            gone = tuple(sorted({*event.exdates, when}))
            self._rewrite(snapshot, exdates=gone, overrides=_sorted(others))
        else:
            self.mailbox.drop_day(name, number)
        self.days.setdefault((name, self.day(name, number)), []).append("")

    def _move(self, *, crm: bool) -> None:
        """Let a whole series begin at another minute, its occurrences with it; only in the CRM."""
        name = self._pick(set(self._series))
        snapshot, event = self._record(name)
        by = timedelta(minutes=self.dice.choice((0, 10, 20)) - event.start.minute)
        moved = [
            msgspec.structs.replace(one, recurrence_id=one.recurrence_id + by)
            for one in event.overrides
        ]
        gone = tuple(when + by for when in event.exdates)
        times = {"start": event.start + by, "end": event.end + by}
        self._rewrite(snapshot, **times, exdates=gone, overrides=_sorted(moved))

    def _pick(self, names: set[str]) -> str:
        alive = sorted(names - self.deleted)
        if not alive:
            raise Lost
        return self.dice.choice(alive[-40:])

    def _record(self, name: str) -> tuple[Snapshot, Event]:
        for snapshot in self._crm.list(self.user, Kind.EVENT):
            if isinstance(snapshot.item, Event) and snapshot.item.title == name:
                return snapshot, snapshot.item
        raise Lost

    def _rewrite(self, snapshot: Snapshot, **values: Any) -> None:
        """Change a record as it was read, as a form would: not what somebody wrote since."""
        with self._crm.crm.open(self.user) as session:
            _done(session.update("", Kind.EVENT, [revise(snapshot, **values)]))


def _done(outcomes: list[Outcome]) -> None:
    (outcome,) = outcomes
    if isinstance(outcome, AccordError):
        raise outcome


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
