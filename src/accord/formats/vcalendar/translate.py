"""Components of vCalendar 1.0 as iCalendar has them, so that one reader serves both.

Times get the zone that TZ and DAYLIGHT mean, rules and words of old their new names, alarms
become components; everything else stays as it is and is kept by the reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from accord.formats.errors import Refused
from accord.formats.ical.fields import OUTLOOK_BUSY
from accord.formats.ical.props import DROPPED
from accord.formats.ical.rrule import parse as parse_rule
from accord.formats.ical.values import BEYOND, format_date, format_local, refuse
from accord.formats.limits import Limits
from accord.formats.lines import NO_PARAMS, Line, escape, split, unescape
from accord.formats.old import decoded
from accord.formats.tree import Component
from accord.formats.vcalendar.alarms import alarms
from accord.formats.vcalendar.people import person_lines
from accord.formats.vcalendar.read_rules import to_rrule
from accord.formats.vcalendar.stamps import Stamp, stamp
from accord.formats.vcalendar.zones import read_offsets, zone_of
from accord.model.occurrences import TooMany, starts_of
from accord.model.zones import instant, wall_clock

ALL_DAY = "X-MICROSOFT-CDO-ALLDAYEVENT"
_ALL_DAY_FLAGS = {ALL_DAY: "TRUE", "X-FUNAMBOL-ALLDAY": "1"}
_ENTRIES = ("VEVENT", "VTODO")
_FRAME = frozenset({"TZ", "DAYLIGHT", "GEO", "VERSION", "PRODID"})
_MOST_RULES = 10
_DAY = timedelta(days=1)
_BUSY = {"2": "TENTATIVE", "3": "OOF"}
_TASK_STATUS = {
    "NEEDS ACTION": "NEEDS-ACTION",
    "IN PROCESS": "IN-PROCESS",
    "COMPLETED": "COMPLETED",
    "CANCELLED": "CANCELLED",
}
_EVENT_STATUS = {
    "TENTATIVE": "TENTATIVE",
    "CONFIRMED": "CONFIRMED",
    "ACCEPTED": "CONFIRMED",
    "CANCELLED": "CANCELLED",
}


def translated(root: Component, limits: Limits, wanted: str) -> Component:
    """Return a calendar as iCalendar has it; `wanted` as in `reader.read`.

    Raises Refused with the property and line.
    """
    found = Component(root.name, root.number)
    found.bad = root.bad
    found.lines = [line for line in map(decoded, root.lines) if line.name not in _FRAME]
    for part in root.children:
        if part.name not in _ENTRIES or part.bad is not None:
            found.children.append(part)
            continue
        try:
            found.children.append(_Entry(part, root.lines, limits, wanted).translated())
        except OverflowError as error:
            raise Refused(BEYOND, line=part.number) from error
    return found


def looks_all_day(start: datetime | None, end: datetime | None) -> bool:
    """Tell whether local times are those of whole days: from 0:00 to 0:00, 24:00 or 23:59."""
    return (start is None or start == _midnight(start)) and (
        end is None or end == _midnight(end) or _is_last_minute(end)
    )


class _Entry:
    """Be one entry or task on its way."""

    def __init__(self, part: Component, frame: list[Line], limits: Limits, wanted: str) -> None:
        self.part = part
        self.limits = limits
        self.wanted = wanted
        self.lines = [decoded(line) for line in part.lines]
        self.names = {line.name for line in self.lines}
        own = [line for line in self.lines if line.name in ("TZ", "DAYLIGHT")]
        self.offsets = read_offsets(own) or read_offsets(frame)
        self.stamps = {
            line.name: stamp(line.value, line)
            for line in self.lines
            if line.name in ("DTSTART", "DTEND", "DUE") and line.value.strip()
        }
        self.zone = self._zone()
        self.all_day = self._all_day()
        self.start = self._start()

    def translated(self) -> Component:
        """Return the entry as iCalendar has it."""
        found = Component(self.part.name, self.part.number)
        found.children = list(self.part.children)
        for line in self.lines:
            found.lines += self._line(line)
        found.lines += person_lines([x for x in self.lines if x.name == "ATTENDEE"])
        found.children += alarms(self.lines, self._begins(), self._exact)
        return found

    def _zone(self) -> str | None:
        """Return the zone of the times: what TZ says, else UTC or floating as they are written."""
        utc = any(is_utc for _, _, is_utc in self.stamps.values())
        first = self.stamps.get("DTSTART") or self.stamps.get("DUE")
        if self.offsets is None or first is None:
            return "UTC" if utc else None
        recurs = bool(self.names & {"RRULE", "RDATE"})
        found = zone_of(self.offsets, first[0], recurs, self.wanted)
        if found is not None or not recurs:
            return found or "UTC"
        if self.wanted:
            return self.wanted
        line = next(one for one in self.lines if one.name in ("DTSTART", "DUE"))
        raise refuse(line, "no time zone has the offsets that TZ and DAYLIGHT give")

    def _all_day(self) -> bool:
        for line in self.lines:
            if line.name in _ALL_DAY_FLAGS:
                return line.value.strip().upper() == _ALL_DAY_FLAGS[line.name]
        if not self.stamps or any(is_utc for _, _, is_utc in self.stamps.values()):
            return False
        if all(is_date for _, is_date, _ in self.stamps.values()):
            return True
        start, end = self.stamps.get("DTSTART"), self.stamps.get("DTEND", self.stamps.get("DUE"))
        return looks_all_day(start[0] if start else None, end[0] if end else None)

    def _start(self) -> datetime | None:
        first = self.stamps.get("DTSTART") or self.stamps.get("DUE")
        return None if first is None else self._local(first)

    def _local(self, found: Stamp) -> datetime:
        """Return a time in the zone of the entry, or its date."""
        local, is_date, is_utc = found
        place = self.zone or self.wanted
        if is_utc and place not in ("", "UTC"):
            local = wall_clock(local.replace(tzinfo=UTC), place)
        elif not (is_date or is_utc or self.all_day):
            local -= self.apart(local)
        return _midnight(local) if self.all_day else local

    def apart(self, local: datetime) -> timedelta:
        """Return how far the text's own clock is from that of the entry's zone."""
        if self.zone == "UTC" and self.offsets is not None:
            return self.offsets.of(local)
        return timedelta(0)

    def _exact(self, found: Stamp) -> datetime | None:
        """Return a moment as it compares with the start: UTC, or the clock's where that floats."""
        local, _, is_utc = found
        zone = None if self.all_day else self.zone
        if is_utc:
            place = zone or self.zone or self.wanted
            if zone is None and place:
                return wall_clock(local.replace(tzinfo=UTC), place)
            return local if place else None
        return instant(local - self.apart(local), zone).replace(tzinfo=None)

    def _begins(self) -> datetime | None:
        zone = None if self.all_day else self.zone
        return None if self.start is None else instant(self.start, zone).replace(tzinfo=None)

    def _timed(self, line: Line, name: str) -> Line:
        """Return a line that holds one time."""
        found = stamp(line.value, line)
        local = self._local(found)
        if self.all_day and name == "DTEND" and _is_last_minute(found[0]):
            local += _DAY
        return self._at(line, name, [local])

    def _at(self, line: Line, name: str, locals_: list[datetime]) -> Line:
        if self.all_day:
            value = ",".join(map(format_date, locals_))
            return Line(name, {"VALUE": ("DATE",)}, value, line.number)
        end = "Z" if self.zone == "UTC" else ""
        params = {"TZID": (self.zone,)} if self.zone not in (None, "UTC") else NO_PARAMS
        return Line(name, params, ",".join(format_local(x) + end for x in locals_), line.number)

    def _line(self, line: Line) -> Iterator[Line]:
        if line.name in _DONE or line.name in _ALL_DAY_FLAGS:
            return
        translate = _LINES.get(line.name)
        if translate is None:
            yield line
        elif line.value.strip():
            yield from translate(self, line)

    def timed(self, line: Line) -> Iterator[Line]:
        """Translate a time of the entry."""
        yield self._timed(line, line.name)

    def recurrence_id(self, line: Line) -> Iterator[Line]:
        """Translate the time that a changed occurrence had."""
        yield self._timed(line, "RECURRENCE-ID")

    def dates(self, line: Line) -> Iterator[Line]:
        """Translate a list of dates, divided by semicolons."""
        yield self._at(line, line.name, self._dates(line))

    def _dates(self, line: Line) -> list[datetime]:
        texts = line.value.replace(",", ";").split(";", self.limits.dates)
        if len(texts) > self.limits.dates:
            raise refuse(line, f"there are more than {self.limits.dates:,} dates")
        found = []
        for text in filter(None, map(str.strip, texts)):
            one = stamp(text, line)
            local = self._local(one)
            if one[1] and not self.all_day and self.start is not None:
                # A date alone means the occurrence of that day.
                local = datetime.combine(local.date(), self.start.time())
            found.append(local)
        return found

    def rule(self, line: Line) -> Iterator[Line]:
        """Translate a rule; raises Refused where the entry has no time."""
        if self.start is None:
            raise refuse(line, "it repeats, but has no time")
        value = to_rrule(line, self.start, self.all_day, self._local)
        yield line._replace(value=value, params=NO_PARAMS)

    def exception_rule(self, line: Line) -> Iterator[Line]:
        """Translate a rule of exceptions to the dates it has, if it ends."""
        if sum(one.name == "EXRULE" for one in self.lines) > _MOST_RULES:
            raise refuse(line, f"there are more than {_MOST_RULES} rules of exceptions")
        (as_rule,) = self.rule(line)
        rule = parse_rule(as_rule, self.zone, self.all_day)
        if rule.count is None and rule.until is None:
            raise refuse(line, "a rule of exceptions without end isn't supported")
        assert self.start is not None
        found: list[datetime] = []
        try:
            for local in starts_of(rule, self.start, self.start, rule.until or datetime.max):
                found.append(local)
                if len(found) > self.limits.dates:
                    raise refuse(line, f"it has more than {self.limits.dates:,} dates")
        except TooMany as error:
            raise refuse(line, str(error)) from error
        if found:
            yield self._at(line, "EXDATE", found)

    def utc(self, line: Line) -> Iterator[Line]:
        """Translate a moment that is always UTC in iCalendar."""
        try:
            local, is_date, is_utc = stamp(line.value, line)
        except Refused:
            if line.name not in DROPPED and line.name != "DCREATED":
                raise
            return
        if not is_utc and not is_date and self.zone is not None:
            local = instant(local, self.zone).replace(tzinfo=None)
        name = "CREATED" if line.name == "DCREATED" else line.name
        yield Line(name, NO_PARAMS, f"{format_local(local)}Z", line.number)

    def status(self, line: Line) -> Iterator[Line]:
        """Translate the status; words that only invitations know say nothing."""
        words = _EVENT_STATUS if self.part.name == "VEVENT" else _TASK_STATUS
        word = words.get(line.value.strip().upper().replace("-", " ").replace("_", " "))
        if word is not None:
            yield Line("STATUS", NO_PARAMS, word, line.number)

    def transparency(self, line: Line) -> Iterator[Line]:
        """Translate TRANSP; 2 and 3 are what SyncEvolution and Oracle made of it."""
        value = line.value.strip().upper()
        free = value not in ("0", "OPAQUE", *_BUSY)
        yield line._replace(value="TRANSPARENT" if free else "OPAQUE")
        if value in _BUSY:
            yield Line(OUTLOOK_BUSY, NO_PARAMS, _BUSY[value], line.number)

    def listed(self, line: Line) -> Iterator[Line]:
        """Translate a list, divided by semicolons, or by commas where there are none."""
        names = split(line.value, ";")
        if len(names) == 1:
            names = split(line.value, ",")
        yield line._replace(value=",".join(escape(unescape(name.strip())) for name in names))

    def priority(self, line: Line) -> Iterator[Line]:
        """Translate the priority, which has no lowest one in 1.0."""
        value = line.value.strip()
        high = value.isascii() and value.isdigit() and int(value[:9]) > 9
        yield line._replace(value="9") if high else line

    def attachment(self, line: Line) -> Iterator[Line]:
        """Translate an attachment."""
        params = {key: value for key, value in line.params.items() if key not in ("VALUE", "TYPE")}
        if "ENCODING" in params:
            params |= {"ENCODING": ("BASE64",), "VALUE": ("BINARY",)}
        yield line._replace(params=params)


_DONE = frozenset({"TZ", "DAYLIGHT", "ATTENDEE", "AALARM", "DALARM"})
_LINES: dict[str, Callable[[_Entry, Line], Iterator[Line]]] = {
    **dict.fromkeys(("DTSTART", "DTEND", "DUE"), _Entry.timed),
    **dict.fromkeys(("X-RECURRENCE-ID", "RECURRENCE-ID"), _Entry.recurrence_id),
    **dict.fromkeys(("EXDATE", "RDATE"), _Entry.dates),
    **dict.fromkeys(("COMPLETED", "DCREATED", "CREATED", "LAST-MODIFIED"), _Entry.utc),
    **dict.fromkeys(("CATEGORIES", "RESOURCES"), _Entry.listed),
    "RRULE": _Entry.rule,
    "EXRULE": _Entry.exception_rule,
    "STATUS": _Entry.status,
    "TRANSP": _Entry.transparency,
    "PRIORITY": _Entry.priority,
    "ATTACH": _Entry.attachment,
}


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0)


def _is_last_minute(at: datetime) -> bool:
    return (at.hour, at.minute) == (23, 59)
