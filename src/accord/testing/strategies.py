"""Items invented by Hypothesis: everything the model can say that means something.

Within a sensible calendar: no occurrence that isn't one, no wall-clock time that doesn't exist.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

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
from accord.model.parts import (
    Attendee,
    Body,
    BodyType,
    Person,
    Privacy,
    Reminder,
    Reply,
    Role,
)
from accord.model.recurrence import (
    Busy,
    EventStatus,
    Frequency,
    NthDay,
    Override,
    RecurrenceRule,
    Weekday,
)

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")

_LETTERS = st.characters(
    exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp"), exclude_characters="\ufeff\xad"
)
_lines = st.text(_LETTERS | st.sampled_from(",;:\\\"'^&<>"), max_size=60).map(str.strip)
words = _lines.filter(bool)
"""One line of text, never empty, nothing invisible at its ends."""

lines = _lines
"""One line of text, or none."""

texts = st.lists(_lines, max_size=4).map(lambda many: "\n".join(many).strip())
"""Some lines of text."""

_local = st.text("abcdefghijklmnopqrstuvwxyz0123456789.+-_", min_size=1, max_size=12).map(
    lambda text: f"a{text.strip('.').replace('..', '.')}z"
)
addresses = st.builds(
    "{}@{}".format, _local, st.sampled_from(["example.org", "xn--bcher-kva.example", "ex.com"])
)
"""E-mail addresses."""

zones = st.sampled_from(ZONES)
days = st.dates(
    datetime(1990, 1, 1, tzinfo=UTC).date(), datetime(2037, 12, 31, tzinfo=UTC).date()
).map(lambda day: datetime.fromisoformat(day.isoformat()))
moments = st.builds(
    lambda day, hour, minute: day.replace(hour=hour, minute=minute),
    days,
    st.integers(5, 21),
    st.sampled_from([0, 1, 15, 30, 59]),
)
"""Wall-clock times of the day, when no zone changes its clocks."""

# Made once: a strategy made anew for every draw takes longer than the draw.
_maybe_zone = st.none() | zones
_maybe_when = {True: st.none() | days, False: st.none() | moments}
_overridden: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "title": words.map("Changed {}".format),
        "location": words.map("Elsewhere {}".format),
        "status": st.just(EventStatus.CANCELLED),
    },
)

privacies = st.sampled_from(Privacy)
categories = st.lists(words, max_size=3, unique_by=str.casefold).map(tuple)
people = st.builds(Person, address=addresses, name=lines)
reminders = st.lists(
    st.builds(Reminder, minutes=st.sampled_from([0, 5, 15, 60, 1440, 10080])),
    max_size=2,
    unique=True,
).map(tuple)
attendees = st.lists(
    st.builds(
        Attendee,
        address=addresses,
        name=lines,
        role=st.sampled_from([Role.REQUIRED, Role.OPTIONAL]),
        reply=st.sampled_from(
            [Reply.NEEDS_ACTION, Reply.ACCEPTED, Reply.DECLINED, Reply.TENTATIVE]
        ),
    ),
    max_size=3,
    unique_by=lambda attendee: attendee.address.casefold(),
).map(tuple)


@cache
def items(
    kind: Kind, own: str, *, html: bool = False, momentary: bool = True
) -> st.SearchStrategy[Item]:
    """Return items of a kind; `own` organizes meetings, `html` allows such bodies.

    `momentary` includes entries that end when they start.
    """
    bodies = _bodies(html)
    made: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.EVENT: st.builds(_event, _event_times(momentary), _event_rest(own, bodies)),
        Kind.TASK: _tasks(bodies),
        Kind.CONTACT: _contacts(),
        Kind.ABSENCE: _absences(),
    }
    return made[kind]


def _bodies(html: bool) -> st.SearchStrategy[Body | None]:
    filled = texts.filter(bool)
    plain = st.builds(Body, text=filled)
    rich = st.builds(
        lambda text: Body(text=f"<p>{text}</p>", type=BodyType.HTML), st.text("ab c&;é", min_size=1)
    )
    return st.none() | plain | rich if html else st.none() | plain


@st.composite
def _event_times(draw: st.DrawFn, momentary: bool) -> dict[str, Any]:
    all_day = draw(st.booleans())
    start = draw(days if all_day else moments)
    if all_day:
        end = start + timedelta(days=draw(st.integers(1, 5)))
        zone = None
    else:
        end = start + timedelta(minutes=draw(st.sampled_from([0] * momentary + [5, 30, 60, 90])))
        zone = draw(_maybe_zone)
    values = {"start": start, "end": end, "all_day": all_day, "time_zone": zone}
    step = draw(st.sampled_from([0, 0, 1, 2, 7, 14]))
    return {**values, **(draw(_series(values, step)) if step else {})}


@st.composite
def _series(draw: st.DrawFn, times: dict[str, Any], step: int) -> dict[str, Any]:
    """Return a rule whose occurrences are `step` days apart, with exceptions to it."""
    start: datetime = times["start"]
    count = draw(st.integers(2, 12))
    last = start + timedelta(days=step * (count - 1))
    weekly = step % 7 == 0
    day = NthDay(day=list(Weekday)[start.weekday()])
    end: dict[str, Any] = draw(st.sampled_from([{}, {"count": count}, {"until": last}]))
    rule = RecurrenceRule(
        frequency=Frequency.WEEKLY if weekly else Frequency.DAILY,
        interval=step // 7 if weekly else step,
        by_day=(day,) if weekly and draw(st.booleans()) else (),
        **end,
    )
    numbers = draw(st.lists(st.integers(0, count - 1), max_size=3, unique=True))
    dates = [start + timedelta(days=step * number) for number in sorted(numbers)]
    left_out = draw(st.integers(0, len(dates)))
    overrides = [draw(_override(times, each)) for each in dates[left_out:]]
    return {
        "rule": rule,
        "exdates": tuple(dates[:left_out]) if left_out < count else (),
        "overrides": tuple(overrides),
    }


@st.composite
def _override(draw: st.DrawFn, times: dict[str, Any], occurrence: datetime) -> Override:
    values = dict(draw(_overridden))
    if not values or draw(st.booleans()):
        length: timedelta = times["end"] - times["start"]
        unit = timedelta(days=1) if times["all_day"] else timedelta(minutes=30)
        moved = occurrence + unit
        values |= {"start": moved, "end": moved + length}
    return Override(recurrence_id=occurrence, **values)


def _event_rest(own: str, bodies: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    organizer = Person(address=own)
    meeting = attendees.map(
        lambda many: {"attendees": many, "organizer": organizer} if many else {}
    )
    rest = st.fixed_dictionaries(
        {},
        optional={
            "title": lines,
            "body": bodies,
            "location": lines,
            "url": st.sampled_from(["", "https://example.com/?a=1&b=2"]),
            "online_meeting": st.sampled_from(["", "https://meet.example.com/j/1?pwd=a,b;c"]),
            "status": st.sampled_from(EventStatus),
            "busy": st.sampled_from([Busy.BUSY, Busy.FREE]),
            "priority": st.integers(0, 9),
            "privacy": privacies,
            "categories": categories,
            "reminders": reminders,
            "people": st.lists(people, max_size=2, unique_by=lambda p: p.address).map(tuple),
        },
    )
    return st.builds(lambda one, other: {**one, **other}, rest, meeting)


def _event(times: dict[str, Any], rest: dict[str, Any]) -> Event:
    """Return the event; a single occurrence can't be called off where everything is."""
    if rest.get("status") is EventStatus.CANCELLED and times.get("overrides"):
        rest = {**rest, "status": EventStatus.TENTATIVE}
    return Event(**times, **rest)


@st.composite
def _tasks(draw: st.DrawFn, bodies: st.SearchStrategy[Any]) -> Task:
    all_day = draw(st.booleans())
    start = draw(_maybe_when[all_day])
    due = draw(_maybe_when[all_day])
    if start and due and due <= start:
        due = start + timedelta(days=1)
    dated = start is not None or due is not None
    progress: dict[str, Any] = draw(
        st.sampled_from(
            [
                {},
                {"status": TaskStatus.IN_PROCESS, "percent": 40},
                {"status": TaskStatus.CANCELLED},
                {
                    "status": TaskStatus.COMPLETED,
                    "percent": 100,
                    "completed": datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
                },
            ]
        )
    )
    return Task(
        title=draw(lines),
        start=start,
        due=due,
        all_day=all_day and dated,
        time_zone=None if all_day or not dated else draw(_maybe_zone),
        body=draw(bodies),
        priority=draw(st.integers(0, 9)),
        privacy=draw(privacies),
        categories=draw(categories),
        **progress,
    )


def _contacts() -> st.SearchStrategy[Contact]:
    types = st.sampled_from(["work", "home"])
    mails = st.builds(Mailto, address=addresses, type=types)
    number = st.text("0123456789", min_size=3, max_size=12)
    features = st.sampled_from([(), ("cell",), ("fax",)])
    phones = st.builds(Phone, number=number, type=types, features=features)
    filled = st.builds(
        PostalAddress,
        type=types,
        street=words,
        locality=lines,
        region=lines,
        postcode=lines,
        country=lines,
    )
    named = dict.fromkeys(("prefix", "given", "middle", "family", "suffix"), lines)
    return st.builds(
        Contact,
        full_name=words,
        **named,
        nickname=lines,
        organization=words,
        department=lines,
        job_title=lines,
        mails=st.lists(mails, max_size=3, unique_by=lambda m: m.address.casefold()).map(tuple),
        phones=st.lists(phones, max_size=3, unique_by=lambda p: p.number).map(tuple),
        addresses=st.lists(filled, max_size=2, unique_by=lambda a: a.type).map(tuple),
        urls=st.sampled_from([(), ("https://example.com/a?b=c,d",)]),
        birthday=st.sampled_from(["", "1970-02-28", "2000-02-29"]),
        notes=texts,
        categories=categories,
    )


@st.composite
def _absences(draw: st.DrawFn) -> Absence:
    all_day = draw(st.booleans())
    start = draw(days if all_day else moments)
    length = timedelta(days=draw(st.integers(1, 20))) if all_day else timedelta(minutes=90)
    return Absence(
        title=draw(lines),
        start=start,
        end=start + length,
        all_day=all_day,
        time_zone=None if all_day else draw(_maybe_zone),
        absence_kind=draw(st.sampled_from(["", "holiday", "sick"])),
        message=draw(texts),
        outside_message=draw(texts),
    )
