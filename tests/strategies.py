"""Random items for property tests, in the form that codecs and stores give back unchanged.

Texts hold no control characters, lists that have no order are sorted, and nothing is said twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from accord.model.item import (
    Absence,
    Contact,
    Event,
    Mailto,
    Phone,
    PostalAddress,
    Task,
    TaskStatus,
)
from accord.model.parts import (
    Attachment,
    Attendee,
    AttendeeKind,
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
from accord.model.zones import instant, wall_clock

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Casablanca",
    "Pacific/Apia",
    "UTC",
)

_CHARACTERS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
_DAY = timedelta(days=1)


def texts(max_size: int = 30) -> st.SearchStrategy[str]:
    """Return texts of one line."""
    return st.text(_CHARACTERS, max_size=max_size)


def words(max_size: int = 20) -> st.SearchStrategy[str]:
    """Return texts of one line with something in them and no space around."""
    return texts(max_size).map(str.strip).filter(bool)


def paragraphs() -> st.SearchStrategy[str]:
    """Return texts of several lines with something in them."""
    return st.lists(texts(), min_size=1, max_size=4).map("\n".join).filter(bool)


def tokens() -> st.SearchStrategy[str]:
    """Return short names of plain letters."""
    return st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)


def addresses() -> st.SearchStrategy[str]:
    """Return mail addresses."""
    return st.builds("{}@{}.example".format, tokens(), tokens())


def urls() -> st.SearchStrategy[str]:
    """Return web addresses."""
    return st.builds("https://{}.example/{}?a=1;b=2,3".format, tokens(), tokens())


def moments(seconds: bool = True) -> st.SearchStrategy[datetime]:
    """Return wall-clock times without offset, in whole seconds or minutes."""
    found = st.datetimes(datetime(1971, 1, 1), datetime(2090, 1, 1))
    return found.map(lambda at: at.replace(microsecond=0, second=at.second if seconds else 0))


def uids() -> st.SearchStrategy[str]:
    """Return lasting ids."""
    return st.builds("{}@{}".format, st.uuids(), tokens())


def people() -> st.SearchStrategy[Person]:
    """Return people with an address."""
    return st.builds(Person, address=addresses(), name=texts())


def attendees() -> st.SearchStrategy[Attendee]:
    """Return invited people, rooms and resources."""
    return st.builds(
        Attendee,
        address=addresses(),
        name=texts(),
        role=st.sampled_from(Role),
        reply=st.sampled_from(Reply),
        attendee_kind=st.sampled_from(AttendeeKind),
        rsvp=st.booleans(),
    )


def bodies() -> st.SearchStrategy[Body | None]:
    """Return no body, plain ones, and HTML ones."""
    plain = st.builds(Body, text=paragraphs())
    inner = words().map(lambda text: text.replace("&", "&amp;").replace("<", "&lt;"))
    html = inner.map(lambda text: Body(text=f"<p>{text}</p><br>x", type=BodyType.HTML))
    return st.none() | plain | html


def reminders() -> st.SearchStrategy[tuple[Reminder, ...]]:
    """Return reminders, each once and in order."""
    one = st.builds(Reminder, minutes=st.integers(-600, 20_000), before_end=st.booleans())
    return _unique(one).map(
        lambda found: tuple(sorted(found, key=lambda x: (x.before_end, x.minutes)))
    )


def attachments() -> st.SearchStrategy[tuple[Attachment, ...]]:
    """Return attachments by reference."""
    one = st.builds(
        Attachment,
        uri=urls(),
        name=texts(),
        media_type=st.sampled_from(("", "text/plain", "application/pdf")),
        size=st.none() | st.integers(0, 10**9),
    )
    return st.lists(one, max_size=3, unique_by=lambda x: x.uri).map(tuple)


def categories() -> st.SearchStrategy[tuple[str, ...]]:
    """Return category names, each once."""
    return _unique(words())


def rules(start: datetime, zone: str | None, all_day: bool) -> st.SearchStrategy[RecurrenceRule]:
    """Return recurrence rules for a series that starts at a local time."""
    until = st.integers(0, 3000).map(lambda days: start + timedelta(days=days))
    until = until.filter(lambda at: wall_clock(instant(at, zone), zone) == at)
    days = st.builds(NthDay, day=st.sampled_from(Weekday))
    nth = st.builds(NthDay, day=st.sampled_from(Weekday), nth=st.sampled_from((1, 2, 3, 4, -1, -2)))
    ends: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.just({}),
        st.integers(1, 60).map(lambda count: {"count": count}),
        until.map(lambda at: {"until": at}),
    )

    def of(frequency: Frequency) -> st.SearchStrategy[RecurrenceRule]:
        # One way of choosing days at a time, so that rules fit something.
        none: st.SearchStrategy[dict[str, Any]] = st.just({})
        months = none | _numbers(1, 12).map(lambda found: {"by_month": found})
        ways = [months]
        if frequency in (Frequency.WEEKLY, Frequency.DAILY):
            ways.append(_unique(days).map(lambda found: {"by_day": found}))
        if frequency in (Frequency.MONTHLY, Frequency.YEARLY):
            weekly = st.builds(
                lambda day, month, pick: {
                    "by_day": day,
                    **month,
                    **({"by_set_position": pick} if day and pick else {}),
                },
                _unique(days | nth),
                months,
                st.just(()) | _numbers(-1, 2),
            )
            ways += [weekly, _numbers(-5, 31).map(lambda found: {"by_month_day": found})]
        if frequency is Frequency.YEARLY:
            ways.append(_numbers(-10, 366).map(lambda found: {"by_year_day": found}))
        shape = st.one_of(ways)
        return st.builds(
            lambda ends, by, interval, week: RecurrenceRule(
                frequency=frequency, interval=interval, week_start=week, **ends, **by
            ),
            ends,
            shape,
            st.integers(1, 5),
            st.sampled_from(Weekday),
        )

    kinds = (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY, Frequency.YEARLY)
    return st.sampled_from(kinds).flatmap(of)


@st.composite
def events(draw: st.DrawFn, *, series: bool | None = None, extras: bool = True) -> Event:
    """Return calendar entries; `series` asks for (or forbids) a recurrence."""
    times = draw(_spells())
    values: dict[str, Any] = {
        **times,
        "uid": draw(uids()),
        "extras": draw(_extras("ical")) if extras else {},
        "title": draw(texts()),
        "body": draw(bodies()),
        "location": draw(texts()),
        "online_meeting": draw(st.just("") | urls()),
        "url": draw(st.just("") | urls()),
        "status": draw(st.sampled_from(EventStatus)),
        "busy": draw(st.sampled_from(Busy)),
        "privacy": draw(st.sampled_from(Privacy)),
        "priority": draw(st.integers(0, 9)),
        "categories": draw(categories()),
        "reminders": draw(reminders()),
        "organizer": draw(st.none() | people()),
        "attendees": draw(st.lists(attendees(), max_size=3, unique_by=_address).map(tuple)),
        "people": draw(st.lists(people(), max_size=2, unique_by=_address).map(tuple)),
        "attachments": draw(attachments()),
        "sequence": draw(st.integers(0, 20)),
        "split_from": draw(st.just("") | uids()),
    }
    event = Event(**values)
    if series is False or (series is None and draw(st.booleans())):
        return event
    return draw(_series(event))


@st.composite
def tasks(draw: st.DrawFn, *, extras: bool = True) -> Task:
    """Return to-dos."""
    zone = draw(st.none() | st.sampled_from(ZONES))
    all_day = zone is None and draw(st.booleans())
    dates = moments().map(lambda at: _midnight(at) if all_day else at)
    start, due = draw(st.none() | dates), draw(st.none() | dates)
    anchor = start or due
    status = draw(st.sampled_from(TaskStatus))
    completed = draw(st.none() | moments().map(lambda at: at.replace(tzinfo=UTC)))
    rule = draw(st.none() | rules(anchor, zone, all_day)) if anchor else None
    return Task(
        uid=draw(uids()),
        extras=draw(_extras("ical")) if extras else {},
        title=draw(texts()),
        start=start,
        due=due,
        time_zone=zone if anchor else None,
        all_day=all_day and anchor is not None,
        rule=rule,
        exdates=tuple(sorted(draw(st.sets(dates, max_size=2)))) if rule else (),
        body=draw(bodies()),
        status=status,
        percent=draw(st.integers(0, 100)),
        completed=completed,
        priority=draw(st.integers(0, 9)),
        privacy=draw(st.sampled_from(Privacy)),
        categories=draw(categories()),
        reminders=draw(reminders()),
        assignee=draw(st.none() | people()),
        organizer=draw(st.none() | people()),
        attachments=draw(attachments()),
    )


@st.composite
def contacts(draw: st.DrawFn, *, extras: bool = True) -> Contact:
    """Return people and companies."""
    line = texts().map(str.strip)
    names = ("prefix", "given", "middle", "family", "suffix", "nickname", "organization")
    kinds = st.sampled_from(("work", "home", "other", "school"))
    features = st.sets(st.sampled_from(("voice", "cell", "fax", "pager", "text", "video")))
    order = ("voice", "cell", "fax", "pager", "text", "video")
    fields = ("street", "extended", "post_office_box", "locality", "region", "postcode", "country")
    dates = st.just("") | st.dates().filter(lambda day: day.year > 1604).map(str)
    yearless = st.dates().map(lambda day: f"--{day.month:02d}-{day.day:02d}")
    return Contact(
        uid=draw(uids()),
        extras=draw(_extras("vcard")) if extras else {},
        full_name=draw(texts()),
        department=draw(line),
        job_title=draw(texts()),
        mails=draw(
            _many(st.builds(Mailto, address=addresses(), type=kinds, preferred=st.booleans()))
        ),
        phones=draw(
            _many(
                st.builds(
                    Phone,
                    number=st.text("+0123456789 -()", min_size=3, max_size=18).map(str.strip),
                    type=kinds,
                    features=features.map(lambda x: tuple(n for n in order if n in x)),
                    preferred=st.booleans(),
                ).filter(lambda phone: bool(phone.number))
            )
        ),
        addresses=draw(
            _many(
                st.builds(
                    PostalAddress,
                    type=kinds,
                    preferred=st.booleans(),
                    **dict.fromkeys(fields, line),
                )
            )
        ),
        urls=draw(st.lists(urls(), max_size=2, unique=True).map(tuple)),
        birthday=draw(dates | yearless),
        anniversary=draw(dates),
        notes=draw(st.just("") | paragraphs()),
        photo=draw(st.none() | st.builds(Attachment, uri=urls())),
        categories=draw(categories()),
        privacy=draw(st.sampled_from(Privacy)),
        **{name: draw(line) for name in names},
    )


@st.composite
def absences(draw: st.DrawFn) -> Absence:
    """Return times away from work."""
    times = draw(_spells(same_zone=True))
    times.pop("end_time_zone")
    return Absence(
        uid=draw(uids()),
        title=draw(texts()),
        absence_kind=draw(st.sampled_from(("vacation", "sick", "training", ""))),
        message=draw(st.just("") | paragraphs()),
        outside_message=draw(st.just("") | paragraphs()),
        categories=draw(categories()),
        privacy=draw(st.sampled_from(Privacy)),
        **times,
    )


@st.composite
def _spells(draw: st.DrawFn, same_zone: bool = False) -> dict[str, Any]:
    """Return start, end and zones of an entry."""
    start = draw(moments())
    if draw(st.integers(0, 3)) == 0:
        start = _midnight(start)
        end = start + draw(st.integers(1, 20)) * _DAY
        return {"start": start, "end": end, "end_time_zone": None, "all_day": True}
    zone = draw(st.none() | st.sampled_from(ZONES))
    end = start + timedelta(minutes=draw(st.integers(0, 5000)))
    other = draw(st.none() | st.sampled_from([name for name in ZONES if name != "UTC"]))
    if zone is None or same_zone or other in (None, zone):
        return {"start": start, "end": end, "end_time_zone": None, "time_zone": zone}
    if instant(end, other) < instant(start, zone):
        end += 2 * _DAY
    return {"start": start, "end": end, "end_time_zone": other, "time_zone": zone}


@st.composite
def _series(draw: st.DrawFn, event: Event) -> Event:
    start, zone, all_day = event.start, event.time_zone, event.all_day
    dates = st.integers(0, 400).map(lambda days: start + days * _DAY)
    rule = draw(st.none() | rules(start, zone, all_day))
    rdates = draw(st.sets(dates, max_size=3, min_size=0 if rule else 1))
    event = msgspec.structs.replace(
        event,
        rule=rule,
        rdates=tuple(sorted(rdates)),
        exdates=tuple(sorted(draw(st.sets(dates, max_size=3)))),
    )
    when = sorted(draw(st.sets(dates, max_size=3)))
    return msgspec.structs.replace(event, overrides=tuple(draw(_override(event, x)) for x in when))


@st.composite
def _override(draw: st.DrawFn, event: Event, when: datetime) -> Override:
    """Return a changed occurrence that says only what differs from the series."""
    values: dict[str, Any] = {}
    if draw(st.booleans()):
        unit = _DAY if event.all_day else timedelta(minutes=15)
        moved = draw(st.integers(-40, 40).filter(bool))
        start = when + moved * unit
        # Long enough to end later in any zone that the end may lie in.
        values |= {"start": start, "end": start + (event.end - event.start) + 2 * _DAY}
    candidates: dict[str, st.SearchStrategy[Any]] = {
        "title": texts(),
        "body": bodies(),
        "location": texts(),
        "status": st.sampled_from(EventStatus),
        "busy": st.sampled_from(Busy),
        "privacy": st.sampled_from(Privacy),
        "categories": categories(),
        "reminders": reminders(),
        "attendees": st.lists(attendees(), max_size=2, unique_by=_address).map(tuple),
        "attachments": attachments(),
        "online_meeting": st.just("") | urls(),
    }
    for name in sorted(draw(st.sets(st.sampled_from(sorted(candidates)), max_size=3))):
        value = draw(candidates[name])
        if value != getattr(event, name):
            values[name] = value
    patch = {key: value for key, value in draw(_extras("ical")).items() if key not in event.extras}
    gone: dict[str, Any] = {key: None for key in event.extras if draw(st.booleans())}
    if patch or gone:
        values["extras"] = {**patch, **gone}
    return Override(recurrence_id=when, **values)


def _extras(namespace: str) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(("X-COLOR", "X-REGION", "COMMENT", "X-LIST"))
    single = texts()
    lines = st.lists(words(), min_size=2, max_size=3)
    values = st.dictionaries(names, single | lines, max_size=3)
    return values.map(
        lambda found: {
            f"{namespace}:{name}": tuple(f"{name}:{line}" for line in value)
            if isinstance(value, list)
            else value
            for name, value in found.items()
        }
    )


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0)


def _numbers(low: int, high: int) -> st.SearchStrategy[tuple[int, ...]]:
    found = st.integers(low, high).filter(bool)
    return st.sets(found, max_size=3).map(lambda x: tuple(sorted(x)))


def _unique(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=3, unique_by=repr).map(tuple)


def _many(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=3, unique_by=repr).map(tuple)


def _address(one: Any) -> str:
    return str(one.address)
