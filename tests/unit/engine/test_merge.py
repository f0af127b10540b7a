"""Merging: two bases, groups, entries, clashes and one-way fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from accord.engine.merge import Merged, agrees, merge, merge_alike, shared_edits
from accord.engine.plan import Pairing
from accord.engine.policy import Policy
from accord.model.diff import patch
from accord.model.item import Item, Mailto, Phone, PostalAddress, TaskStatus
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Attachment, Attendee, Body, Person, Reply
from accord.model.recurrence import EventStatus, Frequency, Override, RecurrenceRule
from accord.rules.rule import Clash, FieldRule, Meetings, OneWay
from tests.unit.engine.kit import (
    BOB,
    CRM,
    EVE,
    GROUPWARE,
    HOUR,
    OWNER,
    TOMORROW,
    absence,
    contact,
    event,
    meeting,
    pairing,
    policy,
    rule_of,
    series,
    task,
    traits,
)

BOTH_WAYS = {
    kind: policy(rule_of(kind, direction=Direction.BOTH)) for kind in Kind if kind != "mail"
}


def merged(
    pair: Pairing,
    crm: dict[str, Any] | None = None,
    mailbox: dict[str, Any] | None = None,
    under: Policy | None = None,
    *,
    undo: bool = False,
) -> Merged:
    """Merge after the given edits on either side."""
    now = {
        side: msgspec.structs.replace(
            pair.side(side), version="2", item=patch(pair.side(side).item, edit or {})
        )
        for side, edit in ((CRM, crm), (GROUPWARE, mailbox))
    }
    return merge(pair, now[CRM], now[GROUPWARE], under or policy(), undo=undo)


def rested(pair: Pairing, result: Merged, crm: Item, mailbox: Item) -> Pairing:
    """Return the pair after both sides have taken what the merge gives them."""
    return msgspec.structs.replace(
        pair,
        crm=msgspec.structs.replace(pair.crm, item=patch(crm, result.crm)),
        groupware=msgspec.structs.replace(pair.groupware, item=patch(mailbox, result.groupware)),
    )


# Without a rule between.


@pytest.mark.parametrize(
    ("winner", "crm", "mailbox"),
    [
        (CRM, {"location": "L"}, {"title": "C", "priority": 1}),
        (GROUPWARE, {"location": "L", "title": "G"}, {"priority": 1}),
        (None, {"location": "L"}, {"priority": 1}),
    ],
)
def test_items_held_alike_merge_as_pairs_do(
    winner: Side | None, crm: dict[str, Any], mailbox: dict[str, Any]
) -> None:
    base = event()
    here, there = (
        patch(base, {"title": "C", "priority": 1}),
        patch(base, {"title": "G", "location": "L"}),
    )
    result = merge_alike(base, here, there, winner)
    assert (result.crm, result.groupware) == (crm, mailbox)
    (clashed,) = result.clashes
    assert (clashed.group, clashed.winner) == ("title", winner)
    assert [(c.before, c.after) for c in clashed.fields] == [("C", "G")]
    assert result.contested == (("title",) if winner is None else ())
    assert result.restored == frozenset()


def test_all_fields_of_items_held_alike_travel_in_their_groups() -> None:
    base = contact(mails=(Mailto(address="a@x"),), extras={"crm:x": "1"})
    more = (*base.mails, Mailto(address="b@x"))
    here = patch(base, {"family": "C", "mails": more, "extras": {"crm:x": "2"}})
    there = patch(base, {"given": "G", "mails": (Mailto(address="c@x"),)})
    result = merge_alike(base, here, there, CRM)
    assert [clash.group for clash in result.clashes] == ["name"]
    assert result.groupware["family"] == "C"
    assert result.groupware["extras"] == {"crm:x": "2"}
    assert {mail.address for mail in result.crm["mails"]} == {"b@x", "c@x"}
    assert {mail.address for mail in result.groupware["mails"]} == {"b@x", "c@x"}


# Fields.


def test_edits_of_different_fields_both_arrive() -> None:
    result = merged(pairing(event()), {"title": "T"}, {"location": "L"})
    assert (result.groupware, result.crm, result.clashes) == ({"title": "T"}, {"location": "L"}, ())


def test_nothing_changed_merges_to_nothing() -> None:
    result = merged(pairing(event()))
    assert (result.crm, result.groupware, result.clashes) == ({}, {}, ())
    assert result.restored == frozenset()


def test_the_same_edit_on_both_sides_is_no_clash() -> None:
    result = merged(pairing(event()), {"title": "Same"}, {"title": "Same"})
    assert (result.crm, result.groupware, result.clashes) == ({}, {}, ())


def test_a_difference_that_counts_as_equal_is_no_change() -> None:
    pair = pairing(event(body=Body(text="one\ntwo")))
    result = merged(pair, {"body": Body(text="one  \r\ntwo\n")})
    assert (result.crm, result.groupware) == ({}, {})


@pytest.mark.parametrize(
    ("clash", "crm", "mailbox", "winner"),
    [
        (None, {}, {"title": "C"}, CRM),
        (Clash.CRM, {}, {"title": "C"}, CRM),
        (Clash.GROUPWARE, {"title": "G"}, {}, GROUPWARE),
        (Clash.ORGANIZER, {}, {"title": "C"}, CRM),
        (Clash.HOLD, {}, {}, None),
        (Clash.NEWEST, {}, {}, None),
    ],
)
def test_a_clash_goes_by_policy_and_keeps_the_losing_value(
    clash: Clash | None, crm: dict[str, Any], mailbox: dict[str, Any], winner: Side | None
) -> None:
    under = policy(rule_of(clash=clash))
    result = merged(pairing(event()), {"title": "C"}, {"title": "G"}, under)
    assert (result.crm, result.groupware) == (crm, mailbox)
    (clashed,) = result.clashes
    assert (clashed.group, clashed.winner) == ("title", winner)
    (change,) = clashed.fields
    assert (change.before, change.after) == ("C", "G"), "first the CRM's, whoever won"


def test_a_field_may_have_a_clash_policy_of_its_own() -> None:
    under = policy(rule_of(fields={"title": FieldRule(clash=Clash.GROUPWARE)}))
    result = merged(
        pairing(event()),
        {"title": "C", "location": "C"},
        {"title": "G", "location": "G"},
        under,
    )
    assert (result.crm, result.groupware) == ({"title": "G"}, {"location": "C"})
    assert [c.group for c in result.clashes] == ["title", "location"]


def test_the_newest_wins_only_where_the_clocks_agree() -> None:
    early, late = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    for apart, crm_time, mailbox_time, winner, why in (
        ("", late, early, CRM, "the rule lets the newest edit win"),
        ("", early, late, GROUPWARE, "the rule lets the newest edit win"),
        ("", late, late, CRM, "the rule lets the newest edit win"),
        ("", None, late, None, "the CRM doesn't say when it was edited there"),
        ("", late, None, None, "the mailbox doesn't say when it was edited there"),
        ("it is dark", late, early, None, "it is dark"),
        ("it is dark", early, late, None, "it is dark"),
    ):
        pair = pairing(event())
        crm = msgspec.structs.replace(
            pair.crm, version="2", item=patch(pair.crm.item, {"title": "C"}), modified=crm_time
        )
        mailbox = msgspec.structs.replace(
            pair.groupware,
            version="2",
            item=patch(pair.groupware.item, {"title": "G"}),
            modified=mailbox_time,
        )
        under = policy(rule_of(clash=Clash.NEWEST), facts={"clocks_apart": apart})
        (clashed,) = merge(pair, crm, mailbox, under).clashes
        assert clashed.winner is winner
        assert clashed.why == (why if winner else f"which edit is newer can't be told: {why}")


def test_an_undo_puts_a_whole_text_back_where_an_edit_goes_beside_what_stands() -> None:
    pair = pairing(event(body=Body(text="old")), event(body=Body(text="old, and mine")))
    before = {"body": Body(text="before")}
    assert merged(pair, before, undo=True).groupware == before
    beside = merged(pair, before).groupware["body"].text
    assert "old, and mine" in beside and "before" in beside


# Two bases.


def test_a_side_that_cuts_texts_does_not_cut_the_other() -> None:
    """With one shared base, an unrelated edit would carry the cut title back."""
    long = "A title that is much longer than the mailbox takes"
    short = traits(limits={"title": 10})
    under = policy(groupware=short)
    pair = pairing(event(long), event(long[:10]))
    result = merged(pair, {}, {"location": "L"}, under)
    assert result.crm == {"location": "L"}
    result = merged(pair, {"location": "L"}, {}, under)
    assert (result.groupware, result.crm) == ({"location": "L"}, {})


def test_lossy_sides_come_to_rest() -> None:
    long = "A title that is much longer than the mailbox takes"
    under = policy(groupware=traits(limits={"title": 10}, seconds=False, without="url priority"))
    pair = pairing(event(long, url="https://x.test", priority=3), event(long[:10]))
    result = merged(pair, {"title": "Another title, also long"}, {}, under)
    assert result.groupware == {"title": "Another ti"}
    crm = patch(pair.crm.item, {"title": "Another title, also long"})
    result = merged(rested(pair, result, crm, pair.groupware.item), under=under)
    assert (result.crm, result.groupware, result.clashes) == ({}, {}, ())


def test_an_edit_of_the_cut_text_does_travel() -> None:
    under = policy(groupware=traits(limits={"title": 10}))
    pair = pairing(event("A title that is long"), event("A title th"))
    assert merged(pair, {}, {"title": "Mine"}, under).crm == {"title": "Mine"}


def test_what_a_side_does_not_store_is_neither_written_nor_missed() -> None:
    under = policy(groupware=traits(without="url location"))
    pair = pairing(event(url="https://x.test", location="Room"), event())
    assert merged(pair, {"url": "https://y.test"}, {}, under).groupware == {}
    assert merged(pair, {}, {"title": "T"}, under).crm == {"title": "T"}


def test_what_a_side_may_not_write_is_not_written() -> None:
    under = policy(groupware=traits(readonly=frozenset({"status"})))
    result = merged(pairing(event()), {"status": EventStatus.TENTATIVE, "title": "T"}, {}, under)
    assert result.groupware == {"title": "T"}


def test_mappings_cancel_out() -> None:
    rule = rule_of(
        fields={
            "title": FieldRule(outbound="'CRM: ' + value", inbound="value.replace('CRM: ', '')")
        }
    )
    pair = pairing(event("Review"), event("CRM: Review"))
    assert merged(pair, {"location": "L"}, {}, policy(rule)).groupware == {"location": "L"}
    assert merged(pair, {"title": "New"}, {}, policy(rule)).groupware == {"title": "CRM: New"}
    assert merged(pair, {}, {"title": "CRM: New"}, policy(rule)).crm == {"title": "New"}


def test_a_changed_rule_shows_in_the_difference_of_both_projections() -> None:
    old = rule_of()
    new = rule_of(fields={"title": FieldRule(outbound="'X ' + value", inbound="value")})
    under = msgspec.structs.replace(policy(new), former=policy(old).program)
    result = merged(pairing(event("Review")), under=under)
    assert result.groupware == {"title": "X Review"}


@pytest.mark.parametrize(
    ("direction", "agreed"),
    [
        (Direction.BOTH, False),
        (Direction.OUTBOUND, False),
        (Direction.INBOUND, False),
        (Direction.NONE, True),
    ],
)
def test_a_pair_agrees_where_nothing_that_travels_either_way_differs(
    direction: Direction, agreed: bool
) -> None:
    under = policy(rule_of(fields={"title": FieldRule(direction=direction)}))
    assert agrees(pairing(event("CRM"), event("Mailbox")), under) is agreed
    assert agrees(pairing(event("CRM")), under)
    assert not agrees(pairing(event("CRM"), contested=("title",)), under)


# Groups.


def test_a_schedule_is_taken_whole() -> None:
    later = TOMORROW + HOUR
    pair = pairing(event())
    result = merged(
        pair,
        {"start": later, "end": later + HOUR},
        {"time_zone": "Europe/Paris"},
    )
    assert result.crm == {}
    assert result.groupware == {
        "start": later, "end": later + HOUR, "time_zone": "Europe/Berlin",
    }  # fmt: skip
    (clashed,) = result.clashes
    assert (clashed.group, clashed.winner) == ("schedule", CRM)
    assert "nobody organizes this" in clashed.why


@pytest.mark.parametrize(("organizer", "winner"), [(OWNER, GROUPWARE), (BOB, CRM)])
def test_the_organizers_copy_decides_about_the_schedule(organizer: str, winner: Side) -> None:
    later, latest = TOMORROW + HOUR, TOMORROW + 2 * HOUR
    pair = pairing(meeting(organizer, OWNER, BOB))
    if organizer == BOB:  # a plain copy: the record tells who organizes
        pair = pairing(meeting(BOB, OWNER, BOB), event(people=(Person(address=BOB),)))
    result = merged(
        pair, {"start": later, "end": later + HOUR}, {"start": latest, "end": latest + HOUR}
    )
    (clashed,) = result.clashes
    assert clashed.winner is winner


def test_a_task_status_is_taken_whole() -> None:
    pair = pairing(task())
    done = datetime(2026, 3, 2, 9, tzinfo=UTC)
    result = merged(
        pair,
        {"status": TaskStatus.IN_PROCESS, "percent": 40},
        {"status": TaskStatus.COMPLETED, "percent": 100, "completed": done},
        BOTH_WAYS[Kind.TASK],
    )
    assert result.crm == {}
    assert result.groupware == {
        "status": TaskStatus.IN_PROCESS, "percent": 40, "completed": None,
    }  # fmt: skip


def test_a_name_is_taken_whole() -> None:
    pair = pairing(contact("Ada King", given="Ada", family="King"))
    result = merged(
        pair,
        {"full_name": "Ada Byron", "family": "Byron"},
        {"given": "Augusta"},
        BOTH_WAYS[Kind.CONTACT],
    )
    assert result.groupware == {"full_name": "Ada Byron", "given": "Ada", "family": "Byron"}
    assert result.crm == {}


def test_halves_of_a_group_edited_on_one_side_arrive_as_they_are() -> None:
    result = merged(pairing(event()), {}, {"end": TOMORROW + 2 * HOUR})
    assert (result.crm, result.clashes) == ({"end": TOMORROW + 2 * HOUR}, ())


# Series.

DAY = timedelta(days=1)


def change(day: int, **values: Any) -> Override:
    return Override(recurrence_id=TOMORROW + day * DAY, **values)


def test_changed_occurrences_merge_one_by_one() -> None:
    pair = pairing(series(overrides=(change(1, title="one"), change(2, title="two"))))
    result = merged(
        pair,
        {"overrides": (change(1, title="ONE"), change(2, title="two"))},
        {"overrides": (change(1, title="one"), change(2, title="two"), change(3, title="three"))},
    )
    both = (change(1, title="ONE"), change(2, title="two"), change(3, title="three"))
    assert result.groupware == {"overrides": both}
    assert result.crm == {"overrides": both}
    assert result.clashes == ()


def test_the_same_occurrence_changed_twice_clashes_alone() -> None:
    pair = pairing(series())
    result = merged(
        pair,
        {"overrides": (change(1, title="C"), change(2, title="kept"))},
        {"overrides": (change(1, title="G"),)},
    )
    assert result.groupware == {"overrides": (change(1, title="C"), change(2, title="kept"))}
    assert result.crm == {}
    (clashed,) = result.clashes
    assert (clashed.group, clashed.winner) == ("overrides", CRM)
    assert clashed.fields[0].after == (change(1, title="G"),)


def test_left_out_dates_of_both_sides_come_together() -> None:
    one, two = TOMORROW + DAY, TOMORROW + 2 * DAY
    result = merged(pairing(series()), {"exdates": (one,)}, {"exdates": (two,)})
    assert set(result.groupware["exdates"]) == {one, two}
    assert set(result.crm["exdates"]) == {one, two}


def test_an_occurrence_left_out_here_and_changed_there_keeps_both() -> None:
    one = TOMORROW + DAY
    result = merged(pairing(series()), {"exdates": (one,)}, {"overrides": (change(2, title="x"),)})
    assert result.groupware == {"exdates": (one,)}
    assert result.crm == {"overrides": (change(2, title="x"),)}


@pytest.mark.parametrize(
    "reschedule",
    [
        {"start": TOMORROW + HOUR, "end": TOMORROW + 2 * HOUR},
        {"rule": RecurrenceRule(frequency=Frequency.WEEKLY, count=5)},
    ],
)
def test_a_new_schedule_against_a_changed_occurrence_is_one_clash(
    reschedule: dict[str, Any],
) -> None:
    pair = pairing(series(overrides=(change(1, title="one"),)))
    result = merged(
        pair,
        reschedule,
        {"overrides": (change(1, title="one"), change(2, title="two"))},
    )
    assert result.crm == {}
    assert result.groupware == {**reschedule, "overrides": (change(1, title="one"),)}
    (clashed,) = result.clashes
    assert (clashed.group, clashed.winner) == ("schedule", CRM)
    lost = {change.field: change.after for change in clashed.fields}
    assert lost["overrides"] == (change(1, title="one"), change(2, title="two"))


def test_a_truncated_series_and_the_one_that_goes_on_are_two_items() -> None:
    until = RecurrenceRule(frequency=Frequency.DAILY, until=TOMORROW + 3 * DAY)
    result = merged(pairing(series()), {}, {"rule": until})
    assert result.crm == {"rule": until}
    assert merged(pairing(event(split_from="u0")), {"title": "T"}).groupware == {"title": "T"}


# Entries.


def test_categories_of_both_sides_come_together() -> None:
    pair = pairing(event(categories=("a", "b")))
    result = merged(pair, {"categories": ("a", "b", "c")}, {"categories": ("b", "d")})
    assert set(result.groupware["categories"]) == {"b", "c", "d"}
    assert set(result.crm["categories"]) == {"b", "c", "d"}
    assert result.clashes == ()


def test_the_order_of_entries_is_no_change() -> None:
    pair = pairing(event(categories=("a", "b")))
    assert merged(pair, {"categories": ("b", "a")}).groupware == {}


def test_attendees_merge_one_by_one() -> None:
    people = (Attendee(address=BOB), Attendee(address=EVE))
    pair = pairing(event(organizer=Person(address=OWNER), attendees=people))
    accepted = Attendee(address=BOB, reply=Reply.ACCEPTED)
    new = Attendee(address="new@x.test")
    under = policy(rule_of(meetings=Meetings.INVITE))
    result = merged(
        pair, {"attendees": (*people, new)}, {"attendees": (accepted, people[1])}, under
    )
    assert set(result.groupware["attendees"]) == {accepted, people[1], new}
    assert set(result.crm["attendees"]) == {accepted, people[1], new}
    assert result.clashes == ()


def test_numbers_and_mails_merge_by_what_they_are() -> None:
    pair = pairing(
        contact(
            phones=(Phone(number="+49 30 1"), Phone(number="+49 30 2")),
            mails=(Mailto(address="a@x.test"),),
        )
    )
    result = merged(
        pair,
        {"phones": (Phone(number="+49 30 1", type="home"), Phone(number="+49 30 2"))},
        {
            "phones": (Phone(number="+49-30-1"),),
            "mails": (Mailto(address="A@x.test", type="home"), Mailto(address="b@x.test")),
        },
        BOTH_WAYS[Kind.CONTACT],
    )
    assert [p.type for p in result.groupware["phones"]] == ["home"]
    assert {m.address for m in result.crm["mails"]} == {"A@x.test", "b@x.test"}
    assert [c.group for c in result.clashes] == ["phones"]


def test_two_addresses_of_one_type_stay_two() -> None:
    first = PostalAddress(type="work", street="One Street")
    second = PostalAddress(type="work", street="Two Street")
    pair = pairing(contact(addresses=(first, second)))
    moved = PostalAddress(type="work", street="Third Street")
    result = merged(pair, {"addresses": (first, moved)}, {}, BOTH_WAYS[Kind.CONTACT])
    assert result.groupware == {"addresses": (first, moved)}


def test_an_entry_edited_here_and_taken_away_there_clashes() -> None:
    pair = pairing(contact(phones=(Phone(number="1"),)))
    for clash, crm, mailbox in (
        (Clash.CRM, {}, {"phones": (Phone(number="1", type="home"),)}),
        (Clash.GROUPWARE, {"phones": ()}, {}),
        (Clash.HOLD, {}, {}),
    ):
        under = policy(rule_of(Kind.CONTACT, direction=Direction.BOTH, clash=clash))
        result = merged(pair, {"phones": (Phone(number="1", type="home"),)}, {"phones": ()}, under)
        assert (result.crm, result.groupware) == (crm, mailbox)
        assert [c.group for c in result.clashes] == ["phones"]


def test_attachments_are_a_set() -> None:
    one, two = Attachment(uri="https://x.test/1"), Attachment(uri="https://x.test/2")
    result = merged(pairing(event()), {"attachments": (one,)}, {"attachments": (two,)})
    assert set(result.crm["attachments"]) == {one, two} == set(result.groupware["attachments"])


def test_own_fields_merge_one_by_one() -> None:
    rule = rule_of(
        fields={
            "crm:region": FieldRule(direction=Direction.BOTH),
            "crm:stage": FieldRule(direction=Direction.BOTH),
        }
    )
    own = traits(extras=frozenset({"crm"}))
    under = policy(rule, crm=own, groupware=own)
    pair = pairing(event(extras={"crm:region": "north", "crm:stage": "1"}))
    result = merged(
        pair,
        {"extras": {"crm:region": "south", "crm:stage": "1"}},
        {"extras": {"crm:region": "north", "crm:stage": "2"}},
        under,
    )
    assert result.groupware["extras"] == {"crm:region": "south", "crm:stage": "2"}
    assert result.crm["extras"] == {"crm:region": "south", "crm:stage": "2"}


def test_own_fields_without_a_mapping_stay_at_home() -> None:
    pair = pairing(event(extras={"crm:region": "north"}), event())
    assert merged(pair, {"extras": {"crm:region": "south"}}).groupware == {}


# One way.


def _one_way(direction: Direction, one_way: OneWay) -> Policy:
    return policy(rule_of(fields={"title": FieldRule(direction=direction, one_way=one_way)}))


@pytest.mark.parametrize(
    ("direction", "edited"), [(Direction.OUTBOUND, GROUPWARE), (Direction.INBOUND, CRM)]
)
def test_an_edit_against_the_direction_is_ignored_or_put_back(
    direction: Direction, edited: Side
) -> None:
    pair = pairing(event("Own wording here"), event("Own wording there"))
    edit = {"title": "Edited"}
    crm, mailbox = ({}, edit) if edited is GROUPWARE else (edit, {})
    ignored = merged(pair, crm, mailbox, _one_way(direction, OneWay.IGNORE))
    assert (ignored.crm, ignored.groupware, ignored.restored) == ({}, {}, frozenset())
    restored = merged(pair, crm, mailbox, _one_way(direction, OneWay.RESTORE))
    base: Any = pair.side(edited).item
    assert restored.side(edited) == {"title": base.title}, "its own base value, no fresh projection"
    assert restored.side(edited.other) == {}
    assert restored.restored == {"title"}


def test_an_ignored_edit_gives_way_when_the_field_changes_and_is_told() -> None:
    result = merged(
        pairing(event()),
        {"title": "New"},
        {"title": "Mine"},
        _one_way(Direction.OUTBOUND, OneWay.IGNORE),
    )
    assert result.groupware == {"title": "New"}
    (clashed,) = result.clashes
    assert (clashed.winner, clashed.fields[0].after) == (CRM, "Mine")


def test_a_field_of_a_one_way_group_gives_way_with_its_group() -> None:
    under = policy(rule_of(fields={"schedule": FieldRule(direction=Direction.OUTBOUND)}))
    later = TOMORROW + HOUR
    result = merged(
        pairing(event()),
        {"start": later, "end": later + HOUR},
        {"start": TOMORROW - HOUR, "end": TOMORROW, "time_zone": "Europe/Paris"},
        under,
    )
    assert result.groupware == {
        "start": later, "end": later + HOUR, "time_zone": "Europe/Berlin",
    }  # fmt: skip
    (clashed,) = result.clashes
    assert [change.field for change in clashed.fields] == ["start", "end", "time_zone"]


def test_personal_reminders_stay_in_their_mailbox() -> None:
    from accord.model.parts import Reminder

    mine = {"reminders": (Reminder(minutes=5),)}
    result = merged(pairing(event()), mine, mine)
    assert (result.crm, result.groupware) == ({}, {})
    assert merged(pairing(event()), {}, mine).crm == {}


def test_absences_go_out_and_never_say_why() -> None:
    under = policy(rule_of(Kind.ABSENCE))
    from accord.model.recurrence import Busy

    away = absence(absence_kind="sick", message="back soon")
    entry = event("Absent", start=away.start, end=away.end, time_zone=None, all_day=True,
                  busy=Busy.OUT_OF_OFFICE)  # fmt: skip
    pair = pairing(away, entry)
    result = merged(pair, {"absence_kind": "holiday", "end": away.end + DAY}, {}, under)
    assert result.groupware == {"end": away.end + DAY}
    assert merged(pair, {}, {"end": away.end + DAY}, under).crm == {}


# Edits that stand against a deletion.


def test_shared_edits_are_those_that_would_travel() -> None:
    pair = pairing(event())

    def edited(**values: Any) -> tuple[str, ...]:
        now = msgspec.structs.replace(pair.groupware, item=patch(pair.groupware.item, values))
        return shared_edits(pair, CRM, now, policy())

    assert edited(title="T", location="L") == ("title", "location")
    assert edited(categories=("x",)) == ()
    assert edited() == ()
