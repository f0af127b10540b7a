"""Hostile texts cost bounded time and memory: refused before the work, or read within limits.

Memory is measured against the size of the text, work by counting what is looked at.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import msgspec
import pytest

from accord.formats import ical, lines, tree, vcard
from accord.formats.errors import Refused
from accord.formats.limits import LIMITS, Limits
from accord.model.html import says_the_same, to_text
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.occurrences import TooMany, first_and_last, occurrences

HEAD = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20260105T100000Z\r\n"
FOOT = b"END:VEVENT\r\nEND:VCALENDAR\r\n"
MEGABYTE = 1_000_000


def event(*content: bytes) -> bytes:
    """Return a calendar object with one entry that has some more lines."""
    return HEAD + b"\r\n".join(content) + b"\r\n" + FOOT


def peak(read: Callable[[], object]) -> int:
    """Return how many bytes a call needs at most, and let it refuse."""
    tracemalloc.start()
    try:
        read()
    except Refused:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


def taken(data: bytes) -> ical.Document | Refused:
    """Return what is read of a text, or its refusal."""
    try:
        return ical.read(data)
    except Refused as refusal:
        return refusal


def instructions(read: Callable[[], object]) -> int:
    """Return how many lines of Python a call runs, and let it refuse or give up."""
    count = 0

    def trace(frame: object, what: str, argument: object) -> object:
        nonlocal count
        count += what == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        read()
    except (Refused, TooMany):
        pass
    finally:
        sys.settrace(before)
    return count


def test_a_line_of_100_megabytes_is_refused_without_a_copy():
    data = HEAD + b"SUMMARY:" + b"x" * 100 * MEGABYTE + b"\r\n" + FOOT
    readers: tuple[Callable[[bytes], object], ...] = (ical.read, vcard.read)
    for read in readers:
        with pytest.raises(Refused, match="bytes, more than"):
            read(data)
        assert peak(partial(read, data)) < MEGABYTE


@pytest.mark.parametrize("read", [ical.read_all, vcard.read_all])
def test_a_long_line_of_a_large_import_is_refused(read: Callable[[bytes], object]):
    data = HEAD + b"SUMMARY:" + b"x" * 20 * MEGABYTE + b"\r\n" + FOOT
    with pytest.raises(Refused, match="a line has"):
        read(data)
    assert peak(lambda: read(data)) < 5 * len(data)


HOSTILE = {
    "folds": b"SUMMARY:x" + b"\r\n x" * 300_000,
    "empty folds": b"SUMMARY:x" + b"\r\n " * 400_000,
    "line ends": b"\r\n" * 500_000,
    "blank lines before folds": b"SUMMARY:x" + b"\n" * 400_000 + b" y",
    "carriage returns": b"SUMMARY:x" + b"\r" * 900_000,
    "NULs": b"SUMMARY:" + b"\x00" * 900_000,
    "one value": b"SUMMARY:" + b"x" * 900_000,
    "backslashes": b"SUMMARY:" + b"\\" * 900_000,
    "carets": b'ATTENDEE;CN="' + b"^'" * 400_000 + b'":mailto:a@b.example',
    "quotes": b"ATTENDEE;CN=" + b'"' * 900_000,
    "semicolons": b"ATTENDEE" + b";" * 900_000,
    "parameters": b"ATTENDEE" + b";A=b" * 200_000 + b":x",
    "one parameter often": b"ATTENDEE" + b';A="b"' * 150_000 + b":x",
    "parameter values": b"ATTENDEE;A=" + b"b," * 400_000 + b":x",
    "commas": b"CATEGORIES:" + b"," * 900_000,
    "escaped commas": b"CATEGORIES:" + b"\\," * 400_000,
    "left-out dates": b"EXDATE:" + b",".join([b"20260112T100000Z"] * 55_000),
    "extra dates": b"\r\n".join([b"RDATE:20260112T100000Z"] * 40_000),
    "periods": b"RDATE;VALUE=PERIOD:" + b",".join([b"20260112T100000Z/PT1H"] * 40_000),
    "rule parts": b"RRULE:FREQ=DAILY;BYMONTHDAY=" + b",".join([b"1"] * 400_000),
    "rule keys": b"RRULE:FREQ=DAILY" + b";X=1" * 200_000,
    "digits": b"RRULE:FREQ=DAILY;COUNT=" + b"9" * 900_000,
    "duration": b"DURATION:P" + b"9" * 900_000 + b"D",
    "sequence": b"SEQUENCE:" + b"9" * 900_000,
    "attendees": b"\r\n".join([b"ATTENDEE;X-A=1:mailto:a@b.example"] * 8_000),
    "alarms": b"\r\n".join([b"BEGIN:VALARM\r\nTRIGGER:-PT1M\r\nEND:VALARM"] * 15_000),
    "open tags": b"X-ALT-DESC;FMTTYPE=text/html:" + b"<" * 900_000,
    "comments": b"X-ALT-DESC;FMTTYPE=text/html:" + b"<!--" * 200_000,
    "scripts": b"X-ALT-DESC;FMTTYPE=text/html:" + b"<script>" * 100_000,
    "entities": b"X-ALT-DESC;FMTTYPE=text/html:" + b"&amp" * 200_000,
    "names": b"\r\n".join(b"X-%d:1" % n for n in range(50_000)),
    "components": b"\r\n".join([b"BEGIN:X-A\r\nEND:X-A"] * 40_000),
    "nested components": b"BEGIN:X-A\r\n" * 10_000 + b"END:X-A\r\n" * 10_000,
    "nested zones": b"BEGIN:VTIMEZONE\r\n" * 10_000 + b"END:VTIMEZONE\r\n" * 10_000,
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_memory_and_work_follow_the_size_of_the_text(name: str):
    """Twice the text costs no more than about twice the work: nothing is quadratic."""
    data = event(HOSTILE[name])
    assert peak(lambda: ical.read(data)) < 60 * MEGABYTE
    small = event(HOSTILE[name][: len(HOSTILE[name]) // 8])
    half = event(HOSTILE[name][: len(HOSTILE[name]) // 4])
    assert instructions(lambda: ical.read(half)) < 3 * instructions(lambda: ical.read(small)) + 5000


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_is_read_can_be_written_within_bounds(name: str):
    found = taken(event(HOSTILE[name]))
    if isinstance(found, Refused):
        assert len(str(found)) < 400
        return
    assert peak(lambda: ical.encode(found.item)) < 60 * MEGABYTE
    assert ical.read(ical.encode(found.item)).item == found.item


CARDS = {
    "one number often": b"\r\n".join([b"TEL;X-A=1:+1"] * 5_000),
    "types": b"TEL;TYPE=" + b",".join([b"a"] * 50_000) + b":1",
    "many types": b"TEL" + b";TYPE=a" * 50_000 + b":1",
    "bare types": b"TEL" + b";A" * 200_000 + b":1",
    "groups": b"\r\n".join(b"g%d.X-ABLABEL:x" % n for n in range(10_000)),
    "dots": b"a." * 300_000 + b"X:1",
    "soft line breaks": b"NOTE;ENCODING=QUOTED-PRINTABLE:" + b"=\r\n" * 60_000,
    "quoted-printable": b"NOTE;ENCODING=QUOTED-PRINTABLE:" + b"=41" * 200_000,
    "address parts": b"ADR:" + b";" * 60_000,
    "categories": b"CATEGORIES:" + b",".join(b"%d" % n for n in range(20_000)),
    "nested cards": b"BEGIN:VCARD\r\n" * 10_000 + b"END:VCARD\r\n" * 10_000,
}


@pytest.mark.parametrize("name", sorted(CARDS))
def test_cards_of_any_shape_cost_what_their_size_says(name: str):
    def there_and_back(share: int) -> object:
        content = CARDS[name][: len(CARDS[name]) // share]
        content = content.rpartition(b"\r\n")[0] or content
        data = b"BEGIN:VCARD\r\nUID:u\r\n" + content + b"\r\nEND:VCARD\r\n"
        return vcard.encode(vcard.decode(data))

    assert peak(partial(there_and_back, 1)) < 60 * MEGABYTE
    small = instructions(partial(there_and_back, 8))
    assert instructions(partial(there_and_back, 4)) < 3 * small + 5000


def test_components_nested_10000_deep_are_refused_without_recursion():
    data = b"BEGIN:VCALENDAR\r\n" + b"BEGIN:A\r\n" * 10_000
    with pytest.raises(Refused, match="deep"):
        ical.read(data)
    assert instructions(lambda: tree.parse(lines.unfold(data, LIMITS), LIMITS)) < 1_000


def test_zone_bombs_are_refused():
    many = b"".join(
        b"BEGIN:VTIMEZONE\r\nTZID:z%d\r\nEND:VTIMEZONE\r\n" % number for number in range(1000)
    )
    data = event(b"").replace(b"BEGIN:VEVENT", many + b"BEGIN:VEVENT")
    with pytest.raises(Refused, match="time zones"):
        ical.read(data)


@pytest.mark.parametrize(
    "rule",
    [
        b"FREQ=SECONDLY",
        b"FREQ=YEARLY;BYSECOND=" + b",".join(b"%d" % n for n in range(60)),
        b"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=1",
        b"FREQ=YEARLY;INTERVAL=9999999",
        b"FREQ=YEARLY;COUNT=99999999",
        b"FREQ=YEARLY;BYMONTH=3;BYDAY=" + b",".join([b"MO"] * 5000),
    ],
)
def test_a_zone_with_a_hostile_rule_costs_little(rule: bytes):
    zone = (
        b"BEGIN:VTIMEZONE\r\nTZID:bomb\r\n"
        + b"BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nRRULE:%s\r\n" % rule
        + b"TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0137\r\nEND:STANDARD\r\n"
        + b"BEGIN:DAYLIGHT\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0137\r\n"
        + b"TZOFFSETTO:+0100\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT"
    )
    data = event(b"RRULE:FREQ=DAILY").replace(b"BEGIN:VEVENT", zone)
    data = data.replace(b"DTSTART:2026", b"DTSTART;TZID=bomb:2026").replace(
        b"00Z\r\nRR", b"00\r\nRR"
    )
    with pytest.raises(Refused, match="bomb"):
        ical.read(data)
    assert instructions(lambda: ical.read(data)) < 3_000_000


def test_a_million_occurrences_are_read_and_not_expanded():
    found = ical.read(event(b"RRULE:FREQ=SECONDLY;COUNT=1000000")).item
    span = datetime(2026, 1, 5, tzinfo=UTC), datetime(2027, 1, 5, tzinfo=UTC)
    with pytest.raises(TooMany):
        occurrences(found, *span)


@pytest.mark.parametrize("end", [b"COUNT=100000000", b"UNTIL=99991231T000000Z"])
@pytest.mark.parametrize(
    "rule",
    [
        b"FREQ=SECONDLY;BYHOUR=3;BYMINUTE=7;BYSECOND=1",
        b"FREQ=SECONDLY;INTERVAL=7;BYHOUR=3;BYMONTH=2;BYMONTHDAY=30",
        b"FREQ=SECONDLY;BYSECOND=1;BYDAY=MO;BYSETPOS=1",
        b"FREQ=MINUTELY;BYHOUR=3;BYMINUTE=7",
        b"FREQ=HOURLY;BYHOUR=3;BYDAY=FR;BYMONTHDAY=13",
    ],
)
def test_a_rule_that_seldom_fits_is_followed_for_a_while(rule: bytes, end: bytes):
    found = ical.read(event(b"RRULE:%s;%s" % (rule, end))).item
    assert isinstance(found, Event)
    span = datetime(2026, 1, 5, tzinfo=UTC), datetime(9000, 1, 5, tzinfo=UTC)
    for ask in (lambda: first_and_last(found), lambda: deque(occurrences(found, *span), maxlen=0)):
        assert instructions(ask) < 5_000_000


def test_an_inline_attachment_above_the_limit_is_refused():
    data = event(b"ATTACH;ENCODING=BASE64;VALUE=BINARY:" + b"AAAA" * 1000)
    with pytest.raises(Refused, match="larger than"):
        ical.read(data, limits=Limits(inline=2000))
    assert ical.read(data, limits=Limits(inline=3000)).item.attachments[0].size == 3000


@pytest.mark.parametrize(
    "text", ["<" * 200_000, "<!--" * 50_000, "<script" * 30_000, "a&" * 90_000]
)
def test_html_of_any_shape_is_read_in_one_pass(text: str):
    few = instructions(lambda: to_text(text[: len(text) // 2]))
    assert instructions(lambda: to_text(text)) < 2.5 * few + 100
    says_the_same("x", text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"\xff\xfe\x00",
        b"BEGIN:VCALENDAR",
        b"END:VCALENDAR",
        b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n",
        b"BEGIN:\x00\r\nEND:\x00\r\n",
        b"\x00" * 1000,
        "BEGIN:VCALENDAR".encode("utf-16"),
        b"SUMMARY:x",
        b"BEGIN:VCARD\r\nEND:VCARD\r\n",
        event(b"DTEND:00000000T000000Z"),
        event(b"DTEND:99999999T999999Z"),
        event(b"DURATION:P9999999D"),
        event(b"DURATION:-PT1H"),
        event(b"RRULE:FREQ=DAILY;UNTIL=99991231T235959Z", b"EXDATE:00010101T000000Z", b"DTEND:x"),
        event(b"RRULE:FREQ="),
        event(b"RRULE:" + "FREQ=DAILY;COUNT=\uff11".encode()),
        event(b"RECURRENCE-ID:20260105"),
        event(b"RECURRENCE-ID;RANGE=THISANDFUTURE:20260105T100000Z"),
        event(b"DTSTART:20260105T100001Z"),
        event("DTEND:\uff12026\u0660105T110000Z".encode()),
    ],
)
def test_nonsense_is_refused_in_plain_words(data: bytes):
    if b"RECURRENCE-ID:20260105\r" in data:
        assert ical.read(data).item.title == ""
        return
    with pytest.raises(Refused) as refusal:
        ical.read(data)
    assert "Traceback" not in str(refusal.value)
    assert str(refusal.value)


def test_a_value_can_not_break_out_of_its_line():
    """Whatever stands in an item, the text holds one entry and no line that isn't ours."""
    evil = "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:evil\n"
    start = datetime(2026, 1, 5)
    item = ical.decode(event(b""), Kind.EVENT)
    fields = {"title": evil, "location": evil, "url": evil, "online_meeting": evil, "uid": evil}
    extras = {
        "ical:X-A": evil,
        "ical:X-B": (evil, f"X-B:{evil}"),
        "ical:X-C\r\nSUMMARY": "evil",
        "ical:VALARM": (f"BEGIN:VALARM\nTRIGGER:-PT1M\nEND:VALARM\n{evil}",),
        "ical:X-D": ("BEGIN:X-D\nEND:X-D\nEND:VEVENT\nBEGIN:VEVENT",),
        "ical:SUMMARY": (f"LANGUAGE={evil}",),
        "ical:VCALENDAR": (evil,),
        "ical:DTSTART": ("=", evil),
    }
    text = ical.encode(
        msgspec.structs.replace(item, start=start, extras=extras, **fields), marker=evil
    )
    found = text.split(b"\r\n")
    assert [found.count(line) for line in (b"BEGIN:VEVENT", b"END:VEVENT")] == [1, 1]
    assert b"SUMMARY:evil" not in found
