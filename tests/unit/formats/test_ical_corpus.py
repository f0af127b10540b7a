"""Every calendar file of two libraries' tests keeps its meaning, or is refused with a reason.

Compared property by property with icalendar as reader, and by expanding five years of
occurrences with recurring-ical-events as oracle. A refusal not in the reviewed list fails.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest
import recurring_ical_events

from accord.formats import ical
from accord.formats.errors import Refused
from accord.model.item import Event
from accord.model.occurrences import occurrences
from tests.fuzz.tally import RecordProperty, note
from tests.unit.formats import corpus
from tests.unit.formats.meaning import components, meaning

REVIEWED: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "data" / "refused.toml").read_text()
)
"""For each file, the refusals that a person looked at."""

UNREADABLE = {
    "calendars/issue_104_broken_calendar.ics",
    "calendars/issue_165_missing_event.ics",
    "calendars/parsing_error.ics",
}
"""Files that icalendar or the oracle can't read; they are compared with themselves only."""

LAST_DAY = {
    "calendars/issue_75_range_parameter.ics": {b"UNTIL=20250920": b"UNTIL=20250920T235959Z"},
}
"""Where a timed series ends on a day: all of that day, as calendar programs have it."""

FIVE_YEARS = timedelta(days=5 * 365)
NOTHING = "there is neither an entry nor a task in it"
_DAY = timedelta(days=1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", sorted(corpus.EXPECTED))
def test_every_file_keeps_its_meaning_or_is_refused(package: str, record_property: RecordProperty):
    files = corpus.files(package)
    assert len(files) == corpus.EXPECTED[package]
    tally: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    items = 0
    for path in files:
        documents, refusals = _read(path.read_bytes())
        assert refusals == REVIEWED[package].get(corpus.name_of(path), []), corpus.name_of(path)
        _check(path, documents)
        items += len(documents)
        if not refusals:
            tally["round trip"] += 1
        elif refusals == [NOTHING]:
            tally["without entry or task"] += 1
        else:
            tally["round trip in part, the rest refused" if documents else "refused"] += 1
            reasons.update({reason.rpartition(": ")[2] for reason in refusals})
    for what, count in tally.items():
        note(count, f"files of {package}'s corpus: {what}", record_property)
    note(items, f"items of {package}'s corpus keep their meaning", record_property)
    for reason, count in reasons.items():
        note(count, f"files of {package}'s corpus refused: {reason}", record_property)
    assert tally["round trip"] >= {"icalendar": 64, "recurring_ical_events": 83}[package]


def _read(data: bytes) -> tuple[list[ical.Document], list[str]]:
    """Return what a file gives, and its refusals as text."""
    try:
        found = ical.read_all(data)
    except Refused as error:
        return [], [str(error)]
    if not found:
        return [], [NOTHING]
    documents: list[ical.Document] = [one for one in found if isinstance(one, ical.Document)]
    return documents, [str(one) for one in found if isinstance(one, Refused)]


def _check(path: Path, documents: list[ical.Document]) -> None:
    again = [ical.encode(one.item, marker=one.marker) for one in documents]
    for document, text in zip(documents, again, strict=True):
        assert ical.read(text).item == document.item, path.name
    if documents and corpus.name_of(path) not in UNREADABLE:
        _same_properties(path, documents, again)
        _same_occurrences(path, documents, again)


def _same_properties(path: Path, documents: list[ical.Document], again: list[bytes]) -> None:
    """Compare each component of the items with the one of the file it comes from."""
    originals: dict[str, list[Any]] = {}
    for part in components(path.read_bytes()):
        originals.setdefault(str(part.get("UID", "")), []).append(part)
    lone = [part for part in originals.get("", []) if part.name == "VTODO" or _usable(part)]
    for document, text in zip(documents, again, strict=True):
        written = components(text)
        sources = originals.get(document.item.uid) or [lone.pop(0)]
        kind = "VEVENT" if isinstance(document.item, Event) else "VTODO"
        sources = [part for part in sources if part.name == kind]
        for part in written:
            mine = _as_one(meaning(part), part)
            theirs = [_as_one(meaning(source), source) for source in sources]
            assert mine in theirs or _is_spelt_out(part, sources), (
                path.name,
                [
                    {k: (mine.get(k), x.get(k)) for k in mine.keys() | x if mine.get(k) != x.get(k)}
                    for x in theirs
                ],
            )


def _as_one(found: dict[str, Any], part: Any) -> dict[str, Any]:
    """Return a meaning without what only one of the two writings spells out."""
    left = dict(found)
    left.pop("X-WR-TIMEZONE", None)
    if part.get("RRULE") is not None and not part["RRULE"]:
        left.pop("RRULE", None)
    return left


def _is_spelt_out(part: Any, sources: list[Any]) -> bool:
    """Tell whether a changed occurrence comes of a period, or of a change from an earlier one on.

    What they mean is compared occurrence by occurrence.
    """
    return "RECURRENCE-ID" in part and any(
        ("VALUE=PERIOD" in line and line.startswith("RDATE")) or "RANGE=THISANDFUTURE" in line
        for source in sources
        for line in source.content_lines()
    )


def _same_occurrences(path: Path, documents: list[ical.Document], again: list[bytes]) -> None:
    events = [one.item for one in documents if isinstance(one.item, Event)]
    name = corpus.name_of(path)
    if not events:
        return
    kept = {event.uid for event in events}
    start = min(event.start for event in events).replace(tzinfo=UTC) - 2 * _DAY
    data = path.read_bytes()
    for old, new in LAST_DAY.get(name, {}).items():
        data = data.replace(old, new)
    wanted = _expanded(data, kept, start)
    ours = [
        (one.begins, one.ends)
        for event in events
        for one in occurrences(event, start, start + FIVE_YEARS)
    ]
    assert sorted(ours) == wanted, name
    events_again = [x for x, one in zip(again, documents, strict=True) if one.item in events]
    rewritten = [one for text in events_again for one in _expanded(text, kept, start)]
    assert sorted(rewritten) == wanted, name


def _expanded(data: bytes, kept: set[str], start: datetime) -> list[tuple[datetime, datetime]]:
    """Return what the oracle makes of those entries of a text that weren't refused."""
    found = []
    for root in icalendar.Component.from_ical(data, multiple=True):
        calendar = root
        if root.name != "VCALENDAR":
            calendar = icalendar.Calendar()
            calendar.add_component(root)
        calendar.subcomponents = [
            part
            for part in calendar.subcomponents
            if part.name != "VEVENT"
            or (_usable(part) and ("UID" not in part or str(part["UID"]) in kept))
        ]
        oracle = recurring_ical_events.of(calendar, components=["VEVENT"])
        found += [
            _span(one["DTSTART"].dt, one["DTEND"].dt)
            for one in oracle.between(start, start + FIVE_YEARS)
        ]
    return sorted(found)


def _usable(part: Any) -> bool:
    return "DTSTART" in part and not part.errors


def _span(start: Any, end: Any) -> tuple[datetime, datetime]:
    if not isinstance(start, datetime) and start == end:
        # A day that ends where it starts is a day here.
        end += _DAY
    return _utc(start), _utc(end)


def _utc(moment: Any) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, datetime.min.time())
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
