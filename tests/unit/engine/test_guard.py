"""The guard: mass effects, mail that no rule allows, and what people decided before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from accord.engine.guard import Waiting, await_approval, fingerprint, guard, subject
from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
    Hold,
    Pair,
    Plan,
    Skip,
    Step,
    Unpair,
    Update,
)
from accord.model.diff import FieldChange
from accord.model.kinds import Side
from accord.rules.rule import GuardLimits, Invitations
from tests.unit.engine.kit import BOB, CRM, EVE, GROUPWARE, event, rule_of, snap, words


def delete(number: int = 1, side: Side = GROUPWARE, **values: Any) -> Delete:
    before = snap(event(), ref=f"x{number}", version=values.pop("version", "1"))
    return Delete(side=side, pairing=f"p{number}", before=before, why="gone", **values)


def update(number: int = 1, side: Side = GROUPWARE, title: str = "New", **values: Any) -> Update:
    before = snap(event(), ref=f"x{number}", version=values.pop("version", "1"))
    return Update(
        side=side,
        pairing=f"p{number}",
        before=before,
        after=event(title),
        base=snap(event(title), ref=f"y{number}"),
        changes=(FieldChange(field="title", before="Review", after=title),),
        why="changed",
        **values,
    )


def create(number: int = 1, side: Side = GROUPWARE, **values: Any) -> Create:
    source = snap(event(), ref=f"n{number}", version=values.pop("version", "1"))
    item = values.pop("item", event())
    return Create(side=side, source=source, item=item, why="new", **values)


def unpair() -> Unpair:
    return Unpair(pairing="p1", crm="c1", groupware="g1", why="left")


def judged(
    steps: list[Step], pairings: int = 100, waiting: Waiting | None = None, **limits: Any
) -> list[Step]:
    rule = rule_of(guard=GuardLimits(**limits), invitations=Invitations.NEVER)
    plan = Plan(link="l1", steps=tuple(steps))
    result = guard(plan, rule, pairings, waiting or Waiting())
    assert result.link == "l1"
    assert len(result.steps) == len(steps), "one answer for each step, in its place"
    return list(result.steps)


def kinds(steps: list[Step]) -> str:
    return "".join(type(step).__name__[0] for step in steps)


@pytest.mark.parametrize(
    ("count", "pairings", "limits", "held"),
    [
        (10, 100, {}, False),
        (11, 100, {}, True),
        (3, 9, {}, False),  # a share of so few says nothing
        (3, 10, {}, True),  # 30 % of ten
        (2, 10, {}, False),
        (25, 100, {"deletes": 50}, False),
        (26, 100, {"deletes": 50}, True),
        (1, 100, {"deletes": 0}, True),
        (1, 10, {"share": 0.0}, True),
        (11, 1000, {"deletes": 11}, False),
    ],
)
def test_mass_deletions_are_held(
    count: int, pairings: int, limits: dict[str, Any], held: bool
) -> None:
    answers = judged([delete(n) for n in range(count)], pairings, **limits)
    assert kinds(answers) == ("H" if held else "D") * count


def test_a_mass_deletion_says_how_much_of_what() -> None:
    (hold,) = judged([delete()], deletes=0)
    assert isinstance(hold, Hold)
    assert hold.cause == (
        "mass deletion: 1 of 100 items would be deleted on the groupware side (allowed: 0 or 25%)"
    )
    assert (hold.held, hold.why) == (delete(), "gone")


def test_deletions_are_no_changes() -> None:
    steps: list[Step] = [update(n) for n in range(4)]
    steps += [delete(n) for n in range(4, 8)]
    assert kinds(judged(steps, updates=4)) == "UUUUDDDD"


def test_each_side_counts_for_itself() -> None:
    steps: list[Step] = [delete(n) for n in range(10)]
    steps += [delete(n, CRM) for n in range(10)]
    assert kinds(judged(steps, 1000)) == "D" * 20
    more = [*steps, delete(99, CRM)]
    assert kinds(judged(more, 1000)) == "D" * 10 + "H" * 11


@pytest.mark.parametrize(("count", "held"), [(5, False), (6, True)])
def test_mass_changes_are_held(count: int, held: bool) -> None:
    answers = judged([update(n) for n in range(count)], updates=5)
    assert kinds(answers) == ("H" if held else "U") * count
    if held:
        assert "mass change: 6 items would change on the groupware side" in answers[0].cause  # type: ignore[union-attr]


def test_holding_never_blocks_the_rest() -> None:
    steps: list[Step] = [delete(n) for n in range(11)]
    steps += [create(), update(50), Skip(side=CRM, ref="s", why="skipped"), unpair()]
    answers = judged(steps)
    assert kinds(answers) == "H" * 11 + "CUSU"


def test_creating_is_never_a_mass_effect() -> None:
    assert kinds(judged([create(n) for n in range(2000)])) == "C" * 2000


@pytest.mark.parametrize("step", [create(mails=(BOB,)), update(mails=(BOB,)), delete(mails=(BOB,))])
def test_unplanned_mail_is_held_with_the_addresses(step: Any) -> None:
    step = msgspec.structs.replace(step, mails=(BOB, EVE))
    (hold,) = judged([step])
    assert isinstance(hold, Hold)
    assert f"the server would write to {BOB}, {EVE}" in hold.cause
    plan = Plan(link="l", steps=(hold,))
    assert plan.mails == (BOB, EVE)
    assert plan.writes == ()
    allowed = rule_of(invitations=Invitations.ALLOW)
    assert guard(Plan(link="l", steps=(step,)), allowed, 100).steps == (step,)


# What people decided.


def test_what_was_approved_passes_if_it_is_identical() -> None:
    steps: list[Step] = [delete(n) for n in range(12)]
    approved = frozenset(fingerprint(step) for step in steps)
    assert judged(steps, waiting=Waiting(approved=approved)) == steps


def test_approved_mail_is_sent() -> None:
    step = update(mails=(BOB,))
    assert judged([step], waiting=Waiting(approved=frozenset({fingerprint(step)}))) == [step]


def test_what_was_approved_in_another_form_is_held_again() -> None:
    before = delete(version="1")
    waiting = Waiting(
        approved=frozenset({fingerprint(before)}), held={subject(before): "mass deletion"}
    )
    (hold,) = judged([delete(version="2")], waiting=waiting)
    assert isinstance(hold, Hold)
    assert hold.cause == "mass deletion"


def test_a_plan_that_grew_is_held_for_what_is_new() -> None:
    old: list[Step] = [delete(n) for n in range(12)]
    new: list[Step] = [delete(n) for n in range(12, 24)]
    approved = frozenset(fingerprint(step) for step in old)
    answers = judged([*old, *new], waiting=Waiting(approved=approved))
    assert kinds(answers) == "D" * 12 + "H" * 12


def test_what_was_approved_does_not_count_again() -> None:
    old: list[Step] = [delete(n) for n in range(12)]
    approved = frozenset(fingerprint(step) for step in old)
    answers = judged([*old, delete(50)], 1000, waiting=Waiting(approved=approved))
    assert kinds(answers) == "D" * 13


def test_what_is_held_stays_held_however_little_of_it_is_planned() -> None:
    waiting = Waiting(held={subject(delete(3)): "mass deletion: 30 of 100"})
    answers = judged([delete(3, version="7"), delete(4)], waiting=waiting)
    assert kinds(answers) == "HD"
    assert answers[0].cause == "mass deletion: 30 of 100"  # type: ignore[union-attr]


def test_what_was_refused_is_not_asked_again() -> None:
    for step in (delete(), update(), create(), unpair()):
        waiting = Waiting(refused=frozenset({fingerprint(step)}), held={subject(step): "mass"})
        (answer,) = judged([step], waiting=waiting)
        assert isinstance(answer, Skip), step
        assert answer.why == f"somebody said no to this: {step.why}"
        assert not answer.parked


def test_a_refusal_names_the_item_it_is_about() -> None:
    def refused(step: Any) -> tuple[Side, str, str, str]:
        (answer,) = judged([step], waiting=Waiting(refused=frozenset({fingerprint(step)})))
        assert isinstance(answer, Skip)
        return answer.side, answer.ref, answer.version, answer.pairing

    assert refused(delete()) == (GROUPWARE, "x1", "1", "p1")
    assert refused(update(side=CRM)) == (CRM, "x1", "1", "p1")
    assert refused(create()) == (CRM, "n1", "1", "")
    assert refused(unpair()) == (CRM, "c1", "", "p1")


def test_what_was_refused_in_another_form_is_asked_about() -> None:
    before = delete(version="1")
    waiting = Waiting(
        refused=frozenset({fingerprint(before)}), held={subject(before): "mass (said no before)"}
    )
    (answer,) = judged([delete(version="2")], waiting=waiting)
    assert isinstance(answer, Hold)


def test_steps_without_effect_pass() -> None:
    one = snap(event())
    steps: list[Step] = [
        Pair(crm=one, groupware=one, why="same"),
        Skip(side=CRM, ref="s", why="skipped"),
        Conflict(pairing="p", field="title", crm=one, groupware=one, why="clash"),
        unpair(),
    ]
    assert judged(steps, deletes=0, updates=0) == steps


def test_what_was_held_already_passes_as_it_is() -> None:
    hold = Hold(held=create(), cause="rule change", why="new")
    assert judged([hold]) == [hold]
    refused = Waiting(refused=frozenset({fingerprint(create())}))
    assert kinds(judged([hold], waiting=refused)) == "S"


# A changed rule.


def test_nothing_changes_by_a_rule_before_it_is_approved() -> None:
    steps: list[Step] = [
        create(), update(), delete(), unpair(), Skip(side=CRM, ref="s", why="skipped"),
    ]  # fmt: skip
    held = await_approval(steps, frozenset(), "rule change")
    assert words(held) == [
        "hold create groupware",
        "hold update groupware: title",
        "hold delete groupware",
        "hold unpair unlinked",
        "skip crm",
    ]
    assert {step.cause for step in held if isinstance(step, Hold)} == {"rule change"}
    assert [step.why for step in held] == [step.why for step in steps]


def test_of_a_changed_rule_only_what_is_identical_was_approved() -> None:
    approved = frozenset({fingerprint(update()), fingerprint(create())})
    held = await_approval([update(), update(title="Grown"), create()], approved, "rule change")
    assert kinds(list(held)) == "UHC"


# Fingerprints.


def test_a_fingerprint_is_the_act_the_item_and_the_outcome() -> None:
    marks = [
        fingerprint(step)
        for step in (
            create(),
            create(2),
            create(side=CRM),
            create(item=event("Other")),
            update(),
            update(2),
            update(side=CRM),
            update(title="Other"),
            update(version="2"),
            delete(),
            delete(2),
            delete(side=CRM),
            delete(version="2"),
            unpair(),
            msgspec.structs.replace(unpair(), crm="c2"),
            msgspec.structs.replace(unpair(), groupware="g2"),
            Skip(side=CRM, ref="s", why="x"),
            Skip(side=CRM, ref="t", why="x"),
        )
    ]
    assert len(set(marks)) == len(marks)


def test_a_fingerprint_does_not_depend_on_reasons_and_readings() -> None:
    other = msgspec.structs.replace(update(), why="other words", mails=())
    assert fingerprint(other) == fingerprint(update())
    for step in (delete(), unpair(), create()):
        assert fingerprint(msgspec.structs.replace(step, why="other words")) == fingerprint(step)
    assert fingerprint(create(version="2")) == fingerprint(create()), "touched, still the same copy"
    hold = Hold(held=delete(), cause="mass", why="gone")
    assert fingerprint(hold) == fingerprint(delete())


def test_a_fingerprint_does_not_depend_on_the_order_of_own_fields() -> None:
    one, other = ({"crm:a": "1", "crm:b": "2"}, {"crm:b": "2", "crm:a": "1"})
    assert fingerprint(create(item=event(extras=one))) == fingerprint(
        create(item=event(extras=other))
    )
    pairs = [
        Pair(crm=snap(event(extras=own)), groupware=snap(event()), why="same")
        for own in (one, other)
    ]
    assert fingerprint(pairs[0]) == fingerprint(pairs[1])


def test_a_fingerprint_outlives_an_upgrade() -> None:
    """What was approved or written stands in state under it: never let these change."""
    skip = Skip(side=CRM, ref="s", why="x")
    assert [fingerprint(step) for step in (create(), update(), delete(), unpair(), skip)] == [
        "fad39e158ed6954caaaa6eca6b872803",
        "a78210c7fc7f2aeb6e383f4f4897a7f2",
        "7a02e47281e5fd559199d168fd011769",
        "97bfd7b27c436139641938c89c3e5080",
        "0020c2974d697dc6c24564874ad6fcb6",
    ]


def test_a_subject_is_the_act_and_the_item() -> None:
    same = {subject(update()), subject(update(title="Other")), subject(update(version="2"))}
    assert len(same) == 1
    subjects: list[Step] = [
        create(),
        create(side=CRM),
        update(),
        update(side=CRM),
        delete(),
        unpair(),
    ]
    assert len({subject(step) for step in subjects} - {""}) == len(subjects)
    assert subject(Hold(held=delete(), cause="mass", why="gone")) == subject(delete())
    assert subject(Skip(side=CRM, ref="s", why="x")) == ""
