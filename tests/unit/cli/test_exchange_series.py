"""Series that Exchange has no pattern for: withheld with the reason, or written by occurrences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace

from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Seen, Snapshot
from accord.model.parts import Attendee
from accord.model.recurrence import Frequency, RecurrenceRule
from accord.ports.adapter import Draft, Removal, Revision, Written
from tests.databases import Databases
from tests.exchange import LINKED, ROBOT, House
from tests.unit.cli.conftest import Run, event, govern
from tests.unit.cli.test_run import Outlook

RULE = """
[[rule]]
name = "events"
kind = "event"
scope = "all"
series.unfit = "occurrences"
series.days = 100
"""
WITHHELD = RULE.replace('"occurrences"', '"withhold"').replace("series.days = 100\n", "")
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
FIRST = TODAY + timedelta(days=3, hours=9)
DATES = [FIRST + timedelta(days=days) for days in (0, 9, 25, 150)]


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.fixture
def person(run: Run, house: House, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> str:
    """The mailbox of alice, whose events are linked with it; one of them is no series."""
    person = house.person()
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    run("init", "--database", databases.url())
    run("crm", "users", "add", "alice", "--address", person)
    run("import", "-", stdin=LINKED.format(url=house.url, robot=ROBOT, person=person))
    run("crm", "put", "--as", "alice", stdin=event("Lunch"))
    run("sync", "--all")
    return person


@pytest.fixture
def outlook(house: House, person: str) -> Iterator[Outlook]:
    made = Outlook(house, person)
    yield made
    made.adapter.close()


def dates(*more: datetime, **values: Any) -> str:
    """Return an event on single dates, which no pattern of Exchange's says."""
    said = {"rdates": [f"{day:%Y-%m-%dT%H:%M:%S}" for day in (*DATES[1:], *more)]}
    end = FIRST + timedelta(hours=1)
    times = {"start": FIRST.isoformat(), "end": end.isoformat()}
    return event(**{"title": "Round"} | times | said | values)


def report(run: Run, *words: str) -> Any:
    return run("sync", "--all", "--json", *words).row


def quiet(run: Run) -> bool:
    """Tell whether a further pass writes nothing."""
    row = report(run)
    return not any(row[side][what] for side in ("crm", "groupware") for what in WRITES)


WRITES = ("created", "updated", "deleted", "failed")


def settle(run: Run, rule: str) -> None:
    """Put a rule into force, and agree to what follows from that."""
    govern(run, rule)
    report(run)
    if ids := [row["id"] for row in run("held", "--json").rows]:
        run("held", "approve", *ids)


def calendar(outlook: Outlook) -> dict[str, Snapshot]:
    """Return what stands in the calendar, by day from today and title."""
    return {
        f"{(each.snapshot.item.start - TODAY).days} {each.snapshot.item.title}": each.snapshot
        for page in outlook.session.changes(outlook.folder, Kind.EVENT, "", lambda _: {})
        for each in page.observations
        if isinstance(each, Seen)
        and isinstance(each.snapshot.item, Event)
        and each.snapshot.item.title != "Lunch"
    }


def entries(outlook: Outlook) -> list[Event]:
    """Return the entries in the calendar."""
    return [cast(Event, each.item) for each in calendar(outlook).values()]


def record(run: Run, ref: str) -> Any:
    return run("crm", "show", ref, "--as", "alice", "--json").row["item"]


def put(run: Run, text: str, ref: str = "") -> str:
    words = ["--ref", ref] if ref else []
    return str(run("crm", "put", "--as", "alice", *words, "--json", stdin=text).row["ref"])


def test_what_exchange_cannot_say_is_withheld_and_nothing_fails(
    run: Run, house: House, outlook: Outlook
) -> None:
    put(run, dates())
    plan = run("plan").out
    assert "withheld from the mailbox: Round" in plan
    assert "create in the mailbox" not in plan
    row = report(run)
    assert (row["groupware"]["created"], row["crm"]["skipped"], row["failed"]) == (0, 1, 0)
    assert calendar(outlook) == {}
    assert "All is well." in run("check").out
    assert "Exchange can't say this series" in run("explain", "Round").out
    report(run, "--full")
    assert house.exchange.mails() == []


def test_a_change_that_exchange_cannot_say_waits_and_travels_once_it_can(
    run: Run, outlook: Outlook
) -> None:
    ref = put(run, dates(rdates=[], rule={"frequency": "daily", "count": 5}))
    report(run)
    before = calendar(outlook)
    put(run, dates(title="Other"), ref)
    assert "withheld" in run("plan").out
    row = report(run)
    assert (row["groupware"]["updated"], row["failed"]) == (0, 0)
    assert quiet(run)
    assert calendar(outlook) == before
    assert "1 withheld from the mailbox" in run("check").out
    put(run, dates(rdates=[], rule={"frequency": "daily", "count": 4}), ref)
    assert report(run)["groupware"]["updated"] == 1
    (found,) = entries(outlook)
    assert found.rule is not None
    assert found.rule.count == 4
    assert "withheld" not in run("check").out
    assert quiet(run)


def test_by_rule_its_occurrences_are_written_and_both_sides_edit_them(
    run: Run, house: House, outlook: Outlook
) -> None:
    settle(run, RULE)
    ref = put(run, dates())
    assert run("plan").out.count("create in the mailbox: Round") == 3
    assert report(run)["groupware"]["created"] == 3
    assert quiet(run)
    report(run, "--full")
    assert quiet(run)
    found = calendar(outlook)
    assert list(found) == ["3 Round", "12 Round", "28 Round"]

    assert run("explain", ref).out.count("Round: synchronized") == 3

    edit(outlook, found["12 Round"], title="Long round", end=DATES[1] + timedelta(hours=3))
    delete(outlook, found["28 Round"])
    assert report(run)["crm"]["updated"] == 1
    (changed,) = record(run, ref)["overrides"]
    assert changed["title"] == "Long round"
    assert changed["recurrence_id"] == DATES[1].isoformat()
    assert record(run, ref)["exdates"] == [DATES[2].isoformat()]
    assert record(run, ref)["title"] == "Round"
    assert quiet(run)

    text = record(run, ref) | {"title": "Table"}
    text["rdates"] = [*text["rdates"], (FIRST + timedelta(days=30)).isoformat()]
    put(run, json.dumps(text), ref)
    row = report(run)["groupware"]
    assert (row["created"], row["updated"], row["deleted"]) == (1, 1, 0)
    assert list(calendar(outlook)) == ["3 Table", "12 Long round", "33 Table"]
    assert quiet(run)

    run("crm", "delete", ref, "--as", "alice")
    assert report(run)["groupware"]["deleted"] == 3
    assert calendar(outlook) == {}
    assert quiet(run)
    assert house.exchange.mails() == []


def test_an_undo_brings_an_occurrence_back(run: Run, outlook: Outlook) -> None:
    settle(run, RULE)
    ref = put(run, dates())
    report(run)
    delete(outlook, calendar(outlook)["28 Round"])
    report(run)
    assert record(run, ref)["exdates"]
    (entry,) = [row for row in run("journal", "--json").rows if row["side"] == "crm"][:1]
    run("undo", entry["id"], "--yes")
    assert "exdates" not in record(run, ref)
    assert "28 Round" in calendar(outlook)
    assert quiet(run)


def test_the_window_moves_on(run: Run, outlook: Outlook) -> None:
    settle(run, RULE)
    put(run, dates())
    report(run)
    assert len(calendar(outlook)) == 3
    settle(run, RULE.replace("100", "200"))
    assert "153 Round" in calendar(outlook)
    assert quiet(run)


def test_several_occurrences_edited_at_once_all_arrive(run: Run, outlook: Outlook) -> None:
    settle(run, RULE)
    ref = put(run, dates())
    report(run)
    for name, each in calendar(outlook).items():
        edit(outlook, each, title=f"Edited {name}")
    assert report(run)["crm"]["updated"] == 3
    assert [each["title"] for each in record(run, ref)["overrides"]] == [
        f"Edited {days} Round" for days in (3, 12, 28)
    ]
    assert quiet(run)


def test_a_series_that_exchange_can_say_again_is_one_again(run: Run, outlook: Outlook) -> None:
    settle(run, RULE)
    ref = put(run, dates())
    report(run)
    put(run, dates(rdates=[], rule={"frequency": "daily", "count": 5}), ref)
    row = report(run)["groupware"]
    assert (row["created"], row["deleted"]) == (1, 3)
    (found,) = entries(outlook)
    assert found.rule is not None
    assert quiet(run)
    put(run, dates(), ref)
    row = report(run)["groupware"]
    assert (row["created"], row["deleted"]) == (3, 1)
    assert quiet(run)


def test_under_a_rule_that_withholds_again_the_copies_go_once_approved(
    run: Run, outlook: Outlook
) -> None:
    settle(run, RULE)
    ref = put(run, dates())
    report(run)
    edit(outlook, calendar(outlook)["12 Round"], title="Long round")
    report(run)
    govern(run, WITHHELD)
    assert report(run)["groupware"]["deleted"] == 0
    assert len(calendar(outlook)) == 3
    run("held", "approve", *(row["id"] for row in run("held", "--json").rows))
    assert calendar(outlook) == {}
    put(run, dates(title="Other"), ref)
    assert quiet(run)
    assert calendar(outlook) == {}


def test_too_many_occurrences_are_withheld_with_both_reasons(run: Run, outlook: Outlook) -> None:
    settle(run, RULE)
    put(run, dates(rdates=[], rule={"frequency": "hourly"}))
    plan = run("plan").out
    assert "Exchange can't say this series" in plan
    assert "within 100 days there are more than 366 occurrences" in plan
    assert report(run)["failed"] == 0
    assert calendar(outlook) == {}


def test_what_somebody_changed_in_a_series_stays_when_it_is_taken_apart(
    run: Run, outlook: Outlook
) -> None:
    settle(run, RULE)
    ref = put(run, dates(rdates=[], rule={"frequency": "daily", "count": 5}))
    report(run)
    ((_, whole),) = calendar(outlook).items()
    edit(outlook, whole, title="Mailbox's")
    put(run, dates(location="Room 7"), ref)
    report(run)
    report(run)
    assert record(run, ref)["location"] == "Room 7"
    assert len(record(run, ref)["rdates"]) == 3
    assert len(run("crm", "list", "--as", "alice", "--json").rows) == 2
    assert "Mailbox's" in {each.title for each in entries(outlook)}
    assert quiet(run)


def test_what_somebody_changed_in_a_copy_is_in_the_series_once_it_is_one_again(
    run: Run, outlook: Outlook
) -> None:
    settle(run, RULE)
    ref = put(run, dates())
    report(run)
    edit(outlook, calendar(outlook)["12 Round"], title="Long round")
    put(run, dates(rdates=[], rule={"frequency": "daily", "count": 15}), ref)
    report(run)
    report(run, "--full")
    assert [each["title"] for each in record(run, ref)["overrides"]] == ["Long round"]
    assert len(run("crm", "list", "--as", "alice", "--json").rows) == 2
    (found,) = entries(outlook)
    assert [each.title for each in found.overrides] == ["Long round"]
    assert quiet(run)


@pytest.mark.parametrize("hosted", [True, False])
def test_a_meeting_from_the_mailbox_is_never_taken_apart(
    run: Run, house: House, outlook: Outlook, person: str, hosted: bool
) -> None:
    settle(run, f'{RULE}invitations = "allow"\n')
    host = outlook if hosted else Outlook(house, house.person())
    guest = "guest@else.test" if hosted else person
    daily = RecurrenceRule(frequency=Frequency.DAILY, count=5)
    times: dict[str, Any] = {"start": FIRST, "end": FIRST + timedelta(hours=1)}
    times["time_zone"] = "Europe/Berlin"
    people = (Attendee(address=guest),)
    meeting = Event(title="Met", rule=daily, attendees=people, **times)
    host.session.create(host.folder, Kind.EVENT, [Draft(item=meeting, key="k", notify=not hosted)])
    report(run)
    mails = len(house.exchange.mails())
    (ref,) = (
        row["ref"]
        for row in run("crm", "list", "--as", "alice", "--json").rows
        if row["item"]["title"] == "Met"
    )
    late = f"{DATES[1]:%Y-%m-%dT%H:%M:%S}"
    put(run, json.dumps(record(run, ref) | {"rdates": [late]}), ref)
    report(run)
    report(run, "--full")
    assert list(calendar(outlook)) == ["3 Met"]
    assert len(house.exchange.mails()) == mails
    assert quiet(run)
    if not hosted:
        host.adapter.close()


def test_an_entry_of_the_same_name_is_no_copy_of_a_series(run: Run, outlook: Outlook) -> None:
    times: dict[str, Any] = {"start": FIRST, "end": FIRST + timedelta(hours=1)}
    times["time_zone"] = "Europe/Berlin"
    own = Draft(item=Event(title="Round", **times), key="k")
    outlook.session.create(outlook.folder, Kind.EVENT, [own])
    ref = put(run, dates())
    report(run)
    delete(outlook, calendar(outlook)["3 Round"])
    report(run)
    assert record(run, ref)["title"] == "Round"


def test_no_day_stands_twice_while_deletions_wait(run: Run, outlook: Outlook) -> None:
    settle(run, RULE)
    many = [FIRST + timedelta(days=days) for days in range(2, 40, 3)]

    def at(hours: int) -> str:
        start, *others = (f"{d + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}" for d in (FIRST, *many))
        end = f"{FIRST + timedelta(hours=hours + 1):%Y-%m-%dT%H:%M:%S}"
        return dates(start=start, end=end, rdates=others)

    ref = put(run, at(0))
    assert report(run)["groupware"]["created"] == 14
    put(run, at(2), ref)
    row = report(run)["groupware"]
    assert (row["created"], row["deleted"], row["held"]) == (0, 0, 28)
    assert len(calendar(outlook)) == 14
    run("held", "approve", "--all", "--yes")
    assert len(calendar(outlook)) == 14
    assert {each.start.hour for each in entries(outlook)} == {11}
    assert quiet(run)


def test_a_copy_that_became_a_series_is_refused_and_said(run: Run, outlook: Outlook) -> None:
    settle(run, RULE)
    put(run, dates())
    report(run)
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, count=4)
    edit(outlook, calendar(outlook)["12 Round"], rule=weekly)
    assert run("sync", "--all", "--json", code=1).row["failed"] == 1
    assert "can't become a series of its own" in run("check", code=1).out


def test_nobody_is_invited_to_occurrences(
    run: Run, house: House, outlook: Outlook, person: str
) -> None:
    settle(run, f'{RULE}meetings = "invite"\ninvitations = "allow"\n')
    guest = [{"address": "guest@else.test"}]
    override = {"recurrence_id": DATES[1].isoformat(), "attendees": guest}
    put(run, dates(organizer={"address": person}, overrides=[override]))
    assert "each occurrence would be an invitation of its own" in run("plan").out
    report(run)
    assert calendar(outlook) == {}
    assert house.exchange.mails() == []


def edit(outlook: Outlook, snapshot: Snapshot, **values: Any) -> None:
    after = replace(snapshot.item, **values)
    revision = Revision(
        ref=snapshot.ref,
        version=snapshot.version,
        before=snapshot.item,
        after=after,
        changed=tuple(values),
    )
    (done,) = outlook.session.update(outlook.folder, Kind.EVENT, [revision])
    assert isinstance(done, Written), done


def delete(outlook: Outlook, snapshot: Snapshot) -> None:
    removal = Removal(ref=snapshot.ref, version=snapshot.version)
    (done,) = outlook.session.delete(outlook.folder, Kind.EVENT, [removal])
    assert isinstance(done, Written), done
