"""A TZID always becomes an IANA zone or a refusal, and what we define is what the zone does."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dateutil import tz

from accord.formats import ical, windows_zones
from accord.formats.errors import Refused
from accord.formats.ical.definitions import definition
from accord.formats.ical.zones import _known, by_name
from accord.model.zones import UnknownZone, instant, wall_clock, zone

ALL = tuple(sorted(set(_known().values())))
SOME = (
    *("Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Santiago", "Asia/Tokyo"),
    *("Africa/Casablanca", "Africa/Cairo", "Asia/Gaza", "Australia/Lord_Howe", "Pacific/Apia"),
    *("America/Nuuk", "Antarctica/Troll", "Asia/Tehran", "America/Sao_Paulo", "Pacific/Chatham"),
)


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("/Europe/Stockholm", "Europe/Stockholm"),
        ("/mozilla.org/20050126_1/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/America/Argentina/Salta", "America/Argentina/Salta"),
        ("posix/Europe/Vaduz", "Europe/Vaduz"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Pacific standard time", "America/Los_Angeles"),
        ('"Tokyo Standard Time"', "Asia/Tokyo"),
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("US/Eastern", "US/Eastern"),
        ("Mars/Base", None),
        ("../../etc/passwd", None),
        ("", None),
    ],
)
def test_a_name_means_its_zone(tzid: str, name: str | None):
    assert by_name(tzid) == name


def test_windows_names_go_both_ways():
    assert windows_zones.windows("Europe/Berlin") == "W. Europe Standard Time"
    assert windows_zones.windows("Mars/Base") is None
    for name in windows_zones.common():
        assert windows_zones.iana(windows_zones.windows(name) or "") is not None


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("year", [1975, 1995, 2005, 2024, 2026])
def test_a_definition_does_what_the_zone_does(name: str, year: int):
    """Read with dateutil, an independent reader, and asked every fifth day for twenty years."""
    found: Any = tz.tzical(io.StringIO("\r\n".join(definition(name, year)))).get(name)
    at = datetime(year, 1, 2, 12)
    while at.year < year + 20:
        # Readers differ about hours that come twice or not at all.
        if wall_clock(instant(at, name), name) == at and not tz.datetime_ambiguous(at, zone(name)):
            assert found.utcoffset(at) == zone(name).utcoffset(at), at
        at += timedelta(days=5, hours=1)


@pytest.mark.parametrize("name", ALL[:: len(ALL) // 60])
def test_a_definition_under_another_name_is_recognized(name: str):
    """A custom name with our definition becomes a zone with the same offsets, or is itself."""
    lines = list(definition(name, 2026))
    lines[1] = "TZID:Custom"
    item = read(lines, "RRULE:FREQ=WEEKLY")
    assert item.time_zone is not None
    at = datetime(2026, 1, 5, 10)
    for week in range(500):
        when = at + timedelta(weeks=week)
        assert instant(when, item.time_zone) == instant(when, name)


def test_definitions_have_a_reasonable_size():
    for name in ALL[::6]:
        lines = definition(name, 2026)
        assert lines[1] == f"TZID:{name}"
        assert len(lines) < 130
        assert len("".join(lines)) < 4_000


def test_a_modern_definition_is_two_yearly_rules():
    assert [x for x in definition("Europe/Berlin", 2026) if x.startswith("RRULE")] == [
        "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU",
    ]
    assert "DTSTART:19960331T020000" in definition("Europe/Berlin", 2026)


def read(zone_lines: list[str], *more: str, start: str = "20260105T100000") -> Any:
    """Return an entry whose start lies in the defined zone Custom."""
    lines = ["BEGIN:VCALENDAR", *zone_lines, "BEGIN:VEVENT", "UID:u"]
    lines += [f"DTSTART;TZID=Custom:{start}", *more, "END:VEVENT", "END:VCALENDAR"]
    return ical.read("\r\n".join(lines)).item


def custom(*blocks: tuple[str, str, str, str, str]) -> list[str]:
    """Return a definition from (kind, start, from, to, rule)."""
    lines = ["BEGIN:VTIMEZONE", "TZID:Custom"]
    for kind, start, before, after, rule in blocks:
        lines += [f"BEGIN:{kind}", f"DTSTART:{start}", f"TZOFFSETFROM:{before}"]
        lines += [f"TZOFFSETTO:{after}", *([f"RRULE:{rule}"] if rule else []), f"END:{kind}"]
    return [*lines, "END:VTIMEZONE"]


SUNDAY = "FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH="
NOTES_SUNDAY = "FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=-1SU;BYMONTH="
EXCHANGE = custom(
    ("STANDARD", "16010101T030000", "+0200", "+0100", f"{SUNDAY}10"),
    ("DAYLIGHT", "16010101T020000", "+0100", "+0200", f"{SUNDAY}3"),
)
NOTES = custom(
    ("STANDARD", "19501029T020000", "+0200", "+0100", f"{NOTES_SUNDAY}10"),
    ("DAYLIGHT", "19500326T020000", "+0100", "+0200", f"{NOTES_SUNDAY}3"),
)
ODD = custom(("STANDARD", "19700101T000000", "+0137", "+0137", ""))


@pytest.mark.parametrize("definition_lines", [EXCHANGE, NOTES])
def test_a_custom_name_is_told_by_its_rules(definition_lines: list[str]):
    item = read(definition_lines, "RRULE:FREQ=DAILY")
    assert item.time_zone == "Europe/Berlin"
    text = ical.encode(item).decode()
    assert "TZID:Europe/Berlin" in text
    assert "Custom" not in text


def test_a_city_in_the_name_chooses_among_equal_zones():
    lines = [line.replace("Custom", "(UTC+01:00) Paris, Madrid") for line in EXCHANGE]
    lines = [*lines[:-1], "END:VTIMEZONE"]
    lines = ["BEGIN:VCALENDAR", *lines, "BEGIN:VEVENT", "UID:u", "RRULE:FREQ=DAILY"]
    lines.append('DTSTART;TZID="(UTC+01:00) Paris, Madrid":20260105T100000')
    data = "\r\n".join([*lines, "END:VEVENT", "END:VCALENDAR"])
    assert ical.read(data).item.time_zone in ("Europe/Paris", "Europe/Madrid")


def test_a_fixed_offset_is_a_zone_of_its_own():
    item = read(custom(("STANDARD", "19700101T000000", "+0100", "+0100", "")), "RRULE:FREQ=DAILY")
    assert item.time_zone == "Etc/GMT-1"


def test_a_located_definition_is_believed():
    item = read([*ODD[:2], "X-LIC-LOCATION:Asia/Tokyo", *ODD[2:]])
    assert item.time_zone == "Asia/Tokyo"


@pytest.mark.parametrize("lines", [ODD, []])
def test_a_zone_that_nothing_matches_is_refused(lines: list[str]):
    with pytest.raises(Refused, match="Custom") as refusal:
        read(lines, "RRULE:FREQ=DAILY")
    assert refusal.value.prop == "DTSTART"


def test_a_single_moment_is_content_with_a_zone_that_agrees_then():
    """Rules that no zone has for a whole year still name an instant."""
    lines = custom(
        ("STANDARD", "20200101T000000", "+0100", "+0100", ""),
        ("DAYLIGHT", "20200115T000000", "+0100", "+0500", ""),
        ("STANDARD", "20200120T000000", "+0500", "+0100", ""),
    )
    found = read(lines, start="20200117T100000")
    assert instant(found.start, found.time_zone) == datetime(2020, 1, 17, 5, tzinfo=UTC)
    with pytest.raises(Refused):
        read(lines, "RRULE:FREQ=DAILY", start="20200117T100000")


def test_zones_named_in_kept_lines_are_defined_too():
    lines = custom(("STANDARD", "19700101T000000", "+0100", "+0100", ""))
    item = read(lines, "X-WHEN;TZID=Custom:20260105T100000", "X-T;TZID=Asia/Tokyo:20260105T100000")
    text = ical.encode(item).decode()
    assert "X-WHEN;TZID=Etc/GMT-1:20260105T100000" in text
    assert text.count("BEGIN:VTIMEZONE") == 2
    assert "TZID:Asia/Tokyo" in text


def test_wall_clock_and_instant_are_each_others_way_back():
    at = datetime(2026, 7, 1, 12, tzinfo=UTC)
    for name in (*SOME, "UTC", None):
        assert instant(wall_clock(at, name), name) == at
    with pytest.raises(UnknownZone, match="Mars"):
        instant(datetime(2026, 1, 1), "Mars/Base")
    for name in ("../x", "/etc/passwd", "Europe", "", "\x00"):
        with pytest.raises(UnknownZone):
            zone(name)
