"""The promises about writes: exact, once, in the version given, item by item."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.model.diff import changes, diff, patch
from accord.model.fields import default_of
from accord.model.observe import Seen, Snapshot
from accord.ports import errors
from accord.ports.adapter import Adapter, Ask, Draft, Question
from accord.testing.base import Contract, invented
from accord.testing.place import Hand, Place, done, new_key, new_uid, revise
from accord.testing.samples import plain, samples, title_field
from accord.testing.strategies import items


class WritingCases(Contract):
    """Check create, update and delete; `momentary` false is for servers that want a length."""

    momentary: ClassVar[bool] = True

    # what is written is what is there

    @given(data=st.data())
    @invented
    def test_read_back_equals_what_was_written_after_normalisation(
        self, place: Place, own: str, data: st.DataObject
    ) -> None:
        """Whatever an item holds, it is stored as the traits say."""
        made = items(place.kind, own, html=place.traits.html, momentary=self.momentary)
        item = data.draw(made.filter(self.takes))
        (read,) = place.create(item)
        assert changes(place.stored(item), read.item, place.writable) == ()

    def test_what_went_wrong_elsewhere_is_stored_here(
        self, place: Place, own: str, sample: str
    ) -> None:
        """The named items are stored as the traits say, or refused whole."""
        item = samples(place.kind, own)[sample]
        if not self.takes(item):
            (answer,) = place.write(Draft(item=item, key=new_key()))
            assert isinstance(answer, errors.Rejected)
            assert place.pull().refs == []
            return
        (read,) = place.create(item)
        assert changes(place.stored(item), read.item, place.writable) == ()

    @given(data=st.data())
    @invented
    def test_an_update_stores_exactly_the_change(
        self, place: Place, own: str, data: st.DataObject
    ) -> None:
        """Any item can be changed into any other of its kind, under its own ref."""
        invented_ones = items(place.kind, own, html=place.traits.html, momentary=self.momentary)
        made = invented_ones.filter(self.takes)
        (before,) = place.create(data.draw(made))
        wanted = place.stored(data.draw(made))
        fields = diff(before.item, wanted, place.writable)
        written = place.edit(before, **{name: getattr(wanted, name) for name in fields})
        after = place.read(before.ref)
        assert written.ref == before.ref
        assert changes(wanted, after.item, place.writable) == ()
        assert after.item.uid == before.item.uid

    def test_every_field_can_be_emptied(self, place: Place, own: str) -> None:
        """An update takes away what is to say nothing."""
        item = samples(place.kind, own)["much at once"]
        (before,) = place.create(item)
        kept = {"start", "end", "due", "time_zone", "all_day", "full_name", "family", "given"}
        names = [n for n in diff(before.item, plain(place.kind, "")) if n not in kept]
        fields = [name for name in names if name in place.writable and name != "extras"]
        empty = {name: default_of(place.kind, name) for name in fields}
        place.edit(before, **empty)
        assert changes(patch(before.item, empty), place.read(before.ref).item) == ()

    def test_an_update_touches_only_what_changed(self, place: Place, own: str) -> None:
        """Changing the title leaves everything else as it was, to the letter."""
        (before,) = place.create(samples(place.kind, own)["much at once"])
        title = title_field(place.kind)
        place.edit(before, **{title: "Another"})
        assert diff(before.item, place.read(before.ref).item) == (title,)

    def test_unknown_fields_survive_an_update(self, place: Place) -> None:
        """Own fields in the namespaces that the side keeps outlive a change of the title."""
        extras = {f"{name}:X-ACCORD-TEST": "kept" for name in place.traits.extras}
        item = patch(plain(place.kind, "before"), {"extras": {**extras, "foreign:X": "dropped"}})
        (before,) = place.create(item)
        assert changes(place.stored(item), before.item, ["extras"]) == ()
        place.edit(before, **{title_field(place.kind): "after"})
        after = place.read(before.ref).item
        assert after.extras == before.item.extras
        assert getattr(after, title_field(place.kind)) == "after"

    def test_a_text_is_cut_only_where_the_traits_say_so(self, place: Place) -> None:
        """A long title is stored whole, or cut exactly at the declared limit."""
        field = title_field(place.kind)
        longest = "x" * (place.traits.limits.get(field, 240) + 15)
        (read,) = place.create(plain(place.kind, longest))
        assert getattr(read.item, field) == longest[: place.traits.limits.get(field)]

    def test_a_given_uid_is_kept_as_the_traits_say(self, place: Place) -> None:
        """A uid stays, or the side gives one of its own; none is ever empty."""
        uid = new_uid()
        (read,) = place.create(patch(plain(place.kind, "uid"), {"uid": uid}))
        (none,) = place.create(plain(place.kind, "none"))
        assert (read.item.uid == uid) is place.traits.uid_kept
        assert read.item.uid
        assert none.item.uid

    # once

    def test_creating_twice_under_one_key_gives_one_item(
        self, adapter: Adapter, principal: str, place: Place
    ) -> None:
        """A second create, even from another session with other content, changes nothing."""
        key, title = new_key(), title_field(place.kind)
        first = done(place.write(Draft(item=plain(place.kind, "first"), key=key))[0])
        again = done(place.write(Draft(item=plain(place.kind, "again"), key=key))[0])
        with adapter.open(principal) as other:
            there = Place(other, place.folder, place.kind, place.traits)
            third = done(there.write(Draft(item=plain(place.kind, "third"), key=key))[0])
        assert again.ref == third.ref == first.ref
        assert getattr(place.read(first.ref).item, title) == "first"
        titles = [getattr(s.item, title) for s in _all(place)]
        assert titles.count("first") == 1
        assert "again" not in titles
        assert "third" not in titles

    def test_one_key_twice_in_a_batch_gives_one_item(self, place: Place) -> None:
        """Neither does a batch that repeats itself."""
        draft = Draft(item=plain(place.kind, "twice"), key=new_key())
        one, other = place.write(draft, draft)
        assert done(one).ref == done(other).ref
        assert sum(getattr(s.item, title_field(place.kind)) == "twice" for s in _all(place)) == 1

    def test_two_keys_give_two_items(self, place: Place) -> None:
        """Equal items are not the same item."""
        one, other = place.create(plain(place.kind, "same"), plain(place.kind, "same"))
        assert one.ref != other.ref

    # in the version given

    def test_a_write_says_the_version_that_stands(self, place: Place) -> None:
        """Versions and snapshots that a write returns are those that a read finds."""
        draft = Draft(item=plain(place.kind, "one"), key=new_key())
        created = done(place.write(draft)[0])
        before = place.read(created.ref)
        updated = place.edit(before, **{title_field(place.kind): "two"})
        after = place.read(created.ref)
        assert before.version != after.version != ""
        for written, stands in ((created, before), (updated, after)):
            assert written.version in ("", stands.version)
            assert written.snapshot is None or written.snapshot.item == stands.item

    def test_a_stale_update_changes_nothing(self, place: Place, other_hand: Hand) -> None:
        """Somebody was faster: the answer is Stale, and their edit stands."""
        field = title_field(place.kind)
        (before,) = place.create(plain(place.kind, "ours"))
        other_hand.edit(place.folder, place.kind, before.ref, **{field: "theirs"})
        (answer,) = place.update(revise(before, **{field: "too late"}))
        assert isinstance(answer, errors.Stale)
        assert getattr(place.read(before.ref).item, field) == "theirs"

    def test_a_stale_delete_deletes_nothing(self, place: Place, other_hand: Hand) -> None:
        """Somebody edited what we are about to delete: it stays."""
        field = title_field(place.kind)
        (before,) = place.create(plain(place.kind, "ours"))
        other_hand.edit(place.folder, place.kind, before.ref, **{field: "theirs"})
        (answer,) = place.remove(before)
        assert isinstance(answer, errors.Stale)
        assert getattr(place.read(before.ref).item, field) == "theirs"

    def test_writing_what_is_gone_says_gone(self, place: Place, other_hand: Hand) -> None:
        """Neither an update nor a delete brings a deleted item back."""
        (before,) = place.create(plain(place.kind, "here"))
        other_hand.delete(place.folder, place.kind, before.ref)
        (update,) = place.update(revise(before, **{title_field(place.kind): "again"}))
        (delete,) = place.remove(before)
        assert isinstance(update, errors.Gone)
        assert isinstance(delete, errors.Gone)
        assert not isinstance(place.fetch(Ask(ref=before.ref))[0], Seen)

    # item by item

    def test_a_batch_answers_item_by_item(self, place: Place, other_hand: Hand) -> None:
        """In order; what can't be done doesn't stop the rest."""
        field = title_field(place.kind)
        one, stale, gone, four = place.create(*(plain(place.kind, f"{n}") for n in range(4)))
        other_hand.edit(place.folder, place.kind, stale.ref, **{field: "theirs"})
        other_hand.delete(place.folder, place.kind, gone.ref)
        batch = [revise(each, **{field: "done"}) for each in (one, stale, gone, four)]
        answers = place.update(*batch)
        assert done(answers[0]).ref == one.ref
        assert isinstance(answers[1], errors.Stale)
        assert isinstance(answers[2], errors.Gone)
        assert done(answers[3]).ref == four.ref
        titles = [getattr(place.read(s.ref).item, field) for s in (one, stale, four)]
        assert titles == ["done", "theirs", "done"]

    def test_a_batch_deletes_item_by_item(self, place: Place, other_hand: Hand) -> None:
        """Deleting some leaves the others, and says of each what happened."""
        one, gone, stays, four = place.create(*(plain(place.kind, f"{n}") for n in range(4)))
        other_hand.delete(place.folder, place.kind, gone.ref)
        answers = place.remove(one, gone, four)
        assert done(answers[0]).ref == one.ref
        assert isinstance(answers[1], errors.Gone)
        assert done(answers[2]).ref == four.ref
        found = place.fetch(*(Ask(ref=each.ref) for each in (one, stays, four)))
        assert [isinstance(each, Seen) for each in found] == [False, True, False]

    def test_a_full_batch_is_taken(self, adapter: Adapter, place: Place) -> None:
        """As many items as the traits allow fit into one call, each under its own ref."""
        count = min(adapter.traits.batch, 25)
        made = place.create(*(plain(place.kind, f"item {n}") for n in range(count)))
        assert len({one.ref for one in made}) == count
        names = [getattr(one.item, title_field(place.kind)) for one in made]
        assert names == [f"item {n}" for n in range(count)]

    @pytest.mark.parametrize("call", ["create", "update", "delete", "fetch", "lookup"])
    def test_an_empty_batch_has_no_answers(self, place: Place, call: str) -> None:
        """Asking for nothing is no error."""
        assert list(getattr(place.session, call)(place.folder, place.kind, [])) == []

    # the other side's id

    def test_markers_and_keys_are_found_on_the_item(self, place: Place) -> None:
        """What was embedded can be read back and looked up."""
        key, marker = new_key(), new_key()
        draft = Draft(item=plain(place.kind, "marked"), key=key, marker=marker)
        ref = done(place.write(draft)[0]).ref
        assert place.read(ref).marker == marker
        for question in (Question(key=key), Question(marker=marker)):
            (found,) = place.session.lookup(place.folder, place.kind, [question])
            assert [one.ref for one in found] == [ref]

    def test_an_update_keeps_the_marker_or_writes_the_new_one(self, place: Place) -> None:
        """Without a marker the old one stays; with one it changes along."""
        field = title_field(place.kind)
        (before,) = place.create(plain(place.kind, "marked"), marker="crm/x/1")
        place.edit(before, **{field: "once"})
        kept = place.read(before.ref)
        assert kept.marker == "crm/x/1"
        done(place.update(revise(kept, marker="crm/x/2", **{field: "twice"}))[0])
        assert place.read(before.ref).marker == "crm/x/2"


def _all(place: Place) -> list[Snapshot]:
    found = place.pull().observations.values()
    return [one.snapshot for one in found if isinstance(one, Seen)]
