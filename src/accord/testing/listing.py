"""The promises about pulls: everything once, nothing inferred, nothing lost between two pulls."""

from __future__ import annotations

from accord.model.observe import Completeness, Deleted, Listing, Seen, Unchanged
from accord.ports.adapter import Adapter, Ask
from accord.testing.base import Contract
from accord.testing.place import Hand, Place, Pull, done
from accord.testing.samples import plain, title_field


class ListingCases(Contract):
    """Check changes: complete listings, deltas, cursors."""

    lost_cursor = "no-such-cursor"

    def test_an_empty_cursor_lists_everything(self, adapter: Adapter, place: Place) -> None:
        """Partial pages, then a complete one with the cursor to go on from."""
        count = min(adapter.traits.page + 1, 12)
        made = place.create(*(plain(place.kind, f"item {n}") for n in range(count)))
        pull = place.pull()
        kinds = [page.completeness for page in pull.pages]
        assert kinds[-1] is Completeness.COMPLETE
        assert set(kinds[:-1]) <= {Completeness.PARTIAL}
        assert pull.cursor
        assert {one.ref for one in made} <= set(pull.observations)

    def test_pages_cover_everything_once(self, adapter: Adapter, place: Place) -> None:
        """No item is left out and none comes twice, however many pages there are."""
        size = adapter.traits.page
        count = min(size * 2 + 1, 30)
        made = place.create(*(plain(place.kind, f"item {n}") for n in range(count)))
        pull = place.pull()
        assert len(pull.refs) == len(set(pull.refs))
        assert {one.ref for one in made} <= set(pull.refs)
        assert all(len(page.observations) <= size for page in pull.pages)

    def test_nothing_changed_says_nothing_changed(self, place: Place) -> None:
        """A second pull names nothing as changed or gone, and its cursor works again."""
        made = place.create(plain(place.kind, "one"), plain(place.kind, "two"))
        first = place.pull()
        known = {one.ref: one.snapshot.version for one in _seen(first)}
        again = place.pull(first.cursor, known)
        third = place.pull(again.cursor, known)
        for pull in (again, third):
            assert pull.last.completeness in (Completeness.DELTA, Completeness.COMPLETE)
            assert all(isinstance(one, Unchanged) for one in pull.observations.values())
            assert not any(pull.left(one.ref) for one in made)

    def test_a_delta_names_what_was_added_edited_and_deleted(
        self, place: Place, other_hand: Hand
    ) -> None:
        """Each change since the cursor, and only as it stands now."""
        title = title_field(place.kind)
        edited, deleted, kept = place.create(
            plain(place.kind, "before"), plain(place.kind, "deleted"), plain(place.kind, "kept")
        )
        first = place.pull()
        known = {one.ref: one.snapshot.version for one in _seen(first)}
        added = other_hand.add(place.folder, plain(place.kind, "added"))
        other_hand.edit(place.folder, place.kind, edited.ref, **{title: "between"})
        other_hand.edit(place.folder, place.kind, edited.ref, **{title: "after"})
        other_hand.delete(place.folder, place.kind, deleted.ref)
        pull = place.pull(first.cursor, known)
        assert _title(pull, added, title) == "added"
        assert _title(pull, edited.ref, title) == "after"
        assert pull.left(deleted.ref)
        assert not pull.left(kept.ref)
        assert isinstance(pull.observations.get(kept.ref), Unchanged | None)

    def test_what_came_and_went_between_two_pulls_is_not_there(
        self, place: Place, other_hand: Hand
    ) -> None:
        """An item nobody saw may be named as gone, never as seen."""
        first = place.pull()
        ref = other_hand.add(place.folder, plain(place.kind, "short"))
        other_hand.delete(place.folder, place.kind, ref)
        assert place.pull(first.cursor).snapshot(ref) is None

    def test_absence_from_a_delta_is_not_a_deletion(self, place: Place, other_hand: Hand) -> None:
        """An item that a delta doesn't mention is there and says so when asked."""
        (quiet,) = place.create(plain(place.kind, "quiet"))
        first = place.pull()
        known = {one.ref: one.snapshot.version for one in _seen(first)}
        other_hand.add(place.folder, plain(place.kind, "loud"))
        pull = place.pull(first.cursor, known)
        assert not pull.left(quiet.ref)
        assert isinstance(pull.observations.get(quiet.ref), Unchanged | None)
        assert place.read(quiet.ref) == quiet

    def test_our_own_writes_come_back_in_the_version_we_were_told(self, place: Place) -> None:
        """So that an echo can be told from somebody's edit."""
        first = place.pull()
        (made,) = place.create(plain(place.kind, "ours"))
        back = place.pull(first.cursor).snapshot(made.ref)
        assert back is not None
        assert back.version == made.version

    def test_unchanged_is_said_only_of_the_version_we_know(self, place: Place) -> None:
        """A known version may be answered briefly, any other is shown in full."""
        one, other = place.create(plain(place.kind, "one"), plain(place.kind, "other"))
        pull = place.pull("", {one.ref: one.version, other.ref: "another-version"})
        brief, full = pull.observations[one.ref], pull.observations[other.ref]
        assert isinstance(brief, Unchanged) or brief == Seen(one)
        assert isinstance(full, Seen)
        assert full.snapshot.version == other.version

    def test_a_change_during_a_pull_is_not_lost(
        self, adapter: Adapter, place: Place, other_hand: Hand
    ) -> None:
        """What happens between two pages is in this pull or in the next."""
        count = min(adapter.traits.page + 1, 12)
        made = place.create(*(plain(place.kind, f"item {n}") for n in range(count)))
        pages = place.pages()
        early = [next(pages)]
        first, last, title = made[0], made[-1], title_field(place.kind)
        for each in (first, last):
            other_hand.edit(place.folder, place.kind, each.ref, **{title: "meanwhile"})
        added = other_hand.add(place.folder, plain(place.kind, "added meanwhile"))
        pull = Pull(early + list(pages))
        later = place.pull(pull.cursor)
        for ref in (first.ref, last.ref, added):
            assert "meanwhile" in str(_title(later, ref, title) or _title(pull, ref, title))

    def test_a_deletion_during_a_pull_is_not_lost(
        self, adapter: Adapter, place: Place, other_hand: Hand
    ) -> None:
        """Neither is an item that goes while it is being listed."""
        count = min(adapter.traits.page + 1, 12)
        made = place.create(*(plain(place.kind, f"item {n}") for n in range(count)))
        pages = place.pages()
        early = [next(pages)]
        for each in (made[0], made[-1]):
            other_hand.delete(place.folder, place.kind, each.ref)
        pull = Pull(early + list(pages))
        later = place.pull(pull.cursor)
        for ref in (made[0].ref, made[-1].ref):
            assert later.left(ref) or (pull.left(ref) and later.snapshot(ref) is None)

    def test_the_same_cursor_gives_the_same_again(self, place: Place, other_hand: Hand) -> None:
        """Whoever stopped before keeping the new cursor gets everything once more."""
        (gone,) = place.create(plain(place.kind, "gone"))
        first = place.pull()
        ref = other_hand.add(place.folder, plain(place.kind, "added"))
        other_hand.delete(place.folder, place.kind, gone.ref)
        for _ in range(2):
            pull = place.pull(first.cursor)
            assert pull.snapshot(ref) is not None
            assert pull.left(gone.ref)

    def test_a_pull_can_go_on_from_any_page(self, adapter: Adapter, place: Place) -> None:
        """Where a page has a cursor, it and what follows that cursor are everything."""
        first = place.pull()
        count = min(adapter.traits.page * 2 + 1, 12)
        made = {s.ref for s in place.create(*(plain(place.kind, f"i{n}") for n in range(count)))}
        pages = place.pull(first.cursor).pages
        assert pages[-1].cursor
        for number, page in enumerate(pages):
            if page.cursor:
                so_far = {one.ref for each in pages[: number + 1] for one in each.observations}
                rest = set(place.pull(page.cursor).observations)
                assert made <= so_far | rest

    def test_a_full_pull_can_go_on_from_any_page(
        self, adapter: Adapter, place: Place, other_hand: Hand
    ) -> None:
        """Where a page has a cursor, the rest follows it, and what went since is told later."""
        count = min(adapter.traits.page * 2 + 1, 12)
        made = {s.ref for s in place.create(*(plain(place.kind, f"i{n}") for n in range(count)))}
        whole = place.pull()
        for number, page in enumerate(whole.pages[:-1]):
            if not page.cursor:
                continue
            before = {one.ref for each in whole.pages[: number + 1] for one in each.observations}
            gone = next(iter(made & before))
            other_hand.delete(place.folder, place.kind, gone)
            made.discard(gone)
            rest = place.pull(page.cursor)
            assert rest.last.completeness is Completeness.COMPLETE
            assert before.isdisjoint(rest.observations)
            assert made <= before | set(rest.observations)
            assert place.pull(rest.cursor).left(gone)

    def test_an_expired_cursor_says_lost(self, place: Place) -> None:
        """A cursor that the side can't use yields one page that says so, and nothing else."""
        place.create(plain(place.kind, "here"))
        pull = place.pull(self.lost_cursor)
        assert pull.pages == [Listing(completeness=Completeness.LOST)]

    def test_a_pull_with_nothing_changed_costs_the_same_at_any_size(
        self, adapter: Adapter, place: Place
    ) -> None:
        """The number of requests follows the number of changes."""
        costs = []
        for more in (1, 12):
            place.create(*(plain(place.kind, f"item {n}") for n in range(more)))
            first = place.pull()
            known = {one.ref: one.snapshot.version for one in _seen(first)}
            before = adapter.requests
            place.pull(first.cursor, known)
            costs.append(adapter.requests - before)
        assert costs[1] <= costs[0]

    def test_a_deleted_item_is_not_listed(self, place: Place) -> None:
        """In a listing of everything it isn't there, and a delta says that it went."""
        first = place.pull()
        gone, kept = place.create(plain(place.kind, "gone"), plain(place.kind, "kept"))
        middle = place.pull(first.cursor)
        done(place.remove(gone)[0])
        assert place.pull(middle.cursor).left(gone.ref)
        everything = place.pull().observations
        assert isinstance(everything.get(gone.ref), Deleted | None)
        assert isinstance(everything.get(kept.ref), Seen)
        assert not isinstance(place.fetch(Ask(ref=gone.ref))[0], Seen)


def _seen(pull: Pull) -> list[Seen]:
    return [one for one in pull.observations.values() if isinstance(one, Seen)]


def _title(pull: Pull, ref: str, field: str) -> str | None:
    snapshot = pull.snapshot(ref)
    return None if snapshot is None else str(getattr(snapshot.item, field))
