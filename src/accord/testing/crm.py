"""The contract of CRM adapters: users, scopes, rights, one record for all who take part.

class TestMine(CrmContract, RightsContract, SyncListContract): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Protocol

import pytest

from accord.model.item import Contact, Event, Mailto
from accord.model.kinds import Kind
from accord.model.observe import Deleted, Denied, OutOfScope, Seen
from accord.model.parts import Attendee
from accord.ports import errors
from accord.ports.adapter import Adapter, Ask, Feed, Mark, People, Question
from accord.testing.base import Contract, only
from accord.testing.finding import FindingCases
from accord.testing.listing import ListingCases
from accord.testing.place import Hand, Place, done, new_key, revise
from accord.testing.samples import plain, title_field
from accord.testing.writing import WritingCases

KINDS = (Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE)


class Users(Contract):
    """Know two users: the `principal`, and a `colleague` with an address."""

    kinds: ClassVar[tuple[Kind, ...]] = KINDS

    @pytest.fixture
    def principal(self) -> str:
        """Return the user the sessions are for."""
        return "ann"

    @pytest.fixture
    def colleague(self) -> str:
        """Return another user."""
        return "bob"

    @pytest.fixture
    def colleagues_own(self, colleague: str) -> str:
        """Return the colleague's address."""
        return f"{colleague}@example.com"

    @pytest.fixture
    def theirs(self, adapter: Adapter, colleague: str, place: Place) -> Iterator[Place]:
        """Return the same folder as the colleague sees it."""
        with adapter.open(colleague) as session:
            yield Place(session, place.folder, place.kind, place.traits)


class CrmContract(WritingCases, FindingCases, ListingCases, Users):
    """Be the suite every CRM adapter passes, over the real CRM or a stand-in."""

    # one record for all

    @only(Kind.EVENT)
    def test_who_takes_part_sees_the_same_record(
        self, place: Place, theirs: Place, colleagues_own: str
    ) -> None:
        """One appointment, one ref, one version, whoever looks."""
        (mine,) = place.create(_with(colleagues_own))
        pull = theirs.pull()
        listed = pull.snapshot(mine.ref)
        assert listed is not None
        assert (listed.item, listed.version) == (mine.item, mine.version)
        assert theirs.read(mine.ref).item == mine.item

    @only(Kind.TASK, Kind.ABSENCE)
    def test_what_concerns_nobody_else_is_not_shown_to_others(
        self, place: Place, theirs: Place
    ) -> None:
        """Other users' records are not listed, not found and not readable."""
        first = theirs.pull()
        (mine,) = place.create(plain(place.kind, "mine"), marker="gw/x/1")
        assert theirs.pull().snapshot(mine.ref) is None
        assert theirs.pull(first.cursor).snapshot(mine.ref) is None
        (found,) = theirs.fetch(Ask(ref=mine.ref))
        assert isinstance(found, OutOfScope | Denied)
        question = Question(uid=mine.item.uid)
        (many,) = theirs.session.lookup(place.folder, place.kind, [question])
        assert list(many) == []

    @only(Kind.TASK, Kind.ABSENCE)
    def test_what_is_not_shown_is_not_written(self, place: Place, theirs: Place) -> None:
        """Knowing a ref and a version gives nobody a right."""
        (mine,) = place.create(plain(place.kind, "mine"))
        (update,) = theirs.update(revise(mine, title="stolen"))
        (delete,) = theirs.remove(mine)
        assert isinstance(update, errors.Denied)
        assert isinstance(delete, errors.Denied)
        assert place.read(mine.ref) == mine

    @only(Kind.EVENT)
    def test_leaving_the_scope_is_not_a_deletion(
        self, place: Place, theirs: Place, colleagues_own: str
    ) -> None:
        """Who no longer takes part is told `OutOfScope`; who takes part again sees it again."""
        (mine,) = place.create(_with(colleagues_own))
        attendees = _with(colleagues_own).attendees
        first = theirs.pull()
        place.edit(mine, attendees=())
        left = theirs.pull(first.cursor)
        (found,) = theirs.fetch(Ask(ref=mine.ref, uid=mine.item.uid))
        assert isinstance(left.observations[mine.ref], OutOfScope)
        assert isinstance(found, OutOfScope)
        assert theirs.pull().snapshot(mine.ref) is None
        place.edit(place.read(mine.ref), attendees=attendees)
        assert theirs.pull(left.cursor).snapshot(mine.ref) is not None

    @only(Kind.EVENT)
    def test_a_deletion_is_told_to_everybody(
        self, place: Place, theirs: Place, colleagues_own: str
    ) -> None:
        """Each who took part learns that the record itself is gone."""
        (mine,) = place.create(_with(colleagues_own))
        cursors = [each.pull().cursor for each in (place, theirs)]
        done(place.remove(mine)[0])
        for each, cursor in zip((place, theirs), cursors, strict=True):
            assert isinstance(each.pull(cursor).observations[mine.ref], Deleted)
            assert isinstance(each.fetch(Ask(ref=mine.ref))[0], Deleted)

    @only(Kind.EVENT)
    def test_each_user_has_a_marker_of_their_own(
        self, place: Place, theirs: Place, colleagues_own: str
    ) -> None:
        """A meeting has a copy in every mailbox, so markers are per user."""
        (mine,) = place.create(_with(colleagues_own), marker="gw/ann/1")
        assert theirs.read(mine.ref).marker == ""
        mark = Mark(ref=mine.ref, marker="gw/bob/1")
        done(theirs.session.mark(place.folder, place.kind, [mark])[0])
        assert theirs.read(mine.ref).marker == "gw/bob/1"
        assert place.read(mine.ref).marker == "gw/ann/1"
        (many,) = place.session.lookup(place.folder, place.kind, [Question(marker=mark.marker)])
        assert list(many) == []

    @only(Kind.EVENT)
    def test_marking_disturbs_nobody(
        self, place: Place, theirs: Place, colleagues_own: str
    ) -> None:
        """A marker makes nobody's version stale, or every meeting would be re-planned n times."""
        (mine,) = place.create(_with(colleagues_own))
        cursor = place.pull().cursor
        mark = Mark(ref=mine.ref, marker="gw/bob/1")
        done(theirs.session.mark(place.folder, place.kind, [mark])[0])
        assert place.pull(cursor).snapshot(mine.ref) is None
        done(place.update(revise(mine, title="still ours"))[0])

    # what the CRM tells once for all

    @only(Kind.EVENT)
    def test_the_feed_names_whom_a_change_concerns(
        self,
        adapter: Adapter,
        place: Place,
        principal: str,
        colleague: str,
        colleagues_own: str,
    ) -> None:
        """Created, edited, left or deleted: everybody concerned before or after is named."""
        feed = _feed(adapter)
        nothing, cursor = feed.hints("")
        assert nothing == ()
        (mine,) = place.create(_with(colleagues_own))
        cursor = _concerns(feed, cursor, mine.ref, principal, colleague)
        place.edit(mine, title="later")
        cursor = _concerns(feed, cursor, mine.ref, principal, colleague)
        place.edit(place.read(mine.ref), attendees=())
        cursor = _concerns(feed, cursor, mine.ref, principal, colleague)
        done(place.remove(place.read(mine.ref))[0])
        cursor = _concerns(feed, cursor, mine.ref, principal)
        assert feed.hints(cursor)[0] == ()

    def test_the_feed_says_when_it_forgot(self, adapter: Adapter) -> None:
        """A cursor it can't use is an error, not silence."""
        with pytest.raises(errors.CursorExpired):
            _feed(adapter).hints(self.lost_cursor)

    def test_users_are_known_by_any_spelling_of_their_address(
        self, adapter: Adapter, colleague: str, colleagues_own: str
    ) -> None:
        """Upper and lower case don't matter; strangers are left out."""
        asked = [colleagues_own.upper(), "stranger@example.net"]
        assert dict(_people(adapter).users(asked)) == {colleagues_own.casefold(): colleague}

    @only(Kind.CONTACT)
    def test_contacts_are_known_unless_ambiguous(self, adapter: Adapter, place: Place) -> None:
        """An address that two contacts share names neither."""
        one, both = f"{new_key()}@Example.net", f"{new_key()}@example.net"
        first, _ = place.create(
            Contact(full_name="One", mails=(Mailto(address=one), Mailto(address=both))),
            Contact(full_name="Two", mails=(Mailto(address=both.upper()),)),
        )
        found = _people(adapter).contacts([one.upper(), both, "nobody@example.net"])
        assert dict(found) == {one.casefold(): first.ref}


class Warden(Hand, Protocol):
    """Be a hand that takes rights and gives them back."""

    def deny(self, ref: str, user: str) -> None:
        """Take away every right on a record that is in the user's scope."""
        ...

    def allow(self, ref: str, user: str) -> None:
        """Give the rights back."""
        ...


class RightsContract(Users):
    """Check that lost rights delete nothing. Needs an `other_hand` with `deny` and `allow`."""

    def test_lost_rights_are_denied_not_deleted(
        self, place: Place, other_hand: Warden, principal: str
    ) -> None:
        """Whatever is asked, the answer is `Denied`; the record is there again with the rights."""
        (made,) = place.create(plain(place.kind, "ours"))
        first = place.pull()
        other_hand.deny(made.ref, principal)
        seen = [
            place.fetch(Ask(ref=made.ref))[0],
            place.pull(first.cursor).observations.get(made.ref),
            place.pull().observations.get(made.ref),
        ]
        assert isinstance(seen[0], Denied)
        assert all(isinstance(one, Denied | None) for one in seen)
        (answer,) = place.update(revise(made, **{title_field(place.kind): "no"}))
        assert isinstance(answer, errors.Denied)
        other_hand.allow(made.ref, principal)
        assert place.read(made.ref).item == made.item
        (again,) = place.fetch(Ask(ref=made.ref))
        assert isinstance(again, Seen)


class Chooser(Hand, Protocol):
    """Be a hand that edits the users' sync lists."""

    def choose(self, ref: str, user: str) -> None:
        """Put a contact on a user's list."""
        ...

    def unchoose(self, ref: str, user: str) -> None:
        """Take a contact off a user's list."""
        ...


class SyncListContract(Users):
    """Check the contacts a user covers or chose. Needs `choose` and `unchoose`."""

    @only(Kind.CONTACT)
    def test_a_chosen_contact_comes_and_goes_without_being_deleted(
        self, place: Place, theirs: Place, other_hand: Chooser, colleague: str
    ) -> None:
        """Chosen, it is in the next delta; taken off the list, it is `OutOfScope`."""
        (made,) = place.create(plain(place.kind, "customer"))
        before = theirs.pull()
        assert before.snapshot(made.ref) is None
        other_hand.choose(made.ref, colleague)
        chosen = theirs.pull(before.cursor)
        assert chosen.snapshot(made.ref) is not None
        other_hand.unchoose(made.ref, colleague)
        left = theirs.pull(chosen.cursor)
        assert isinstance(left.observations[made.ref], OutOfScope)
        assert isinstance(theirs.fetch(Ask(ref=made.ref))[0], OutOfScope)
        assert place.read(made.ref).item == made.item


def _with(address: str) -> Event:
    event = plain(Kind.EVENT, "together")
    assert isinstance(event, Event)
    return Event(
        title=event.title,
        start=event.start,
        end=event.end,
        time_zone=event.time_zone,
        attendees=(Attendee(address=address),),
    )


def _feed(adapter: Any) -> Feed:
    assert isinstance(adapter, Feed)
    return adapter


def _people(adapter: Any) -> People:
    people: People = adapter
    return people


def _concerns(feed: Feed, cursor: str, ref: str, *users: str) -> str:
    hints, after = feed.hints(cursor)
    named = {user for hint in hints if hint.ref == ref for user in hint.principals}
    assert set(users) <= named
    return after
