"""The demo's believable week: what the CRM holds and what people keep in their calendars."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from accord.cli.demo.hands import Desk
from accord.cli.demo.past import entry, zoned
from accord.model.item import Absence, Contact, Event, Item, Mailto, Phone, PostalAddress, Task
from accord.model.parts import Attendee, Body, Person, Reminder
from accord.model.recurrence import Frequency, NthDay, Override, RecurrenceRule, Weekday

PEOPLE = {"anna": "Anna Berg", "ben": "Ben Ortiz", "clara": "Clara Lindt"}
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
MEETING = "Project Aurora: kick-off"
TIDIED = frozenset(f"Visit {number}: follow-up" for number in range(1, 25))


def address(name: str) -> str:
    """Return a person's address."""
    return f"{name}@example.test"


def monday(today: date) -> date:
    """Return the Monday of the coming week."""
    return today + timedelta(days=7 - today.weekday())


def fill_crm(desks: dict[str, Desk], today: date) -> int:
    """Put the week into the CRM and return how many records that made."""
    start = monday(today)
    events = [*_annas(start), *_bens(start), *_claras(start)]
    for name, item in events:
        desks[name].add(item)
    rest: list[tuple[str, Item]] = [*_tasks(start), *_contacts(), *_absences(start)]
    for name, record in rest:
        desks[name].add(record)
    return len(events) + len(rest)


def mailbox_entries(name: str, today: date) -> dict[str, str]:
    """Return what a person has put into the own calendar, as file name to text."""
    start = monday(today)
    tuesday, thursday = start + timedelta(1), start + timedelta(3)
    client = "ATTENDEE;CN=Nora Silva;PARTSTAT=ACCEPTED:mailto:nora.silva@customer.test"
    mine = f"ORGANIZER;CN={PEOPLE[name]}:mailto:{address(name)}"
    files = {
        "customer.ics": entry(
            f"customer-{name}@example.test", f"Customer workshop ({name})",
            zoned("DTSTART", _at(tuesday, 14), BERLIN), zoned("DTEND", _at(tuesday, 16), BERLIN),
            "CATEGORIES:CRM", "LOCATION:Hall 4", "X-COLOR:teal", mine, client,
        ),
        "private.ics": entry(
            f"private-{name}@example.test", "Doctor",
            zoned("DTSTART", _at(thursday, 8), BERLIN), zoned("DTEND", _at(thursday, 9), BERLIN),
            "CLASS:PRIVATE", "CATEGORIES:CRM", "DESCRIPTION:nobody's business",
        ),
        "gym.ics": entry(
            f"gym-{name}@example.test", "Gym",
            zoned("DTSTART", _at(start, 18), BERLIN), zoned("DTEND", _at(start, 19), BERLIN),
            "RRULE:FREQ=WEEKLY;BYDAY=MO,WE",
        ),
    }  # fmt: skip
    if name == "clara":
        files |= _calls(start)
    return files


def _annas(start: date) -> list[tuple[str, Event]]:
    guests = tuple(Attendee(address=address(name), name=PEOPLE[name]) for name in PEOPLE)
    host = Person(address=address("anna"), name=PEOPLE["anna"])
    return [
        ("anna", _event(MEETING, start, 10, 90, organizer=host, attendees=guests)),
        ("anna", _series("Weekly stand-up", start - timedelta(weeks=8), 9, 15)),
        ("anna", _new_york_call(start)),
        ("anna", _event("Contract signing", start + timedelta(4), 11, 60)),
        ("anna", _event("Quarter figures", start + timedelta(2), 15, 60)),
    ]


def _bens(start: date) -> list[tuple[str, Event]]:
    fair = Event(
        title="Trade fair Lisbon",
        start=_at(start + timedelta(2), 0),
        end=_at(start + timedelta(4), 0),
        all_day=True,
        location="Lisbon",
    )
    return [
        ("ben", fair),
        ("ben", _event("Supplier visit", start + timedelta(1), 13, 120, location="Dock 7")),
        ("ben", _event("Call with Rossi", start + timedelta(3), 16, 30)),
        ("ben", _jubilee(start)),
    ]


def _claras(start: date) -> list[tuple[str, Event]]:
    visits = [
        ("clara", _event(title, start + timedelta(days=7 + number), 10, 45))
        for number, title in enumerate(sorted(TIDIED))
    ]
    return [("clara", _event("Roadmap review", start + timedelta(1), 9, 60)), *visits]


def _event(title: str, day: date, hour: int, minutes: int, **more: object) -> Event:
    begin = _at(day, hour)
    return Event(
        title=title,
        start=begin,
        end=begin + timedelta(minutes=minutes),
        time_zone=BERLIN,
        **more,  # type: ignore[arg-type]
    )


def _series(title: str, day: date, hour: int, minutes: int) -> Event:
    """Return an endless weekly series, one occurrence moved and one left out."""
    begin = _at(day, hour)
    moved = begin + timedelta(weeks=9)
    return Event(
        title=title,
        start=begin,
        end=begin + timedelta(minutes=minutes),
        time_zone=BERLIN,
        rule=RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(NthDay(day=Weekday.MO),)),
        exdates=(begin + timedelta(weeks=10),),
        overrides=(
            Override(
                recurrence_id=moved,
                start=moved + timedelta(hours=2),
                end=moved + timedelta(hours=2, minutes=minutes),
                location="Room 2",
            ),
        ),
        body=Body(text="What was done, what is next, what is in the way."),
        reminders=(Reminder(minutes=5),),
    )


def _new_york_call(start: date) -> Event:
    """Return a series in another zone, running through that zone's changes of the clock."""
    begin = _at(start - timedelta(weeks=30), 9)
    return Event(
        title="New York pipeline call",
        start=begin,
        end=begin + timedelta(minutes=30),
        time_zone=NEW_YORK,
        rule=RecurrenceRule(frequency=Frequency.WEEKLY, count=80),
    )


def _jubilee(start: date) -> Event:
    begin = _at(start, 0)
    return Event(
        title="Company anniversary",
        start=begin,
        end=begin + timedelta(days=1),
        all_day=True,
        rule=RecurrenceRule(frequency=Frequency.YEARLY),
    )


def _tasks(start: date) -> list[tuple[str, Task]]:
    due = _at(start + timedelta(4), 0)
    return [
        ("clara", Task(title="Send the offer to Rossi", due=due, all_day=True, priority=1)),
        ("clara", Task(title="Collect reference letters", due=due, all_day=True)),
        ("anna", Task(title="Prepare the kick-off", due=_at(start, 9), time_zone=BERLIN)),
        ("ben", Task(title="Book the stand", percent=50)),
    ]


def _contacts() -> list[tuple[str, Contact]]:
    nora = Contact(
        full_name="Nora Silva",
        given="Nora",
        family="Silva",
        organization="Silva & Filhos",
        job_title="Buyer",
        mails=(
            Mailto(address="nora.silva@customer.test", preferred=True),
            Mailto(address="nora@home.test", type="home"),
        ),
        phones=(Phone(number="+351 21 555 0100"), Phone(number="+351 91 555 0101", type="home")),
        addresses=(
            PostalAddress(street="Rua das Flores 1", locality="Lisboa", country="Portugal"),
            PostalAddress(type="home", street="Rua do Sol 9", locality="Porto"),
        ),
        birthday="1984-05-17",
    )
    rossi = Contact(
        full_name="Luca Rossi",
        given="Luca",
        family="Rossi",
        mails=(Mailto(address="luca.rossi@customer.test"),),
    )
    return [("anna", nora), ("ben", rossi)]


def _absences(start: date) -> list[tuple[str, Absence]]:
    begin = _at(start + timedelta(14), 0)
    sick = Absence(start=begin, end=begin + timedelta(5), absence_kind="sick leave")
    return [("ben", sick)]


def _calls(start: date) -> dict[str, str]:
    files = {}
    for number in range(3):
        day = start + timedelta(number)
        files[f"call-{number}.ics"] = entry(
            f"call-{number}@example.test", f"Sales call {number + 1}",
            zoned("DTSTART", _at(day, 16), BERLIN), zoned("DTEND", _at(day, 17), BERLIN),
            "CATEGORIES:CRM",
        )  # fmt: skip
    return files


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour))
