"""The files of a pair, row by row: added, taken off, changed, not to be told, one way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.engine.files import File, Sums, compare, steps_of
from accord.engine.plan import Hung
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
    assert {(step.side, step.ref, step.counterpart) for step in steps} == {(CRM, "c1", "g1")}
