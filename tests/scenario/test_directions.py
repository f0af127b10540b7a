"""What travels which way: by kind as they come, and as rules change it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from accord.model.item import Absence, Contact, Event, Mailto, Task, TaskStatus
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Person
from tests.scenario.conftest import Enter
from tests.scenario.stage import MONDAY, Stage, calendar, entry, line, meeting, steps, value

pytestmark = pytest.mark.waits

INVITE = 'scope = "all"\nmeetings = "invite"'
CARD = """BEGIN:VCARD\r
VERSION:3.0\r
UID:own@hand\r
FN:Own Friend\r
N:Friend;Own;;;\r
END:VCARD\r
"""


@pytest.mark.split
def test_events_travel_both_ways(enter_each: Enter) -> None:
    stage = enter_each("anna", rules={"event": INVITE})
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    desk.add(_with_guest(stage, "Out"))
    box.put("in.ics", entry("In", 12))
    stage.sync()
    assert box.titles() == ["In", "Out"]
    assert sorted(event.title for event in stage.events("anna")) == ["In", "Out"]
    desk.set("In", location="Room 1")
    box.edit("Out", LOCATION="Room 2")
    stage.sync()
    assert value(box.text("In"), "LOCATION") == "Room 1"
    assert stage.event("anna", "Out").location == "Room 2"
    desk.delete("In")
    box.delete("Out")
    stage.sync()
    assert box.titles() == [] and stage.events("anna") == []
    stage.quiet()


def test_events_only_out_by_rule(enter_each: Enter) -> None:
    stage = enter_each("anna", rules={"event": f'{INVITE}\ndirection = "outbound"'})
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    desk.add(_with_guest(stage, "Out"))
    box.put("in.ics", entry("Own", 12))
    stage.sync()
    box.edit("Out", LOCATION="Room 2")
    stage.sync()
    assert [event.title for event in stage.events("anna")] == ["Out"]
    assert stage.event("anna", "Out").location == ""
    assert value(box.text("Out"), "LOCATION") == "Room 2", "ignored, not put back"
    box.delete("Out")
    stage.sync()
    assert len(stage.events("anna")) == 1, "a deletion doesn't come in either"
    stage.quiet()


def test_contacts_go_out_into_a_folder_of_their_own(enter_each: Enter) -> None:
    stage = enter_each("anna", kinds=("contact",), unnamed=("contact",))
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    book = stage.accounts["anna"].contacts
    before = box.collections()
    box.put("own.vcf", CARD, book)
    stage.sync()
    assert box.collections() == before, "without a contact there is nothing to make it for"
    desk.add(Contact(full_name="Nora Silva"))
    assert "Create: new in the CRM" in steps(stage.plan())
    assert box.collections() == before, "a plan makes nothing"
    stage.sync()
    (made,) = box.collections().keys() - before.keys()
    place = box.collections()[made]
    assert made == "CRM contacts"
    assert (box.titles(place), box.titles(book)) == (["Nora Silva"], ["Own Friend"])
    box.put("mine.vcf", CARD.replace("own@hand", "mine@hand").replace("Own", "Another"), place)
    desk.set("Nora Silva", Kind.CONTACT, organization="Silva & Filhos")
    stage.sync()
    assert value(box.text("Nora Silva", place), "ORG") == "Silva & Filhos"
    assert _names(stage, Kind.CONTACT) == ["Nora Silva"]
    desk.delete("Nora Silva", Kind.CONTACT)
    stage.sync()
    assert (box.titles(place), box.titles(book)) == (["Another Friend"], ["Own Friend"])
    stage.quiet()


@pytest.mark.split
def test_contacts_in_a_persons_own_book_leave_what_is_theirs_alone(enter_each: Enter) -> None:
    stage = enter_each("anna", kinds=("contact",))
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    book = stage.accounts["anna"].contacts
    nora = Contact(full_name="Nora Silva", mails=(Mailto(address="nora@customer.test"),))
    desk.add(nora)
    box.put("own.vcf", CARD, book)
    stage.sync()
    assert box.titles(book) == ["Nora Silva", "Own Friend"]
    assert _names(stage, Kind.CONTACT) == ["Nora Silva"], "people's own entries are never imported"
    box.edit("Nora Silva", book, TITLE="Buyer")
    stage.sync()
    assert desk.find("Nora Silva", Kind.CONTACT).item == _stored(stage, nora)
    assert value(box.text("Nora Silva", book), "TITLE") == "Buyer", "the edit stands"
    desk.set("Nora Silva", Kind.CONTACT, organization="Silva & Filhos")
    stage.sync()
    text = box.text("Nora Silva", book)
    assert value(text, "ORG") == "Silva & Filhos" and value(text, "TITLE") == "Buyer"
    own = box.text("Own Friend", book)
    desk.delete("Nora Silva", Kind.CONTACT)
    stage.sync()
    assert box.titles(book) == ["Own Friend"]
    assert box.text("Own Friend", book) == own
    stage.quiet()


@pytest.mark.split
def test_tasks_go_out_and_how_far_they_are_comes_back(enter_each: Enter) -> None:
    stage = enter_each("anna", kinds=("task",))
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    place = stage.accounts["anna"].tasks
    desk.add(Task(title="Send the offer", due=MONDAY, all_day=True))
    box.put("own.ics", _todo("Buy milk"), place)
    stage.sync()
    assert box.titles(place) == ["Buy milk", "Send the offer"]
    assert _names(stage, Kind.TASK) == ["Send the offer"]
    box.edit("Send the offer", place, STATUS="IN-PROCESS", PERCENT_COMPLETE="40")
    stage.sync()
    task = desk.find("Send the offer", Kind.TASK).item
    assert isinstance(task, Task)
    assert (task.status, task.percent) == (TaskStatus.IN_PROCESS, 40)
    done = {"STATUS": "COMPLETED", "PERCENT_COMPLETE": "100", "COMPLETED": "20300103T101500Z"}
    box.edit("Send the offer", place, SUMMARY="Send it", **done)
    stage.sync()
    task = desk.find("Send the offer", Kind.TASK).item
    assert isinstance(task, Task)
    assert (task.status, task.percent) == (TaskStatus.COMPLETED, 100)
    assert task.completed is not None and task.completed.isoformat()[:16] == "2030-01-03T10:15"
    assert task.title == "Send the offer", "only how far it is comes back"
    stage.quiet()


def test_tasks_both_ways_by_rule(enter_each: Enter) -> None:
    stage = enter_each("anna", kinds=("task",), rules={"task": 'direction = "both"'})
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    place = stage.accounts["anna"].tasks
    desk.add(Task(title="Send the offer", due=MONDAY, all_day=True))
    box.put("own.ics", _todo("Call Rossi"), place)
    stage.sync()
    assert _names(stage, Kind.TASK) == ["Call Rossi", "Send the offer"]
    box.edit("Send the offer", place, SUMMARY="Send it")
    desk.set("Call Rossi", Kind.TASK, percent=50)
    stage.sync()
    assert _names(stage, Kind.TASK) == ["Call Rossi", "Send it"]
    assert value(box.text("Call Rossi", place), "PERCENT-COMPLETE") == "50"
    box.delete("Call Rossi", place)
    stage.sync()
    assert _names(stage, Kind.TASK) == ["Send it"]
    stage.quiet()


def test_a_task_moves_to_the_mailbox_of_another_assignee(enter_each: Enter) -> None:
    stage = enter_each("anna", "ben", kinds=("task",))
    desk = stage.desks["anna"]
    anna, ben = (stage.accounts[name].tasks for name in ("anna", "ben"))
    assignee = Person(address=stage.address("anna"))
    made = desk.add(Task(title="Send the offer", due=MONDAY, all_day=True, assignee=assignee))
    stage.sync()
    assert stage.boxes["anna"].titles(anna) == ["Send the offer"]
    assert stage.boxes["ben"].titles(ben) == []
    desk.set("Send the offer", Kind.TASK, assignee=Person(address=stage.address("ben")))
    for _ in range(2):
        stage.sync()
    assert stage.boxes["ben"].titles(ben) == ["Send the offer"]
    stage.boxes["ben"].edit("Send the offer", ben, PERCENT_COMPLETE="70", STATUS="IN-PROCESS")
    stage.sync()
    task = stage.people.show("ben", Kind.TASK, made.ref).item
    assert isinstance(task, Task) and task.percent == 70
    assert stage.boxes["anna"].titles(anna) == [], "the unedited copy is withdrawn"
    stage.quiet()


@pytest.mark.split
def test_absences_go_out_as_out_of_office_entries(enter_each: Enter) -> None:
    stage = enter_each("anna", kinds=("event", "absence"))
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    sick = Absence(
        title="Influenza", start=MONDAY, end=MONDAY + timedelta(5), absence_kind="sick leave",
        message="I have pneumonia",
    )  # fmt: skip
    made = desk.add(sick)
    stage.sync()
    assert box.titles() == ["Absent"]
    text = box.text("Absent")
    assert line(text, "DTSTART") == "DTSTART;VALUE=DATE:20300107"
    assert line(text, "DTEND") == "DTEND;VALUE=DATE:20300112"
    assert "OOF" in text, "calendars show the person as out of office"
    for word in ("sick", "influenza", "pneumonia"):
        assert word not in text.casefold(), word
    assert stage.events("anna") == [], "it doesn't come back as an appointment"
    longer = Absence(start=MONDAY, end=MONDAY + timedelta(7), absence_kind="sick leave")
    stage.people.put("anna", longer, made.ref)
    stage.sync()
    assert line(box.text("Absent"), "DTEND") == "DTEND;VALUE=DATE:20300114"
    stage.people.delete("anna", Kind.ABSENCE, made.ref)
    stage.sync()
    assert box.titles() == []
    stage.quiet()


def _with_guest(stage: Stage, title: str) -> Event:
    """Return a meeting of Anna's with somebody outside, whom a server that mails would invite."""
    host = Person(address=stage.address("anna"))
    return meeting(title, organizer=host, attendees=(Attendee(address="nora@customer.test"),))


def _todo(title: str) -> str:
    head = (f"UID:{title.casefold().replace(' ', '-')}@hand", "DTSTAMP:20260101T000000Z")
    return calendar("BEGIN:VTODO", *head, f"SUMMARY:{title}", "END:VTODO")


def _names(stage: Stage, kind: Kind) -> list[str]:
    items = (snapshot.item for snapshot in stage.people.list("anna", kind))
    return sorted(getattr(i, "title", "") or getattr(i, "full_name", "") for i in items)


def _stored(stage: Stage, contact: Contact) -> Contact:
    """Return a contact as the CRM stores it: with the uid that it was given."""
    uid = stage.desks["anna"].find(contact.full_name, Kind.CONTACT).item.uid
    return msgspec.structs.replace(contact, uid=uid)
