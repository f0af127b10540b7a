"""What is known of files on pairs: due when their items change, encrypted, gone with their link."""

from __future__ import annotations

from sqlalchemy import select, update

from accord.model.files import PHOTO
from accord.state import State
from accord.state.files import FilesOf, Hanging
from accord.state.schema import FILES
from tests.unit.state.build import pairing

KNOWN = FilesOf(
    agreed=(("the merger.pdf", "d1"),),
    crm=(Hanging(uri="stored:1", name="the merger.pdf", size=3, digest="d1"),),
    left=("large.pdf: too large",),
)


def test_pairs_that_hold_files_are_due_until_they_are_looked_at(state: State) -> None:
    with state.begin() as tx:
        tx.files.expect("a", ["p1", "p2"], ["p3"])
        assert tx.files.due("a") == ["p1", "p2"]
        assert tx.files.due("b") == []
        tx.files.put("a", "p1", KNOWN)
        assert tx.files.due("a") == ["p2"]
    with state.read() as tx:
        assert tx.files.get("p1") == KNOWN
        assert tx.files.get("p2") == FilesOf()
        assert tx.files.get("p3") is None


def test_a_pair_that_held_files_is_due_again_and_keeps_what_is_known(state: State) -> None:
    with state.begin() as tx:
        tx.files.put("a", "p1", KNOWN)
        tx.files.put("a", "p2", KNOWN)
        tx.files.expect("a", ["p1"], ["p2", "p3"])
        assert tx.files.due("a") == ["p1", "p2"]
        assert tx.files.get("p1") == tx.files.get("p2") == KNOWN


def test_pairs_that_are_no_more_and_links_that_are_removed_leave_nothing(state: State) -> None:
    with state.begin() as tx:
        for pair, link in (("p1", "a"), ("p2", "a"), ("p3", "b")):
            tx.files.put(link, pair, KNOWN)
        tx.files.remove_many(["p1"])
        tx.links.remove("a")
        assert tx.db.execute(select(FILES.c.pairing)).scalars().all() == ["p3"]


def test_names_of_files_are_encrypted_also_after_the_key_was_changed(state: State) -> None:
    with state.begin() as tx:
        tx.files.put("a", "p1", KNOWN)
    state.rotate_keys(retire=True)
    with state.read() as tx:
        (data,) = tx.db.execute(select(FILES.c.data)).scalars().all()
        assert b"merger" not in data
        assert tx.files.get("p1") == KNOWN


def test_a_photo_counts_once_in_whatever_forms_its_sides_keep_it(state: State) -> None:
    with state.begin() as tx:
        tx.pairings.put_many("a", [pairing(1)])
        tx.files.put("a", "p1", FilesOf(agreed=((PHOTO, "large"), (PHOTO, "small"))))
        assert tx.files.agreed("a") == 1
        tx.db.execute(update(FILES).values(count=-1))
        assert tx.files.agreed("a") == 1


def test_agreed_files_are_counted_where_their_pairs_take_part(state: State) -> None:
    with state.begin() as tx:
        tx.pairings.put_many("a", [pairing(1), pairing(2), pairing(3, frozen="scope")])
        for number in (1, 2, 3):
            tx.files.put("a", f"p{number}", KNOWN)
        tx.files.expect("a", ["elsewhere"], [])
        assert tx.files.agreed("a") == 2
        assert tx.files.agreed("b") == 0
        # Of what was kept before there was a count nothing is known.
        tx.db.execute(update(FILES).values(count=-1))
        assert tx.files.agreed("a") == 2
