"""Series: the master's recurrence, and what becomes of single occurrences.

Exchange drops all changed and deleted occurrences when a series gets another time or pattern;
then, and for a new series, `occurrences` names them all, otherwise those that differ. It brings
no deleted occurrence back either: `rewritten` says so, and `event.properties` writes the
recurrence anew. A change of "this and following" occurrences needs nothing of its own: it is a
series that ends earlier and a new one (`split_from`), two items that are written one by one.
A series that Exchange can't say is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from accord.formats.outlook.events import event_pattern
from accord.formats.outlook.neighbours import writing_order
from accord.formats.outlook.occurrences import days
from accord.formats.outlook.pattern import Pattern, Range, Unfit
from accord.formats.outlook.to_pattern import Fit
from accord.groupware.exchange.codec import entry, parts, recurrence
from accord.groupware.exchange.codec.kept import kept_text, with_kept
from accord.model.fields import same
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.recurrence import Override
from accord.ports.errors import Rejected

PROPERTIES = ("recurrence", "modified_occurrences", "deleted_occurrences")
"""The fields of exchangelib's CalendarItem that tell of a series."""

RECURRENCE = (*entry.TIMES, "recurrence")
"""What is written together where a series changes its times."""

_MAY_DIFFER = (
    *("title", "body", "location", "online_meeting", "status", "busy", "privacy", "categories"),
    *("reminders", "attendees"),
)
_KEPT = frozenset(_MAY_DIFFER) - {"body"}
_WHEN = ("start", "end", "time_zone", "end_time_zone", "all_day")


class Change(Struct, frozen=True, kw_only=True):
    """Ask for one occurrence to be changed, or deleted where there are no `properties`.

    `recurrence_id` is its original start in the series' zone, `index` its number from 1 with
    the deleted ones (EWS InstanceIndex).
    """

    recurrence_id: datetime
    index: int
    properties: dict[str, Any] | None = None


def fit_of(event: Event) -> Fit:
    """Return a series as Exchange says it; raises Rejected with the reason where it can't."""
    found = event_pattern(event)
    if isinstance(found, Unfit):
        raise Rejected(f"Exchange can't say this series: {found.reason}", code="recurrence")
    zone = event.time_zone
    if zone is not None and not event.all_day and parts.known_zone(zone) is None:
        raise Rejected(f"Exchange has no name for the time zone {zone}", code="zone")
    return found


def sent(event: Event, home: str) -> dict[str, Any]:
    """Return all fields of an event, series or not; raises Rejected."""
    if not event.recurs:
        return {**entry.sent(event, home), "recurrence": None}
    fit = fit_of(event)
    # Patterns count minutes.
    start = fit.start.replace(second=0, microsecond=0)
    end = (start + (event.end - event.start)).replace(second=0, microsecond=0)
    values = entry.sent(replace(event, start=start, end=end), home)
    if not event.all_day and values["start"].time() != start.time():
        # All others would follow the first.
        reason = f"in Exchange's zone its first occurrence isn't at {start:%H:%M}"
        raise Rejected(f"Exchange can't say this series: {reason}", code="zone")
    return {**values, "recurrence": recurrence.sent(fit.pattern, fit.range)}


def read(item: Any, home: str, own: str = "") -> Event:
    """Return what a master or a single entry says, changed occurrences left aside.

    Raises Rejected.
    """
    found = entry.read(item, home, own)
    if item.recurrence is None:
        return found
    pattern, span = recurrence.read(item.recurrence)
    series = recurrence.rule_of(pattern, span, found.start)
    length = found.end - found.start
    told = [_day(each.start, item, home) for each in item.deleted_occurrences or ()]
    gone = {day for day in told if day is not None}
    return replace(
        found,
        rule=series.rule,
        start=series.start,
        end=series.start + length,
        exdates=tuple(datetime.combine(day, series.start.time()) for day in sorted(gone)),
    )


def overrides(master: Any, plain: Event, exceptions: Iterable[Any], home: str) -> list[Override]:
    """Return the changed occurrences as they differ from their series; raises Rejected.

    `plain` is the series as `read` returns it, with what was kept of it.
    """
    found: dict[datetime, Override] = {}
    zone = entry.zone_of(master, home)
    for each in exceptions:
        original = each.original_start or each.recurrence_id
        day = None if original is None else _day(original, master, home)
        if day is None:
            raise Rejected("a changed occurrence doesn't say which one it is", code="occurrence")
        when = datetime.combine(day, plain.start.time())
        text = master.accord_kept if each.accord_kept is None else each.accord_kept
        own = with_kept(entry.read(each, zone), text, lambda other: entry.seen(other, zone), _KEPT)
        override = _override(own, plain, when, zone)
        if override is not None:
            found[when] = override
    return [found[when] for when in sorted(found) if when not in plain.exdates]


def rewritten(after: Event, before: Event) -> bool:
    """Tell whether Exchange has to forget what it knows of single occurrences; raises Rejected."""
    if not (after.recurs and before.recurs):
        return True
    now = fit_of(after)
    try:
        then = fit_of(before)
    except Rejected:
        return True
    if (now.pattern, now.range, now.start) != (then.pattern, then.range, then.start):
        return True
    if any(getattr(after, name) != getattr(before, name) for name in _WHEN[2:]):
        return True
    if after.end - after.start != before.end - before.start:
        return True
    return bool(set(then.deleted) - set(now.deleted)) or not _can_move(now, after, before)


def occurrences(
    after: Event, before: Event | None = None, *, home: str = "UTC"
) -> tuple[Change, ...]:
    """Return what is to be done with single occurrences once the series itself is written.

    In this very order: what is deleted first, then changes such that no occurrence meets
    another on its way. `before` is None for a new series. Raises Rejected.
    """
    if not after.recurs:
        return ()
    try:
        fit = fit_of(after)
    except Rejected:
        if before is not None and _unmoved(after, before):
            return ()
        raise
    known = None if before is None or rewritten(after, before) else before
    old = {} if known is None else _changed(known)
    gone = set() if known is None else set(fit_of(known).deleted)
    wanted = _changed(after)
    restored = [Override(recurrence_id=w) for w in old if w not in wanted and w not in fit.deleted]
    found: list[tuple[datetime, dict[str, Any] | None]] = [
        (when, None) for when in fit.deleted if when not in gone
    ]
    for one in writing_order([*wanted.values(), *restored]):
        was = old.get(one.recurrence_id)
        properties = _properties(after, one, known, was, home)
        if properties:
            found.append((one.recurrence_id, properties))
    numbers = _numbers(fit.pattern, fit.range, {when.date() for when, _ in found})
    return tuple(
        Change(recurrence_id=when, index=numbers[when.date()], properties=properties)
        for when, properties in found
    )


# ---- reading ----


def _day(moment: Any, master: Any, home: str) -> date | None:
    """Return the day of an occurrence in the zone of its series."""
    if moment is None:
        return None
    zone = entry.zone_of(master, home)
    if not isinstance(moment, datetime):
        return parts.plain_day(moment)
    local = parts.local_of(moment, zone)
    return (local + timedelta(hours=12) if master.is_all_day else local).date()


def _override(own: Event, plain: Event, when: datetime, zone: str) -> Override | None:
    values: dict[str, Any] = {
        name: getattr(own, name)
        for name in _MAY_DIFFER
        if not same(Kind.EVENT, name, getattr(own, name), getattr(plain, name))
    }
    values |= _moved(own, plain, when, zone)
    known = {(each.name, each.size) for each in plain.attachments}
    if any((each.name, each.size) not in known for each in own.attachments):
        values["attachments"] = own.attachments
    return Override(recurrence_id=when, **values) if values else None


def _moved(own: Event, plain: Event, when: datetime, zone: str) -> dict[str, Any]:
    """Return where an occurrence lies, where that isn't its usual place."""
    values: dict[str, Any] = {}
    if own.all_day != plain.all_day:
        values["all_day"] = own.all_day
    if not own.all_day and (own.time_zone != zone or plain.all_day):
        values["time_zone"] = own.time_zone
    if own.all_day and not plain.all_day:
        values["time_zone"] = None
    usual_end = plain.end_time_zone if "time_zone" not in values else None
    if own.end_time_zone != usual_end:
        values["end_time_zone"] = own.end_time_zone
    usual = (when, when + (plain.end - plain.start))
    if values or _minutes(own.start, own.end) != _minutes(*usual):
        values |= {"start": own.start, "end": own.end}
    return values


def _minutes(*times: datetime) -> tuple[datetime, ...]:
    return tuple(each.replace(second=0, microsecond=0) for each in times)


# ---- writing ----


def _unmoved(after: Event, before: Event) -> bool:
    """Tell whether nothing about times and occurrences changes."""
    names = ("rule", "rdates", "exdates", "overrides", *_WHEN)
    return all(getattr(after, name) == getattr(before, name) for name in names)


def _changed(event: Event) -> dict[datetime, Override]:
    return {
        one.recurrence_id: one for one in event.overrides if one.recurrence_id not in event.exdates
    }


def _can_move(fit: Fit, after: Event, before: Event) -> bool:
    """Tell whether every step from the old places to the new ones is free."""
    places, wanted = _changed(before), _changed(after)
    back = [Override(recurrence_id=when) for when in places if when not in wanted]
    for one in writing_order([*wanted.values(), *back]):
        if places.get(one.recurrence_id) == one:
            continue
        places[one.recurrence_id] = one
        shown = [each for each in places.values() if each.recurrence_id not in fit.deleted]
        event = replace(after, overrides=tuple(shown))
        if isinstance(event_pattern(event), Unfit):
            return False
    return True


def _properties(
    series: Event, one: Override, known: Event | None, was: Override | None, home: str
) -> dict[str, Any]:
    """Return what is sent to make an occurrence what it is to be.

    What isn't its own it has from its series as that is now.
    """
    usual = Override(recurrence_id=one.recurrence_id)
    target, base = applied(series, one), applied(series, was or usual)
    names: set[str] = set()
    for name in (*_MAY_DIFFER, *_WHEN):
        if not same(Kind.EVENT, name, getattr(target, name), getattr(base, name)):
            names |= set(entry.WRITTEN.get(name, ()))
    if target.all_day == base.all_day:
        names -= {"is_all_day"}
    if parts.stands_already(target.body, base.body):
        names -= {"body"}
    values = entry.sent(target, home)
    if values["reminder_minutes_before_start"] is None:
        names -= {"reminder_minutes_before_start"}
    kept = _kept(target, home)
    stands = _kept(applied(series, usual), home)
    if known is not None and was is not None:
        held = _kept(applied(known, was), home)
        if held != _kept(applied(known, usual), home):
            stands = held
    if kept != stands:
        values["accord_kept"] = kept or "{}"  # None would be that of the series
        names |= {"accord_kept"}
    return {name: values[name] for name in values if name in names}


def _kept(event: Event, home: str) -> str | None:
    return kept_text(event, lambda each: entry.seen(each, home), _KEPT)


def applied(series: Event, one: Override) -> Event:
    """Return an occurrence as an entry of its own."""
    start = one.recurrence_id if one.start is UNSET else one.start
    end = start + (series.end - series.start) if one.end is UNSET else one.end
    values: dict[str, Any] = {
        name: getattr(one, name)
        for name in (*_MAY_DIFFER, "time_zone", "end_time_zone", "all_day", "attachments")
        if getattr(one, name) is not UNSET
    }
    plain = {"rule": None, "rdates": (), "exdates": (), "overrides": ()}
    return replace(series, **plain, **values, start=start, end=end)


def _numbers(pattern: Pattern, span: Range, wanted: set[date]) -> dict[date, int]:
    """Return the number of each occurrence, counted from 1."""
    if not wanted:
        return {}
    numbered = enumerate(days(pattern, span, until=max(wanted)), 1)
    return {day: number for number, day in numbered if day in wanted}
