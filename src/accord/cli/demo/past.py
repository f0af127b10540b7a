"""What lies behind the demo's week: five years of entries, hundreds of series, some broken ones.

Text as calendar programs write it, made without Accord's own codecs.
"""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta

_SUBJECTS = (
    "Budget review", "Stand-up", "Customer visit", "Dentist", "Lunch with {name}", "Quarterly",
    "Planning", "One to one", "Phone call with {name}", "Trade fair", "Training", "Site visit",
)  # fmt: skip
_NAMES = ("Miller", "Okafor", "Rossi", "Nguyen", "Svensson", "García", "Kowalski", "Haddad")
_ZONES = ("Europe/Berlin", "Europe/Berlin", "Europe/London", "America/New_York")
_RULES = (
    "FREQ=WEEKLY;COUNT=12",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=20",
    "FREQ=MONTHLY;BYDAY=1TU;COUNT=18",
    "FREQ=DAILY;COUNT=10",
    "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=9",
    "FREQ=YEARLY;COUNT=4",
)
YEARS = 5
"""How far the past reaches."""
BROKEN = 3
"""How many entries of a calendar `broken_entries` leaves broken."""


def entry(uid: str, summary: str, start: str, end: str, *more: str) -> str:
    """Return one stored calendar object; `start` and `end` are whole properties."""
    lines = ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20200101T000000Z", f"SUMMARY:{summary}"]
    return calendar(*lines, start, end, *more, "END:VEVENT")


def calendar(*lines: str) -> str:
    """Return a calendar object around content lines."""
    return (
        "\r\n".join(
            (
                "BEGIN:VCALENDAR",
                "VERSION:2.0",
                "PRODID:-//Demo//Calendar//EN",
                *lines,
                "END:VCALENDAR",
            )
        )
        + "\r\n"
    )


def zoned(name: str, moment: datetime, zone: str) -> str:
    """Return a date-time property in a zone."""
    return f"{name};TZID={zone}:{moment:%Y%m%dT%H%M%S}"


def past_entries(person: str, today: date, singles: int, series: int) -> dict[str, str]:
    """Return file name to text: `singles` entries and `series` series over the last five years."""
    dice = random.Random(person)  # noqa: S311 (the same believable past every time)
    files: dict[str, str] = {}
    for number in range(singles):
        uid = f"past-{person}-{number}@example.test"
        files[f"past-{number}.ics"] = _single(uid, dice, today)
    for number in range(series):
        uid = f"series-{person}-{number}@example.test"
        files[f"series-{number}.ics"] = _series(uid, dice, today)
    return files


def broken_entries(person: str) -> dict[str, str]:
    """Return entries that other programs left broken; their calendars hold them all the same."""
    nowhere = "DTSTART;TZID=Nowhere/Land:20240105T090000"
    never = ("99991231T230000", "99991231T233000")
    return {
        "broken-year.ics": entry(
            f"broken-year-{person}@example.test", "Broken year",
            f"DTSTART;TZID=America/New_York:{never[0]}", f"DTEND;TZID=America/New_York:{never[1]}",
        ),
        "broken-zone.ics": entry(
            f"broken-zone-{person}@example.test", "Broken zone", nowhere,
            "DTEND;TZID=Nowhere/Land:20240105T100000",
        ),
        "broken-order.ics": entry(
            f"broken-order-{person}@example.test", "Ends before it starts",
            "DTSTART:20240105T100000Z", "DTEND:20240104T090000Z",
        ),
    }  # fmt: skip


def _single(uid: str, dice: random.Random, today: date) -> str:
    day = today - timedelta(days=dice.randint(40, 365 * YEARS))
    zone, begin = dice.choice(_ZONES), datetime.combine(day, time(dice.randint(7, 17)))
    if dice.random() < 0.15:
        dates = f"DTSTART;VALUE=DATE:{day:%Y%m%d}", f"DTEND;VALUE=DATE:{day + timedelta(1):%Y%m%d}"
        return entry(uid, subject(dice), *dates)
    end = begin + timedelta(minutes=dice.choice((30, 60, 90)))
    return entry(uid, subject(dice), zoned("DTSTART", begin, zone), zoned("DTEND", end, zone))


def _series(uid: str, dice: random.Random, today: date) -> str:
    day = today - timedelta(days=dice.randint(700, 365 * YEARS))
    zone, begin = dice.choice(_ZONES), datetime.combine(day, time(dice.randint(7, 17)))
    end, rule = begin + timedelta(minutes=45), dice.choice(_RULES)
    more = [f"RRULE:{rule}"]
    if rule == "FREQ=WEEKLY;COUNT=12":
        more.append(zoned("EXDATE", begin + timedelta(weeks=2), zone))
    dates = zoned("DTSTART", begin, zone), zoned("DTEND", end, zone)
    return entry(uid, subject(dice), *dates, *more)


def subject(dice: random.Random) -> str:
    """Return what somebody might call an entry."""
    return dice.choice(_SUBJECTS).format(name=dice.choice(_NAMES))
