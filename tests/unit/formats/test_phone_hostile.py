"""Hostile texts in the older formats cost bounded time and memory; nonsense is refused in words.

Cards of old are among those of `test_hostile`, whose measures are used here.
"""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.formats import vcalendar, vcard
from accord.formats.errors import Refused
from tests.unit.formats.test_hostile import MEGABYTE, instructions, peak

HEAD = b"BEGIN:VCALENDAR\r\nVERSION:1.0\r\n"
ENTRY = b"BEGIN:VEVENT\r\nUID:u\r\nDTSTART:20260105T100000\r\n"
FOOT = b"END:VEVENT\r\nEND:VCALENDAR\r\n"

INSIDE = {
    "soft breaks": b"SUMMARY;QUOTED-PRINTABLE:" + b"=\r\n" * 60_000,
    "quoted-printable": b"SUMMARY;ENCODING=QUOTED-PRINTABLE:" + b"=41" * 200_000,
    "folds of old": b"SUMMARY:x" + b"\r\n x" * 60_000,
    "base64 lines": b"ATTACH;ENCODING=BASE64:" + b"\r\nAAAA" * 60_000,
    "equals signs": b"SUMMARY;QUOTED-PRINTABLE:" + b"=" * 600_000,
    "bare parameters": b"SUMMARY" + b";A" * 200_000 + b":x",
    "categories": b"CATEGORIES:" + b"a;" * 200_000,
    "escaped semicolons": b"CATEGORIES:" + b"\\;" * 200_000,
    "rule words": b"RRULE:D1 " + b"1 " * 200_000,
    "weekdays": b"RRULE:W1 " + b"MO " * 200_000,
    "rule digits": b"RRULE:D" + b"9" * 600_000,
    "rules": b"\r\n".join([b"RRULE:D1 #5"] * 10_000),
    "rules of exceptions": b"RRULE:D1 #0\r\n" + b"\r\n".join([b"EXRULE:D1 #9000"] * 10_000),
    "dates": b"EXDATE:" + b"20260112T100000;" * 30_000,
    "date lines": b"\r\n".join([b"EXDATE:20260112T100000"] * 10_000),
    "alarms": b"\r\n".join(
        b"DALARM:202601%02dT%02d0000;;;x" % (n % 28 + 1, n % 24) for n in range(9000)
    ),
    "one alarm often": b"\r\n".join([b"AALARM:20260105T090000;;;x"] * 10_000),
    "people": b"\r\n".join([b"ATTENDEE;ROLE=OWNER:A <a@b.example>"] * 8_000),
    "angle brackets": b"ATTENDEE:" + b"<" * 300_000 + b">" * 300_000,
    "years": b"RRULE:YM1 1 2 3 #999999",
    "priority": b"PRIORITY:" + b"9" * 600_000,
}
AROUND = {
    "summers": b"TZ:+01\r\n" + b"DAYLIGHT:TRUE;+02;20240331T020000;20241027T030000;;\r\n" * 8_000,
    "a long summer": b"TZ:+01\r\nDAYLIGHT:TRUE;+02;00010101T020000;99990101T030000;;\r\n",
    "early": b"TZ:+14\r\nDAYLIGHT:TRUE;-14;00010101T000000;00010101T000001;;\r\n",
    "names of zones": b"TZ:+01\r\nDAYLIGHT:TRUE;+02;20240331T020000;20241027T030000;"
    + b"x" * 300_000
    + b";\r\n",
    "offsets": b"TZ:+01\r\n" * 10_000,
}


def there_and_back(data: bytes) -> None:
    """Read a text and write what it says."""
    vcalendar.encode(vcalendar.decode(data))


@pytest.mark.parametrize("name", sorted(INSIDE))
def test_memory_and_work_follow_the_size_of_an_entry(name: str):
    def of(share: int) -> bytes:
        content = INSIDE[name][: len(INSIDE[name]) // share]
        return HEAD + ENTRY + content + b"\r\n" + FOOT

    assert peak(partial(there_and_back, of(1))) < 60 * MEGABYTE
    small = instructions(partial(there_and_back, of(8)))
    assert instructions(partial(there_and_back, of(4))) < 3 * small + 20_000


@pytest.mark.parametrize("name", sorted(AROUND))
def test_zones_of_any_shape_cost_little(name: str):
    data = HEAD + AROUND[name] + ENTRY + b"RRULE:D1 #0\r\n" + FOOT
    assert peak(partial(there_and_back, data)) < 60 * MEGABYTE
    assert instructions(partial(there_and_back, data)) < 3_000_000


@pytest.mark.parametrize(
    "lines",
    [
        b"DTSTART:",
        b"DTSTART:00000000T000000",
        b"DTSTART:99991231T240000",
        b"DTSTART:00010101T000000+1400\r\nRRULE:D1",
        b"DTSTART:20260105T100000\r\nTZ:+99",
        b"DTSTART:20260105T100000\r\nTZ:+01\r\nDAYLIGHT:TRUE",
        b"DTSTART:20260105T100000\r\nTZ:+01\r\nDAYLIGHT:TRUE;+02;20241027T030000;20240331T020000",
        b"DTSTART:20260105T100000\r\nDTEND:20260104T100000",
        b"RRULE:D1 #5",
        b"DTSTART:20260105T100000\r\nAALARM:soon;;;",
        b"DTSTART:20260105T100000\r\nEXDATE:never",
        "DTSTART:\uff12026\u0660105T100000".encode(),
    ],
)
def test_nonsense_is_refused_in_plain_words(lines: bytes):
    with pytest.raises(Refused) as refusal:
        vcalendar.read(HEAD + b"BEGIN:VEVENT\r\nUID:u\r\n" + lines + b"\r\n" + FOOT)
    assert "Traceback" not in str(refusal.value)
    assert str(refusal.value)


PIECES = st.sampled_from(
    [
        b"BEGIN:VEVENT",
        b"END:VEVENT",
        b"DTSTART:20260105T100000",
        b"DTSTART:99991231T235959Z",
        b"DTEND:20260105T110000Z",
        b"DUE:00010101T000000",
        b"TZ:-14:00",
        b"DAYLIGHT:TRUE;+02;20240331T020000;20241027T030000;CET;CEST",
        b"RRULE:W3 MO TU #7",
        b"RRULE:MP1 5- FR 99991231T000000",
        b"EXRULE:D1 #3",
        b"EXDATE:00010101;99991231",
        b"X-RECURRENCE-ID:20260105T100000",
        b"DALARM:00010101T000000Z;P1D;-1;x",
        b"AALARM:-PT5M;;;",
        b"ATTENDEE;STATUS=;ROLE=ORGANIZER:<>",
        b"SUMMARY;ENCODING=QUOTED-PRINTABLE;CHARSET=utf-7:=\xff=",
        b" folded",
        b"COMPLETED:00010101T000000+1400",
        b"ATTACH;BASE64:====",
        b"TRANSP:x",
        b"VERSION:2.1",
    ]
)


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(PIECES, max_size=9), zone=st.sampled_from(["", "Europe/Berlin"]))
def test_whatever_stands_in_it_is_read_or_refused(pieces: list[bytes], zone: str):
    data = b"\r\n".join((HEAD + b"BEGIN:VEVENT\r\nUID:u", *pieces, b"END:VEVENT\r\nEND:VCALENDAR"))
    try:
        found = vcalendar.decode(data, zone=zone)
        vcalendar.encode(found)
    except Refused:
        return


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), frame=st.booleans())
def test_bytes_of_any_kind_are_read_or_refused(data: bytes, frame: bool):
    for head, foot, read in (
        (HEAD + ENTRY, FOOT, vcalendar.read),
        (b"BEGIN:VCARD\r\nVERSION:2.1\r\n", b"\r\nEND:VCARD\r\n", vcard.read),
    ):
        try:
            read(head + data + b"\r\n" + foot if frame else data)
        except Refused:
            continue
