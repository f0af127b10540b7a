"""Entries as an Exchange holds them: a master, what was deleted from it, what was changed in it.

A plain model of what the documentation says: whoever writes the times or the pattern of a series
loses its single occurrences; a changed occurrence has everything else from its series.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import exchangelib
from exchangelib.recurrence import DeletedOccurrence

from accord.formats.outlook.occurrences import days
from accord.groupware.exchange.codec import event, series
from accord.model.diff import diff
from accord.model.item import Event
from tests.unit.exchange.post import ALICE, HOME, parsed, updated, written


class Held:
    """Hold one entry; everything that passes in or out is carried as XML."""

    def __init__(self, item: Event, home: str = HOME) -> None:
        self.home = home
        self.master = event.properties(item, home=home)
        self.gone: list[datetime] = []
        self.changed: dict[datetime, dict[str, Any]] = {}
        self.apply(item, series.occurrences(item, home=home))

    def update(self, after: Event, before: Event) -> dict[str, Any]:
        """Write a change and return what was sent for the entry itself."""
        names = diff(before, after)
        sent = event.properties(after, before, names, home=self.home)
        if sent:
            updated(exchangelib.CalendarItem, sent, self.home)
        if {"start", "recurrence"} & set(sent):
            self.gone, self.changed = [], {}
        self.master |= sent
        self.apply(after, series.occurrences(after, before, home=self.home))
        return sent

    def apply(self, item: Event, changes: tuple[series.Change, ...]) -> None:
        """Change occurrences one by one; none may ever meet or pass one beside it."""
        dates = _dates(item)
        for each in changes:
            assert dates[each.index - 1] == each.recurrence_id.date()
            if each.properties is None:
                self.changed.pop(each.recurrence_id, None)
                self.gone.append(each.recurrence_id)
            else:
                updated(exchangelib.CalendarItem, each.properties, self.home)
                self.changed.setdefault(each.recurrence_id, {}).update(each.properties)
            places = {
                when.date(): _day(one.get("start", when)) for when, one in self.changed.items()
            }
            gone = {when.date() for when in self.gone}
            shown = [places.get(day, day) for day in dates if day not in gone]
            assert all(one < following for one, following in pairwise(shown))

    def read(self) -> Event:
        master = self._parsed(self.master)
        if self.gone:
            starts = [self._moment(when) for when in self.gone]
            master.deleted_occurrences = [DeletedOccurrence(start=start) for start in starts]
        return event.read(master, [self._exception(when) for when in self.changed])

    def _parsed(self, properties: dict[str, Any]) -> Any:
        given = {name: value for name, value in properties.items() if value is not None}
        text = written(exchangelib.CalendarItem, given, self.home)
        item = parsed(exchangelib.CalendarItem, text, self.home)
        item.organizer = exchangelib.Mailbox(email_address=ALICE, name="Alice")
        return item

    def _exception(self, when: datetime) -> Any:
        start, end = self.master["start"], self.master["end"]
        shift = timedelta(days=(when.date() - _day(start)).days)
        usual = {"start": start + shift, "end": end + shift}
        mine = {**self.master, **usual, **self.changed[when]}
        del mine["recurrence"]
        found = self._parsed(mine)
        found.original_start = self._moment(when)
        return found

    def _moment(self, when: datetime) -> Any:
        zone = self.master["_start_timezone"]
        local = exchangelib.EWSDateTime(*when.timetuple()[:6], tzinfo=zone)
        return local.astimezone(exchangelib.UTC)


def _dates(item: Event) -> list[date]:
    """Return the first days of a series, deleted ones included."""
    if not item.recurs:
        return []
    fit = series.fit_of(item)
    return list(islice(days(fit.pattern, fit.range), 400))


def _day(value: Any) -> Any:
    return value.date() if isinstance(value, datetime) else value
