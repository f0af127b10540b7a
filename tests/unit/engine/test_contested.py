"""Fields in an open conflict: neither side's value travels until both agree."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from accord.engine.merge import merge, open_fields
from accord.engine.plan import Conflict, Pair, Pairing, Update
from accord.engine.reconcile import Case, reconcile
from accord.engine.settle import settle
from accord.model.item import Contact, Item, PostalAddress
from accord.model.kinds import Direction, Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.model.parts import Body, BodyType, Privacy
from accord.model.recurrence import Override
from accord.rules.rule import Clash, FieldRule, Private
from tests.unit.engine.kit import (
    CHANGED,
    CRM,
    GROUPWARE,
    HOUR,
    SAME,
    TOMORROW,
    contact,
    decide,
    event,
    found,
    pairing,
    policy,
    rule_of,
    series,
    snap,
    traits,
    words,
)

HOLD = rule_of(clash=Clash.HOLD)


def in_conflict(ours: Item, theirs: Item, *names: str, **values: Any) -> Pairing:
    return pairing(ours, theirs, contested=names, **values)


@pytest.mark.parametrize("clash", list(Clash))
def test_whatever_the_rule_says_of_new_clashes_it_waits_for_a_decision(clash: Clash) -> None:
    pair = in_conflict(event("Ours"), event("Theirs"), "title")
    answer = decide(pair, CHANGED, SAME, policy(rule_of(clash=clash)), crm_edit={"title": "Anew"})
    assert words(answer) == ["conflict title: open", "pair"]
    conflict: Conflict = found(answer, Conflict)
    (change,) = conflict.fields
    assert (change.before, change.after) == ("Anew", "Theirs")


def test_a_fresh_clash_left_open_is_remembered() -> None:
    answer = decide(
        pairing(event()),
        CHANGED,
        CHANGED,
        policy(HOLD),
        crm_edit={"title": "Ours", "location": "Here"},
        mailbox_edit={"title": "Theirs", "url": "https://x.test"},
    )
    assert words(answer) == [
        "conflict title: open",
        "update groupware: location",
        "update crm: url",
    ]
    assert [step.contested for step in answer[1:]] == [("title",), ("title",)]  # type: ignore[union-attr]


def test_a_schedule_in_conflict_stays_as_a_whole() -> None:
    ours, theirs = event(), event(start=TOMORROW + HOUR)
    pair = in_conflict(ours, theirs, "start")
    answer = decide(pair, SAME, CHANGED, mailbox_edit={"all_day": True})
    assert words(answer) == ["conflict schedule: open", "pair"]
    assert found(answer, Conflict).fields[0].field == "start"


def test_occurrences_change_nowhere_while_their_schedule_is_in_conflict() -> None:
    ours, theirs = series(), series(start=TOMORROW + HOUR)
    pair = in_conflict(ours, theirs, "start", "end")
    change = Override(recurrence_id=TOMORROW, title="Special")
    answer = decide(pair, CHANGED, SAME, crm_edit={"overrides": (change,)})
    assert words(answer) == ["conflict schedule: open", "pair"]
    assert {c.field for c in found(answer, Conflict).fields} >= {"start", "overrides"}


def test_once_both_sides_agree_it_travels_again() -> None:
    pair = in_conflict(event("Ours"), event("Theirs"), "title")
    answer = decide(pair, CHANGED, SAME, crm_edit={"title": "Theirs"})
    assert words(answer) == ["pair"]


def place(kind: str, locality: str) -> PostalAddress:
    return PostalAddress(type=kind, locality=locality)


BOTH_WAYS = policy(rule_of(Kind.CONTACT, direction=Direction.BOTH), kind=Kind.CONTACT)


def addresses(item: Item, **values: str) -> dict[str, Any]:
    assert isinstance(item, Contact)
    now = {one.type: one for one in item.addresses} | {k: place(k, v) for k, v in values.items()}
    return {"addresses": tuple(now.values())}


def test_of_entries_those_in_conflict_stay_and_others_travel() -> None:
    ours = contact(addresses=(place("work", "Bonn"),))
    theirs = contact(addresses=(place("work", "Kiel"),))
    pair = in_conflict(ours, theirs, "addresses")
    edit = addresses(ours, work="Trier", home="Jena")
    answer = decide(pair, CHANGED, SAME, BOTH_WAYS, crm_edit=edit)
    assert words(answer) == ["conflict addresses: open", "update groupware: addresses"]
    after = found(answer, Update, GROUPWARE).after
    assert after.addresses == (place("work", "Kiel"), place("home", "Jena"))


def test_of_entries_in_conflict_those_travel_about_which_the_sides_agreed() -> None:
    ours = contact(addresses=(place("home", "Jena"), place("work", "Bonn")))
    theirs = contact(addresses=(place("home", "Jena"), place("work", "Kiel")))
    pair = in_conflict(ours, theirs, "addresses")
    answer = decide(pair, CHANGED, SAME, BOTH_WAYS, crm_edit=addresses(ours, home="Ulm"))
    assert words(answer) == ["update groupware: addresses"]
    after = found(answer, Update, GROUPWARE).after
    assert after.addresses == (place("home", "Ulm"), place("work", "Kiel"))


def test_without_a_conflict_entries_of_both_travel_though_the_sides_differ() -> None:
    ours = contact(addresses=(place("work", "Bonn"),))
    theirs = contact(addresses=(place("work", "Kiel"),))
    answer = decide(
        pairing(ours, theirs),
        CHANGED,
        CHANGED,
        BOTH_WAYS,
        crm_edit=addresses(ours, work="Trier"),
        mailbox_edit=addresses(theirs, home="Jena"),
    )
    assert words(answer) == ["update groupware: addresses", "update crm: addresses"]
    after = (place("work", "Trier"), place("home", "Jena"))
    assert {found(answer, Update, side).after.addresses for side in Side} == {after}


def test_a_conflict_about_what_goes_one_way_only_stays_open_too() -> None:
    outbound = FieldRule(direction=Direction.OUTBOUND)
    pair = in_conflict(event("Ours"), event("Theirs"), "title")
    under = policy(rule_of(fields={"title": outbound}))
    answer = decide(pair, CHANGED, SAME, under, crm_edit={"title": "Anew"})
    assert words(answer) == ["conflict title: open", "pair"]


def test_a_conflict_shows_both_values_as_the_mailbox_has_them() -> None:
    mapped = FieldRule(outbound="'CRM: ' + value", inbound="value.replace('CRM: ', '')")
    pair = in_conflict(event("Ours"), event("CRM: Theirs"), "title")
    under = policy(rule_of(fields={"title": mapped}))
    (change,) = found(
        decide(pair, CHANGED, SAME, under, crm_edit={"title": "Anew"}), Conflict
    ).fields
    assert (change.before, change.after) == ("CRM: Anew", "CRM: Theirs")


@pytest.mark.parametrize("conflict", [(), ("addresses",)])
def test_without_a_conflict_entries_travel_though_the_sides_differ(
    conflict: tuple[str, ...],
) -> None:
    ours = contact(addresses=(place("work", "Bonn"),))
    theirs = contact(addresses=(place("work", "Kiel"),))
    pair = in_conflict(ours, theirs, *conflict)
    answer = decide(pair, CHANGED, SAME, BOTH_WAYS, crm_edit=addresses(ours, work="Trier"))
    expected = ["conflict addresses: open", "pair"] if conflict else ["update groupware: addresses"]
    assert words(answer) == expected


def test_a_copy_in_conflict_is_not_taken_for_an_unedited_one() -> None:

    pair = in_conflict(event("Ours"), event("Theirs"), "title", made=GROUPWARE)
    answer = decide(pair, "left", SAME)
    assert words(answer) == ["unpair scope"]
    free = pairing(event(), made=GROUPWARE)
    assert words(decide(free, "left", SAME)) == ["delete groupware"]


def test_two_that_meet_with_differences_are_in_conflict_about_these() -> None:
    crm = snap(event("Ours", location="Here"), ref="c1")
    mailbox = snap(event("Theirs"), ref="g1")
    steps = reconcile(Case(crm=Seen(crm), groupware=Seen(mailbox)), policy())
    assert found(steps, Pair).contested == ("title",)


def reduced(item: Item) -> Snapshot:
    values = {"title": "Busy", "privacy": Privacy.PRIVATE}
    return snap(msgspec.structs.replace(item, **values), "2", ref="g1", readonly=True)


def test_of_what_turned_private_nothing_is_undecided_any_more() -> None:
    under = policy(rule_of(private=Private.BUSY))
    pair = in_conflict(event("Ours"), event("Theirs"), "title")
    merged = merge(pair, pair.crm, reduced(event("Theirs")), under)
    assert merged.crm["title"] == "Busy"
    assert (merged.groupware, merged.clashes, merged.contested) == ({}, (), ())


# When the two sides agree.


@pytest.mark.parametrize(
    ("ours", "theirs", "settings", "disagree"),
    [
        ("Ours", "Theirs", {}, True),
        ("Ours", "Ours", {}, False),
        ("A long title", "A long", {"groupware": traits(limits={"title": 6})}, False),
        ("A long", "A long title", {"crm": traits(limits={"title": 6})}, False),
        ("A long title", "A wide", {"groupware": traits(limits={"title": 6})}, True),
    ],
)
def test_sides_agree_where_either_holds_what_it_would_of_the_others_value(
    ours: str, theirs: str, settings: dict[str, Any], disagree: bool
) -> None:
    pair = pairing(event(ours), event(theirs))
    found_open = open_fields(pair, ["title", "location"], policy(**settings))
    assert found_open == (("title",) if disagree else ())


@pytest.mark.parametrize(("direction", "disagree"), [(Direction.OUTBOUND, True), (None, False)])
def test_only_the_ways_that_a_field_travels_count(
    direction: Direction | None, disagree: bool
) -> None:
    """The mailbox holds what it would of the CRM's value, but doesn't tell it the other way."""
    rule = rule_of(fields={"title": FieldRule(direction=direction)} if direction else {})
    pair = pairing(event("A long"), event("A long title"))
    under = policy(rule, crm=traits(limits={"title": 6}))
    assert open_fields(pair, ["title"], under) == (("title",) if disagree else ())


@pytest.mark.parametrize(("made", "disagree"), [(GROUPWARE, True), (CRM, False), (None, False)])
def test_a_cleared_text_has_yet_to_go_from_accords_copy_but_not_from_somebodys_own_entry(
    made: Side | None, disagree: bool
) -> None:
    pair = pairing(event(), event(body=Body(text="<p>old</p>", type=BodyType.HTML)), made=made)
    assert open_fields(pair, ["body"], policy()) == (("body",) if disagree else ())


# What a pairing remembers after writes.


@pytest.mark.parametrize("failed", [None, *Side])
def test_what_is_in_conflict_since_the_plan_is_so_in_the_pairing(failed: Side | None) -> None:
    pair = in_conflict(event(), event(), "url")
    steps = decide(
        pair,
        CHANGED,
        CHANGED,
        policy(HOLD),
        crm_edit={"title": "Ours", "location": "Here"},
        mailbox_edit={"title": "Theirs", "sequence": 3, "busy": "free"},
    )
    updates = {s.side: s for s in steps if isinstance(s, Update)}
    done = {
        side: (step, msgspec.structs.replace(step.before, version="3", item=step.after))
        for side, step in updates.items()
        if side is not failed
    }
    now = {side: pair.side(side) for side in Side} | {s: u.before for s, u in updates.items()}
    after = settle(
        pair, now[CRM], now[GROUPWARE], done, frozenset() if failed is None else frozenset({failed})
    )
    assert after.contested == ("title", "url")
