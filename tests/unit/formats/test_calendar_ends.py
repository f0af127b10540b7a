"""Times at the ends of the calendar: read and written, or refused in words, never an error.

One such entry would else stop whoever reads a folder. Texts are made up from a seed: every
kind of date near the years 1 and 9999, in every kind of zone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import pytest

from accord.formats import ical, vcalendar, vcard
from accord.formats.errors import Refused
from accord.model.item import Event, Task
from accord.model.kinds import Kind
from accord.model.occurrences import TooMany, first_and_last, occurrences
from accord.model.recurrence import Override
from accord.rules.failure import RuleFailed
from accord.rules.rule import Window
from accord.rules.window import window_times

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
    "Asia/Manila",
    "America/Juneau",
    "UTC",
    "Ours",
)
DAYS: tuple[str, ...] = ("00010101", "00010102", "00010103", "00011231", "16010101", "20260301")
DAYS += ("99990101", "99991201", "99991229", "99991230", "99991231")
CLOCKS = ("000000", "010000", "120000", "233000", "235959")
LENGTHS = ("P1D", "PT1S", "P9999999D", "P999999W", "PT99999999H", "PT0S", "-P1D", "PT9999999999S")
RULES = (
    "FREQ=DAILY",
    "FREQ=WEEKLY;COUNT=5",
    "FREQ=MONTHLY;UNTIL={}",
    "FREQ=YEARLY;UNTIL={}",
    "FREQ=YEARLY;INTERVAL=1000000",
    "FREQ=MONTHLY;INTERVAL=1000000;COUNT=3",
    "FREQ=YEARLY;INTERVAL=1000;COUNT=20",
    "FREQ=WEEKLY;INTERVAL=999999;UNTIL={}",
    "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU;UNTIL={}",
)
OURS = """BEGIN:VTIMEZONE
TZID:Ours
BEGIN:STANDARD
DTSTART:{}T000000
TZOFFSETFROM:{}
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T000000
TZOFFSETFROM:+0100
TZOFFSETTO:{}
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
END:VTIMEZONE"""


class Writer:
    """Make up texts of calendars and cards from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.one = self.random.choice

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def clock(self) -> str:
        return f"{self.one(DAYS)}T{self.one(CLOCKS)}"

    def time(self, name: str) -> str:
        """Return a line with a date, or a time in UTC, in a zone or in none."""
        forms = (
            f"{name};VALUE=DATE:{self.one(DAYS)}",
            f"{name}:{self.clock()}Z",
            f"{name}:{self.clock()}",
            f"{name};TZID={self.one(ZONES)}:{self.clock()}",
        )
        return self.random.choices(forms, (3, 2, 1, 5))[0]

    def calendar(self) -> str:
        kind = self.one(("VEVENT", "VEVENT", "VTODO"))
        offset = self.one(("+0200", "+0200", "+2359", "-2359"))
        lines = ["BEGIN:VCALENDAR", "VERSION:2.0", OURS.format(self.one(DAYS), offset, offset)]
        lines += self.component(kind, series=True)
        for _ in range(self.one((0, 0, 1, 2))):
            lines += self.component(kind, series=False)
        return "\n".join([*lines, "END:VCALENDAR", ""])

    def component(self, kind: str, *, series: bool) -> Iterator[str]:
        yield from (f"BEGIN:{kind}", "UID:u", "SUMMARY:at the end of time")
        if not series:
            yield self.time("RECURRENCE-ID" + self.one(("", ";RANGE=THISANDFUTURE")))
        start = self.time("DTSTART")
        yield start
        end = "DTEND" if kind == "VEVENT" else "DUE"
        same = start.replace("DTSTART", end).replace("T120000", "T235959")
        yield self.one((self.time(end), same, f"DURATION:{self.one(LENGTHS)}", "X-NO:end"))
        if series and self.often(0.5):
            yield f"RRULE:{self.one(RULES).format(self.clock() + self.one(('', 'Z')))}"
        for name in ("EXDATE", "RDATE"):
            if self.often(0.15):
                yield self.time(name)
        for name in ("COMPLETED", "LAST-MODIFIED"):
            if self.often(0.15):
                yield f"{name}:{self.clock()}Z"
        if series and self.often(0.15):
            until = self.one((*LENGTHS, self.clock()))
            yield f"RDATE;TZID={self.one(ZONES)};VALUE=PERIOD:{self.clock()}/{until}"
        if self.often(0.2):
            trigger = (f"TRIGGER:{self.one(LENGTHS)}", self.time("TRIGGER;VALUE=DATE-TIME"))
            yield from ("BEGIN:VALARM", "ACTION:DISPLAY", self.one(trigger), "END:VALARM")
        yield f"END:{kind}"

    def old_calendar(self) -> str:
        def clock() -> str:
            return self.clock() + self.one(("", "Z", "+05:30", "-14"))

        kind = self.one(("VEVENT", "VTODO"))
        lines = ["BEGIN:VCALENDAR", "VERSION:1.0", f"TZ:{self.one(('+01', '-05', '+14:00'))}"]
        if self.often(0.5):
            offset = self.one(("+02", "-11"))
            lines.append(f"DAYLIGHT:TRUE;{offset};{clock()};{clock()};X;Y")
        lines += [f"BEGIN:{kind}", "UID:u", "SUMMARY:old", f"DTSTART:{clock()}"]
        for name in ("DTEND" if kind == "VEVENT" else "DUE", "EXDATE", "RDATE", "AALARM"):
            if self.often(0.5):
                lines.append(f"{name}:{clock()}")
        if self.often(0.5):
            rule = self.one(("D1", "W1 MO", "MP1 1+ MO", "MD1 31", "YM1 1", "YD1 1", "D999999"))
            lines.append(f"RRULE:{rule} {self.one(('#0', '#5', '#20', clock()))}")
        return "\n".join([*lines, f"END:{kind}", "END:VCALENDAR", ""])

    def card(self) -> str:
        stamp = self.one((self.one(DAYS), self.clock(), f"{self.clock()}Z", "--0230", "00000000"))
        names = ("BDAY", "ANNIVERSARY", "REV", "X-ANNIVERSARY")
        lines = [f"{name}:{stamp}" for name in names if self.often(0.6)]
        return "\n".join(["BEGIN:VCARD", "VERSION:3.0", "FN:a", *lines, "END:VCARD", ""])


def taken(act: Callable[[], object], *expected: type[Exception]) -> object | None:
    """Return what a call returns, None where it says one of the expected refusals."""
    with suppress(*expected):
        return act()
    return None


def use(item: Event | Task) -> None:
    """Do with an item what a visit does: its window, its occurrences, both texts of it."""
    month = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    taken(lambda: window_times(Window(past=30, future=365), item), RuleFailed)
    taken(lambda: list(occurrences(item, *month)), TooMany)
    taken(partial(vcalendar.encode, item), Refused)
    text = taken(partial(ical.encode, item), Refused)
    if isinstance(text, bytes):
        taken(partial(ical.read, text), Refused)


@pytest.mark.parametrize("seed", range(4))
def test_times_at_the_ends_of_the_calendar_are_taken_or_refused_in_words(seed: int):
    writer = Writer(seed)
    read = refused = 0
    for _ in range(80):
        text, old = writer.calendar(), writer.old_calendar()
        for found in (
            taken(partial(ical.read, text), Refused),
            taken(partial(vcalendar.read, old), Refused),
        ):
            if isinstance(found, ical.Document):
                use(found.item)
            read, refused = read + (found is not None), refused + (found is None)
        assert all(isinstance(x, ical.Document | Refused) for x in ical.read_all(text))
        vcard.read(writer.card())
    assert read > 30 and refused > 30  # neither is all that is told apart


@pytest.mark.parametrize(
    "lines",
    [
        ["DTSTART;TZID=America/New_York:99991231T230000"],
        ["DTSTART;TZID=America/New_York:99991231T230000", "DTEND:99991231T235959"],
        ["DTSTART;TZID=Europe/Berlin:00010101T000000", "DURATION:PT1H"],
        ["DTSTART;VALUE=DATE:99991231"],
        ["DTSTART;VALUE=DATE:99991231", "DTEND;VALUE=DATE:99991231"],
        ["DTSTART:99991231T230000Z", "DURATION:PT2H"],
        ["DTSTART;TZID=Asia/Tokyo:20260301T090000", "RDATE;TZID=Asia/Tokyo:00010101T000000"],
    ],
)
def test_what_has_no_moment_is_refused_with_its_line(lines: list[str]):
    text = "\n".join(
        ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:u", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    )
    with pytest.raises(Refused, match="beyond the calendar") as refusal:
        ical.read(text)
    assert refusal.value.line in (4, 5)
    (told,) = ical.read_all(text)
    assert isinstance(told, Refused) and told.uid == "u"


def test_the_last_moments_that_there_are_can_be_read():
    for line in ("DTSTART;VALUE=DATE:99991230", "DTSTART:99991231T235959Z"):
        text = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:u\n{line}\nEND:VEVENT\nEND:VCALENDAR\n"
        item = ical.decode(text, Kind.EVENT)
        assert isinstance(item, Event) and item.start.year == 9999


def test_what_no_reader_could_tell_is_not_written():
    late = datetime(9999, 12, 31, 23)
    event = Event(uid="u", start=late, end=late, time_zone="America/New_York")
    long = Event(uid="u", start=datetime(2026, 1, 1), end=late, overrides=())
    moved = Override(recurrence_id=datetime(2027, 1, 1), title="x")
    for one in (event, Event(uid="u", start=long.start, end=late, overrides=(moved,))):
        with pytest.raises(Refused, match="beyond the calendar"):
            ical.encode(one)


def test_a_series_that_ends_with_the_calendar_has_a_first_and_a_last():
    text = (
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:u\nDTSTART;TZID=America/New_York:20260301T230000\n"
        "DURATION:PT2H\nRRULE:FREQ=DAILY;UNTIL=99991231T235959Z\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    found = first_and_last(ical.read(text).item)
    assert found is not None and found[1] is not None
    assert found[1].year == 9999
