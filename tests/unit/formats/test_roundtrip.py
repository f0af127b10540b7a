"""Whatever the model can say comes back from iCalendar and vCard exactly as it went out."""

from __future__ import annotations

from typing import Any

import icalendar
import pytest
import vobject
from hypothesis import given, settings

from accord.formats import ical, vcard
from accord.model.item import Contact, Event, Task
from tests import strategies

_MANY = settings(max_examples=60, deadline=None)


@_MANY
@given(event=strategies.events())
def test_an_event_comes_back_as_it_went_out(event: Event):
    text = ical.encode(event, marker="crm/event/7")
    found = ical.read(text)
    assert found.item == event
    assert found.marker == "crm/event/7"
    assert found.modified is not None


@_MANY
@given(event=strategies.events())
def test_another_library_reads_what_we_write(event: Event):
    calendar: Any = icalendar.Calendar.from_ical(ical.encode(event))
    components = calendar.walk("VEVENT")
    assert len(components) == 1 + len(event.overrides)
    assert not any(component.errors for component in calendar.walk())
    assert str(components[0].get("SUMMARY", "")) == event.title
    start = components[0]["DTSTART"].dt
    assert (start.year, start.month, start.day) == event.start.timetuple()[:3]


@_MANY
@given(event=strategies.events())
def test_no_line_is_longer_than_75_octets_and_none_breaks_out(event: Event):
    text = ical.encode(event)
    assert text.endswith(b"END:VCALENDAR\r\n")
    lines = text.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert sum(line == b"BEGIN:VEVENT" for line in lines) == 1 + len(event.overrides)


@_MANY
@given(task=strategies.tasks())
def test_a_task_comes_back_as_it_went_out(task: Task):
    assert ical.read(ical.encode(task)).item == task


@_MANY
@pytest.mark.parametrize("version", ["3.0", "4.0"])
@given(contact=strategies.contacts())
def test_a_contact_comes_back_as_it_went_out(contact: Contact, version: str):
    found = vcard.read(vcard.encode(contact, version=version, marker="crm/contact/7"))
    extras = {key: x for key, x in found.item.extras.items() if key != "vcard:VERSION"}
    assert extras == contact.extras
    assert _without_extras(found.item) == _without_extras(contact)
    assert found.marker == "crm/contact/7"
    assert found.version == version


@_MANY
@pytest.mark.parametrize("version", ["3.0", "4.0"])
@given(contact=strategies.contacts(extras=False))
def test_vobject_reads_the_same_from_our_cards(contact: Contact, version: str):
    card = vobject.readOne(vcard.encode(contact, version=version).decode())
    assert card.uid.value == contact.uid
    if contact.full_name:
        assert card.fn.value == contact.full_name
    assert [one.value for one in card.contents.get("email", [])] == [
        mail.address for mail in contact.mails
    ]
    assert [one.value for one in card.contents.get("tel", [])] == [
        phone.number for phone in contact.phones
    ]
    if "n" in card.contents:
        name = card.n.value
        assert (name.family, name.given, name.additional) == (
            contact.family,
            contact.given,
            contact.middle,
        )
    found = [(x.value.street, x.value.city, x.value.code) for x in card.contents.get("adr", [])]
    assert found == [(one.street, one.locality, one.postcode) for one in contact.addresses]
    for name, value in (
        ("note", contact.notes),
        ("nickname", contact.nickname),
        ("title", contact.job_title),
    ):
        assert (card.contents[name][0].value if value else "") == value, name
    # Version 3.0 has no day without a year; everybody writes 1604 then.
    born = card.bday.value.replace("1604", "") if contact.birthday else ""
    assert born.replace("-", "") == contact.birthday.replace("-", "")
    firm = [contact.organization, contact.department]
    told = card.org.value if "org" in card.contents else ["", ""]
    assert [*told, ""][:2] == firm
    # It stops at commas, which RFC 6350 5.6.5 lets stand in an address.
    seen = [one.value for one in card.contents.get("url", [])]
    assert seen == [url.partition(",")[0] for url in contact.urls]


def _without_extras(contact: Contact) -> dict[str, object]:
    return {name: getattr(contact, name) for name in contact.__struct_fields__ if name != "extras"}
