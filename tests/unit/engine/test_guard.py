"""The guard: mass effects, mail that no rule allows, and what people decided before."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from accord.engine.extent import PILOT, Extent
from accord.engine.guard import (
    Waiting,
    await_approval,
    effects_under,
    fingerprint,
    guard,
    subject,
)
from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
    Frozen,
    Hold,
    Hung,
    Pair,
    Plan,
    Refile,
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


def off(number: int = 1, side: Side = GROUPWARE, new: str = "") -> Refile:
    return Refile(
        side=side,
        pairing=f"p{number}",
        ref=f"x{number}",
        counterpart=f"y{number}",
        before=Hung(name="plan", digest="d"),
        after=Hung(name="plan", digest=new) if new else None,
        why="taken off",
    )


def unpair() -> Unpair:
    return Unpair(pairing="p1", crm="c1", groupware="g1", why="left")


def judged(
    steps: list[Step],
    pairings: int = 100,
    waiting: Waiting | None = None,
    extent: Extent | None = None,
    invitations: Invitations = Invitations.NEVER,
    **limits: Any,
) -> list[Step]:
    rule = rule_of(guard=GuardLimits(**limits), invitations=invitations)
    plan = Plan(link="l1", steps=tuple(steps))
    result = guard(plan, rule, extent or Extent(pairings=pairings), waiting or Waiting())
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
    files: list[Step] = [off(n) for n in range(10)]
    assert kinds(judged([*files, off(10, CRM)], 1000)) == "R" * 11


@pytest.mark.parametrize(("count", "held"), [(5, False), (6, True)])
def test_mass_changes_are_held(count: int, held: bool) -> None:
    answers = judged([update(n) for n in range(count)], updates=5)
    assert kinds(answers) == ("H" if held else "U") * count
    if held:
        assert "mass change: 6 items would change on the groupware side" in answers[0].cause  # type: ignore[union-attr]


@pytest.mark.parametrize("limits", [{"updates": 0}, {"target_updates": 0, "mailbox_updates": 0}])
def test_a_single_change_over_the_limit_is_told_as_one_item(limits: dict[str, Any]) -> None:
    (hold,) = judged([update()], **limits)
    assert isinstance(hold, Hold)
    assert "mass change: 1 item would change on the groupware side" in hold.cause


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
    assert guard(Plan(link="l", steps=(step,)), allowed, Extent(pairings=100)).steps == (step,)


# A place that vanished.


def vanished(*steps: Step, lost: bool = False, gone: int = 0, **values: Any) -> list[Step]:
    names = ("emptied", "lost_share")
    limits: dict[str, Any] = {name: values.pop(name) for name in names if name in values}
    if "lost_share" in limits:
        limits["lost"] = limits.pop("lost_share")
    sides = frozenset({CRM}) if lost else frozenset()
    extent = Extent(gone={CRM: gone}, lost=sides, **values)
    return judged(list(steps), extent=extent, **limits)


@pytest.mark.parametrize(
    ("count", "known", "limits", "held"),
    [
        (3, 3, {}, True),
        (9, 9, {}, True),
        (2, 2, {}, False),  # of two items both may go
        (8, 9, {}, False),
        (2, 9, {}, False),
        (3, 3, {"emptied": 4}, False),
        (1, 1, {"emptied": 1}, True),
    ],
)
def test_the_deletion_of_all_there_was_is_held(
    count: int, known: int, limits: dict[str, Any], held: bool
) -> None:
    steps = [delete(n) for n in range(count)]
    assert kinds(vanished(*steps, gone=count, pairings=known, **limits)) == "DH"[held] * count


def test_an_emptied_side_is_named() -> None:
    answers = vanished(*(delete(n) for n in range(9)), gone=9, pairings=9)
    assert answers[0].cause == (  # type: ignore[union-attr]
        "emptied: none of the 9 known items is left in the CRM; was it emptied or made anew?"
    )


def test_a_side_is_empty_too_where_only_some_of_what_is_gone_would_be_deleted() -> None:
    assert kinds(vanished(delete(), gone=4, pairings=4)) == "H"
    assert kinds(vanished(delete(), gone=0, pairings=1)) == "D", "a copy that is withdrawn"
    assert kinds(vanished(delete(), gone=0, pairings=0, deletes={GROUPWARE: 5})) == "D"


def test_what_was_never_counted_is_none() -> None:
    unknown = Extent(pairings=1)
    assert kinds(judged([delete()], extent=unknown, emptied=1)) == "D"
    assert kinds(judged([delete()], extent=unknown, target=1)) == "D"
    assert kinds(judged([update()], extent=unknown, target_updates=1, mailbox_updates=0)) == "U"


def test_a_side_emptied_bit_by_bit_within_the_hour_is_held() -> None:
    steps = [delete(n) for n in range(3)]
    answers = vanished(*steps, gone=3, pairings=3, deletes={GROUPWARE: 6}, emptied=4)
    assert kinds(answers) == "HHH"
    assert "none of the 9 known items is left in the CRM, 6 of them deleted within the hour" in (
        answers[0].cause  # type: ignore[union-attr]
    )
    assert kinds(vanished(*steps, gone=3, pairings=3, emptied=4)) == "DDD"
    assert kinds(vanished(*steps, gone=3, pairings=3, deletes={CRM: 6}, emptied=4)) == "DDD"


@pytest.mark.parametrize(
    ("gone", "known", "lost", "limits", "held"),
    [
        (5, 9, True, {}, True),
        (5, 9, False, {}, False),
        (4, 9, True, {}, False),
        (4, 8, True, {}, False),
        (1, 1, True, {}, False),
        (2, 2, True, {}, True),
        (2, 9, True, {"lost_share": 0.2}, True),
        (2, 9, True, {"lost_share": 1.0}, False),
    ],
)
def test_where_history_was_lost_much_that_is_missing_is_held(
    gone: int, known: int, lost: bool, limits: dict[str, Any], held: bool
) -> None:
    steps = [delete(n) for n in range(gone)]
    answers = vanished(*steps, lost=lost, gone=gone, pairings=known, **limits)
    assert kinds(answers) == "DH"[held] * gone
    if held:
        assert answers[0].cause.startswith("history lost: the CRM was made anew"), answers[0]  # type: ignore[union-attr]
        assert f"{gone} of the {known} known items are missing there" in answers[0].cause  # type: ignore[union-attr]


def test_the_other_side_is_not_concerned() -> None:
    extent = Extent(pairings=9, gone={CRM: 9}, lost=frozenset({CRM}))
    assert kinds(judged([delete(n, CRM) for n in range(5)], extent=extent)) == "DDDDD"


# What was done within the hour.


@pytest.mark.parametrize(
    ("fresh", "done", "pairings", "held"),
    [
        (5, 5, 1000, False),
        (5, 6, 1000, True),
        (1, 2, 10, False),  # 3 of 12
        (2, 2, 9, True),  # 4 of 11, which were more than ten before
        (2, 2, 7, False),
    ],
)
def test_deletions_of_the_last_hour_count_along(
    fresh: int, done: int, pairings: int, held: bool
) -> None:
    extent = Extent(pairings=pairings, deletes={GROUPWARE: done})
    answers = judged([delete(n) for n in range(fresh)], extent=extent)
    assert kinds(answers) == "DH"[held] * fresh
    assert kinds(judged([delete()], extent=Extent(pairings=9, deletes={CRM: 50}))) == "D"


def test_a_hold_says_how_much_was_done_already() -> None:
    (hold,) = judged([delete()], extent=Extent(pairings=90, deletes={GROUPWARE: 10}))
    assert hold.cause == (  # type: ignore[union-attr]
        "mass deletion: 11 of 100 items would be deleted on the groupware side, 10 of them within "
        "the last hour (allowed: 10 or 25%)"
    )


@pytest.mark.parametrize(
    ("fresh", "done", "mailboxes", "limits", "held"),
    [
        (1, 999, 1, {}, False),
        (1, 1000, 1, {}, True),
        (2, 999, 1, {}, True),
        (1, 1000, 34, {}, False),  # 30 for each of them are 1020
        (1, 1019, 34, {}, False),
        (1, 1020, 34, {}, True),
        (50, 29_950, 1000, {}, False),  # a meeting of fifty in a busy hour of a thousand
        (100, 29_901, 1000, {}, True),
        (2, 8, 3, {"target_updates": 10, "mailbox_updates": 0}, False),
        (3, 8, 3, {"target_updates": 10, "mailbox_updates": 0}, True),
        (4, 8, 3, {"target_updates": 10, "mailbox_updates": 4}, False),
        (5, 8, 3, {"target_updates": 10, "mailbox_updates": 4}, True),
    ],
)
def test_what_all_links_of_a_target_change_is_limited(
    fresh: int, done: int, mailboxes: int, limits: dict[str, Any], held: bool
) -> None:
    extent = Extent(pairings=0, all_updates={GROUPWARE: done}, mailboxes=mailboxes)
    answers = judged([update(n) for n in range(fresh)], extent=extent, **limits)
    assert kinds(answers) == "UH"[held] * fresh
    assert kinds(judged([update(side=CRM)], extent=extent, **limits)) == "U"
    assert kinds(judged([create()], extent=extent, **limits)) == "C"


@pytest.mark.parametrize(
    ("mailboxes", "told"),
    [(1, "(allowed: 1000)"), (1000, "(allowed: 30000, 30 for each mailbox)")],
)
def test_a_mass_change_of_all_links_says_how_many_were_allowed(mailboxes: int, told: str) -> None:
    extent = Extent(pairings=0, all_updates={GROUPWARE: 40_000}, mailboxes=mailboxes)
    (hold,) = judged([update()], extent=extent)
    assert hold.cause == (  # type: ignore[union-attr]
        "mass change: 40001 items would change on the groupware side within an hour by all links "
        f"of the target {told}"
    )


def test_what_all_links_of_a_target_delete_is_limited() -> None:
    extent = Extent(pairings=90, all_deletes={GROUPWARE: 99})
    assert kinds(judged([delete()], extent=extent)) == "D"
    assert kinds(judged([delete(1), delete(2)], extent=extent)) == "HH"
    assert kinds(judged([delete()], extent=extent, target=99)) == "H"
    assert kinds(judged([delete(n, CRM) for n in range(9)], extent=extent)) == "D" * 9
    (hold,) = judged([delete()], extent=extent, target=99)
    assert "100 items would be deleted on the groupware side within an hour by all links" in (
        hold.cause  # type: ignore[union-attr]
    )


@pytest.mark.parametrize(
    ("extent", "limits", "held"),
    [
        (Extent(pairings=9), {}, False),
        (Extent(pairings=9), {"mails": 2}, True),
        (Extent(pairings=9, mails=17), {}, False),
        (Extent(pairings=9, mails=18), {}, True),
        (Extent(pairings=9, all_mails=97), {}, False),
        (Extent(pairings=9, all_mails=98), {}, True),
    ],
)
def test_mass_mail_is_held_where_mail_is_allowed(
    extent: Extent, limits: dict[str, Any], held: bool
) -> None:
    mailing: list[Step] = [create(mails=(BOB,)), update(mails=(BOB, EVE)), delete(mails=(BOB,))]
    silent = update(7)
    answers = judged([*mailing, silent], extent=extent, invitations=Invitations.ALLOW, **limits)
    assert kinds(answers) == ("HHHU" if held else "CUDU")
    if held:
        assert all("mass mail: " in step.cause for step in answers[:3])  # type: ignore[union-attr]


def test_what_was_approved_passes_after_much_was_done() -> None:
    approved = frozenset({fingerprint(delete(1))})
    extent = Extent(pairings=9, deletes={GROUPWARE: 10}, gone={CRM: 9}, lost=frozenset({CRM}))
    answers = judged([delete(1), delete(2)], extent=extent, waiting=Waiting(approved=approved))
    assert kinds(answers) == "DH"


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
    assert refused(off()) == (GROUPWARE, "x1", "", "p1")
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


def held_beside(usual: list[Step], steps: list[Step], **values: Any) -> str:
    """Return what becomes of steps where the older rule would take the usual ones."""
    done = effects_under(rule_of(**values), usual)
    return kinds(list(await_approval(steps, frozenset(), "rule change", done)))


def test_what_the_older_rule_does_just_so_is_not_held_for_the_change() -> None:
    usual: list[Step] = [
        create(),
        update(),
        delete(),
        unpair(),
        Skip(side=CRM, ref="s", why="kept"),
    ]
    assert held_beside(usual, [*usual, off()]) == "CUDUSR"
    others: list[Step] = [
        create(2),
        update(title="Grown"),
        update(mails=(BOB,)),
        delete(2),
        delete(mails=(BOB,)),
        msgspec.structs.replace(unpair(), crm="c2"),
        msgspec.structs.replace(unpair(), cause=Frozen.PAST),
        msgspec.structs.replace(unpair(), forget=True),
    ]
    assert held_beside(usual, others) == "H" * len(others)


def test_what_the_older_rule_holds_for_its_mail_waits_for_the_change_too() -> None:
    usual: list[Step] = [create(mails=(BOB,)), update(mails=(BOB,)), delete(mails=(BOB,))]
    assert held_beside(usual, usual, invitations=Invitations.NEVER) == "HHH"
    assert held_beside(usual, usual, invitations=Invitations.ALLOW) == "CUD"


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
            off(),
            off(2),
            off(side=CRM),
            off(new="other"),
            msgspec.structs.replace(off(), before=Hung(name="plan", digest="e")),
            msgspec.structs.replace(off(), before=Hung(name="map", digest="d")),
            msgspec.structs.replace(off(), before=None, after=Hung(name="plan", digest="d")),
            Skip(side=CRM, ref="s", why="x"),
            Skip(side=CRM, ref="t", why="x"),
        )
    ]
    assert len(set(marks)) == len(marks)


def test_a_fingerprint_does_not_depend_on_reasons_and_readings() -> None:
    other = msgspec.structs.replace(update(), why="other words", mails=())
    assert fingerprint(other) == fingerprint(update())
    relabelled = msgspec.structs.replace(
        off(), label="Review", before=Hung(name="plan", digest="d", size=1, kept="k")
    )
    assert fingerprint(relabelled) == fingerprint(off())
    for step in (delete(), unpair(), create(), off()):
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
    steps = (create(), update(), delete(), unpair(), skip, off(new="other"))
    assert [fingerprint(step) for step in steps] == [
        "fad39e158ed6954caaaa6eca6b872803",
        "a78210c7fc7f2aeb6e383f4f4897a7f2",
        "7a02e47281e5fd559199d168fd011769",
        "97bfd7b27c436139641938c89c3e5080",
        "0020c2974d697dc6c24564874ad6fcb6",
        "7848e71d6e3c99252046ae7f3416933c",
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


@pytest.mark.parametrize(
    ("count", "pairings", "limits", "held"),
    [
        (10, 100, {}, False),
        (11, 100, {}, True),
        (3, 10, {}, True),
        (1, 100, {"deletes": 0}, True),
        (9, 100, {"target": 8}, True),
        (9, 100, {"target": 9}, False),
    ],
)
@pytest.mark.parametrize("new", ["", "other"])
def test_files_taken_off_are_counted_as_deletions_are(
    count: int, pairings: int, limits: dict[str, Any], held: bool, new: str
) -> None:
    answers = judged([off(n, new=new) for n in range(count)], pairings, **limits)
    assert kinds(answers) == ("H" if held else "R") * count


def test_files_hung_on_are_never_held() -> None:
    fresh: list[Step] = [
        msgspec.structs.replace(off(n), before=None, after=Hung(name="a", digest="d"))
        for n in range(1000)
    ]
    assert judged(fresh, deletes=0, updates=0) == fresh
    assert judged([*fresh, off()], deletes=0)[:-1] == fresh, "nor beside one that is taken off"


def test_files_of_which_none_is_left_are_held() -> None:
    extent = Extent(pairings=4, gone={CRM: 4})
    (hold, *_) = judged([off(n) for n in range(4)], extent=extent)
    assert isinstance(hold, Hold)
    assert (
        hold.cause
        == "emptied: none of the 4 known files is left in the CRM; was it emptied or made anew?"
    )


def test_a_file_is_approved_or_refused_whatever_else_becomes_of_the_item() -> None:
    step = off()
    approved = Waiting(approved=frozenset({fingerprint(step)}))
    assert judged([step], waiting=approved, deletes=0) == [step]
    refused = Waiting(refused=frozenset({fingerprint(step)}))
    (answer,) = judged([step], waiting=refused)
    assert isinstance(answer, Skip) and "said no" in answer.why
    waiting = Waiting(held={subject(step): "emptied"})
    assert kinds(judged([step, off(2)], waiting=waiting)) == "HR"
    assert fingerprint(off()) != fingerprint(off(new="other")) != fingerprint(off(new="third"))


def test_a_pilot_holds_what_deletes_or_mails_and_many_changes_at_once() -> None:
    plan = Plan(link="l1", steps=(create(1), update(2), delete(3), off(4)))
    rule, extent = rule_of(guard=GuardLimits(), invitations=Invitations.ALLOW), Extent(pairings=99)
    assert kinds(list(guard(plan, rule, extent).steps)) == "CUDR"
    assert kinds(list(guard(plan, rule, extent, pilot=True).steps)) == "CUHH"
    few = Plan(link="l1", steps=tuple(create(n) for n in range(PILOT)))
    assert kinds(list(guard(few, rule, extent, pilot=True).steps)) == "C" * PILOT
    many = Plan(link="l1", steps=(*few.steps, update(99), delete(98), create(100, side=CRM)))
    held = list(guard(many, rule, extent, pilot=True).steps)
    assert kinds(held) == "H" * (PILOT + 2) + "C"
    mailing = Plan(link="l1", steps=(update(1, mails=(EVE,)),))
    assert kinds(list(guard(mailing, rule, extent, pilot=True).steps)) == "H"
