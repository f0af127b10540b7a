"""Items that have gone wrong before, by name: what a contract suite writes and reads back.

`strategies` invents more; these stay, so that each failure has a name to it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from accord.model.item import (
    Absence,
    Contact,
    Event,
    Item,
    Mailto,
    Phone,
    PostalAddress,
    Task,
    TaskStatus,
)
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Body, Person, Privacy, Reminder, Reply, Role
from accord.model.recurrence import (
    Busy,
    EventStatus,
    Frequency,
    NthDay,
    Override,
    RecurrenceRule,
    Weekday,
)

BERLIN = "Europe/Berlin"
TEXT = 'Größe; Maß, "Zitat" \\ Schrägstrich\nzweite Zeile: 日本語 🙂 <b>&amp;</b>'


def at(text: str) -> datetime:
    """Return a wall-clock time written as 2026-03-02T09:00 or a date at midnight."""
    return datetime.fromisoformat(text)


def samples(kind: Kind, own: str) -> dict[str, Item]:
    """Return the named items of a kind; `own` is the principal's address, who organizes."""
    match kind:
        case Kind.EVENT:
            return {**_moments(), **_series(), **_rich_events(own)}
        case Kind.TASK:
            return dict(_tasks())
        case Kind.CONTACT:
            return dict(_contacts())
        case Kind.ABSENCE:
            return dict(_absences())
        case Kind.MAIL:
            return {}


def plain(kind: Kind, title: str) -> Item:
    """Return a simple item of a kind with a title (a contact's full name)."""
    start, end = at("2026-03-02T09:00"), at("2026-03-02T10:00")
    match kind:
        case Kind.TASK:
            return Task(title=title)
        case Kind.CONTACT:
            return Contact(full_name=title, family=title)
        case Kind.ABSENCE:
            return Absence(title=title, start=at("2026-03-02"), end=at("2026-03-05"))
        case _:
            return Event(title=title, start=start, end=end, time_zone=BERLIN)


def title_field(kind: Kind) -> str:
    """Return the name of the field that names an item to people."""
    return "full_name" if kind is Kind.CONTACT else "title"


def _moments() -> dict[str, Item]:
    one, two = at("2026-03-02T09:00"), at("2026-03-02T10:30")
    return {
        "in a zone": Event(title="zone", start=one, end=two, time_zone=BERLIN),
        "in UTC": Event(title="utc", start=one, end=two, time_zone="UTC"),
        "floating": Event(title="floating", start=one, end=two),
        "across zones": Event(
            title="flight",
            start=one,
            end=at("2026-03-02T12:00"),
            time_zone=BERLIN,
            end_time_zone="America/New_York",
        ),
        "all day": Event(title="day", start=at("2026-03-29"), end=at("2026-03-30"), all_day=True),
        "several days": Event(
            title="fair", start=at("2026-10-24"), end=at("2026-10-28"), all_day=True
        ),
        "over midnight": Event(
            title="night",
            start=at("2026-03-28T23:00"),
            end=at("2026-03-29T05:00"),
            time_zone=BERLIN,
        ),
        "to the second": Event(
            title="call",
            start=at("2026-03-02T09:00:30"),
            end=at("2026-03-02T09:05:45"),
            time_zone=BERLIN,
        ),
        "no length": Event(title="now", start=one, end=one, time_zone=BERLIN),
        "long ago": Event(
            title="old", start=at("1999-12-31T09:00"), end=at("1999-12-31T10:00"), time_zone=BERLIN
        ),
    }


def _series() -> dict[str, Item]:
    start, end = at("2026-03-02T09:00"), at("2026-03-02T10:00")
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(NthDay(day=Weekday.MO),))
    daily = RecurrenceRule(frequency=Frequency.DAILY, count=10)
    until = RecurrenceRule(frequency=Frequency.DAILY, until=at("2026-04-10T09:00"))
    moved = Override(
        recurrence_id=at("2026-03-05T09:00"),
        start=at("2026-03-06T14:00"),
        end=at("2026-03-06T15:00"),
        title="moved",
    )
    called_off = Override(recurrence_id=at("2026-03-07T09:00"), status=EventStatus.CANCELLED)
    last_friday = RecurrenceRule(
        frequency=Frequency.MONTHLY, interval=2, by_day=(NthDay(day=Weekday.FR, nth=-1),)
    )
    birthday = RecurrenceRule(frequency=Frequency.YEARLY, by_month=(2,), by_month_day=(28,))

    def series(title: str, rule: RecurrenceRule, **more: object) -> Event:
        values = {"start": start, "end": end, "time_zone": BERLIN, **more}
        return Event(title=title, rule=rule, **values)  # type: ignore[arg-type]

    return {
        "an endless series": series("weekly", weekly),
        "a series with an end": series("until", until),
        "a series with left-out dates": series(
            "without", daily, exdates=(at("2026-03-03T09:00"), at("2026-03-05T09:00"))
        ),
        "a series with changed occurrences": series("daily", daily, overrides=(moved, called_off)),
        "the last Friday": series(
            "last", last_friday, start=at("2026-03-27T09:00"), end=at("2026-03-27T10:00")
        ),
        "a birthday": series(
            "birthday",
            birthday,
            start=at("2020-02-28"),
            end=at("2020-02-29"),
            all_day=True,
            time_zone=None,
        ),
        "an all-day series with a left-out day": series(
            "days",
            daily,
            start=at("2026-03-02"),
            end=at("2026-03-03"),
            all_day=True,
            time_zone=None,
            exdates=(at("2026-03-04"),),
        ),
        "a series cut off from another": series("rest", weekly, split_from="original-uid"),
    }


def _rich_events(own: str) -> dict[str, Item]:
    base = Event(
        title="Ganz; viel, \\ drin",
        start=at("2026-03-02T09:00"),
        end=at("2026-03-02T10:00"),
        time_zone=BERLIN,
        body=Body(text=TEXT),
        location="Raum 1, Haus B; links",
        url="https://example.com/?a=1&b=2",
        status=EventStatus.TENTATIVE,
        busy=Busy.FREE,
        priority=1,
        privacy=Privacy.PRIVATE,
        categories=("Kunde", "A, B", '^",'),
        reminders=(Reminder(minutes=15), Reminder(minutes=1440)),
    )
    guests = (
        Attendee(address="bea@example.org", name="Bea, B.", reply=Reply.ACCEPTED),
        Attendee(address="carl@example.org", role=Role.OPTIONAL, reply=Reply.DECLINED),
    )
    return {
        "much at once": base,
        "nothing but times": Event(start=base.start, end=base.end, time_zone=BERLIN),
        "people who are not invited": Event(
            title="mirror",
            start=base.start,
            end=base.end,
            time_zone=BERLIN,
            people=(Person(address="bea@example.org", name="Bea"),),
        ),
        "a meeting of one's own": Event(
            title="meeting",
            start=base.start,
            end=base.end,
            time_zone=BERLIN,
            organizer=Person(address=own),
            attendees=guests,
        ),
    }


def _tasks() -> dict[str, Task]:
    return {
        "a title only": Task(title="call"),
        "due on a day": Task(title="day", due=at("2026-03-29"), all_day=True),
        "due at a time": Task(
            title="time", start=at("2026-03-02T09:00"), due=at("2026-03-03T17:00"), time_zone=BERLIN
        ),
        "half done": Task(title="half", status=TaskStatus.IN_PROCESS, percent=50),
        "done": Task(
            title="done",
            status=TaskStatus.COMPLETED,
            percent=100,
            completed=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        ),
        "called off": Task(title="no", status=TaskStatus.CANCELLED),
        "much at once": Task(
            title="Ganz; viel, \\ drin",
            due=at("2026-03-03T17:00"),
            time_zone=BERLIN,
            body=Body(text=TEXT),
            priority=9,
            privacy=Privacy.PRIVATE,
            categories=("Kunde", "A, B", '^",'),
        ),
    }


def _contacts() -> dict[str, Contact]:
    return {
        "a name only": Contact(full_name="Ann Other", given="Ann", family="Other"),
        "a company": Contact(full_name="Acme; Söhne, KG", organization="Acme; Söhne, KG"),
        "much at once": Contact(
            full_name="Dr. Ann Maria Other-Größe MBA",
            prefix="Dr.",
            given="Ann",
            middle="Maria",
            family="Other-Größe",
            suffix="MBA",
            nickname="Annie",
            organization="Acme",
            department="Sales, North",
            job_title="Head; of, sales",
            mails=(
                Mailto(address="ann@example.org", preferred=True),
                Mailto(address="ann.home@example.net", type="home"),
            ),
            phones=(
                Phone(number="+49 30 123456"),
                Phone(number="+49 171 1234567", features=("cell",)),
                Phone(number="+49 30 123457", features=("fax",)),
                Phone(number="030/98765", type="home"),
            ),
            addresses=(
                PostalAddress(
                    street="Große Straße 1; Hof 2",
                    locality="Berlin",
                    region="BE",
                    postcode="10115",
                    country="Germany",
                ),
                PostalAddress(type="home", street="Am Weg 2", locality="Jena"),
            ),
            urls=("https://example.com/ann?x=1,2",),
            birthday="1970-02-28",
            notes=TEXT,
            categories=("Kunde", "A, B"),
        ),
    }


def _absences() -> dict[str, Absence]:
    return {
        "some days": Absence(title="away", start=at("2026-03-27"), end=at("2026-03-31")),
        "some hours": Absence(
            title="dentist",
            start=at("2026-03-02T09:00"),
            end=at("2026-03-02T11:00"),
            time_zone=BERLIN,
            all_day=False,
        ),
        "much at once": Absence(
            title="Urlaub",
            start=at("2026-03-27"),
            end=at("2026-03-31"),
            absence_kind="holiday",
            message=TEXT,
            outside_message="Back soon.",
        ),
    }
