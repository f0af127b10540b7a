"""Who mails whom: SCHEDULE-AGENT on what Accord made, and writes refused that can't be silent."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from accord.groupware.dav import DavSession, codec, silence
from accord.model.diff import diff, patch
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Seen, Snapshot
from accord.model.parts import Attendee, Person, Reply
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.ports import errors
from accord.ports.adapter import Ask, Draft, Mark, Outcome, Removal, Revision, Written
from tests.unit.dav.fake import FakeDav, event

CAL = "/alice/cal/"
ALICE, BOB, EVE = "alice@x.test", "bob@x.test", "eve@y.test"
MEETING = (f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{BOB}")


@pytest.fixture
def dav() -> FakeDav:
    return FakeDav(schedules=True)


@pytest.fixture
def session(dav: FakeDav) -> Any:
    adapter = dav.adapter()
    with adapter.open("alice") as session:
        yield session
    adapter.close()


def meeting(organizer: str = ALICE, *guests: str, **more: Any) -> Event:
    return Event(
        title="m",
        start=datetime(2026, 3, 1, 9),
        end=datetime(2026, 3, 1, 10),
        time_zone="UTC",
        organizer=Person(address=organizer),
        attendees=tuple(Attendee(address=each) for each in guests),
        **more,
    )


def create(session: DavSession, item: Event, *, notify: bool = False) -> Snapshot:
    (answer,) = session.create(CAL, Kind.EVENT, [Draft(item=item, key="k", notify=notify)])
    assert isinstance(answer, Written)
    return read(session, answer.ref)


def read(session: DavSession, ref: str) -> Snapshot:
    (seen,) = session.fetch(CAL, Kind.EVENT, [Ask(ref=ref)])
    assert isinstance(seen, Seen)
    return seen.snapshot


def change(
    session: DavSession, before: Snapshot, *, notify: bool = False, **values: Any
) -> Outcome:
    after = patch(before.item, values)
    revision = Revision(
        ref=before.ref,
        version=before.version,
        before=before.item,
        after=after,
        changed=diff(before.item, after),
        notify=notify,
    )
    return session.update(CAL, Kind.EVENT, [revision])[0]


def people(dav: FakeDav, ref: str) -> list[str]:
    text = dav.text(ref).replace("\n ", "")
    return [line for line in text.split("\n") if line.startswith(("ATTENDEE", "ORGANIZER"))]


def agents(dav: FakeDav, ref: str) -> list[str]:
    found = [re.search("SCHEDULE-AGENT=([A-Z]+)", line) for line in people(dav, ref)]
    return [each[1] if each else "" for each in found]


LATER: dict[str, Any] = {"start": datetime(2026, 3, 2, 9), "end": datetime(2026, 3, 2, 10)}


def test_a_silent_create_leaves_no_attendee_to_the_server(
    dav: FakeDav, session: DavSession
) -> None:
    made = create(session, meeting(ALICE, BOB, EVE))
    organizer, *attendees = people(dav, made.ref)
    assert len(attendees) == 2
    assert all("SCHEDULE-AGENT=NONE" in line for line in attendees)
    assert "SCHEDULE-AGENT" not in organizer
    assert made.silent
    assert not any("SCHEDULE" in str(each) for each in made.item.extras.items())


def test_changed_occurrences_are_silent_too(dav: FakeDav, session: DavSession) -> None:
    override = Override(
        recurrence_id=datetime(2026, 3, 2, 9),
        attendees=(Attendee(address=BOB), Attendee(address=EVE)),
    )
    rule = RecurrenceRule(frequency=Frequency.DAILY, count=3)
    made = create(session, meeting(ALICE, BOB, rule=rule, overrides=(override,)))
    attendees = [line for line in people(dav, made.ref) if line.startswith("ATTENDEE")]
    assert len(attendees) == 3
    assert all("SCHEDULE-AGENT=NONE" in line for line in attendees)


def test_a_copy_of_a_foreign_meeting_sends_no_replies(dav: FakeDav, session: DavSession) -> None:
    made = create(session, meeting(EVE, ALICE, BOB))
    assert all("SCHEDULE-AGENT=NONE" in line for line in people(dav, made.ref))
    assert made.silent


def test_an_allowed_create_leaves_mailing_to_the_server(dav: FakeDav, session: DavSession) -> None:
    made = create(session, meeting(ALICE, BOB), notify=True)
    assert "SCHEDULE-AGENT" not in dav.text(made.ref)
    assert not made.silent


def test_a_silent_item_stays_silent_whatever_changes(dav: FakeDav, session: DavSession) -> None:
    made = create(session, meeting(ALICE))
    assert made.silent
    guests = tuple(Attendee(address=each) for each in (BOB, EVE))
    assert isinstance(change(session, made, attendees=guests, **LATER), Written)
    attendees = people(dav, made.ref)[1:]
    assert len(attendees) == 2
    assert all("SCHEDULE-AGENT=NONE" in line for line in attendees)
    removal = Removal(ref=made.ref, version=read(session, made.ref).version)
    assert isinstance(session.delete(CAL, Kind.EVENT, [removal])[0], Written)


def test_an_allowed_change_of_a_silent_item_hands_it_to_the_server(
    dav: FakeDav, session: DavSession
) -> None:
    made = create(session, meeting(ALICE, BOB))
    assert isinstance(change(session, made, notify=True, **LATER), Written)
    assert "SCHEDULE-AGENT" not in dav.text(made.ref)
    assert not read(session, made.ref).silent


@pytest.mark.parametrize(
    "values",
    [LATER, {"title": "x"}, {"location": "x"}, {"attendees": ()}, {"url": "https://x"}],
    ids=["schedule", "title", "place", "attendees", "link"],
)
def test_what_the_server_would_mail_is_refused(
    dav: FakeDav, session: DavSession, values: dict[str, Any]
) -> None:
    ref = f"{CAL}m.ics"
    dav.put(ref, event("m", "t", *MEETING))
    before = dav.text(ref)
    answer = change(session, read(session, ref), **values)
    assert isinstance(answer, errors.Rejected)
    assert answer.code == "would-mail"
    assert BOB not in str(answer)
    assert dav.text(ref) == before
    assert isinstance(change(session, read(session, ref), notify=True, **values), Written)


def test_what_nobody_is_told_of_may_be_written(dav: FakeDav, session: DavSession) -> None:
    ref = f"{CAL}m.ics"
    dav.put(ref, event("m", "t", *MEETING))
    assert isinstance(change(session, read(session, ref), categories=("x",)), Written)
    assert agents(dav, ref) == ["", ""]


def test_deleting_what_others_were_invited_to_is_refused(dav: FakeDav, session: DavSession) -> None:
    ref = f"{CAL}m.ics"
    version = dav.put(ref, event("m", "t", *MEETING))
    (answer,) = session.delete(CAL, Kind.EVENT, [Removal(ref=ref, version=version)])
    assert isinstance(answer, errors.Rejected)
    assert answer.code == "would-mail"
    allowed = Removal(ref=ref, version=version, notify=True)
    (answer,) = session.delete(CAL, Kind.EVENT, [allowed])
    assert isinstance(answer, Written)
    assert "Schedule-Reply" not in dav.asked[-1].headers


def test_deleting_an_invitation_sends_no_reply(dav: FakeDav, session: DavSession) -> None:
    ref = f"{CAL}m.ics"
    people_ = (f"ORGANIZER:mailto:{EVE}", f"ATTENDEE:mailto:{ALICE}", f"ATTENDEE:mailto:{BOB}")
    version = dav.put(ref, event("m", "t", *people_))
    (answer,) = session.delete(CAL, Kind.EVENT, [Removal(ref=ref, version=version)])
    assert isinstance(answer, Written)
    assert dav.asked[-1].headers["Schedule-Reply"] == "F"


def test_agents_of_others_objects_are_never_added_nor_removed(
    dav: FakeDav, session: DavSession
) -> None:
    ref = f"{CAL}m.ics"
    mixed = (
        f"ORGANIZER:mailto:{ALICE}",
        f"ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:{BOB}",
        f"ATTENDEE;SCHEDULE-AGENT=NONE;SCHEDULE-STATUS=1.2:mailto:{EVE}",
        "ATTENDEE:mailto:carl@y.test",
    )
    dav.put(ref, event("m", "t", *mixed))
    assert isinstance(change(session, read(session, ref), notify=True, **LATER), Written)
    assert agents(dav, ref) == ["", "CLIENT", "NONE", ""]


def test_a_foreign_item_that_the_server_leaves_alone_may_be_changed(
    dav: FakeDav, session: DavSession
) -> None:
    ref = f"{CAL}m.ics"
    own = (f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:{BOB}")
    dav.put(ref, event("m", "t", *own))
    before = read(session, ref)
    assert before.silent
    assert isinstance(change(session, before, **LATER), Written)
    assert agents(dav, ref) == ["", "CLIENT"]


def test_a_new_attendee_of_a_foreign_item_would_be_mailed(
    dav: FakeDav, session: DavSession
) -> None:
    ref = f"{CAL}m.ics"
    own = (f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:{BOB}")
    dav.put(ref, event("m", "t", *own))
    guests = (Attendee(address=BOB), Attendee(address=EVE))
    answer = change(session, read(session, ref), attendees=guests)
    assert isinstance(answer, errors.Rejected)


def test_marking_never_writes_what_would_mail(dav: FakeDav, session: DavSession) -> None:
    made = create(session, meeting(ALICE, BOB), notify=True)
    before = dav.text(made.ref)
    (answer,) = session.mark(CAL, Kind.EVENT, [Mark(ref=made.ref, marker="crm/event/1")])
    assert isinstance(answer, Written)
    assert dav.text(made.ref) == before


def test_replies_alone_are_written_against_the_schedule_tag(
    dav: FakeDav, session: DavSession
) -> None:
    ref = f"{CAL}m.ics"
    text = event("m", "t", *MEETING, f"ATTENDEE:mailto:{ALICE}", 'X-TAG:"s1"')
    dav.put(ref, text)
    before = read(session, ref)
    assert before.version == '"1" "s1"'
    dav.put(ref, text.replace("ACCEPTED", "DECLINED"))
    assert isinstance(before.item, Event)
    replies = tuple(
        Attendee(address=a.address, reply=Reply.TENTATIVE if a.address == ALICE else a.reply)
        for a in before.item.attendees
    )
    assert isinstance(change(session, before, notify=True, attendees=replies), Written)
    put = dav.asked[-2]
    assert put.method == "PUT"
    assert put.headers["If-Schedule-Tag-Match"] == '"s1"'
    assert "If-Match" not in put.headers
    assert isinstance(change(session, before, notify=True, title="new"), errors.Stale)


def test_a_schedule_tag_does_not_make_an_unchanged_item_look_changed(
    dav: FakeDav, session: DavSession
) -> None:
    ref = f"{CAL}m.ics"
    dav.put(ref, event("m", "t", *MEETING, 'X-TAG:"s1"'))
    version = read(session, ref).version
    (page,) = session.changes(CAL, Kind.EVENT, "", lambda refs: {ref: version})
    assert [type(each).__name__ for each in page.observations] == ["Unchanged"]


def test_without_scheduling_nothing_is_read_before_a_delete(dav: FakeDav) -> None:
    dav.schedules = False
    adapter = dav.adapter()
    with adapter.open("alice") as session:
        session.folders()
        ref = f"{CAL}m.ics"
        version = dav.put(ref, event("m", "t", *MEETING))
        count = len(dav.asked)
        session.delete(CAL, Kind.EVENT, [Removal(ref=ref, version=version)])
        assert dav.since(count) == [f"DELETE {ref}"]
        assert "Schedule-Reply" not in dav.asked[-1].headers
    adapter.close()


@pytest.mark.parametrize(
    "line",
    [
        "ATTENDEE;SCHEDULE-AGENT=NONE:mailto:B@X.test",
        'ATTENDEE;CN="Doe; B: x, y";schedule-agent=none:MAILTO:b@x.test',
        "attendee;SCHEDULE-AGENT=NONE;\n CN=B:mailto:b\n @x.test",
    ],
)
def test_agents_are_read_however_they_are_written(line: str) -> None:
    found = silence.Agents(event("u", "t", line))
    assert found.attendees == {"b@x.test"}
    assert found.served == frozenset()


def test_the_servers_notes_are_no_content() -> None:
    line = (
        "ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=1.2;SCHEDULE-AGENT=NONE;X-P=1:mailto:b@x.test"
    )
    with_notes = codec.decode(Kind.EVENT, event("u", "t", line)).item
    bare = "ATTENDEE;PARTSTAT=ACCEPTED;X-P=1:mailto:b@x.test"
    assert with_notes == codec.decode(Kind.EVENT, event("u", "t", bare)).item
