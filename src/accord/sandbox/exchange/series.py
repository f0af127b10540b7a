"""A series and its occurrences: each can be read, changed and deleted by itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from itertools import islice

from lxml import etree

from accord.sandbox.exchange import calendar, ids, recurrence
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.recurrence import Rule
from accord.sandbox.exchange.schema import TYPES
from accord.sandbox.exchange.store import Item, Occurrence, Store
from accord.sandbox.exchange.xml import Node, child, local, moment, stamp, t, text_at
from accord.sandbox.exchange.zones import zone_named

SCHEDULE = {"Start", "End", "IsAllDayEvent", "Recurrence", "StartTimeZone", "EndTimeZone"}
"""Whoever changes one of these of a series loses what was changed in its occurrences."""
PATHS = ["calendar:ModifiedOccurrences"]
"""What has changed of a series in which an occurrence has."""
_FOR_EVER = 2**40


@dataclass(frozen=True, slots=True)
class Single:
    """What comes in with a new series of the occurrence of a day.

    Without properties it is left out.
    """

    day: date
    nodes: list[Node] | None = None


@dataclass(slots=True)
class Series:
    """A series with what was changed in it; occurrences are named by their original start."""

    master: Item
    rule: Rule
    zone: tzinfo
    changed: dict[int, Occurrence]

    def starts(self) -> Iterator[int]:
        """Yield the original starts in order, in seconds since 1970, deleted ones included."""
        time = self._wall("Start").time()
        for each in self.rule.dates():
            yield int(datetime.combine(each, time, self.zone).timestamp())

    def occurrence(self, original: int) -> Item:
        """Return an occurrence as it is now. Raises EwsError where it is gone or never was."""
        if original not in self._until(original):
            raise EwsError("ErrorItemNotFound")
        held = self.changed.get(original)
        if held is not None and held.content is None:
            raise EwsError("ErrorCalendarOccurrenceIsDeletedFromRecurrence")
        return self._made(original)

    def numbered(self, index: int) -> Item:
        """Return an occurrence by its number, counted from 1 with the deleted ones."""
        found = next(islice(self.starts(), index - 1, None), None) if index > 0 else None
        if found is None:
            raise EwsError("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange")
        return self.occurrence(found)

    def on(self, day: date) -> int | None:
        """Return the original start of the occurrence of a day, if there is one."""
        for each in self.starts():
            own = datetime.fromtimestamp(each, self.zone).date()
            if own >= day:
                return each if own == day else None
        return None

    def between(self, begin: int, end: int) -> list[Item]:
        """Return the occurrences that lie at least partly between two moments."""
        originals = {each for each in self._until(end) if not self._over(each, begin)}
        originals |= set(self.changed)
        found = []
        for original in sorted(originals):
            held = self.changed.get(original)
            if held is None or held.content is not None:
                item = self._made(original)
                assert item.first is not None and item.last is not None
                if item.first < end and (item.last > begin or item.first == item.last == begin):
                    found.append(item)
        return found

    def check_place(self, item: Item) -> None:
        """Raise EwsError where a moved occurrence meets or passes one beside it."""
        own = self._day(item)
        before, after = None, None
        for each in self.starts():
            held = self.changed.get(each)
            if each == item.original or (held is not None and held.content is None):
                continue
            if each > item.original:
                after = each
                break
            before = each
        if before is not None and self._day(self._made(before)) >= own:
            raise EwsError("ErrorOccurrenceCrossingBoundary")
        if after is not None and self._day(self._made(after)) <= own:
            raise EwsError("ErrorOccurrenceCrossingBoundary")

    def _made(self, original: int) -> Item:
        held = self.changed.get(original)
        content = copy.deepcopy(self.master.content)
        calendar.remove(content, f"{{{TYPES}}}Recurrence")
        begin = datetime.fromtimestamp(original, self.zone)
        length = self._wall("End") - self._wall("Start")
        wall = begin.replace(tzinfo=None) + length
        calendar.put(content, t("Start", stamp(begin)))
        calendar.put(content, t("End", stamp(wall.replace(tzinfo=self.zone))))
        if held is not None and held.content is not None:
            for name in held.names:
                calendar.remove(content, f"{{{TYPES}}}{name}")
                content.extend(copy.deepcopy(held.content.findall(f"{{{TYPES}}}{name}")))
        found = copy.copy(self.master)
        found.content, found.original = content, original
        found.form = "Occurrence" if held is None else "Exception"
        found.first, found.last = (_seconds(content, each) for each in ("Start", "End"))
        return found

    def _day(self, item: Item) -> int:
        return datetime.fromtimestamp(item.first or 0, self.zone).toordinal()

    def _until(self, end: int) -> list[int]:
        found = []
        for each in self.starts():
            if each > end:
                break
            found.append(each)
        return found

    def _over(self, original: int, begin: int) -> bool:
        length = (self._wall("End") - self._wall("Start")).total_seconds()
        return original + length + 86_400 < begin

    def _wall(self, name: str) -> datetime:
        found = moment(text_at(self.master.content, name) or "")
        return found.astimezone(self.zone).replace(tzinfo=None)


def of(store: Store, item: Item) -> Series | None:
    """Return the series that an item is the master of; None for anything else."""
    if item.kind != "CalendarItem" or item.original:
        return None
    rule = recurrence.of(item.content)
    return None if rule is None else Series(item, rule, zone(item), store.occurrences(item.id))


def zone(item: Item) -> tzinfo:
    """Return the zone in which a calendar entry stands."""
    named = child(item.content, "StartTimeZone")
    return (zone_named(named.get("Id", "")) if named is not None else None) or UTC


def settle(item: Item) -> None:
    """Let a series begin on the first day of its pattern, and span all its occurrences."""
    rule = recurrence.of(item.content)
    if rule is None:
        return
    place = zone(item)
    start, end = (moment(text_at(item.content, each) or "") for each in ("Start", "End"))
    walls = [each.astimezone(place).replace(tzinfo=None) for each in (start, end)]
    shift = next(rule.dates()) - walls[0].date()
    for name, wall in zip(("Start", "End"), walls, strict=True):
        calendar.put(item.content, t(name, stamp((wall + shift).replace(tzinfo=place))))
    item.first = _seconds(item.content, "Start")
    last = rule.last()
    if last is None:
        item.last = _FOR_EVER
    else:
        wall = datetime.combine(last, walls[0].time()) + (walls[1] - walls[0])
        item.last = int(wall.replace(tzinfo=place).timestamp())


def keep(
    store: Store, series: Series, item: Item, names: set[str], *, anywhere: bool = False
) -> None:
    """Keep what was changed in an occurrence; `anywhere`, even where it meets another one."""
    if "Recurrence" in names:
        raise EwsError("ErrorInvalidPropertySet")
    if names & SCHEDULE:
        names |= {"Start", "End"}
        if not anywhere:
            series.check_place(item)
    held = series.changed.get(item.original)
    every = names | (set() if held is None else set(held.names))
    store.put_occurrence(item.id, Occurrence(item.original, item.content, tuple(sorted(every))))
    master = series.master
    master.first = min(master.first or 0, item.first or 0)
    master.last = max(master.last or 0, item.last or 0)


def take_in(
    store: Store,
    item: Item,
    singles: Sequence[Single],
    properties: Sequence[tuple[str, str]],
) -> None:
    """Keep what came in of single occurrences with a new series.

    Days on which it has none are passed over ([MS-OXCICAL] 2.1.3.1.1.20.13).
    """
    series = of(store, item)
    if series is None or not singles:
        return
    for each in singles:
        original = series.on(each.day)
        if original is None:
            continue
        if each.nodes is None:
            store.put_occurrence(item.id, Occurrence(original))
            continue
        one = series.occurrence(original)
        names = {"Start", "End"}
        for node in each.nodes:
            if not _same(node, child(one.content, local(node))):
                calendar.put(one.content, node)
                names.add(local(node))
        one.first, one.last = (_seconds(one.content, name) for name in ("Start", "End"))
        keep(store, series, one, names, anywhere=True)
    store.change_item(item, PATHS, properties)


def _same(node: Node, held: Node | None) -> bool:
    return held is not None and _spelled(node) == _spelled(held)


def _spelled(node: Node) -> bytes:
    return etree.tostring(node, method="c14n", exclusive=True)


def spread(call: Call, item: Item) -> list[Node]:
    """Return what a master tells of its occurrences."""
    series = of(call.store, item)
    if series is None:
        return []
    found = [t("FirstOccurrence", *_told(series, next(series.starts())))]
    if series.rule.last() is not None:
        *_, last = series.starts()
        found.append(t("LastOccurrence", *_told(series, last)))
    kept = sorted(series.changed.values(), key=lambda each: each.original)
    changed = [each.original for each in kept if each.content is not None]
    gone = [each.original for each in kept if each.content is None]
    if changed:
        told = [t("Occurrence", *_told(series, each)) for each in changed]
        found.append(t("ModifiedOccurrences", *told))
    if gone:
        told = [t("DeletedOccurrence", t("Start", _text(each))) for each in gone]
        found.append(t("DeletedOccurrences", *told))
    return found


def _told(series: Series, original: int) -> list[Node]:
    try:
        item = series.occurrence(original)
    except EwsError:  # deleted: the place of it is still the series' first or last
        item = copy.copy(series.master)
        item.first, item.last = original, original
    which = ids.Id(item.mailbox, item.id, original=original)
    named = t("ItemId", Id=ids.write(which), ChangeKey=ids.write_key(item.change))
    times = (t("Start", _text(item.first or 0)), t("End", _text(item.last or 0)))
    return [named, *times, t("OriginalStart", _text(original))]


def _text(seconds: int) -> str:
    return stamp(datetime.fromtimestamp(seconds, UTC))


def _seconds(content: Node, name: str) -> int:
    return int(moment(text_at(content, name) or "").timestamp())
