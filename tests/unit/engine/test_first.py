"""First meetings and newcomers: nothing is deleted, nothing mailed, nothing guessed."""

from __future__ import annotations

from typing import Any

import pytest

from accord.engine.first import newcomer
from accord.engine.plan import Conflict, Create, Pair, Update
from accord.engine.policy import Policy, pairing_id
from accord.engine.reconcile import Case, reconcile
from accord.model.diff import patch
from accord.model.item import Item
from accord.model.kinds import Direction, Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.model.parts import Body, Person, Privacy
from accord.rules.rule import Filters, Invitations, Private, Rule, Scope, Window
from tests.unit.engine.kit import (
    BOB,
    CRM,
    EVE,
    GROUPWARE,
    OWNER,
    check_subject,
    contact,
    event,
    found,
    invite,
    meeting,
    past,
    policy,
    rule_of,
    scheduling,
    series,
    snap,
    task,
    traits,
    why,
    words,
)


def meet(
    crm: Item, mailbox: Item, under: Policy | None = None, *, claimed: str = "", **marks: Any
) -> Any:
    present = {CRM: snap(crm, ref="c1"), GROUPWARE: snap(mailbox, ref="g1", **marks)}
    case = Case(crm=Seen(present[CRM]), groupware=Seen(present[GROUPWARE]), claimed=claimed)
    steps = reconcile(case, under or policy())
    for step in steps:
        check_subject(step, present, pairing_id("l1", "c1", "g1"), skipped="")
    return steps


def arrive(side: Side, item: Item, under: Policy | None = None, **marks: Any) -> Any:
    seen = Seen(snap(item, ref="n1", **marks))
    case = Case(crm=seen) if side is CRM else Case(groupware=seen)
    steps = reconcile(case, under or policy())
    for step in steps:
        check_subject(step, {side: seen.snapshot, side.other: seen.snapshot}, "", skipped="")
    return steps


def test_equal_items_are_paired_without_a_write() -> None:
    steps = meet(event(), event())
    assert words(steps) == ["pair"]
    pair = found(steps, Pair)
    assert pair.pairing == pairing_id("l1", "c1", "g1")
    assert (pair.crm.ref, pair.groupware.ref, pair.content) == ("c1", "g1", True)


def test_items_equal_after_what_each_side_can_store_are_paired_without_a_write() -> None:
    short = policy(groupware=traits(limits={"title": 4}, without="url"))
    assert words(meet(event("Review", url="https://x.test"), event("Revi"), short)) == ["pair"]
    long = policy(crm=traits(limits={"title": 4}, without="url"))
    assert words(meet(event("Revi"), event("Review", url="https://x.test"), long)) == ["pair"]


def test_what_only_one_side_knows_is_filled_in_on_the_other() -> None:
    steps = meet(event(location="Room 1"), event(body=Body(text="agenda")))
    assert words(steps) == ["pair", "update groupware: location", "update crm: body"]
    fill = found(steps, Update, GROUPWARE)
    assert (fill.before.ref, fill.base.ref, fill.pairing) == (
        "g1",
        "c1",
        found(steps, Pair).pairing,
    )
    assert fill.after.location == "Room 1"
    assert "was empty here and is filled in" in fill.why


def test_what_differs_stays_on_both_sides_until_somebody_decides() -> None:
    steps = meet(event("CRM", location="Here"), event("Mailbox", location="There"))
    assert words(steps) == ["pair", "conflict location, title: open"]
    conflict = found(steps, Conflict)
    assert conflict.winner is None
    assert {(c.field, c.before, c.after) for c in conflict.fields} == {
        ("title", "CRM", "Mailbox"),
        ("location", "Here", "There"),
    }


def test_what_differs_in_several_fields_is_one_question() -> None:
    mine = event("Lunch", location="Here")
    moved = {name: getattr(mine, name).replace(day=28) for name in ("start", "end")}
    steps = meet(mine, patch(mine, {**moved, "location": "There", "title": "Dinner"}))
    asked = next(step for step in steps if isinstance(step, Conflict))
    assert [change.field for change in asked.fields] == ["end", "location", "start", "title"]


def test_fills_and_differences_go_side_by_side() -> None:
    steps = meet(event("CRM", location="Here"), event("Mailbox"))
    assert words(steps) == ["pair", "update groupware: location", "conflict title: open"]


def test_nothing_is_filled_in_where_it_may_not_be_written() -> None:
    assert words(meet(event(location="Room"), event(), readonly=True)) == ["pair"]
    outbound = policy(rule_of(direction=Direction.OUTBOUND))
    assert words(meet(event(), event(location="Room"), outbound)) == ["pair"]


def test_nothing_is_filled_in_that_would_be_mailed() -> None:
    under = policy(invite(), groupware=scheduling())
    both = meeting(OWNER, OWNER, BOB)
    steps = meet(meeting(OWNER, OWNER, BOB, location="Room"), both, under)
    assert words(steps) == ["pair"]
    allowed = policy(invite(invitations=Invitations.ALLOW), groupware=scheduling())
    assert words(meet(meeting(OWNER, OWNER, BOB, location="Room"), both, allowed)) == ["pair"]


def test_nothing_is_filled_in_that_would_invite() -> None:
    under = policy(invite(invitations=Invitations.ALLOW), groupware=scheduling())
    steps = meet(meeting(OWNER, OWNER, BOB), event(organizer=Person(address=OWNER)), under)
    assert words(steps) == ["pair"]


def test_a_copy_that_was_made_silently_is_filled_in() -> None:
    under = policy(invite(), groupware=scheduling())
    both = meeting(OWNER, OWNER, BOB)
    steps = meet(meeting(OWNER, OWNER, BOB, location="Room"), both, under, silent=True)
    assert words(steps) == ["pair", "update groupware: location"]


def test_what_a_side_may_not_write_is_neither_filled_in_nor_asked_about() -> None:
    under = policy(groupware=traits(readonly=frozenset({"location", "url"})))
    crm, mailbox = event(location="Room", url="https://a.test"), event(url="https://b.test")
    inbound_only = policy(
        crm=traits(readonly=frozenset({"url"})),
        groupware=traits(readonly=frozenset({"location", "url"})),
    )
    assert words(meet(crm, mailbox, inbound_only)) == ["pair"]
    assert words(meet(crm, mailbox, under)) == ["pair", "conflict url: open"]


def test_what_only_comes_in_and_differs_tells_the_crms_value_first() -> None:
    inbound = policy(rule_of(direction=Direction.INBOUND))
    (change,) = found(meet(event("CRM"), event("Mailbox"), inbound), Conflict).fields
    assert (change.before, change.after) == ("CRM", "Mailbox")


def test_a_field_that_agrees_as_far_as_it_goes_hides_no_other() -> None:
    short = policy(groupware=traits(limits={"title": 4}))
    steps = meet(event("Review", location="Room"), event("Revi"), short)
    assert words(steps) == ["pair", "update groupware: location"]
    cut = policy(crm=traits(limits={"title": 4}))
    steps = meet(event("Revi", location="Room"), event("Review"), cut)
    assert words(steps) == ["pair", "update groupware: location"]


def test_a_fill_names_what_was_empty() -> None:
    (fill,) = meet(event(location="Room"), event())[1:]
    assert fill.why == "location was empty here and is filled in"
    more = event(location="Room", body=Body(text="agenda"))
    (fill,) = meet(more, event())[1:]
    assert sorted(fill.why.split(" was ")[0].split(", ")) == ["body", "location"]


def test_items_that_are_the_same_meet_though_new_ones_would_stay_outside() -> None:
    """Inbound scope says what comes in; these are on both sides already."""
    assert words(meet(event(), event(), policy(rule_of(scope=Scope.PEOPLE)))) == ["pair"]


def test_an_invitation_is_never_filled_in_and_fills_the_record() -> None:
    steps = meet(meeting(EVE, OWNER, url="https://x.test"), meeting(EVE, OWNER, location="Room"))
    assert words(steps) == ["pair", "update crm: location"]


def test_a_copy_that_gives_no_content_fills_nothing_in_the_record() -> None:
    steps = meet(meeting(BOB, OWNER), meeting(BOB, OWNER, location="Room"), claimed="l2")
    assert words(steps) == ["pair"]
    assert found(steps, Pair).content is False


def test_a_first_meeting_deletes_nothing_whatever_the_items_say() -> None:
    for crm, mailbox in (
        (event("A"), event("B")),
        (past(), past(location="B")),
        (series(), event()),
    ):
        assert not any(word.startswith("delete") for word in words(meet(crm, mailbox)))


@pytest.mark.parametrize(
    ("rule", "gist"),
    [
        (rule_of(filter=Filters(crm="false")), "filter for the CRM"),
        (rule_of(filter=Filters(groupware="false")), "filter for the mailbox"),
        (rule_of(window=Window(future=0)), "days from now"),
    ],
)
def test_two_items_outside_are_skipped_both(rule: Rule, gist: str) -> None:
    steps = meet(event(), event(), policy(rule))
    assert words(steps) == ["skip crm", "skip groupware"]
    assert gist in why(steps)


# Newcomers.


@pytest.mark.parametrize("side", Side)
def test_a_newcomer_gets_a_counterpart(side: Side) -> None:
    steps = arrive(side, event(location="Room"))
    assert words(steps) == [f"create {side.other}"]
    create = found(steps, Create)
    assert (create.source.ref, create.item.location, create.pairing) == ("n1", "Room", "")
    assert f"new in the {'CRM' if side is CRM else 'mailbox'}" in create.why


@pytest.mark.parametrize(
    ("side", "rule", "gist"),
    [
        (GROUPWARE, rule_of(direction=Direction.OUTBOUND), "creates nothing in the CRM"),
        (CRM, rule_of(direction=Direction.INBOUND), "creates nothing in the mailbox"),
        (GROUPWARE, rule_of(creates=Direction.OUTBOUND), "creates nothing in the CRM"),
        (CRM, rule_of(creates=Direction.NONE), "creates nothing in the mailbox"),
        (GROUPWARE, rule_of(Kind.CONTACT), "creates nothing in the CRM"),
        (GROUPWARE, rule_of(Kind.TASK), "creates nothing in the CRM"),
        (GROUPWARE, rule_of(scope=Scope.PEOPLE), "no contact or user of the CRM takes part"),
        (GROUPWARE, rule_of(scope=Scope.CATEGORY), "none of the chosen categories"),
        (CRM, rule_of(filter=Filters(crm="false")), "the rule's filter"),
        (CRM, rule_of(window=Window(future=0)), "begins more than 0 days from now"),
    ],
)
def test_a_newcomer_that_gets_none_is_told_why(side: Side, rule: Rule, gist: str) -> None:
    items: dict[Kind, Item] = {Kind.CONTACT: contact(), Kind.TASK: task()}
    item = items.get(rule.kind, event())
    steps = arrive(side, item, policy(rule))
    assert words(steps) == [f"skip {side}"]
    assert gist in why(steps)


def test_a_newcomer_that_the_rule_can_not_treat_waits_and_says_why() -> None:
    steps = arrive(CRM, event(), policy(rule_of(filter=Filters(crm="item.priority / 0 == 1"))))
    assert words(steps) == ["skip crm (rejected)"]
    assert "the rule can't be applied" in why(steps)


def test_a_private_entry_is_skipped_by_default() -> None:
    steps = arrive(GROUPWARE, event(privacy=Privacy.PRIVATE))
    assert words(steps) == ["skip groupware"]
    assert "private" in why(steps)


def test_a_private_entry_may_come_in_as_a_busy_block() -> None:
    steps = arrive(
        GROUPWARE, event("Doctor", privacy=Privacy.PRIVATE), policy(rule_of(private=Private.BUSY))
    )
    assert words(steps) == ["create crm"]
    assert found(steps, Create).item.title == "Busy"


def test_a_copy_whose_record_is_gone_is_no_new_item() -> None:
    steps = arrive(GROUPWARE, event(), marker="crm/event/c9")
    assert words(steps) == ["skip groupware"]
    assert "a copy made by Accord whose record no longer exists" in why(steps)


def test_a_meeting_is_announced_only_by_rule_and_never_on_a_first_run() -> None:
    item = meeting(OWNER, OWNER, BOB, EVE)
    allow = invite(invitations=Invitations.ALLOW)
    for rule, first, mails in (
        (allow, False, (BOB, EVE)),
        (allow, True, ()),
        (invite(), False, ()),
        (rule_of(invitations=Invitations.ALLOW), False, ()),
    ):
        under = policy(rule, groupware=scheduling(), first=first)
        assert found(arrive(CRM, item, under), Create).mails == mails


def test_an_unclaimed_meeting_of_the_mailbox_comes_in() -> None:
    assert words(newcomer(GROUPWARE, snap(meeting(BOB, OWNER)), policy())) == ["create crm"]


def test_a_past_meeting_is_never_announced() -> None:
    under = policy(invite(invitations=Invitations.ALLOW), groupware=scheduling())
    over = meeting(OWNER, OWNER, BOB, start=past().start, end=past().end)
    assert found(arrive(CRM, over, under), Create).mails == ()
    running = meeting(OWNER, OWNER, BOB, start=past().start, end=past().end, rule=series().rule)
    assert found(arrive(CRM, running, under), Create).mails == (BOB,)


def test_a_mirror_names_people_and_invites_nobody() -> None:
    create = found(arrive(CRM, meeting(OWNER, OWNER, BOB)), Create)
    assert (create.item.attendees, create.item.organizer) == ((), None)
    assert {p.address for p in create.item.people} == {OWNER, BOB}


def test_the_pairing_of_two_refs_has_one_id_on_a_link() -> None:
    ids = {pairing_id(link, crm, mailbox) for link in "ab" for crm in "cd" for mailbox in "ef"}
    assert len(ids) == 8
    assert pairing_id("a", "bc", "d") != pairing_id("a", "b", "cd")
    assert pairing_id("a", "b", "c") == pairing_id("a", "b", "c")


def test_a_snapshot_keeps_what_the_side_said() -> None:
    one: Snapshot = found(arrive(CRM, event()), Create).source
    assert (one.ref, one.version) == ("n1", "1")
