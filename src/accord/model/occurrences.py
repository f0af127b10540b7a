"""Expansion of series into occurrences, in wall-clock time, at bounded cost (RFC 5545 3.8.5).

Rules are expanded in the zone of the start, so that a meeting at ten stays at ten when the
clocks change. The start itself always counts as an occurrence, as calendar programs show it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import MINYEAR, UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

from dateutil import rrule as dateutil
from msgspec import UNSET, Struct

from accord.model.item import Absence, Event, Task
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.model.zones import instant, wall_clock

STEPS = 200_000
"""How many days or times of a rule are looked at before giving up: well under a second."""

LIMIT = 10_000
"""How many occurrences are given at most."""

_MARGIN = timedelta(days=2)


class TooMany(ValueError):
    """Say that a rule has more occurrences, or needs more work, than is allowed."""


class Occurrence(Struct, frozen=True, kw_only=True):
    """Be one occurrence: wall-clock start and end with their zones, and the change it carries.

    `recurrence_id` is the original start in the zone of the series, None where the item
    doesn't repeat. Zone None means floating or all-day.
    """

    start: datetime
    end: datetime
    time_zone: str | None = None
    end_time_zone: str | None = None
    all_day: bool = False
    recurrence_id: datetime | None = None
    override: Override | None = None

    @property
    def begins(self) -> datetime:
        """Return the UTC instant of the start; floating times count as UTC."""
        return _instant(self.start, self.time_zone)

    @property
    def ends(self) -> datetime:
        """Return the UTC instant of the end."""
        return _instant(self.end, self.end_time_zone or self.time_zone)


def occurrences(
    item: Event | Task | Absence, start: datetime, end: datetime, *, limit: int = LIMIT
) -> Iterator[Occurrence]:
    """Yield what of `item` touches the aware span from `start` to before `end`, by start.

    What reaches beyond the calendar ends with it. Raises TooMany for more than `limit`
    occurrences, or a rule too costly to expand; nothing is yielded then. A task without start
    or due date has none.
    """
    whole = _whole(item)
    if whole is None:
        return iter(())
    if not isinstance(item, Absence) and (item.rule is not None or _dates(item)):
        found = _expanded(item, whole, start, end, limit)
        return iter(sorted(found, key=lambda one: one.begins))
    return iter((whole,) if _touches(whole, start, end) else ())


def first_and_last(item: Event | Task | Absence) -> tuple[datetime, datetime | None] | None:
    """Return the UTC instants of the first start and the last end.

    The end is None for an endless series, and for one too costly to expand: both stay in
    view for ever. None for a task without dates.
    """
    whole = _whole(item)
    if whole is None:
        return None
    if isinstance(item, Absence) or (item.rule is None and not _dates(item)):
        return whole.begins, whole.ends
    starts = [whole.start, *_dates(item)]
    changed = [_changed(item, whole, one) for one in _overrides(item)]
    first = min([_at(whole, min(starts)).begins, *(one.begins for one in changed)])
    if item.rule is not None:
        last = _last_start(item.rule, whole)
        if last is None:
            return first, None
        starts.append(last)
    ends = [_at(whole, max(starts)).ends, *(one.ends for one in changed)]
    return first, max(ends)


def starts_of(
    rule: RecurrenceRule, start: datetime, after: datetime, until: datetime
) -> Iterator[datetime]:
    """Yield the local starts of a rule from `after` to `until`, both included.

    Raises TooMany once the work passes STEPS. The start is yielded only where it fits the rule.
    """
    begin = _forward(rule, start, after) if rule.count is None else start
    expanded = _rule(rule, start, begin, until)
    for local in takewhile(lambda found: found <= until, expanded):
        if local >= after:
            yield local


def _whole(item: Event | Task | Absence) -> Occurrence | None:
    """Return the item's own time, as its first occurrence."""
    if isinstance(item, Task):
        start, end = item.start or item.due, item.due or item.start
        if start is None or end is None:
            return None
        return Occurrence(start=start, end=end, time_zone=item.time_zone, all_day=item.all_day)
    return Occurrence(
        start=item.start,
        end=item.end,
        time_zone=item.time_zone,
        end_time_zone=item.end_time_zone if isinstance(item, Event) else None,
        all_day=item.all_day,
    )


def _dates(item: Event | Task) -> tuple[datetime, ...]:
    return item.rdates if isinstance(item, Event) else ()


def _overrides(item: Event | Task) -> tuple[Override, ...]:
    return item.overrides if isinstance(item, Event) else ()


def _touches(one: Occurrence, start: datetime, end: datetime) -> bool:
    begins, ends = one.begins, one.ends
    return begins < end and (ends > start or begins >= start)


def _expanded(
    item: Event | Task, whole: Occurrence, start: datetime, end: datetime, limit: int
) -> list[Occurrence]:
    changed = {one.recurrence_id: one for one in _overrides(item)}
    excluded = set(item.exdates)
    found = [
        one
        for when, override in changed.items()
        if when not in excluded and _touches(one := _changed(item, whole, override), start, end)
    ]
    after = _shifted(_local(start, whole), whole.start - whole.end - _MARGIN)
    until = _local(end, whole) + _MARGIN
    seen = excluded | changed.keys()
    for local in _starts(item, whole, after, until):
        if local in seen:
            continue
        seen.add(local)
        one = _at(whole, local)
        if _touches(one, start, end):
            found.append(one)
            if len(found) > limit:
                raise TooMany(f"there are more than {limit:,} occurrences")
    return found


def _starts(
    item: Event | Task, whole: Occurrence, after: datetime, until: datetime
) -> Iterator[datetime]:
    rule = item.rule
    if rule is None or rule.until is None or whole.start <= rule.until:
        yield whole.start
    yield from _dates(item)
    if rule is not None:
        yield from starts_of(rule, whole.start, after, until)


def _local(moment: datetime, whole: Occurrence) -> datetime:
    """Return a bound of the span in the zone of the series, kept inside the calendar."""
    low, high = datetime(1, 1, 1, tzinfo=UTC) + 400 * _MARGIN, datetime(9990, 1, 1, tzinfo=UTC)
    return wall_clock(min(max(moment, low), high), whole.time_zone)


def _shifted(local: datetime, by: timedelta) -> datetime:
    """Return a local time moved, as far as the calendar goes."""
    try:
        return local + by
    except OverflowError:
        return datetime.min if by < timedelta(0) else datetime.max


def _instant(local: datetime, time_zone: str | None) -> datetime:
    """Return an instant; a time of the calendar's first or last day may be its very end."""
    try:
        return instant(local, time_zone)
    except OverflowError:
        return (datetime.min if local.year == MINYEAR else datetime.max).replace(tzinfo=UTC)


def _at(whole: Occurrence, local: datetime) -> Occurrence:
    """Return the occurrence of a series that starts at a local time."""
    return Occurrence(
        start=local,
        end=_shifted(local, whole.end - whole.start),
        time_zone=whole.time_zone,
        end_time_zone=whole.end_time_zone,
        all_day=whole.all_day,
        recurrence_id=local,
    )


def _changed(item: Event | Task, whole: Occurrence, override: Override) -> Occurrence:
    """Return the occurrence that an override makes; without an end it keeps its length."""
    start = override.recurrence_id if override.start is UNSET else override.start
    length = whole.end - whole.start
    end_zone = override.end_time_zone
    return Occurrence(
        start=start,
        end=_shifted(start, length) if override.end is UNSET else override.end,
        time_zone=whole.time_zone if override.time_zone is UNSET else override.time_zone,
        end_time_zone=whole.end_time_zone if end_zone is UNSET else end_zone,
        all_day=whole.all_day if override.all_day is UNSET else override.all_day,
        recurrence_id=override.recurrence_id,
        override=override,
    )


def _last_start(rule: RecurrenceRule, whole: Occurrence) -> datetime | None:
    """Return the last local start of a rule; None where it has no end or costs too much."""
    if rule.count is None and rule.until is None:
        return None
    last = whole.start
    try:
        if rule.count is not None:
            return max(whole.start, _final(_rule(rule, whole.start, whole.start, None), last))
        assert rule.until is not None
        back = _PERIODS[rule.frequency] * rule.interval * 2
        after = max(whole.start, rule.until - back)
        last = _final(starts_of(rule, whole.start, after, rule.until), last)
        if last == whole.start:
            last = _final(starts_of(rule, whole.start, last, rule.until), last)
    except (TooMany, OverflowError):
        # What can't be counted ends no later than it may.
        return rule.until
    return max(last, whole.start)


def _final(found: Iterator[datetime], default: datetime) -> datetime:
    last = deque(found, maxlen=1)
    return last[0] if last else default


_PERIODS = {
    Frequency.SECONDLY: timedelta(seconds=1),
    Frequency.MINUTELY: timedelta(minutes=1),
    Frequency.HOURLY: timedelta(hours=1),
    Frequency.DAILY: timedelta(days=1),
    Frequency.WEEKLY: timedelta(days=7),
    Frequency.MONTHLY: timedelta(days=31),
    Frequency.YEARLY: timedelta(days=366),
}


class _Past(Exception):
    """Say that so many days were looked at that the end of the span is certainly behind."""


class _Budget:
    """Be a set of numbers that counts how often it is asked.

    dateutil asks for every day and time it looks at, also while nothing fits: a rule that no
    longer fits would else be followed to the year 9999.
    """

    def __init__(self, numbers: Iterable[int], steps: int) -> None:
        self._numbers = frozenset(numbers)
        self._left = min(steps, STEPS)
        self._enough = steps <= STEPS

    def __contains__(self, number: object) -> bool:
        self._left -= 1
        if self._left < 0:
            raise _Past if self._enough else TooMany(f"the rule takes more than {STEPS:,} steps")
        return number in self._numbers

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)


def _steps(rule: RecurrenceRule, begin: datetime, until: datetime | None) -> int:
    """Return how many days or times dateutil looks at, at most, before it is past `until`."""
    if until is None:
        return STEPS + 1
    days = max((until - begin).days, 0) + 3 * 366
    if rule.frequency in _SUBDAILY:
        days += max(until - begin, timedelta(0)) // (_PERIODS[rule.frequency] * rule.interval)
    return days


_SUBDAILY = (Frequency.HOURLY, Frequency.MINUTELY, Frequency.SECONDLY)


def _rule(
    rule: RecurrenceRule, start: datetime, begin: datetime, until: datetime | None
) -> Iterator[datetime]:
    """Return dateutil's expansion from `begin`, with what the start implies spelled out."""
    ends = [end for end in (rule.until, until) if end is not None]
    last = min(ends) if ends else None
    steps = _steps(rule, begin, last)
    try:
        expanded = dateutil.rrule(
            _FREQUENCIES[rule.frequency],
            dtstart=begin,
            interval=rule.interval,
            wkst=_WEEKDAYS[rule.week_start.value],
            count=rule.count,
            until=last if rule.count is None else None,
            **_parts(rule, start),
        )
        fields: Any = expanded
        weekdays = fields._byweekday
        fields._byweekday = _Budget(range(7) if weekdays is None else weekdays, steps)
        for name in ("_bymonth", "_byhour", "_byminute", "_bysecond"):
            if getattr(fields, name) is not None:
                setattr(fields, name, _Budget(getattr(fields, name), steps))
        yield from _counted(expanded)
    except _Past:
        return
    except TooMany:
        raise
    except ValueError:
        # dateutil says so where no time of day can ever fit the interval.
        return


def _counted(found: Iterable[datetime]) -> Iterator[datetime]:
    for count, local in enumerate(found):
        if count >= STEPS:
            raise TooMany(f"the rule has more than {STEPS:,} occurrences")
        yield local


def _parts(rule: RecurrenceRule, start: datetime) -> dict[str, Any]:
    """Return the BY parts for dateutil, those taken from the start included (RFC 5545 3.3.10)."""
    by_day = [
        day if not one.nth else day(one.nth)
        for one in rule.by_day
        for day in (_WEEKDAYS[one.day.value],)
    ]
    parts: dict[str, Any] = {
        "bymonth": rule.by_month,
        "byweekno": rule.by_week_number,
        "byyearday": rule.by_year_day,
        "bymonthday": rule.by_month_day,
        "byweekday": by_day,
        "byhour": rule.by_hour,
        "byminute": rule.by_minute,
        "bysecond": rule.by_second,
        "bysetpos": rule.by_set_position,
    }
    days = ("byweekno", "byyearday", "bymonthday", "byweekday")
    if not any(parts[name] for name in days):
        match rule.frequency:
            case Frequency.YEARLY:
                parts["bymonth"] = parts["bymonth"] or (start.month,)
                parts["bymonthday"] = (start.day,)
            case Frequency.MONTHLY:
                parts["bymonthday"] = (start.day,)
            case Frequency.WEEKLY:
                parts["byweekday"] = [_WEEKDAYS_BY_NUMBER[start.weekday()]]
            case _:
                pass
    order = list(_PERIODS)
    finer = order.index(rule.frequency)
    for index, name, value in (
        (2, "byhour", start.hour),
        (1, "byminute", start.minute),
        (0, "bysecond", start.second),
    ):
        if finer > index and not parts[name]:
            parts[name] = (value,)
    return {name: value or None for name, value in parts.items()}


def _forward(rule: RecurrenceRule, start: datetime, after: datetime) -> datetime:
    """Return a start that is whole intervals later, shortly before `after`.

    Only for rules without a count: what came before doesn't matter to what follows. Months
    and years begin on their first day, since the parts taken from the start are spelled out.
    """
    if after <= start:
        return start
    if rule.frequency is Frequency.YEARLY:
        years = (after.year - 1 - start.year) // rule.interval * rule.interval
        return start.replace(year=start.year + years, month=1, day=1) if years > 0 else start
    if rule.frequency is Frequency.MONTHLY:
        months = (after.year - start.year) * 12 + after.month - 1 - start.month
        months = months // rule.interval * rule.interval
        if months <= 0:
            return start
        year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
        return start.replace(year=year, month=month + 1, day=1)
    step = _PERIODS[rule.frequency] * rule.interval
    whole = (after - start) // step - 1
    return start + step * whole if whole > 0 else start


_FREQUENCIES: dict[Frequency, Any] = {
    Frequency.YEARLY: dateutil.YEARLY,
    Frequency.MONTHLY: dateutil.MONTHLY,
    Frequency.WEEKLY: dateutil.WEEKLY,
    Frequency.DAILY: dateutil.DAILY,
    Frequency.HOURLY: dateutil.HOURLY,
    Frequency.MINUTELY: dateutil.MINUTELY,
    Frequency.SECONDLY: dateutil.SECONDLY,
}
_WEEKDAYS_BY_NUMBER = (
    dateutil.MO,
    dateutil.TU,
    dateutil.WE,
    dateutil.TH,
    dateutil.FR,
    dateutil.SA,
    dateutil.SU,
)
_WEEKDAYS = dict(zip(("mo", "tu", "we", "th", "fr", "sa", "su"), _WEEKDAYS_BY_NUMBER, strict=True))
