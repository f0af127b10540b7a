"""Free and busy times: as the server tells them, else from the calendars that are shared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from accord.groupware.exchange.busy import SERVER
from accord.model.busy import Span
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.parts import Privacy
from accord.model.recurrence import Busy, Frequency, RecurrenceRule
from accord.ports.adapter import Draft
from accord.ports.busy import BusySource, Hidden, Seen, Times
from tests.unit.exchange.bridge import ALICE, BOB, Rig

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    assert made.exchange.mails() == []
    made.close()


def put(rig: Rig, *events: Event, principal: str = BOB) -> None:
    with rig.place(Kind.EVENT, principal) as place:
        for number, event in enumerate(events):
            draft = Draft(item=event, key=f"k{number}")
            place.session.create(place.folder, Kind.EVENT, [draft])


def entry(start: datetime, hours: float = 1, **values: object) -> Event:
    given = {"title": "secret words", "time_zone": "UTC", **values}
    plain = start.replace(tzinfo=None)
    return Event(start=plain, end=plain + hours * HOUR, **given)  # type: ignore[arg-type]


def asked(
    rig: Rig, *people: str, principal: str = ALICE, end: datetime = MONDAY + WEEK
) -> list[Seen]:
    with rig.adapter.open(principal) as session:
        assert isinstance(session, BusySource)
        return session.busy(people, MONDAY, end)


NINE = MONDAY + 9 * HOUR
EVENTS = (
    entry(NINE),
    entry(NINE + 2 * HOUR, privacy=Privacy.PRIVATE, busy=Busy.OUT_OF_OFFICE),
    entry(NINE + 4 * HOUR, busy=Busy.FREE),
    entry(NINE + timedelta(days=1), rule=RecurrenceRule(frequency=Frequency.DAILY, count=2)),
    entry(NINE + 2 * WEEK),
)
TAKEN = (
    Span(NINE, NINE + HOUR),
    Span(NINE + 2 * HOUR, NINE + 3 * HOUR, Busy.OUT_OF_OFFICE),
    Span(NINE + timedelta(days=1), NINE + timedelta(days=1, hours=1)),
    Span(NINE + timedelta(days=2), NINE + timedelta(days=2, hours=1)),
)


def test_the_server_tells_times_and_nothing_else(rig: Rig) -> None:
    put(rig, *EVENTS)
    found = asked(rig, BOB, ALICE)
    assert found == [Times(spans=TAKEN, source=SERVER), Times(spans=(), source=SERVER)]
    asking = [body for name, body in rig.bridge.asked if name == "GetUserAvailabilityRequest"]
    assert b"<t:RequestedView>FreeBusy<" in asking[0]
    assert len(asking) == 1


def test_a_long_time_is_asked_for_in_parts(rig: Rig) -> None:
    put(rig, entry(NINE), entry(NINE + 14 * WEEK))
    (found,) = asked(rig, BOB, end=MONDAY + 15 * WEEK)
    assert isinstance(found, Times)
    assert [each.start for each in found.spans] == [NINE, NINE + 14 * WEEK]
    names = rig.bridge.names()
    assert names.count("GetUserAvailabilityRequest") == 3


def test_who_may_not_see_free_and_busy_reads_the_shared_calendar(rig: Rig) -> None:
    put(rig, *EVENTS)
    rig.exchange.people.grant(rig.bob, rig.alice, "hidden")
    (found,) = asked(rig, BOB)
    assert isinstance(found, Hidden)
    assert "ErrorNoFreeBusyAccess" in found.why
    assert "nor is the calendar shared" in found.why

    rig.exchange.people.grant(rig.bob, rig.alice, "reader")
    rig.bridge.after.append(_refusing)
    (found,) = asked(rig, BOB)
    assert isinstance(found, Times)
    assert found.spans == TAKEN
    assert found.source.startswith("the shared calendar, because free/busy was refused")
    view = next(body for name, body in rig.bridge.asked if name == "FindItem")
    assert b"Subject" not in view


def _refusing(name: str, text: bytes) -> bytes:
    """Refuse the first person of every answer about free and busy times."""
    if name != "GetUserAvailabilityRequest":
        return text
    head, _, rest = text.partition(b"<m:FreeBusyResponse>")
    _, _, tail = rest.partition(b"</m:FreeBusyResponse>")
    message = (
        b"<m:ResponseMessage ResponseClass='Error'><m:MessageText>no</m:MessageText>"
        b"<m:ResponseCode>ErrorNoFreeBusyAccess</m:ResponseCode></m:ResponseMessage>"
    )
    return head + b"<m:FreeBusyResponse>" + message + b"</m:FreeBusyResponse>" + tail


def test_strangers_are_told_apart_from_people_who_are_free(rig: Rig) -> None:
    put(rig, *EVENTS)
    stranger, bob = asked(rig, "nobody@example.com", BOB)
    assert isinstance(stranger, Hidden)
    assert "nobody of this address" in stranger.why
    assert bob == Times(spans=TAKEN, source=SERVER)
