"""The contract of groupware adapters, and what to add to it where a hand can do more.

class TestMine(GroupwareContract, MovesContract): ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import pytest

from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Moved, Seen, Unknown
from accord.model.parts import Attendee, Person
from accord.ports import errors
from accord.ports.adapter import Ask, Draft, Written
from accord.testing.base import Contract, only
from accord.testing.finding import FindingCases
from accord.testing.listing import ListingCases
from accord.testing.place import Hand, Place, done, new_key, new_uid
from accord.testing.samples import BERLIN, at, plain, title_field
from accord.testing.writing import WritingCases


class GroupwareContract(WritingCases, FindingCases, ListingCases):
    """Be the suite every groupware adapter passes, over its real server or a stand-in."""

    @only(Kind.EVENT)
    def test_a_copy_of_somebody_elses_meeting_is_kept_whole_or_refused(
        self, place: Place, own: str
    ) -> None:
        """A side that can't store a foreign organizer refuses, and never becomes the organizer."""
        item = meeting(Person(address="host@example.org"), own)
        (answer,) = place.write(Draft(item=item, key=new_key()))
        if not place.traits.foreign_organizer:
            assert isinstance(answer, errors.Rejected)
            return
        organizer = place.read(done(answer).ref).item
        assert isinstance(organizer, Event)
        assert organizer.organizer is not None
        assert organizer.organizer.address == "host@example.org"


class Mover(Hand, Protocol):
    """Be a hand that moves items to another folder of the same kind."""

    def move(self, folder: str, kind: Kind, ref: str) -> str:
        """Move an item out of the folder and return the id of the folder it is in now."""
        ...


class MovesContract(Contract):
    """Check that what was moved is found. Needs an `other_hand` with `move`."""

    def test_a_moved_item_is_found_where_it_went(self, place: Place, other_hand: Mover) -> None:
        """The folder says that it left; asked for, it is `Moved`, with its new place."""
        (made,) = place.create(plain(place.kind, "moving"), marker="crm/x/1")
        first = place.pull()
        target = other_hand.move(place.folder, place.kind, made.ref)
        assert place.pull(first.cursor).left(made.ref)
        for ask in (
            Ask(ref=made.ref, uid=made.item.uid, marker=made.marker),
            Ask(ref=made.ref, uid=made.item.uid),
        ):
            (found,) = place.fetch(ask)
            assert isinstance(found, Moved)
            assert (found.folder, found.trash) == (target, False)
            there = place.session.fetch(target, place.kind, [Ask(ref=found.new_ref)])[0]
            assert isinstance(there, Seen)
            assert there.snapshot.item.uid == made.item.uid

    def test_what_moved_is_not_written(self, place: Place, other_hand: Mover) -> None:
        """Its old ref is gone for updates and deletes."""
        (made,) = place.create(plain(place.kind, "moving"))
        other_hand.move(place.folder, place.kind, made.ref)
        (answer,) = place.remove(made)
        assert isinstance(answer, errors.Gone)


class Spoiler(Hand, Protocol):
    """Be a hand that makes an item unreadable for programs."""

    def corrupt(self, folder: str, kind: Kind, ref: str) -> None:
        """Leave garbage under the ref, in a new version."""
        ...


class UnreadableContract(Contract):
    """Check that garbage harms nobody else. Needs an `other_hand` with `corrupt`."""

    def test_unreadable_items_are_unknown_not_missing(
        self, place: Place, other_hand: Spoiler
    ) -> None:
        """They are named, with the reason, in listings, deltas and fetches; the rest is read."""
        bad, good = place.create(plain(place.kind, "bad"), plain(place.kind, "good"))
        first = place.pull()
        other_hand.corrupt(place.folder, place.kind, bad.ref)
        (fetched,) = place.fetch(Ask(ref=bad.ref))
        delta, everything = place.pull(first.cursor), place.pull()
        for found in (fetched, delta.observations[bad.ref], everything.observations[bad.ref]):
            assert isinstance(found, Unknown)
            assert found.why
        assert isinstance(everything.observations[good.ref], Seen)

    def test_an_unreadable_item_is_not_written_over(
        self, place: Place, other_hand: Spoiler
    ) -> None:
        """What we can't read we neither update nor delete in its old version."""
        (bad,) = place.create(plain(place.kind, "bad"))
        other_hand.corrupt(place.folder, place.kind, bad.ref)
        (answer,) = place.remove(bad)
        assert isinstance(answer, errors.Stale)
        assert isinstance(place.fetch(Ask(ref=bad.ref))[0], Unknown)


class Planter(Hand, Protocol):
    """Be a hand that stores on an item what Accord has no field for."""

    def plant(self, folder: str, kind: Kind, ref: str) -> Any:
        """Store it and return something to compare."""
        ...

    def planted(self, folder: str, kind: Kind, ref: str) -> Any:
        """Return what is there of it now."""
        ...


class PlantContract(Contract):
    """Check that foreign data survives. Needs an `other_hand` with `plant` and `planted`."""

    def test_what_accord_has_no_field_for_survives_an_update(
        self, place: Place, other_hand: Planter
    ) -> None:
        """Another program's data is still there after our change."""
        (made,) = place.create(plain(place.kind, "before"))
        planted = other_hand.plant(place.folder, place.kind, made.ref)
        assert planted
        place.edit(place.read(made.ref), **{title_field(place.kind): "after"})
        assert other_hand.planted(place.folder, place.kind, made.ref) == planted


class MailContract(Contract):
    """Check that writes are silent unless told otherwise.

    Needs the fixture `mailed`: a call that returns the addresses mailed so far, oldest first.
    """

    guests = ("bea@example.com", "carl@example.com")

    @pytest.fixture
    def mailed(self) -> Callable[[], list[str]]:
        """Return what tells who was mailed; override this."""
        raise NotImplementedError("override the fixture `mailed`")

    @only(Kind.EVENT)
    def test_silent_create_mails_nobody(
        self, place: Place, own: str, mailed: Callable[[], list[str]]
    ) -> None:
        """Neither creating a meeting, nor moving it, nor deleting it mails, unless allowed to."""
        before = mailed()
        (made,) = place.create(meeting(Person(address=own), *self.guests))
        place.edit(made, start=at("2026-03-03T09:00"), end=at("2026-03-03T10:00"))
        done(place.remove(place.read(made.ref))[0])
        assert mailed() == before

    @only(Kind.EVENT)
    def test_a_silent_item_says_so_where_the_server_would_mail(
        self, place: Place, own: str
    ) -> None:
        """A plan can then tell whether a change would be mailed."""
        (made,) = place.create(meeting(Person(address=own), *self.guests))
        assert made.silent or not place.traits.schedules

    @only(Kind.EVENT)
    def test_an_allowed_create_mails_each_attendee_once(
        self, place: Place, own: str, mailed: Callable[[], list[str]]
    ) -> None:
        """Where the rule allows invitations, the server sends exactly one to each."""
        before = mailed()
        item = meeting(Person(address=own), *self.guests)
        draft = Draft(item=item, key=new_key(), notify=True)
        assert isinstance(place.write(draft)[0], Written)
        assert isinstance(place.write(draft)[0], Written)
        assert sorted(mailed()[len(before) :]) == sorted(self.guests)


def meeting(organizer: Person, *guests: str) -> Event:
    """Return a meeting with some guests and a uid of its own."""
    event = Event(
        uid=new_uid(),
        title="meeting",
        start=at("2026-03-02T09:00"),
        end=at("2026-03-02T10:00"),
        time_zone=BERLIN,
        organizer=organizer,
    )
    attendees = tuple(Attendee(address=guest) for guest in guests)
    return msgspec.structs.replace(event, attendees=attendees)
