"""What goes to a phone in the older formats comes back with its meaning, or is refused aloud.

Times are compared as instants over five years of occurrences; which fields may come back
different is said here anew, from the standard and not from the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import vobject
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accord.formats import types, vcalendar, vcard
from accord.formats.errors import Refused
from accord.model.diff import diff
from accord.model.item import Contact, Event, Task
from accord.model.occurrences import TooMany, occurrences
from accord.model.parts import AttendeeKind, BodyType, Role
from accord.model.recurrence import Busy
from accord.model.zones import instant
from tests import strategies

replace = msgspec.structs.replace
_MANY = settings(max_examples=60, deadline=None)
_TIMES = {"start", "end", "time_zone", "end_time_zone", "due"}
_SERIES = {"rule", "exdates", "rdates"}
REFUSALS = (
    "vCalendar 1.0 has no such rule",
    "the start doesn't fit its own rule",
    "1.0 can't say with which day a week begins",
    "the end of the rule can't be told",
    "TZ and DAYLIGHT can't say the offsets",
    "a series that ends in a zone with another summer time",
)


def spans(item: Event | Task) -> list[tuple[Any, ...]] | None:
    """Return the occurrences of five years as instants; None where they are too many."""
    anchor = item.start or (item.due if isinstance(item, Task) else None)
    if anchor is None:
        return []
    start = instant(anchor, item.time_zone) - timedelta(days=1)
    try:
        found = occurrences(item, start, start + timedelta(days=5 * 366))
        return [(one.begins, one.ends, one.all_day) for one in found]
    except TooMany:
        return None


def sent(item: Event | Task) -> Event | Task:
    """Return what comes back of an item; what is refused must be so for a known reason."""
    text = written(item)
    assume(text)
    found = vcalendar.decode(text)
    read_by_another(text.decode(), found)
    return found


def written(item: Event | Task) -> bytes:
    """Return the text of an item; empty where it is refused for a known reason."""
    try:
        return vcalendar.encode(item)
    except Refused as refused:
        if refused.reason.startswith(REFUSALS):
            return b""
        raise


def read_by_another(text: str, item: Event | Task) -> None:
    """Let an independent reader find the same properties in the same frame."""
    calendar = vobject.readOne(text, allowQP=True)
    assert calendar.version.value == "1.0"
    (part,) = [one for one in calendar.getChildren() if one.name in ("VEVENT", "VTODO")]
    assert part.uid.value == item.uid
    assert ("rrule" in part.contents) == (item.rule is not None)


def unsayable(item: Event | Task) -> Iterator[str]:
    """Yield the fields of which 1.0 has no words for the value at hand."""
    if item.body is not None and item.body.type is BodyType.HTML:
        yield "body"
    if any(one.before_end for one in item.reminders):
        # An end between two minutes is kept beside the reminders.
        yield from ("reminders", "extras")
    if any(one.name or one.media_type or one.size is not None for one in item.attachments):
        yield "attachments"
    if any(
        not isinstance(x, str) or not key.startswith("ical:X-") for key, x in item.extras.items()
    ):
        yield "extras"
    if isinstance(item, Task):
        yield "percent"
        if item.start is None and item.due is None:
            yield from ("reminders", "all_day")
        return
    if item.busy not in (Busy.FREE, Busy.BUSY):
        yield "busy"
    if item.people:
        yield "people"
    if item.online_meeting:
        yield "online_meeting"
    if any(
        one.role is Role.CHAIR or one.attendee_kind is not AttendeeKind.INDIVIDUAL
        for one in item.attendees
    ):
        yield "attendees"


@_MANY
@given(event=strategies.events())
def test_an_event_keeps_its_meaning(event: Event):
    parts = vcalendar.split(event)
    assert spans(replace(parts[0], exdates=event.exdates)) == spans(replace(event, overrides=()))
    for part in parts:
        found = sent(part)
        assert spans(found) == spans(part)
        changed = set(diff(part, found)) - _TIMES - _SERIES
        assert changed <= set(unsayable(part)), changed


@_MANY
@given(event=strategies.events(series=True))
def test_a_series_and_its_changed_occurrences_come_together_again(event: Event):
    series, *changed = vcalendar.split(event)
    zone = event.time_zone or ""
    texts = [written(part) for part in (series, *changed)]
    assume(all(texts))
    found = series
    for text in texts[1:]:
        one = vcalendar.decode(text, zone=zone)
        assert isinstance(one, Event)
        found = vcalendar.join(found, one)
    assert spans(found) == spans(event)


@_MANY
@given(task=strategies.tasks())
def test_a_task_keeps_its_meaning(task: Task):
    found = sent(task)
    assert spans(found) == spans(task)
    changed = set(diff(task, found)) - _TIMES - _SERIES
    assert changed <= set(unsayable(task)), changed


@_MANY
@given(contact=strategies.contacts())
def test_a_contact_comes_back_as_it_went_out(contact: Contact):
    found = vcard.read(vcard.encode(contact, version="2.1", marker="crm/contact/7"))
    assert found.version == "2.1"
    assert found.marker == "crm/contact/7"
    lost = {"birthday"} if contact.birthday.startswith("--") else set()
    assert set(diff(contact, found.item)) <= lost


@_MANY
@given(contact=strategies.contacts(extras=False))
def test_vobject_reads_the_same_from_an_old_card(contact: Contact):
    card = vobject.readOne(vcard.encode(contact, version="2.1").decode(), allowQP=True)
    assert card.version.value == "2.1"
    assert card.uid.value == contact.uid
    assert [one.value for one in card.contents.get("email", [])] == [
        mail.address for mail in contact.mails
    ]
    assert len(card.contents.get("adr", [])) == len(contact.addresses)
    assert ("bday" in card.contents) == bool(
        contact.birthday and not contact.birthday.startswith("--")
    )


@pytest.mark.parametrize("kind", ["event", "task"])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_losses_name_every_field_that_comes_back_different(kind: str, data: st.DataObject):
    drawn: st.SearchStrategy[Any] = strategies.events() if kind == "event" else strategies.tasks()
    item: Event | Task = data.draw(drawn)
    assert types.losses(item, *types.ICALENDAR) == ()
    overridden = isinstance(item, Event) and bool(item.overrides)
    assume(not overridden and written(item))
    found = types.decode(
        types.encode(item, *types.VCALENDAR), types.VCALENDAR.type, zone=item.time_zone or ""
    )
    named = set(types.losses(item, *types.VCALENDAR))
    assert {name for name in named if getattr(item, name) == getattr(found, name)} == set()
    same = set(item.__struct_fields__) - named
    assert diff(item, found, same) == ()


@given(contact=strategies.contacts())
@settings(max_examples=20, deadline=None)
def test_only_the_oldest_card_loses_anything(contact: Contact):
    assert types.losses(contact, *types.VCARD3) == ()
    assert types.losses(contact, *types.VCARD4) == ()
    yearless = contact.birthday.startswith("--")
    assert types.losses(contact, *types.VCARD2) == (("birthday",) if yearless else ())
