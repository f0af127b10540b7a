"""What holds by kind where a rule says nothing, and what a rule changes of it."""

from __future__ import annotations

import pytest

from accord.model.fields import FIELDS
from accord.model.kinds import Direction, Kind, Side
from accord.rules.rule import (
    Clash,
    Deletion,
    Deletions,
    FieldRule,
    Filters,
    GuardLimits,
    Meetings,
    OneWay,
    Rule,
)
from tests.unit.rules.given import FACTS, event, program

CRM, GROUPWARE = Side.CRM, Side.GROUPWARE
EVENT = frozenset(FIELDS[Kind.EVENT]) - {"extras", "reminders"}
TASK = frozenset(FIELDS[Kind.TASK]) - {"extras", "reminders"}
ABSENCE = frozenset({"title", "start", "end", "time_zone", "all_day"})
STATUS = frozenset({"status", "percent", "completed"})
NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("kind", "direction", "crm", "groupware"),
    [
        (Kind.EVENT, None, EVENT - {"people"}, EVENT - {"attendees", "organizer"}),
        (Kind.EVENT, "inbound", EVENT - {"people"}, NOTHING),
        (Kind.EVENT, "outbound", NOTHING, EVENT - {"attendees", "organizer"}),
        (Kind.TASK, None, STATUS, TASK),
        (Kind.TASK, "outbound", STATUS, TASK),
        (Kind.TASK, "both", TASK, TASK),
        (Kind.TASK, "inbound", TASK, NOTHING),
        (Kind.CONTACT, None, NOTHING, frozenset(FIELDS[Kind.CONTACT]) - {"extras"}),
        (Kind.ABSENCE, None, NOTHING, ABSENCE | {"busy"}),
        (Kind.ABSENCE, "both", ABSENCE, ABSENCE | {"busy"}),
        (Kind.ABSENCE, "inbound", ABSENCE, NOTHING),
        *((kind, "none", NOTHING, NOTHING) for kind in Kind),
    ],
)
def test_fields_that_travel(
    kind: Kind, direction: str | None, crm: frozenset[str], groupware: frozenset[str]
) -> None:
    rule = program(kind, direction=Direction(direction) if direction else None)
    assert rule.fields(CRM) == crm
    assert rule.fields(GROUPWARE) == groupware


@pytest.mark.parametrize(
    ("kind", "direction", "creates", "crm", "groupware"),
    [
        (Kind.EVENT, None, None, True, True),
        (Kind.TASK, None, None, False, True),
        (Kind.CONTACT, None, None, False, True),
        (Kind.ABSENCE, None, None, False, True),
        (Kind.TASK, Direction.BOTH, None, True, True),
        (Kind.EVENT, Direction.INBOUND, None, True, False),
        (Kind.EVENT, None, Direction.INBOUND, True, False),
        (Kind.EVENT, None, Direction.NONE, False, False),
        (Kind.EVENT, Direction.NONE, None, False, False),
    ],
)
def test_where_items_are_created_and_deleted(
    kind: Kind,
    direction: Direction | None,
    creates: Direction | None,
    crm: bool,
    groupware: bool,
) -> None:
    rule = program(kind, direction=direction, creates=creates)
    assert (rule.creates(CRM), rule.creates(GROUPWARE)) == (crm, groupware)
    kept = {True: Deletion.PROPAGATE, False: Deletion.KEEP}
    assert rule.deletion(CRM) is kept[crm]
    assert rule.deletion(GROUPWARE) is kept[groupware]


def test_deletion_by_rule_names_the_direction_it_travels_in() -> None:
    said = Deletions(inbound=Deletion.UNLINK, outbound=Deletion.KEEP)
    rule = program(Kind.EVENT, delete=said)
    assert rule.deletion(CRM) is Deletion.UNLINK
    assert rule.deletion(GROUPWARE) is Deletion.KEEP


def test_kinds_of_both_sides() -> None:
    assert program(Kind.ABSENCE).kind(CRM) is Kind.ABSENCE
    assert program(Kind.ABSENCE).kind(GROUPWARE) is Kind.EVENT
    assert program(Kind.TASK).kind(GROUPWARE) is Kind.TASK


def test_clash_by_default_organizer_for_schedule_else_crm() -> None:
    rule = program(Kind.EVENT)
    assert rule.clash("schedule") is Clash.ORGANIZER
    assert rule.clash("title") is Clash.CRM
    assert rule.clash("status") is Clash.CRM
    assert rule.clash("extras") is Clash.CRM


def test_clash_of_a_rule_counts_for_every_field() -> None:
    rule = program(Kind.EVENT, clash=Clash.GROUPWARE)
    assert rule.clash("schedule") is Clash.GROUPWARE
    assert rule.clash("title") is Clash.GROUPWARE


@pytest.mark.parametrize("name", ["schedule", "start", "end", "rdates"])
def test_clash_of_a_group_is_said_by_its_name_or_a_member(name: str) -> None:
    fields = {name: FieldRule(clash=Clash.HOLD), "title": FieldRule(clash=Clash.GROUPWARE)}
    rule = program(Kind.EVENT, fields=fields, clash=Clash.NEWEST)
    assert rule.clash("schedule") is Clash.HOLD
    assert rule.clash("title") is Clash.GROUPWARE
    assert rule.clash("body") is Clash.NEWEST


def test_clash_of_own_fields() -> None:
    fields = {"extras": FieldRule(clash=Clash.HOLD), "crm:a": FieldRule(clash=Clash.GROUPWARE)}
    rule = program(Kind.EVENT, fields=fields)
    assert rule.clash("extras") is Clash.HOLD
    assert rule.clash("crm:a") is Clash.GROUPWARE
    assert rule.clash("crm:b") is Clash.HOLD


def test_one_way_of_rule_and_field() -> None:
    assert program(Kind.CONTACT).one_way("notes") is OneWay.IGNORE
    rule = program(
        Kind.CONTACT,
        one_way=OneWay.RESTORE,
        fields={
            "notes": FieldRule(one_way=OneWay.IGNORE),
            "name": FieldRule(one_way=OneWay.IGNORE),
        },
    )
    assert rule.one_way("job_title") is OneWay.RESTORE
    assert rule.one_way("notes") is OneWay.IGNORE
    assert rule.one_way("given") is OneWay.IGNORE


def test_direction_of_a_group_is_said_once() -> None:
    rule = program(Kind.EVENT, fields={"schedule": FieldRule(direction=Direction.OUTBOUND)})
    schedule = {"start", "end", "time_zone", "end_time_zone", "all_day", "rule", "rdates"}
    assert not schedule & rule.fields(CRM)
    assert schedule <= rule.fields(GROUPWARE)
    assert {"title", "exdates"} <= rule.fields(CRM)


def test_direction_of_one_field() -> None:
    fields = {
        "title": FieldRule(direction=Direction.INBOUND),
        "body": FieldRule(direction=Direction.NONE),
        "reminders": FieldRule(direction=Direction.OUTBOUND),
    }
    rule = program(Kind.EVENT, fields=fields)
    assert "title" in rule.fields(CRM)
    assert "title" not in rule.fields(GROUPWARE)
    assert "body" not in rule.fields(CRM) | rule.fields(GROUPWARE)
    assert "reminders" in rule.fields(GROUPWARE)
    assert "reminders" not in rule.fields(CRM)


def test_own_fields_never_travel_unnamed() -> None:
    fields = {
        "extras": FieldRule(direction=Direction.BOTH),
        "crm:a": FieldRule(direction=Direction.OUTBOUND),
    }
    assert "extras" not in program(Kind.EVENT, fields=fields).fields(CRM)
    item = event(extras={"crm:a": "1", "crm:b": "2"})
    there = program(Kind.EVENT, fields=fields).project(GROUPWARE, item, FACTS)
    assert there.extras == {"crm:a": "1"}


def test_status_of_tasks_can_be_kept_from_coming_back() -> None:
    rule = program(Kind.TASK, fields={"status": FieldRule(direction=Direction.OUTBOUND)})
    assert rule.fields(CRM) == NOTHING


def test_inviting_copies_have_attendees_and_people() -> None:
    rule = program(Kind.EVENT, meetings=Meetings.INVITE)
    assert {"attendees", "organizer", "people"} <= rule.fields(GROUPWARE)


def test_people_arrive_even_if_only_attendees_travel() -> None:
    fields = {"people": FieldRule(direction=Direction.NONE)}
    assert "people" in program(Kind.EVENT, fields=fields).fields(GROUPWARE)
    nobody = {name: FieldRule(direction=Direction.NONE) for name in ("organizer", "attendees")}
    assert "people" not in program(Kind.EVENT, fields=fields | nobody).fields(GROUPWARE)


def test_equal_rules_have_equal_versions_and_others_don_t() -> None:
    one = Rule(name="a", kind=Kind.EVENT, lookups={"x": {"a": "1"}, "y": {}})
    same = Rule(name="a", kind=Kind.EVENT, lookups={"y": {}, "x": {"a": "1"}})
    other = Rule(name="a", kind=Kind.EVENT, lookups={"x": {"a": "2"}, "y": {}})
    assert one.version == same.version != other.version


def test_a_default_said_aloud_is_the_same_version() -> None:
    silent = Rule(name="a", kind=Kind.EVENT)
    aloud = Rule(name="a", kind=Kind.EVENT, filter=Filters(crm=""), guard=GuardLimits(deletes=10))
    assert aloud == silent
    assert aloud.version == silent.version
    assert Rule(name="a", kind=Kind.EVENT, guard=GuardLimits(deletes=11)).version != silent.version
