"""Servers that leave out, repeat or add what the schema allows, and some that don't follow it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import exchangelib
import pytest
from exchangelib.util import to_xml
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from accord.groupware.exchange.codec import contact, event, mail, series, task
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Person
from accord.model.recurrence import Frequency, RecurrenceRule
from accord.ports.errors import Rejected
from accord.testing.samples import samples
from tests.unit.exchange.post import ALICE, account, parsed, written
from tests.unit.exchange.test_codec_mail import TEXT as MAIL
from tests.unit.sandbox.ews import M, T, official

START = datetime(2026, 3, 2, 9)
MEETING = Event(
    title="Talk",
    start=START,
    end=START.replace(hour=10),
    time_zone="Europe/Berlin",
    rule=RecurrenceRule(frequency=Frequency.WEEKLY, count=4),
    organizer=Person(address=ALICE),
    attendees=(Attendee(address="bea@example.org", name="Bea"),),
    categories=("Client",),
)
MORE = (
    "<t:Organizer><t:Mailbox><t:EmailAddress>olga@example.org</t:EmailAddress></t:Mailbox>"
    "</t:Organizer><t:DeletedOccurrences><t:DeletedOccurrence><t:Start>2026-03-09T08:00:00Z</t:Start>"
    "</t:DeletedOccurrence></t:DeletedOccurrences><t:CompleteName><t:Title>Dr.</t:Title>"
    "</t:CompleteName><t:Attachments><t:FileAttachment><t:AttachmentId Id='A'/><t:Name>x</t:Name>"
    "</t:FileAttachment><t:ItemAttachment><t:AttachmentId Id='B'/></t:ItemAttachment>"
    "</t:Attachments><t:CompleteDate>2026-03-01T00:00:00Z</t:CompleteDate>"
)


def full(cls: Any, codec: Any, item: Any) -> str:
    """Return the XML of an item with everything in it."""
    text = written(cls, codec.properties(item))
    head, _, tail = text.rpartition("</")
    return f"{head}{MORE}</{tail}"


def much(kind: Kind) -> Any:
    return samples(kind, ALICE)["much at once"]


SHAPES: dict[str, tuple[Any, Any, str]] = {
    "task": (exchangelib.Task, task.read, full(exchangelib.Task, task, much(Kind.TASK))),
    "contact": (
        exchangelib.Contact,
        contact.read,
        full(exchangelib.Contact, contact, much(Kind.CONTACT)),
    ),
    "event": (
        exchangelib.CalendarItem,
        event.read,
        full(exchangelib.CalendarItem, event, much(Kind.EVENT)),
    ),
    "series": (
        exchangelib.CalendarItem,
        event.read,
        full(exchangelib.CalendarItem, event, MEETING),
    ),
    "mail": (exchangelib.Message, mail.read, etree.tostring(etree.fromstring(MAIL)).decode()),
}
STRANGE = ["", " ", "x", "0", "-1", "true", "2026-13-45T99:00:00Z", "0001-01-01T00:00:00Z", "NaN"]


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=40)
@given(data=st.data())
def test_whatever_a_server_leaves_out_repeats_or_makes_up(shape: str, data: st.DataObject) -> None:
    cls, read, text = SHAPES[shape]
    if shape == "mail":
        text = with_namespace(text, cls)
    root = etree.fromstring(text)
    for _ in range(data.draw(st.integers(1, 4))):
        nodes = [node for node in root.iter() if node is not root]
        if not nodes:
            break
        disturb(data, data.draw(st.sampled_from(nodes)))
    item = taken(cls, etree.tostring(root).decode())
    found = understood(read, item) if item is not None else None
    if isinstance(found, Event):
        understood(lambda each: (event.properties(each), series.occurrences(each)), found)


def taken(cls: Any, text: str) -> Any:
    """Return the item of a text; None where exchangelib can't read what isn't valid."""
    node = to_xml(text.encode()).getroot()
    try:
        return cls.from_xml(elem=node, account=account())
    except (AttributeError, KeyError, TypeError, ValueError):
        assert not is_valid(text)
        return None


def is_valid(text: str) -> bool:
    schema = official()
    request = f'<m:CreateItem xmlns:m="{M}"><m:Items>{text}</m:Items></m:CreateItem>'
    return schema is not None and bool(schema.validate(etree.fromstring(request)))


def understood(read: Callable[[Any], Any], item: Any) -> Any:
    """Return what is read; None where it is refused with a reason."""
    try:
        return read(item)
    except Rejected as why:
        reason = str(why)
    assert len(reason) > 10
    return None


def disturb(data: st.DataObject, node: Any) -> None:
    parent = node.getparent()
    match data.draw(st.sampled_from(["leave out", "repeat", "add", "empty", "strange", "bare"])):
        case "leave out":
            parent.remove(node)
        case "repeat":
            parent.append(etree.fromstring(etree.tostring(node)))
        case "add":
            node.addnext(etree.fromstring(f'<t:Unheard xmlns:t="{T}">of</t:Unheard>'))
        case "empty":
            for each in list(node):
                node.remove(each)
        case "strange":
            node.text = data.draw(st.sampled_from(STRANGE))
        case _:
            node.attrib.clear()


def with_namespace(text: str, cls: Any) -> str:
    plain = text.replace("<", "<t:").replace("<t:/", "</t:")
    return plain.replace(f"<t:{cls.ELEMENT_NAME}", f'<t:{cls.ELEMENT_NAME} xmlns:t="{T}"', 1)


def test_the_full_items_are_understood() -> None:
    for shape, (cls, read, text) in SHAPES.items():
        given_text = with_namespace(text, cls) if shape == "mail" else text
        assert read(parsed(cls, given_text)) is not None


@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00Z", "4501-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "soon"]
)
@pytest.mark.parametrize("home", ["America/Los_Angeles", "Pacific/Auckland"])
def test_a_time_that_stands_for_none_is_none(when: str, home: str) -> None:
    text = f"<Task><ReminderDueBy>{when}</ReminderDueBy><DueDate>{when}</DueDate></Task>"
    assert task.read(parsed(exchangelib.Task, text, home)).due is None
    text = f"<Contact><Birthday>{when}</Birthday></Contact>"
    assert contact.read(parsed(exchangelib.Contact, text, home)).birthday == ""
    assert (
        mail.read(
            parsed(
                exchangelib.Message, f"<Message><DateTimeSent>{when}</DateTimeSent></Message>", home
            )
        ).sent
        is None
    )
    for more in ("", "<IsAllDayEvent>true</IsAllDayEvent>"):
        text = f"<CalendarItem><Start>{when}</Start><End>{when}</End>{more}</CalendarItem>"
        with pytest.raises(Rejected, match="begins"):
            event.read(parsed(exchangelib.CalendarItem, text, home))
