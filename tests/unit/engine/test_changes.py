"""What travels of groups, entries and one-way fields, and what a step says about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from accord.engine.plan import Conflict, Update
from accord.model.item import Phone
from accord.model.kinds import Direction, Kind
from accord.model.parts import Person
from accord.model.recurrence import Override
from accord.rules.rule import Clash, FieldRule, OneWay
from tests.unit.engine.kit import (
    BOB,
    CHANGED,
    CRM,
    EVE,
    GROUPWARE,
    HOUR,
    OWNER,
    SAME,
    TOMORROW,
    contact,
    decide,
    event,
    found,
    meeting,
    pairing,
    policy,
    rule_of,
    series,
    traits,
    words,
)

DAY = timedelta(days=1)
HOLD = policy(rule_of(clash=Clash.HOLD))
OUTBOUND = policy(rule_of(direction=Direction.OUTBOUND))


def both(pair: Any, crm: dict[str, Any], mailbox: dict[str, Any], under: Any = None) -> Any:
    return decide(pair, CHANGED, CHANGED, under, crm_edit=crm, mailbox_edit=mailbox)


def moved(day: int, title: str) -> Override:
    return Override(recurrence_id=TOMORROW + day * DAY, title=title)


# What a conflict tells.


def test_an_open_conflict_tells_both_values_of_what_differs_and_no_more() -> None:
    later = TOMORROW + HOUR
    answer = both(
        pairing(event(end=TOMORROW + 3 * HOUR)),
        {"start": later, "title": "A"},
        {"start": later + HOUR, "title": "A"},
        HOLD,
    )
    told = found(answer, Conflict)
    assert (told.field, told.winner) == ("schedule", None)
    assert [(c.field, c.before, c.after) for c in told.fields] == [("start", later, later + HOUR)]
    assert told.why == "both sides changed schedule: the rule leaves this clash to you"


def test_a_clash_of_single_entries_says_why_it_went_so() -> None:
    pair = pairing(contact(phones=(Phone(number="1", type="work"),)))
    answer = both(
        pair,
        {"phones": (Phone(number="1", type="home"),)},
        {"phones": (Phone(number="1", type="cell"),)},
        policy(rule_of(Kind.CONTACT, direction=Direction.BOTH, clash=Clash.CRM)),
    )
    assert words(answer) == ["conflict phones: crm", "update groupware: phones"]
    assert found(answer, Conflict).why.endswith("the rule lets the CRM win phones")


def test_a_loss_that_the_winner_need_not_write_is_no_clash() -> None:
    """The mailbox holds all it can of the CRM's title, so nothing of its own is lost."""
    under = policy(rule_of(clash=Clash.CRM), groupware=traits(limits={"title": 4}))
    answer = both(pairing(event("Old")), {"title": "Reviews"}, {"title": "Revi"}, under)
    assert words(answer) == ["pair"]


def test_an_edit_that_does_not_travel_gives_way_and_is_told() -> None:
    answer = both(pairing(event()), {"title": "CRM"}, {"title": "Mailbox"}, OUTBOUND)
    assert words(answer) == ["conflict title: crm", "update groupware: title"]
    assert "replaces an edit that does not travel from groupware" in found(answer, Conflict).why


def test_the_organizer_may_be_named_by_the_crm_alone() -> None:
    under = policy(rule_of(meetings="invite", clash=Clash.ORGANIZER))
    pair = pairing(meeting(OWNER, OWNER, BOB), event())
    answer = both(pair, {"title": "CRM"}, {"title": "Mailbox"}, under)
    assert words(answer) == ["conflict title: groupware", "update crm: title"]


def test_what_is_put_back_alone_speaks_of_nothing_else() -> None:
    answer = decide(pairing(meeting(EVE, OWNER, BOB)), CHANGED, SAME, crm_edit={"title": "Mine"})
    assert found(answer, Update).why == "title put back: only the mailbox may change that"


def test_what_is_put_back_is_named_beside_the_rest() -> None:
    answer = both(pairing(meeting(EVE, OWNER, BOB)), {"title": "Mine"}, {"location": "Room"})
    assert found(answer, Update).why == (
        "title put back: only the mailbox may change that; the rest changed in the mailbox"
    )


def test_all_that_is_put_back_is_named_one_by_one() -> None:
    mine = {"title": "Mine", "location": "My room"}
    answer = decide(pairing(meeting(EVE, OWNER, BOB)), CHANGED, SAME, crm_edit=mine)
    assert found(answer, Update).why.startswith("location, title put back: ")


# One side's changes.


def test_an_edit_on_both_sides_alike_is_written_nowhere_though_it_does_not_travel() -> None:
    same = {"title": "Alike"}
    assert words(both(pairing(event()), same, same, OUTBOUND)) == ["pair"]


def test_what_may_not_be_written_stays_as_it_is_in_a_copy_that_gives_nothing() -> None:
    under = policy(groupware=traits(readonly=frozenset({"end"})))
    copy = event(people=(Person(address=BOB), Person(address=OWNER)))
    answer = both(
        pairing(meeting(BOB, OWNER), copy, content=False),
        {"start": TOMORROW - HOUR},
        {"end": TOMORROW + 5 * HOUR},
        under,
    )
    assert words(answer) == ["update groupware: start"]


def test_an_entry_edited_against_the_direction_gives_way() -> None:
    under = policy(rule_of(Kind.CONTACT, direction=Direction.OUTBOUND))
    pair = pairing(contact(phones=(Phone(number="1", type="work"), Phone(number="2"))))
    home, mine = Phone(number="1", type="home"), Phone(number="1", type="cell")
    answer = both(
        pair, {"phones": (home, Phone(number="2"))}, {"phones": (mine, Phone(number="2"))}, under
    )
    assert set(found(answer, Update, GROUPWARE).after.phones) == {home, Phone(number="2")}


def test_a_base_that_was_cut_off_is_no_change() -> None:
    under = policy(crm=traits(limits={"title": 4}))
    answer = decide(
        pairing(event("Revi"), event("Review")), CHANGED, SAME, under, crm_edit={"title": "Mine"}
    )
    assert words(answer) == ["update groupware: title"]


# Entries.


def test_one_entrys_clash_leaves_the_others_alone() -> None:
    pair = pairing(series(overrides=(moved(1, "one"), moved(2, "two"))))
    answer = both(
        pair,
        {"overrides": (moved(1, "CRM"), moved(2, "two"))},
        {"overrides": (moved(1, "mailbox"), moved(2, "mailbox too"))},
        policy(rule_of(clash=Clash.CRM)),
    )
    assert found(answer, Update, CRM).after.overrides == (
        moved(1, "CRM"),
        moved(2, "mailbox too"),
    )


def test_an_entry_taken_out_on_both_sides_is_out() -> None:
    pair = pairing(event(categories=("A", "B")))
    answer = both(pair, {"categories": ("B", "C")}, {"categories": ("B", "D")})
    for side in (CRM, GROUPWARE):
        assert set(found(answer, Update, side).after.categories) == {"B", "C", "D"}


def test_a_category_given_twice_counts_once() -> None:
    pair = pairing(event(categories=("A",)), event(categories=("A", "A")))
    answer = decide(pair, CHANGED, SAME, crm_edit={"categories": ("A", "B")})
    assert found(answer, Update).after.categories == ("A", "B")


def test_changed_occurrences_stay_in_the_order_of_their_dates() -> None:
    answer = both(
        pairing(series()), {"overrides": (moved(1, "CRM"),)}, {"overrides": (moved(2, "mailbox"),)}
    )
    for side in (CRM, GROUPWARE):
        assert found(answer, Update, side).after.overrides == (
            moved(1, "CRM"),
            moved(2, "mailbox"),
        )


def test_left_out_dates_are_a_matter_of_the_schedule_once_that_changed() -> None:
    answer = both(
        pairing(series()),
        {"start": TOMORROW + HOUR, "end": TOMORROW + 2 * HOUR},
        {"exdates": (TOMORROW + DAY,)},
        policy(rule_of(clash=Clash.CRM)),
    )
    assert "conflict schedule: crm" in words(answer)
    assert found(answer, Update, GROUPWARE).after.exdates == ()


def test_a_schedule_that_travels_nowhere_binds_no_occurrences() -> None:
    own = FieldRule(direction=Direction.NONE)
    names = ("start", "end", "time_zone", "end_time_zone", "all_day", "rule", "rdates")
    under = policy(rule_of(fields=dict.fromkeys(names, own), clash=Clash.CRM))
    answer = both(
        pairing(series()),
        {"overrides": (moved(1, "CRM"),)},
        {"overrides": (moved(2, "mailbox"),), "start": TOMORROW + HOUR},
        under,
    )
    assert words(answer) == ["update groupware: overrides", "update crm: overrides"]


def test_an_edit_against_the_direction_is_put_back_only_where_it_could_be_written() -> None:
    rule = rule_of(direction=Direction.OUTBOUND, one_way=OneWay.RESTORE)
    under = policy(rule, groupware=traits(readonly=frozenset({"title"})))
    answer = decide(pairing(event()), SAME, CHANGED, under, mailbox_edit={"title": "Mine"})
    assert words(answer) == ["pair"]
