"""Who may do what: the matrix row by row, and that every call of a session obeys it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from accord.crm.database.records import Record
from accord.crm.database.rights import Right, covers, right
from accord.crm.database.viewer import Viewer
from accord.model.item import Event, Item
from accord.model.kinds import Kind
from accord.model.observe import Denied as DeniedHere
from accord.model.observe import OutOfScope, Seen
from accord.model.parts import Attendee, Person, Privacy, Reminder, Reply
from accord.model.recurrence import Busy, Frequency, Override, RecurrenceRule
from accord.ports.adapter import Draft, Mark
from accord.ports.errors import Denied, Gone, Stale
from tests.unit.crm.office import END, START, Office, absence, address, contact, done

OWNER, SECOND, GUEST, TEAM, STRANGER, ADMIN = 1, 2, 3, 4, 5, 6
NONE, READ, REPLY, EDIT, OWN = Right.NONE, Right.READ, Right.REPLY, Right.EDIT, Right.OWN
VIEWERS = {
    OWNER: Viewer(id=OWNER, name="owner"),
    SECOND: Viewer(id=SECOND, name="second"),
    GUEST: Viewer(id=GUEST, name="guest"),
    TEAM: Viewer(id=TEAM, name="team", groups=frozenset({9})),
    STRANGER: Viewer(id=STRANGER, name="stranger"),
    ADMIN: Viewer(id=ADMIN, name="admin", admin=True),
}
MATRIX = [
    # visibility, private, owner, second, guest, team, stranger, admin
    ("private", False, OWN, NONE, NONE, NONE, NONE, OWN),
    ("participants", False, OWN, OWN, REPLY, NONE, NONE, OWN),
    ("group", False, OWN, OWN, REPLY, READ, NONE, OWN),
    ("everyone", False, OWN, OWN, REPLY, READ, READ, OWN),
    ("private", True, OWN, NONE, NONE, NONE, NONE, NONE),
    ("participants", True, OWN, OWN, REPLY, NONE, NONE, NONE),
    ("group", True, OWN, OWN, REPLY, NONE, NONE, NONE),
    ("everyone", True, OWN, OWN, REPLY, NONE, NONE, NONE),
]


def record(item: Item, **values: Any) -> Record:
    given: dict[str, Any] = {
        "kind": Kind.EVENT,
        "ref": "r",
        "revision": 1,
        "item": item,
        "seen": item,
        "owner": OWNER,
        "second": SECOND,
        "users": frozenset({GUEST}),
        "group": 9,
        "group_writes": False,
        "visibility": "participants",
        "key": "",
        "modified": datetime(2026, 1, 1, tzinfo=UTC),
        "by": "",
        "deleted": False,
        "erased": False,
        "marker": "",
        "state": "",
        "chosen": False,
    }
    return Record(**{**given, **values})


def meeting(**values: Any) -> Item:
    return Event(start=START, end=END, organizer=Person(address="second@example.com"), **values)


@pytest.mark.parametrize(
    ("visibility", "private", "rights"), [(row[0], row[1], row[2:]) for row in MATRIX]
)
def test_the_matrix(visibility: str, private: bool, rights: tuple[Right, ...]) -> None:
    privacy = Privacy.PRIVATE if private else Privacy.PUBLIC
    asked = record(meeting(privacy=privacy), visibility=visibility)
    got = tuple(right(viewer, asked) for viewer in VIEWERS.values())
    assert got == rights


@pytest.mark.parametrize(
    ("values", "viewer", "expected"),
    [
        ({"visibility": "group", "group_writes": True}, TEAM, EDIT),
        ({"visibility": "group", "group": 8}, TEAM, NONE),
        ({"visibility": "participants", "group_writes": True}, TEAM, NONE),
        ({"shares": "read"}, STRANGER, READ),
        ({"shares": "write"}, STRANGER, EDIT),
        ({"shares": "read", "visibility": "private"}, GUEST, READ),
        ({"shares": "read"}, OWNER, OWN),
        ({"second": None}, GUEST, EDIT),  # nobody in the CRM organizes this meeting
        ({"second": None, "visibility": "private"}, GUEST, NONE),
        ({"kind": Kind.TASK, "users": frozenset()}, SECOND, EDIT),
        ({"kind": Kind.ABSENCE, "users": frozenset()}, SECOND, OWN),
        ({"kind": Kind.CONTACT, "users": frozenset()}, SECOND, OWN),
    ],
)
def test_what_else_gives_a_right(values: dict[str, Any], viewer: int, expected: Right) -> None:
    assert right(VIEWERS[viewer], record(meeting(), **values)) is expected


def test_a_share_opens_private_items() -> None:
    asked = record(meeting(privacy=Privacy.SECRET), shares="read", visibility="private")
    assert right(VIEWERS[STRANGER], asked) is READ


@pytest.mark.parametrize(("level", "expected"), [("none", NONE), ("read", READ), ("write", OWN)])
@pytest.mark.parametrize("who", [OWNER, ADMIN])
def test_the_level_of_a_kind_limits_everything(who: int, level: str, expected: Right) -> None:
    viewer = Viewer(id=who, name="x", admin=who == ADMIN, levels={"event": level})
    assert right(viewer, record(meeting())) is expected
    other = Viewer(id=who, name="x", admin=who == ADMIN, levels={"task": "none"})
    assert right(other, record(meeting())) is OWN


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("own", {"owner": GUEST}, True),
        ("own", {"second": GUEST}, True),
        ("own", {"group": 7}, True),
        ("own", {"chosen": True}, True),
        ("own", {"visibility": "everyone"}, False),
        ("all", {"visibility": "everyone"}, True),
        ("all", {"visibility": "private"}, False),
        ("all", {"visibility": "private", "owner": GUEST}, True),
        ("list", {"chosen": True}, True),
        ("list", {"owner": GUEST, "second": GUEST, "group": 7}, False),
    ],
)
def test_who_covers_a_contact(mode: str, values: dict[str, Any], expected: bool) -> None:
    viewer = Viewer(id=GUEST, name="x", contact_mode=mode, groups=frozenset({7}))
    given = {"kind": Kind.CONTACT, "users": frozenset(), "visibility": "participants", **values}
    assert covers(viewer, record(contact(), **given)) is expected


# every call asks


def _make(office: Office, kind: Kind) -> Item:
    made: dict[Kind, Item] = {
        Kind.EVENT: office.event(),
        Kind.TASK: office.task(),
        Kind.CONTACT: contact(),
        Kind.ABSENCE: absence(),
    }
    return made[kind]


@pytest.mark.parametrize("kind", [Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE])
def test_a_private_record_is_nobody_elses(office: Office, kind: Kind) -> None:
    mine = office.create(office.ann, _make(office, kind), key=office.tag, marker="gw/1")
    office.admin.access(office.ann, kind, mine.ref, visibility="private")
    mine = office.see(office.ann, kind, mine.ref)
    for user in (office.bob, office.carl):
        first = office.pull(user, kind)
        assert mine.ref not in first.said
        assert isinstance(office.fetch(user, kind, mine.ref), DeniedHere)
        for question in ({"uid": mine.item.uid}, {"key": office.tag}, {"marker": "gw/1"}):
            assert office.find(user, kind, **question) == ()
        assert isinstance(office.edit(user, mine, extras={"crm:x": "stolen"}), Denied)
        assert isinstance(office.delete(user, mine), Denied)
        with office.crm.open(user) as session:
            (outcome,) = session.mark("", kind, [Mark(ref=mine.ref, marker="x")])
        assert isinstance(outcome, Denied)
        with pytest.raises(Denied):
            office.admin.show(user, kind, mine.ref)
        with pytest.raises(Denied):
            office.admin.access(user, kind, mine.ref, visibility="everyone")
        with pytest.raises(Denied):
            office.admin.share(user, kind, mine.ref, to_user=user)
    done(office.delete(office.ann, mine))
    assert isinstance(office.restore(office.bob, kind, mine.ref), Gone)
    done(office.restore(office.ann, kind, mine.ref))
    assert office.see(office.ann, kind, mine.ref).item == mine.item


def test_creating_under_somebody_elses_key_shows_nothing(office: Office) -> None:
    office.create(office.ann, office.event(title="secret"), key=office.tag)
    (outcome,) = office.try_create(office.bob, Draft(item=office.event(), key=office.tag))
    assert isinstance(outcome, Denied)
    assert "secret" not in str(outcome)


def test_what_everyone_reads_is_in_nobodys_calendar(office: Office) -> None:
    mine = office.create(office.ann, office.event())
    office.admin.access(office.ann, Kind.EVENT, mine.ref, visibility="everyone")
    assert mine.ref not in office.pull(office.bob, Kind.EVENT).said
    assert isinstance(office.fetch(office.bob, Kind.EVENT, mine.ref), OutOfScope)
    shown = office.admin.show(office.bob, Kind.EVENT, mine.ref)
    assert shown.readonly
    assert isinstance(office.edit(office.bob, shown, title="no"), Denied)


def test_shares_of_users_and_groups_read_and_write(office: Office) -> None:
    mine = office.create(office.ann, contact())
    office.admin.access(office.ann, Kind.CONTACT, mine.ref, visibility="participants")
    with pytest.raises(Denied):
        office.admin.show(office.bob, Kind.CONTACT, mine.ref)
    office.admin.share(office.ann, Kind.CONTACT, mine.ref, to_user=office.bob)
    shown = office.admin.show(office.bob, Kind.CONTACT, mine.ref)
    assert isinstance(office.edit(office.bob, shown, full_name="no"), Denied)
    team = f"team-{office.tag}"
    office.admin.put_group(team, office.bob)
    office.admin.share(office.ann, Kind.CONTACT, mine.ref, to_group=team, writes=True)
    shown = office.admin.show(office.bob, Kind.CONTACT, mine.ref)
    assert not shown.readonly
    done(office.edit(office.bob, shown, full_name="Bob's"))
    assert isinstance(
        office.delete(office.bob, office.admin.show(office.bob, Kind.CONTACT, mine.ref)), Denied
    )
    office.admin.unshare(office.ann, Kind.CONTACT, mine.ref, to_group=team)
    office.admin.unshare(office.ann, Kind.CONTACT, mine.ref, to_user=office.bob)
    with pytest.raises(Denied):
        office.admin.show(office.bob, Kind.CONTACT, mine.ref)


def test_a_reader_is_told_so(office: Office) -> None:
    team = f"territory-{office.tag}"
    office.admin.put_group(team, office.bob)
    mine = office.create(office.ann, contact())
    office.admin.access(office.ann, Kind.CONTACT, mine.ref, visibility="group", group=team)
    assert office.see(office.bob, Kind.CONTACT, mine.ref).readonly
    office.admin.access(office.ann, Kind.CONTACT, mine.ref, group_writes=True)
    assert not office.see(office.bob, Kind.CONTACT, mine.ref).readonly


# meetings


def test_a_participant_answers_and_nothing_else(office: Office) -> None:
    mine = office.create(office.ann, office.event(office.bob, office.carl))
    theirs = office.see(office.bob, Kind.EVENT, mine.ref)
    assert not theirs.readonly
    bob, carl = theirs.item.attendees  # type: ignore[union-attr]
    accepted = Attendee(address=bob.address, reply=Reply.ACCEPTED)
    refused: list[dict[str, Any]] = [
        {"title": "mine now"},
        {"attendees": (bob,)},
        {"attendees": (bob, Attendee(address=carl.address, reply=Reply.ACCEPTED))},
        {"attendees": (accepted, carl), "title": "both"},
        {"organizer": Person(address=address(office.bob))},
        {"overrides": (Override(recurrence_id=START, title="other"),)},
    ]
    for values in refused:
        assert isinstance(office.edit(office.bob, theirs, **values), Denied)
    assert office.see(office.ann, Kind.EVENT, mine.ref) == mine
    done(office.edit(office.bob, theirs, attendees=(accepted, carl)))
    after = office.see(office.ann, Kind.EVENT, mine.ref)
    assert [a.reply for a in after.item.attendees] == [  # type: ignore[union-attr]
        Reply.ACCEPTED,
        Reply.NEEDS_ACTION,
    ]
    assert after.by == office.bob
    assert isinstance(office.delete(office.bob, after), Denied)


def test_a_participant_answers_one_occurrence(office: Office) -> None:
    daily = RecurrenceRule(frequency=Frequency.DAILY)
    mine = office.create(office.ann, office.event(office.bob, rule=daily))
    reply = Attendee(address=address(office.bob), reply=Reply.DECLINED)
    one = Override(recurrence_id=START, attendees=(reply,))
    theirs = office.see(office.bob, Kind.EVENT, mine.ref)
    done(office.edit(office.bob, theirs, overrides=(one,)))
    assert office.see(office.ann, Kind.EVENT, mine.ref).item.overrides == (one,)  # type: ignore[union-attr]


def test_everybodys_own_is_their_own(office: Office) -> None:
    mine = office.create(
        office.ann,
        office.event(
            office.bob, office.carl, reminders=(Reminder(minutes=5),), categories=("Ann",)
        ),
    )
    bobs = office.see(office.bob, Kind.EVENT, mine.ref)
    assert bobs.item.reminders == ()  # type: ignore[union-attr]
    assert bobs.item.categories == ("Ann",)
    before = {u: office.pull(u, Kind.EVENT).cursor for u in (office.ann, office.bob, office.carl)}
    own = {"reminders": (Reminder(minutes=30),), "busy": Busy.FREE, "categories": ("Bob",)}
    written = done(office.edit(office.bob, bobs, **own))
    bobs = office.see(office.bob, Kind.EVENT, mine.ref)
    assert written.snapshot == bobs
    assert isinstance(office.edit(office.bob, mine, busy=Busy.BUSY), Stale)
    assert {name: getattr(bobs.item, name) for name in own} == own
    assert office.see(office.ann, Kind.EVENT, mine.ref) == mine
    assert office.see(office.carl, Kind.EVENT, mine.ref).version == mine.version
    assert {u: mine.ref in office.pull(u, Kind.EVENT, c).seen for u, c in before.items()} == {
        office.ann: False,
        office.bob: True,
        office.carl: False,
    }
    done(office.edit(office.ann, mine, title="later", busy=Busy.TENTATIVE))
    bobs = office.see(office.bob, Kind.EVENT, mine.ref)
    assert (bobs.item.title, bobs.item.busy) == ("later", Busy.FREE)  # type: ignore[union-attr]
    assert office.see(office.carl, Kind.EVENT, mine.ref).item.busy is Busy.TENTATIVE  # type: ignore[union-attr]


def test_emptied_personal_fields_stay_empty(office: Office) -> None:
    mine = office.create(office.ann, office.event(office.bob, categories=("Ann",)))
    done(office.edit(office.bob, office.see(office.bob, Kind.EVENT, mine.ref), categories=()))
    assert office.see(office.bob, Kind.EVENT, mine.ref).item.categories == ()


def test_a_meeting_of_an_outsider_is_kept_by_all_who_have_it(office: Office) -> None:
    outside = Person(address=f"boss-{office.tag}@elsewhere.example")
    mine = office.create(office.ann, office.event(office.ann, office.bob, organizer=outside))
    done(office.edit(office.bob, office.see(office.bob, Kind.EVENT, mine.ref), title="moved"))
    theirs = office.see(office.bob, Kind.EVENT, mine.ref)
    assert isinstance(office.delete(office.bob, theirs), Denied)


def test_the_organizer_owns_what_a_guest_brought_in(office: Office) -> None:
    organizer = Person(address=address(office.ann))
    mine = office.create(office.bob, office.event(office.bob, organizer=organizer))
    anns = office.see(office.ann, Kind.EVENT, mine.ref)
    done(office.edit(office.ann, anns, title="hers"))
    done(office.delete(office.ann, office.see(office.ann, Kind.EVENT, mine.ref)))


def test_an_administrator_sees_no_private_content(office: Office) -> None:
    mine = office.create(office.ann, office.event(privacy=Privacy.PRIVATE))
    with pytest.raises(Denied):
        office.admin.show(office.dora, Kind.EVENT, mine.ref)
    open_ = office.create(office.ann, office.event())
    shown = office.admin.show(office.dora, Kind.EVENT, open_.ref)
    done(office.edit(office.dora, shown, title="tidied"))
    assert isinstance(office.fetch(office.dora, Kind.EVENT, open_.ref), OutOfScope)


def test_only_administrators_keep_records_for_others(office: Office) -> None:
    with pytest.raises(Denied):
        office.admin.put(office.ann, office.event(), owner=office.bob)
    made = office.admin.put(office.dora, office.event(), owner=office.bob)
    assert isinstance(office.fetch(office.bob, Kind.EVENT, made.ref), Seen)
    away = office.admin.put(office.dora, absence(absence_kind="sick"), absent=office.carl)
    assert office.see(office.carl, Kind.ABSENCE, away.ref).item == away.item
    assert away.ref not in office.pull(office.dora, Kind.ABSENCE).said
