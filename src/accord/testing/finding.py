"""The promises about single items: fetch, lookup, mark, restore, and all the ways to be away."""

from __future__ import annotations

from msgspec.structs import replace

from accord.model.diff import changes, patch
from accord.model.observe import Deleted, Denied, Moved, OutOfScope, Seen, Unknown
from accord.ports import errors
from accord.ports.adapter import Ask, Draft, Mark, Question, Written
from accord.ports.clock import Dated
from accord.testing.base import Contract
from accord.testing.place import Hand, Place, done, new_key, new_uid
from accord.testing.samples import plain, samples, title_field


class FindingCases(Contract):
    """Check fetch, lookup, mark and restore."""

    def test_fetch_answers_each_ask_in_order(self, place: Place) -> None:
        """As many answers as questions, each for its own ref, repeated ones included."""
        one, other = place.create(plain(place.kind, "one"), plain(place.kind, "other"))
        missing = self.missing_ref(one.ref)
        asks = [Ask(ref=ref) for ref in (other.ref, missing, one.ref, other.ref)]
        found = place.fetch(*asks)
        titles = [
            getattr(seen.snapshot.item, title_field(place.kind)) if isinstance(seen, Seen) else None
            for seen in found
        ]
        assert titles == ["other", None, "one", "other"]

    def test_fetch_and_listing_agree(self, place: Place, own: str) -> None:
        """An item looks the same wherever it is read."""
        (made,) = place.create(samples(place.kind, own)["much at once"], marker="crm/x/1")
        listed = place.pull().snapshot(made.ref)
        assert listed is not None
        assert (listed.version, listed.marker) == (made.version, made.marker)
        assert changes(made.item, listed.item) == ()
        assert listed.item.uid == made.item.uid

    def test_when_an_item_was_edited_is_told_of_its_present_version_only(
        self, place: Place
    ) -> None:
        """Where listings leave it out it can be asked; of another version nothing is said."""
        session = place.session
        if not isinstance(session, Dated):
            return
        (made,) = place.create(plain(place.kind, "here"))
        told = session.edited([made])
        assert all(moment.tzinfo is not None for moment in told.values())
        assert set(told) <= {made.ref}
        assert session.edited([replace(made, version=f"{made.version}0")]) == {}

    def test_fetch_of_a_missing_ref_says_deleted_or_unknown(self, place: Place) -> None:
        """A ref that was never there is no error, no item and no move."""
        (made,) = place.create(plain(place.kind, "here"))
        (found,) = place.fetch(Ask(ref=self.missing_ref(made.ref), uid=new_uid(), marker="a/b/c"))
        assert isinstance(found, Deleted | Unknown | Denied | OutOfScope)
        assert isinstance(place.fetch(Ask(ref=made.ref))[0], Seen)

    def test_a_deleted_item_is_named_as_the_traits_say(self, place: Place) -> None:
        """In the trash it is `Moved` there; without one it is `Deleted`."""
        (made,) = place.create(plain(place.kind, "here"), marker="crm/x/1")
        done(place.remove(made)[0])
        (found,) = place.fetch(Ask(ref=made.ref, uid=made.item.uid, marker=made.marker))
        if place.traits.trash:
            assert isinstance(found, Moved)
            assert found.trash
        else:
            assert isinstance(found, Deleted)

    def test_a_deleted_item_comes_back_only_under_its_own_ref(self, place: Place, own: str) -> None:
        """Restoring gives the same item under the same ref, or says Gone and does nothing."""
        (made,) = place.create(samples(place.kind, own)["much at once"])
        done(place.remove(made)[0])
        answer = place.session.restore(place.folder, place.kind, made.ref)
        if place.traits.restores:
            assert done(answer).ref == made.ref
            assert changes(made.item, place.read(made.ref).item) == ()
        else:
            assert isinstance(answer, errors.Gone)
            assert not isinstance(place.fetch(Ask(ref=made.ref))[0], Seen)

    def test_lookup_answers_each_question_in_order(self, place: Place) -> None:
        """By key, marker or uid; what isn't there finds nothing and shifts nothing."""
        keys = [new_key(), new_key()]
        drafts = [
            Draft(
                item=patch(plain(place.kind, key), {"uid": new_uid()}), key=key, marker=f"m/{key}"
            )
            for key in keys
        ]
        one, other = [place.read(done(w).ref) for w in place.write(*drafts)]
        questions = [
            Question(key=keys[1]),
            Question(key=new_key()),
            Question(uid=one.item.uid),
            Question(marker=f"m/{keys[1]}"),
            Question(uid=new_uid()),
            Question(key=keys[0]),
        ]
        found = place.session.lookup(place.folder, place.kind, questions)
        refs = [[snapshot.ref for snapshot in many] for many in found]
        assert refs == [[other.ref], [], [one.ref], [other.ref], [], [one.ref]]
        assert changes(found[0][0].item, other.item) == ()
        assert found[0][0].version == other.version

    def test_lookup_finds_all_that_match(self, place: Place) -> None:
        """A copied marker is on two items, and both are told."""
        marker = new_key()
        made = place.create(plain(place.kind, "one"), plain(place.kind, "two"), marker=marker)
        (found,) = place.session.lookup(place.folder, place.kind, [Question(marker=marker)])
        assert sorted(one.ref for one in found) == sorted(one.ref for one in made)

    def test_lookup_does_not_find_what_was_deleted(self, place: Place) -> None:
        """Nothing deleted is ever offered for pairing."""
        key = new_key()
        draft = Draft(item=plain(place.kind, "soon gone"), key=key, marker=f"m/{key}")
        made = place.read(done(place.write(draft)[0]).ref)
        done(place.remove(made)[0])
        questions = [Question(key=key), Question(marker=f"m/{key}"), Question(uid=made.item.uid)]
        found = place.session.lookup(place.folder, place.kind, questions)
        assert [list(many) for many in found] == [[], [], []]

    def test_marking_changes_nothing_but_the_marker(self, place: Place, own: str) -> None:
        """The item stays as it is; the version that comes back is the one that stands."""
        one, two = place.create(samples(place.kind, own)["much at once"], plain(place.kind, "two"))
        marks = [Mark(ref=one.ref, marker="crm/x/1"), Mark(ref=two.ref, marker="crm/x/2")]
        answers = place.session.mark(place.folder, place.kind, marks)
        for before, mark, answer in zip((one, two), marks, answers, strict=True):
            after = place.read(before.ref)
            assert done(answer).ref == before.ref
            assert done(answer).version == after.version
            assert after.marker == mark.marker
            assert changes(before.item, after.item) == ()

    def test_an_empty_marker_takes_it_off(self, place: Place) -> None:
        """What is left alone from now on carries nothing of ours."""
        (made,) = place.create(plain(place.kind, "let go"), marker="crm/x/1")
        (answer,) = place.session.mark(place.folder, place.kind, [Mark(ref=made.ref, marker="")])
        after = place.read(made.ref)
        assert done(answer).version == after.version
        assert after.marker == ""
        assert changes(made.item, after.item) == ()
        question = Question(marker="crm/x/1")
        assert place.session.lookup(place.folder, place.kind, [question]) == [()]

    def test_a_foreign_item_is_marked_or_left_as_it_stands(
        self, place: Place, other_hand: Hand
    ) -> None:
        """A person's own item keeps its content, and we learn the version that stands."""
        ref = other_hand.add(place.folder, plain(place.kind, "theirs"))
        before = place.read(ref)
        mark = Mark(ref=ref, marker="crm/x/9")
        (answer,) = place.session.mark(place.folder, place.kind, [mark])
        after = place.read(ref)
        assert changes(before.item, after.item) == ()
        assert done(answer).version == after.version
        assert after.marker in ("", "crm/x/9")
        assert after.marker or after.version == before.version

    def test_marking_what_is_gone_says_gone(self, place: Place) -> None:
        """And the others are marked all the same."""
        one, two = place.create(plain(place.kind, "one"), plain(place.kind, "two"))
        done(place.remove(one)[0])
        marks = [Mark(ref=one.ref, marker="crm/x/1"), Mark(ref=two.ref, marker="crm/x/2")]
        gone, written = place.session.mark(place.folder, place.kind, marks)
        assert isinstance(gone, errors.Gone)
        assert isinstance(written, Written)
        assert place.read(two.ref).marker == "crm/x/2"

    def test_deleting_one_leaves_the_others(self, place: Place) -> None:
        """Even those that look exactly like it."""
        one, other = place.create(plain(place.kind, "same"), plain(place.kind, "same"))
        done(place.remove(one)[0])
        assert changes(other.item, place.read(other.ref).item) == ()
        assert place.pull().left(one.ref)
