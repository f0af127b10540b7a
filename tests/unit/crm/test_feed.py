"""The outbox, read once for all users: who is hinted at, and when it forgets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.crm.database.store import Store
from accord.model.item import Mailto
from accord.model.kinds import Kind
from accord.model.parts import Reminder
from accord.ports.adapter import Feed, Mark
from accord.ports.clock import system_clock
from accord.ports.errors import CursorExpired
from tests.unit.crm.office import Office, contact, done


class Reader:
    """Read the feed from one cursor to the next."""

    def __init__(self, office: Office) -> None:
        assert isinstance(office.crm, Feed)
        self.feed: Feed = office.crm
        self.office = office
        nothing, self.cursor = self.feed.hints("")
        assert nothing == ()

    def read(self) -> dict[tuple[Kind, str], set[str]]:
        """Return the users among ours that each hint names."""
        hints, self.cursor = self.feed.hints(self.cursor)
        named = {}
        for hint in hints:
            ours = {user for user in hint.principals if user.endswith(self.office.tag)}
            if ours:
                named[hint.kind, hint.ref] = {user.partition("-")[0] for user in ours}
        return named


@pytest.fixture
def reader(office: Office) -> Reader:
    return Reader(office)


def test_one_hint_names_those_who_have_it_and_those_who_lost_it(
    office: Office, reader: Reader
) -> None:
    made = office.create(office.ann, office.event(office.bob, office.carl))
    assert reader.read() == {(Kind.EVENT, made.ref): {"ann", "bob", "carl"}}
    attendees = office.event(office.carl).attendees
    done(office.edit(office.ann, made, title="one"))
    done(office.edit(office.ann, office.see(office.ann, Kind.EVENT, made.ref), attendees=attendees))
    assert reader.read() == {(Kind.EVENT, made.ref): {"ann", "bob", "carl"}}
    done(office.edit(office.ann, office.see(office.ann, Kind.EVENT, made.ref), title="two"))
    assert reader.read() == {(Kind.EVENT, made.ref): {"ann", "carl"}}
    assert reader.read() == {}


def test_tasks_contacts_and_absences_are_hinted_at(office: Office, reader: Reader) -> None:
    task = office.create(office.ann, office.task(office.bob))
    assert reader.read() == {(Kind.TASK, task.ref): {"ann", "bob"}}
    customer = office.create(office.ann, contact())
    office.admin.choose(office.carl, customer.ref)
    assert reader.read() == {(Kind.CONTACT, customer.ref): {"ann", "carl"}}
    office.admin.change_user(office.bob, contacts="all")
    assert reader.read() == {(Kind.CONTACT, ""): {"bob"}}
    done(office.edit(office.ann, customer, mails=(Mailto(address="x@example.net"),)))
    assert reader.read() == {(Kind.CONTACT, customer.ref): {"ann", "bob", "carl"}}
    office.admin.choose(office.carl, customer.ref, chosen=False)
    assert reader.read() == {(Kind.CONTACT, customer.ref): {"carl"}}


def test_a_list_hints_at_what_was_chosen_only(office: Office, reader: Reader) -> None:
    office.admin.change_user(office.bob, contacts="list")
    account = office.admin.put_account(office.bob, name="Acme")
    reader.read()
    made = office.admin.put(office.ann, contact(), account=account)
    assert reader.read() == {(Kind.CONTACT, made.ref): {"ann"}}
    office.admin.choose(office.bob, made.ref)
    reader.read()
    done(office.edit(office.ann, made, full_name="new"))
    assert reader.read() == {(Kind.CONTACT, made.ref): {"ann", "bob"}}


def test_what_concerns_one_user_is_hinted_at_for_one(office: Office, reader: Reader) -> None:
    made = office.create(office.ann, office.event(office.bob))
    reader.read()
    bobs = office.see(office.bob, Kind.EVENT, made.ref)
    done(office.edit(office.bob, bobs, reminders=(Reminder(minutes=1),)))
    assert reader.read() == {(Kind.EVENT, made.ref): {"bob"}}


def test_a_mark_is_no_change(office: Office, reader: Reader) -> None:
    made = office.create(office.ann, office.event(office.bob))
    reader.read()
    before = office.crm.revision
    with office.crm.open(office.bob) as session:
        (outcome,) = session.mark("", Kind.EVENT, [Mark(ref=made.ref, marker="gw/1")])
        assert done(outcome).version == made.version
        session.mark("", Kind.EVENT, [Mark(ref=made.ref, marker="")])
    assert office.see(office.bob, Kind.EVENT, made.ref).marker == ""
    assert reader.read() == {}
    assert office.crm.revision == before


def test_nobody_inactive_is_hinted_at(office: Office, reader: Reader) -> None:
    office.admin.change_user(office.bob, active=False)
    made = office.create(office.ann, office.event(office.bob))
    assert reader.read() == {(Kind.EVENT, made.ref): {"ann"}}


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "99999999999999999999", "999999999999"])
def test_a_cursor_that_is_not_ours_expires(office: Office, cursor: str) -> None:
    with pytest.raises(CursorExpired):
        office.crm.hints(cursor)


def test_a_pruned_outbox_says_so(office: Office, crm: DatabaseCrm) -> None:
    start = Reader(office)
    made = office.create(office.ann, office.event())
    end = Reader(office)
    later = Store(crm.store.database, clock=lambda: system_clock() + timedelta(days=31))
    now, crm.store = crm.store, later
    try:
        keeper = Administration(crm)
        assert keeper.prune(days=40) == 0
        assert start.read() == {(Kind.EVENT, made.ref): {"ann"}}
        assert keeper.prune(days=30) > 0
        assert keeper.prune(days=30) == 0
    finally:
        crm.store = now
    assert end.read() == {}
    with pytest.raises(CursorExpired):
        crm.hints("0")
    assert office.see(office.ann, Kind.EVENT, made.ref).item == made.item
    assert made.ref in office.pull(office.ann, Kind.EVENT, "0").seen
