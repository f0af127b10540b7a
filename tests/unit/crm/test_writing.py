"""What the CRM takes in and what it makes of it: keys, uids, organizers, refusals."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import available_timezones

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from accord.crm.database import checks
from accord.crm.database.schema import PARTICIPANTS
from accord.model.item import Event, Item, Mailto, Task
from accord.model.kinds import Kind
from accord.model.parts import Attachment, Attendee, Body, BodyType, Person, Reminder, Role
from accord.model.recurrence import Frequency, NthDay, Override, RecurrenceRule, Weekday
from accord.ports.adapter import Draft, Removal, Revision, Written
from accord.ports.errors import Gone, Rejected, Stale
from tests.unit.crm.office import END, START, Office, absence, address, contact, done

FULL = Event(
    title="weekly",
    start=START,
    end=END,
    time_zone="Europe/Berlin",
    rule=RecurrenceRule(frequency=Frequency.WEEKLY),
    rdates=(START + timedelta(days=1),),
    exdates=(START + timedelta(days=7),),
    overrides=(Override(recurrence_id=START + timedelta(days=14), title="moved"),),
    body=Body(text="<p>all</p>", type=BodyType.HTML),
    attendees=(
        Attendee(address="X@example.org", name="X", role=Role.OPTIONAL, rsvp=True),
        Attendee(address="y@example.org"),
    ),
    people=(Person(address="z@example.org"), Person(name="no address")),
    attachments=(Attachment(uri="https://example.org/a", size=5),),
    reminders=(Reminder(minutes=0), Reminder(minutes=-5, before_end=True)),
    sequence=3,
    split_from="other@example.org",
    extras={"crm:region": "north", "crm:stars": 4, "crm:tags": ("a", "b"), "crm:on": False},
)


def test_a_series_is_one_row_and_nothing_of_it_is_lost(office: Office) -> None:
    made = office.create(office.ann, FULL)
    uid = made.item.uid
    assert uid.endswith("@accord")
    wanted = msgspec.structs.replace(
        FULL, uid=uid, organizer=Person(address=address(office.ann), name=office.ann)
    )
    assert made.item == wanted
    assert office.see(office.ann, Kind.EVENT, made.ref) == made


def test_a_meeting_born_here_is_organized_by_its_owner(office: Office) -> None:
    alone = office.create(office.ann, office.event())
    assert alone.item.organizer is None  # type: ignore[union-attr]
    guests = office.event(office.bob).attendees
    written = done(office.edit(office.ann, alone, attendees=guests))
    assert written.snapshot is not None
    assert written.snapshot.item.organizer.address == address(office.ann)  # type: ignore[union-attr]
    lent = office.admin.put(office.dora, office.event(office.bob), owner=office.ann)
    assert lent.item.organizer.address == address(office.ann)  # type: ignore[union-attr]


def test_participants_are_users_before_contacts_before_addresses(office: Office) -> None:
    customer, both = f"c-{office.tag}@example.net", f"d-{office.tag}@example.net"
    mails = tuple(Mailto(address=a) for a in (customer, both, address(office.bob)))
    known = office.create(office.ann, contact(mails=mails))
    office.create(office.ann, contact(mails=(Mailto(address=both),)))
    guests = (office.bob, customer.upper(), both, "stranger@example.org")
    made = office.create(office.ann, office.event(*guests))
    query = (
        select(PARTICIPANTS.c.user_id, PARTICIPANTS.c.contact_id)
        .where(PARTICIPANTS.c.appointment_id == made.ref)
        .order_by(PARTICIPANTS.c.position)
    )
    with office.crm.store.read() as tx:
        bob = office.crm.store.viewer(tx, office.bob).id
        assert [tuple(row) for row in tx.execute(query)] == [
            (bob, None),
            (None, known.ref),
            (None, None),
            (None, None),
        ]


def test_a_key_whose_record_is_gone_creates_nothing_again(office: Office) -> None:
    draft = Draft(item=office.event(), key=office.tag)
    (first,) = office.try_create(office.ann, draft)
    made = done(first).snapshot
    assert made is not None
    done(office.delete(office.ann, made))
    (again,) = office.try_create(office.ann, draft)
    assert isinstance(again, Gone)
    assert office.find(office.ann, Kind.EVENT, key=office.tag) == ()
    done(office.restore(office.ann, Kind.EVENT, made.ref))
    assert office.find(office.ann, Kind.EVENT, key=office.tag) == (made.ref,)


def test_records_without_a_key_are_all_new(office: Office) -> None:
    drafts = [Draft(item=office.event(), key="") for _ in range(2)]
    one, other = (done(outcome) for outcome in office.try_create(office.ann, *drafts))
    assert one.ref != other.ref


EARLY, LATE = datetime(1, 1, 1), datetime(9999, 12, 31, 23)
EAST, WEST = timezone(timedelta(hours=14)), "America/New_York"
TOO_LATE = Override(recurrence_id=START, start=LATE, end=LATE, time_zone=WEST)
ON_MARS = Override(recurrence_id=START, time_zone="Mars/North")
BACKWARDS = Override(recurrence_id=START, end=START - timedelta(hours=1))
DAY = START.replace(hour=0)


def series(**rule: Any) -> Event:
    """Return a series whose rule may be one that no calendar can hold."""
    return Event(start=START, end=END, rule=RecurrenceRule(frequency=Frequency.DAILY, **rule))


BAD: list[tuple[Kind, Item, str]] = [
    (Kind.EVENT, Event(start=END, end=START), "before it begins"),
    (Kind.EVENT, Event(start=START, end=END, time_zone="Mars/North"), "no time zone"),
    (Kind.EVENT, Event(start=START, end=END, end_time_zone="Mars/North"), "no time zone"),
    (Kind.EVENT, Event(start=START.replace(tzinfo=UTC), end=END), "wall-clock"),
    (Kind.EVENT, Event(start=START, end=END, priority=2**40), "priority"),
    (Kind.EVENT, Event(start=START, end=END, title="\ud800"), "half a character"),
    (Kind.EVENT, Event(start=START, end=END, body=Body(text="x" * 9_000_000)), "bytes"),
    (Kind.EVENT, Task(title="wrong"), "not event"),
    (Kind.TASK, Task(percent=101), "percent"),
    (Kind.TASK, Task(completed=datetime(2026, 1, 1)), "time zone"),
    (Kind.TASK, Task(due=START.replace(tzinfo=UTC)), "wall-clock"),
    (Kind.ABSENCE, absence(end=START - timedelta(days=1)), "before it begins"),
    (Kind.EVENT, Event(start=EARLY, end=END, time_zone="Europe/Berlin"), "beyond the calendar"),
    (Kind.EVENT, Event(start=START, end=LATE, end_time_zone=WEST), "beyond the calendar"),
    (Kind.EVENT, Event(start=START, end=END, time_zone=WEST, rdates=(LATE,)), "beyond the cal"),
    (Kind.EVENT, Event(start=START, end=END, overrides=(TOO_LATE,)), "beyond the calendar"),
    (Kind.EVENT, Event(start=START, end=END, overrides=(ON_MARS,)), "no time zone"),
    (Kind.TASK, Task(due=LATE, time_zone=WEST), "beyond the calendar"),
    (Kind.TASK, Task(completed=EARLY.replace(tzinfo=EAST)), "beyond the calendar"),
    (Kind.ABSENCE, absence(end=LATE, time_zone=WEST), "beyond the calendar"),
    (Kind.EVENT, series(interval=0), "interval 0 must be 1 to"),
    (Kind.EVENT, series(interval=-1), "interval -1 must be 1 to"),
    (Kind.EVENT, series(count=0), "count 0 must be 1 to"),
    (Kind.EVENT, series(count=3, until=END), "count and until exclude each other"),
    (Kind.EVENT, series(until=END.replace(tzinfo=UTC)), "wall-clock"),
    (Kind.EVENT, series(by_month=(13,)), "by_month 13 must be 1 to 12"),
    (Kind.EVENT, series(by_month_day=(32,)), "by_month_day 32 must be -31 to 31"),
    (Kind.EVENT, series(by_month_day=(0,)), "by_month_day can't be 0"),
    (Kind.EVENT, series(by_week_number=(99,)), "by_week_number 99 must be -53 to 53"),
    (Kind.EVENT, series(by_hour=tuple(range(24)) * 20), "by_hour has more than 400 values"),
    (Kind.EVENT, series(by_day=(NthDay(day=Weekday.MO, nth=54),)), "nth 54 of by_day"),
    (Kind.EVENT, series(by_day=(NthDay(day=Weekday.MO),) * 401), "by_day has more than 400"),
    (Kind.EVENT, replace(series(), overrides=(BACKWARDS,)), "ends"),
    (Kind.EVENT, Event(start=START, end=END, overrides=(Override(recurrence_id=START),)), "repeat"),
    (Kind.EVENT, Event(start=START, end=END, all_day=True), "must be midnight"),
    (Kind.EVENT, Event(start=DAY, end=DAY, all_day=True), "the day after the last"),
    (
        Kind.EVENT,
        replace(series(), overrides=(Override(recurrence_id=START, start=START, all_day=True),)),
        "must be midnight",
    ),
    (Kind.TASK, Task(due=START, all_day=True), "must be midnight"),
    (Kind.TASK, Task(rule=RecurrenceRule(frequency=Frequency.DAILY)), "needs a start or a due"),
    (Kind.TASK, Task(due=START, rule=series(interval=0).rule), "interval 0 must be 1 to"),
]


@pytest.mark.parametrize(("kind", "item", "why"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_what_is_wrong_is_rejected_and_the_rest_goes_on(
    office: Office, kind: Kind, item: Item, why: str
) -> None:
    good: dict[Kind, Item] = {
        Kind.EVENT: office.event(),
        Kind.TASK: office.task(),
        Kind.ABSENCE: absence(),
    }
    drafts = [Draft(item=one, key="") for one in (good[kind], item, good[kind])]
    with office.crm.open(office.ann) as session:
        first, bad, last = session.create("", kind, drafts)
        assert isinstance(bad, Rejected)
        assert why in str(bad)
        made = done(first).snapshot
        assert made is not None
        assert done(last).ref != made.ref
    values = {name: getattr(item, name) for name in item.__struct_fields__ if name != "uid"}
    if type(item) is type(made.item):
        assert isinstance(office.edit(office.ann, made, **values), Rejected)
        assert office.see(office.ann, kind, made.ref) == made


@pytest.mark.parametrize("seed", range(3))
def test_no_time_in_any_zone_is_more_than_rejected(office: Office, seed: int) -> None:
    chance = random.Random(seed)
    days = (EARLY, EARLY + timedelta(days=1), START, LATE - timedelta(days=1), LATE)
    zones = (None, "UTC", *chance.sample(sorted(available_timezones()), 40))

    def when() -> datetime:
        return chance.choice(days).replace(hour=chance.randrange(24))

    def spell() -> dict[str, Any]:
        start, end = sorted((when(), when()))
        return {"start": start, "end": end, "time_zone": chance.choice(zones)}

    rule = RecurrenceRule(frequency=Frequency.YEARLY, until=LATE)
    items = [Event(**spell(), end_time_zone=chance.choice(zones)) for _ in range(12)]
    items += [Event(**spell(), rule=rule, rdates=(when(),), exdates=(when(),)) for _ in range(12)]
    outcomes = office.try_create(office.ann, *(Draft(item=item, key="") for item in items))
    assert {type(outcome) for outcome in outcomes} == {Written, Rejected}
    assert len(office.pull(office.ann, Kind.EVENT).seen) == sum(
        isinstance(outcome, Written) for outcome in outcomes
    )


def test_a_flight_may_land_before_it_started_by_the_clock(office: Office) -> None:
    flight = office.event(end=START - timedelta(hours=3), end_time_zone="America/New_York")
    assert office.create(office.ann, flight).item.end == flight.end  # type: ignore[union-attr]


def test_what_no_database_holds_is_left_out_of_texts(office: Office) -> None:
    made = office.create(office.ann, office.event(title="a\0b", categories=("c\0d",)))
    assert made.item.title == "ab"  # type: ignore[union-attr]
    assert made.item.categories == ("c\0d",)
    assert office.find(office.ann, Kind.EVENT, uid="\0") == ()


def test_a_number_the_database_refuses_spoils_only_its_item(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_NUMBERS", range(-(2**99), 2**99))
    drafts = [Draft(item=office.event(priority=p), key=f"{p}{office.tag}") for p in (1, 2**70, 3)]
    one, bad, three = office.try_create(office.ann, *drafts)
    assert isinstance(bad, Rejected)
    assert done(one).ref != done(three).ref
    assert len(office.pull(office.ann, Kind.EVENT).seen) == 2


def test_a_change_of_nothing_writes_nothing(office: Office) -> None:
    made = office.create(office.ann, office.event(office.bob))
    cursor = office.pull(office.bob, Kind.EVENT).cursor
    written = done(office.edit(office.ann, made))
    assert written == Written(ref=made.ref, version=made.version, snapshot=made)
    assert office.pull(office.bob, Kind.EVENT, cursor).said == {}


def test_a_record_twice_in_a_batch_is_changed_once(office: Office) -> None:
    made = office.create(office.ann, office.event())
    changes = [
        Revision(
            ref=made.ref,
            version=made.version,
            before=made.item,
            after=office.event(title=title),
            changed=("title",),
        )
        for title in ("one", "two")
    ]
    with office.crm.open(office.ann) as session:
        first, second = session.update("", Kind.EVENT, changes)
        assert isinstance(second, Stale)
        version = done(first).version
        assert office.see(office.ann, Kind.EVENT, made.ref).item.title == "one"  # type: ignore[union-attr]
        removal = Removal(ref=made.ref, version=version)
        gone, again = session.delete("", Kind.EVENT, [removal, removal])
        assert done(gone).ref == made.ref
        assert isinstance(again, Gone)


def test_a_sequence_never_goes_back(office: Office) -> None:
    made = office.create(office.ann, office.event(sequence=5))
    lower = done(office.edit(office.ann, made, sequence=2, title="a")).snapshot
    assert lower is not None
    assert lower.item.sequence == 5  # type: ignore[union-attr]
    higher = done(office.edit(office.ann, lower, sequence=7, title="b")).snapshot
    assert higher is not None
    assert higher.item.sequence == 7  # type: ignore[union-attr]


def test_a_snapshot_tells_who_changed_it_and_when(office: Office) -> None:
    made = office.create(office.ann, office.event(office.bob), marker="gw/1", key=office.tag)
    assert (made.by, made.marker, made.key, made.folder) == (
        office.ann,
        "gw/1",
        office.tag,
        "events",
    )
    assert made.modified is not None
    assert made.modified.tzinfo is not None
    assert int(made.version) <= office.crm.revision


VALUES: list[dict[str, Any]] = [{"title": "put"}, {"title": "put", "location": "here"}]


@pytest.mark.parametrize("values", VALUES)
def test_putting_makes_a_record_equal_to_an_item(office: Office, values: dict[str, Any]) -> None:
    made = office.admin.put(office.ann, office.event(office.bob, location="there"))
    after = office.admin.put(office.ann, office.event(**values), made.ref, visibility="everyone")
    assert after.item.location == values.get("location", "")  # type: ignore[union-attr]
    assert after.item.attendees == ()  # type: ignore[union-attr]
    assert office.admin.show(office.carl, Kind.EVENT, made.ref).item == after.item
    assert office.admin.delete(office.ann, Kind.EVENT, made.ref) is None
    with pytest.raises(Gone):
        office.admin.show(office.ann, Kind.EVENT, made.ref)
    restored = office.admin.restore(office.ann, Kind.EVENT, made.ref)
    assert restored is not None
    assert [s.ref for s in office.admin.list(office.ann, Kind.EVENT)] == [made.ref]
