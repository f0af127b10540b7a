"""The files of a pair, row by row: added, taken off, changed, not to be told, one way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.engine.files import File, Sums, Ways, compare, compare_photo, steps_of
from accord.engine.plan import Hung
from accord.model.files import PHOTO
from accord.model.kinds import Side
from tests.unit.engine.kit import event, pairing

CRM, MAILBOX = Side.CRM, Side.GROUPWARE
BOTH = frozenset(Side)


def named(text: str) -> frozenset[File]:
    """Return files: `a` is one, `a2` another content under its name."""
    return frozenset(File(each[0], each) for each in text.split())


ROWS = [
    # base, CRM, mailbox, whole, open to; CRM lacks, loses, mailbox lacks, loses; agreed
    ("", "", "", BOTH, BOTH, "", "", "", "", ""),
    ("", "a", "", BOTH, BOTH, "", "", "a", "", "a"),
    ("", "", "a", BOTH, BOTH, "a", "", "", "", "a"),
    ("", "a", "a", BOTH, BOTH, "", "", "", "", "a"),
    ("", "a", "b", BOTH, BOTH, "b", "", "a", "", "a b"),
    ("a", "a", "", BOTH, BOTH, "", "a", "", "", ""),
    ("a", "", "a", BOTH, BOTH, "", "", "", "a", ""),
    ("a", "", "", BOTH, BOTH, "", "", "", "", ""),
    ("a", "a2", "a", BOTH, BOTH, "", "", "a2", "a", "a2"),
    ("a", "a2", "a3", BOTH, BOTH, "a3", "", "a2", "", "a2 a3"),
    # what can't be told is not gone
    ("a", "a", "", {CRM}, BOTH, "", "", "", "", "a"),
    ("a", "", "a", {MAILBOX}, BOTH, "", "", "", "", "a"),
    ("a", "", "a", {CRM}, BOTH, "", "", "", "a", ""),
    # one way only
    ("", "a", "b", BOTH, {CRM}, "b", "", "", "", "b"),
    ("", "a", "b", BOTH, {MAILBOX}, "", "", "a", "", "a"),
    ("a", "a", "", BOTH, {MAILBOX}, "", "", "", "", "a"),
    ("a", "", "a", BOTH, {CRM}, "", "", "", "", "a"),
    ("a", "a", "", BOTH, {CRM}, "", "a", "", "", ""),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " | ".join(map(str, row[:3])))
def test_what_is_done(row: tuple[str, ...]) -> None:
    base, crm, mailbox, whole, open_to, *wanted = row
    held = {CRM: named(crm), MAILBOX: named(mailbox)}
    sums = compare(named(base), held, whole=whole, open_to=open_to)  # type: ignore[arg-type]
    done = [each for side in (CRM, MAILBOX) for each in (sums.lacks[side], sums.loses[side])]
    assert [*done, sums.agreed] == [named(each) for each in wanted]


FILES = st.frozensets(st.sampled_from(sorted(named("a a2 b b2 c"))))
SIDES = st.frozensets(st.sampled_from(list(Side)))


@given(base=FILES, crm=FILES, mailbox=FILES, whole=SIDES, open_to=SIDES)
def test_a_second_time_nothing_is_left_to_do(
    base: frozenset[File],
    crm: frozenset[File],
    mailbox: frozenset[File],
    whole: frozenset[Side],
    open_to: frozenset[Side],
) -> None:
    held = {CRM: crm, MAILBOX: mailbox}
    sums = compare(base, held, whole=whole, open_to=open_to)
    after = {side: (held[side] | sums.lacks[side]) - sums.loses[side] for side in Side}
    again = compare(sums.agreed, after, whole=whole, open_to=open_to)
    assert not any(again.lacks.values())
    assert not any(again.loses.values())
    assert again.agreed == sums.agreed
    if whole == open_to == BOTH:
        assert after[CRM] == after[MAILBOX]


@given(base=FILES, crm=FILES, mailbox=FILES)
def test_what_only_one_side_ever_had_is_never_taken_off(
    base: frozenset[File], crm: frozenset[File], mailbox: frozenset[File]
) -> None:
    sums = compare(base, {CRM: crm, MAILBOX: mailbox}, whole=BOTH, open_to=BOTH)
    assert (sums.loses[CRM] | sums.loses[MAILBOX]) <= base


@pytest.mark.parametrize(
    ("crm", "mailbox", "agreed", "apart"),
    [("a", "", "", "a"), ("", "a", "", "a"), ("a", "a", "a", ""), ("", "", "", "")],
)
def test_what_is_to_stay_apart_does_so_while_one_side_alone_has_it(
    crm: str, mailbox: str, agreed: str, apart: str
) -> None:
    held = {CRM: named(crm), MAILBOX: named(mailbox)}
    sums = compare((), held, whole=BOTH, open_to=BOTH, apart=named("a"))
    assert not any((*sums.lacks.values(), *sums.loses.values()))
    assert (sums.agreed, sums.apart) == (named(agreed), named(apart))


def test_what_comes_under_the_name_of_what_goes_replaces_it() -> None:
    old, new = Hung(name="a", digest="a1", kept="k"), Hung(name="a", digest="a2", kept="k2")
    gone, more = Hung(name="b", digest="b"), Hung(name="c", digest="c")
    sums = Sums(
        lacks={CRM: frozenset({File("a", "a2"), File("c", "c")}), MAILBOX: frozenset()},
        loses={CRM: frozenset({File("a", "a1"), File("b", "b")}), MAILBOX: frozenset()},
        agreed=frozenset(),
    )
    steps = steps_of(sums, {CRM: [old, gone], MAILBOX: [new, more, more]}, pairing(event()), "x")
    assert [step.name for step in steps] == ["detach", "replace", "attach"], "room comes first"
    bare = Hung(name="a", digest="a2")
    assert [(step.before, step.after) for step in steps] == [
        (gone, None),
        (old, bare),
        (None, more),
    ]


@pytest.mark.parametrize(("side", "place"), [(CRM, "mailbox"), (MAILBOX, "CRM")])
@pytest.mark.parametrize(("name", "word"), [("a", "file"), (PHOTO, "photo")])
def test_a_step_says_what_became_of_which_items_file(
    side: Side, place: str, name: str, word: str
) -> None:
    pair, old, new = pairing(event()), Hung(name=name, digest="1"), Hung(name=name, digest="2")

    def why(*, lacks: str = "", loses: str = "") -> str:
        sums = Sums(
            lacks={side: frozenset(File(name, each) for each in lacks), side.other: frozenset()},
            loses={side: frozenset(File(name, each) for each in loses), side.other: frozenset()},
            agreed=frozenset(),
        )
        (step,) = steps_of(sums, {side: [old], side.other: [new]}, pair, "Review")
        assert (step.side, step.pairing, step.label) == (side, pair.id, "Review")
        assert (step.ref, step.counterpart) == (pair.side(side).ref, pair.side(side.other).ref)
        return step.why

    assert why(lacks="2") == f"the {word} was hung on in the {place}"
    assert why(loses="1") == f"the {word} was taken off in the {place}"
    assert why(lacks="2", loses="1") == f"another {word} took its place in the {place}"


ASK = None
PHOTOS = [
    # base, seen in CRM and mailbox, now in CRM and mailbox, open to, winner, restore;
    # CRM gets, loses, mailbox gets, loses; agreed; clash
    ("", "", "", "", "", BOTH, CRM, False, "", "", "", "", "", False),
    ("", "", "", "a", "", BOTH, CRM, False, "", "", "a", "", "a", False),
    ("", "", "", "", "a", BOTH, CRM, False, "a", "", "", "", "a", False),
    ("", "", "", "a", "a", BOTH, CRM, False, "", "", "", "", "a", False),
    # two that never agreed: nobody's, until one is changed
    ("", "", "", "a", "b", BOTH, CRM, False, "", "", "", "", "", True),
    ("", "a", "b", "a", "b", BOTH, CRM, False, "", "", "", "", "", True),
    ("", "a", "b", "c", "b", BOTH, CRM, False, "", "", "c", "", "c", False),
    ("", "a", "b", "a", "c", BOTH, CRM, False, "c", "", "", "", "c", False),
    ("", "", "b", "a", "b", BOTH, CRM, False, "", "", "a", "", "a", False),
    # one side changed it or took it off
    ("a", "", "", "b", "a", BOTH, CRM, False, "", "", "b", "", "b", False),
    ("a", "", "", "a", "b", BOTH, CRM, False, "b", "", "", "", "b", False),
    ("a", "", "", "", "a", BOTH, CRM, False, "", "", "", "a", "", False),
    ("a", "", "", "a", "", BOTH, CRM, False, "", "a", "", "", "", False),
    ("a", "", "", "", "", BOTH, CRM, False, "", "", "", "", "", False),
    # both did
    ("a", "", "", "b", "c", BOTH, CRM, False, "", "", "b", "", "b", False),
    ("a", "", "", "b", "c", BOTH, MAILBOX, False, "c", "", "", "", "c", False),
    ("a", "", "", "b", "c", BOTH, ASK, False, "", "", "", "", "a", True),
    ("a", "", "", "b", "b", BOTH, ASK, False, "", "", "", "", "b", False),
    ("a", "", "", "b", "", BOTH, MAILBOX, False, "", "", "b", "", "b", False),
    ("a", "", "", "", "b", BOTH, CRM, False, "b", "", "", "", "b", False),
    # a side that keeps it in a form of its own
    ("a a2", "", "", "a", "a2", BOTH, CRM, False, "", "", "", "", "a a2", False),
    ("a a2", "", "", "b", "a2", BOTH, CRM, False, "", "", "b", "", "b", False),
    ("a a2", "", "", "", "a2", BOTH, CRM, False, "", "", "", "a2", "", False),
    # one way only
    ("", "", "", "", "b", {MAILBOX}, CRM, False, "", "", "", "", "", False),
    ("a", "", "", "a", "b", {MAILBOX}, CRM, False, "", "", "", "", "a", False),
    ("a", "", "", "a", "", {MAILBOX}, CRM, False, "", "", "", "", "a", False),
    ("a", "", "", "", "b", {MAILBOX}, CRM, False, "", "", "", "", "a", False),
    ("a", "", "", "c", "b", {MAILBOX}, ASK, False, "", "", "c", "", "c", False),
    ("a", "", "", "a", "b", {MAILBOX}, CRM, True, "", "", "a", "", "a", False),
    ("a", "", "", "a", "", {MAILBOX}, CRM, True, "", "", "a", "", "a", False),
    ("a", "", "", "b", "a", {MAILBOX}, CRM, True, "", "", "b", "", "b", False),
    ("", "", "", "", "b", {MAILBOX}, CRM, True, "", "", "", "", "", False),
]


@pytest.mark.parametrize("row", PHOTOS, ids=lambda row: " | ".join(map(str, row[:5])))
def test_what_is_done_about_a_photo(row: tuple[Any, ...]) -> None:
    base, crm_seen, mailbox_seen, crm, mailbox, open_to, winner, restore, *wanted, clash = row
    sums, clashes = compare_photo(
        named(base),
        {CRM: named(crm_seen), MAILBOX: named(mailbox_seen)},
        {CRM: named(crm), MAILBOX: named(mailbox)},
        Ways(open_to=open_to, winner=winner, restore=restore),
    )
    done = [each for side in (CRM, MAILBOX) for each in (sums.lacks[side], sums.loses[side])]
    assert [*done, sums.agreed] == [named(each) for each in wanted]
    assert clashes == clash


@pytest.mark.parametrize(
    # now in CRM and mailbox, apart; CRM gets, mailbox gets; agreed, apart
    "row",
    [
        ("a", "", "a", "", "", "", "a"),
        ("", "a", "a", "", "", "", "a"),
        ("a", "b", "a b", "", "", "", "a b"),
        ("a", "", "", "", "a", "a", ""),
        ("a", "c", "a b", "c", "", "c", ""),
        ("a", "", "b", "", "a", "a", ""),
        ("a", "a", "a", "", "", "a", ""),
        ("", "", "a", "", "", "", ""),
    ],
    ids=lambda row: " | ".join(row),
)
def test_what_an_undo_left_apart_stays_so_until_another_photo_comes(row: tuple[str, ...]) -> None:
    crm, mailbox, apart, *wanted = row
    sums, clash = compare_photo(
        (),
        {CRM: named("a"), MAILBOX: named("b")},
        {CRM: named(crm), MAILBOX: named(mailbox)},
        Ways(open_to=BOTH, winner=CRM),
        named(apart),
    )
    assert not any(sums.loses.values()), "what comes takes its place"
    told = [sums.lacks[CRM], sums.lacks[MAILBOX], sums.agreed, sums.apart]
    assert (told, clash) == ([named(each) for each in wanted], False)


def test_what_is_apart_stays_so_beside_what_may_not_come() -> None:
    held = {CRM: named("a"), MAILBOX: named("b")}
    ways = Ways(open_to={MAILBOX}, winner=CRM)
    sums, _ = compare_photo((), {CRM: named("a"), MAILBOX: named("")}, held, ways, named("a"))
    assert not any((*sums.lacks.values(), *sums.loses.values()))
    assert sums.apart == named("a")


FACE = st.sampled_from(["", "a", "b", "c"])


@given(
    agreed=FACE,
    faces=st.tuples(FACE, FACE, FACE, FACE),
    open_to=SIDES,
    winner=st.sampled_from([CRM, MAILBOX, None]),
    restore=st.booleans(),
)
def test_a_second_time_nothing_is_left_to_do_about_a_photo(
    agreed: str,
    faces: tuple[str, str, str, str],
    open_to: frozenset[Side],
    winner: Side | None,
    restore: bool,
) -> None:
    seen = {CRM: named(faces[0]), MAILBOX: named(faces[1])}
    held = {CRM: named(faces[2]), MAILBOX: named(faces[3])}
    ways = Ways(open_to=open_to, winner=winner, restore=restore)
    sums, _ = compare_photo(named(agreed), seen, held, ways)
    after = {side: sums.lacks[side] or held[side] - sums.loses[side] for side in Side}
    again, _ = compare_photo(sums.agreed, held, after, ways)
    assert not any(again.lacks.values())
    assert not any(again.loses.values())
    assert all(len(after[side]) <= 1 for side in Side)
