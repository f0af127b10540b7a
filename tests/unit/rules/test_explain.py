"""Why an item takes part or doesn't, word for word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from accord.model.item import Item
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Privacy
from accord.rules.explain import Reason, describe, explain_scope
from accord.rules.rule import (
    Clash,
    Deletion,
    Deletions,
    FieldRule,
    Filters,
    GuardLimits,
    Invitations,
    Leaving,
    Meetings,
    OneWay,
    Private,
    Rule,
    Scope,
    SeriesRule,
    Unfit,
    Window,
)
from tests.unit.rules.given import EVA, FACTS, event, program, task

CRM, GROUPWARE = Side.CRM, Side.GROUPWARE
QUESTIONS = (
    "Is the rule for it?",
    "May its content be read?",
    "Does it pass the filter for the {}?",
    "May it enter the CRM?",
    "Is it within the window?",
)
SECRET = event(privacy=Privacy.PRIVATE, title="Dentist")
CONSENT = msgspec.structs.replace(FACTS, consents=True)
LATER = "not asked any more"


def explained(
    rule: Any, side: Side, item: Item, *whys: str, facts: Any = FACTS, paired: bool = False
) -> None:
    """Check the answers in order; one that begins with `no: ` is the one that decides."""
    place = "CRM" if side is CRM else "mailbox"
    expected = []
    passed: bool | None = True
    for question, why in zip(QUESTIONS, whys, strict=True):
        if why.startswith("no: "):
            passed = False
        expected.append(
            Reason(question=question.format(place), passed=passed, why=why.removeprefix("no: "))
        )
        passed = None if passed is not True else True
    assert explain_scope(rule, side, item, facts, paired=paired) == tuple(expected)


def test_of_the_crm() -> None:
    explained(
        program(),
        CRM,
        event(),
        "the rule is for events",
        "what the CRM shows its user may go to that user's mailbox",
        "there is no filter",
        "it is in the CRM",
        "it is within the window for ever",
    )


def test_of_the_mailbox() -> None:
    explained(
        program(),
        GROUPWARE,
        event(organizer=EVA),
        "the rule is for events",
        "it is not private",
        "there is no filter",
        "the scope is people",
        "it is within the window for ever",
    )


def test_of_another_kind() -> None:
    why = "no: the rule is for events, this is a task"
    explained(program(), CRM, task(), why, *[LATER] * 4)


def test_out_of_scope_unless_paired() -> None:
    before = ("the rule is for events", "it is not private", "there is no filter")
    why = "no: no contact or user of the CRM takes part"
    explained(program(), GROUPWARE, event(), *before, why, LATER)
    explained(
        program(),
        GROUPWARE,
        event(),
        *before,
        "it has its counterpart in the CRM already",
        "it is within the window for ever",
        paired=True,
    )
    assert explain_scope(program(), GROUPWARE, event(), FACTS)[3].passed is False


def test_of_private_ones() -> None:
    explained(program(), GROUPWARE, SECRET, "the rule is for events", "no: private", *[LATER] * 3)
    reduced = (
        "the rule is for events",
        "it is private: only its time enters the CRM",
        "there is no filter",
    )
    ever = "it is within the window for ever"
    busy = program(private=Private.BUSY)
    explained(busy, GROUPWARE, SECRET, *reduced, "its time may enter whoever takes part", ever)
    there = "it has its counterpart in the CRM already"
    explained(program(), GROUPWARE, SECRET, *reduced, there, ever, paired=True)
    explained(
        program(private=Private.FULL, scope=Scope.ALL),
        GROUPWARE,
        SECRET,
        "the rule is for events",
        "it is private, and its owner agreed to share it",
        "there is no filter",
        "the scope is all",
        ever,
        facts=CONSENT,
    )


def test_of_filters() -> None:
    before = (
        "the rule is for events",
        "what the CRM shows its user may go to that user's mailbox",
    )
    after = ("it is in the CRM", "it is within the window for ever")
    rule = program(filter=Filters(crm=' item.title == "Visit" '))
    seen = """it passes: item.title == "Visit" (item.title = 'Visit')"""
    explained(rule, CRM, event(), *before, seen, *after)
    explained(rule, CRM, SECRET, *before, "no: the rule's filter for the CRM leaves it out: "
              'item.title == "Visit"', LATER, LATER)  # fmt: skip
    explained(program(filter=Filters(crm="true")), CRM, event(), *before, "it passes: true", *after)
    why = "no: filter.crm: divide by zero"
    explained(program(filter=Filters(crm="1 / 0 > 1")), CRM, event(), *before, why, LATER, LATER)


def test_of_filters_over_private_ones() -> None:
    rule = program(private=Private.FULL, scope=Scope.ALL, filter=Filters(groupware="known('x')"))
    (_, _, reason, *_) = explain_scope(rule, GROUPWARE, SECRET, CONSENT)
    assert reason.why == "the rule's filter for the mailbox leaves it out: known('x')"
    rule = program(filter=Filters(crm="{'a': true}[item.title]"))
    (_, _, reason, *_) = explain_scope(rule, CRM, SECRET, FACTS)
    assert reason.why == "filter.crm; what is wrong with it is not kept, for the entry is private"


def test_long_values_are_cut() -> None:
    rule = program(filter=Filters(crm='item.title != ""'))
    reason = explain_scope(rule, CRM, event(title="x" * 500), FACTS)[2]
    assert reason.why == f"""it passes: item.title != "" (item.title = '{"x" * 79})"""


def sentences(kind: Kind = Kind.EVENT, **values: Any) -> set[str]:
    """Return what is said of a rule and not of the smallest one of its kind."""
    rule = Rule(name="x", kind=kind, **values)
    return set(describe(rule)) - set(describe(Rule(name="x", kind=kind)))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"direction": Direction.INBOUND},
            {
                "Events travel into the CRM only.",
                "New ones are created in the CRM.",
                "When one is deleted in the CRM, the one in the mailbox stays.",
                "Reminders, People: don't travel.",
            },
        ),
        ({"creates": Direction.NONE}, {
            "New ones are created nowhere.",
            "When one is deleted in the CRM, the one in the mailbox stays.",
            "When one is deleted in the mailbox, the one in the CRM stays.",
        }),
        ({"direction": Direction.NONE}, {"Events don't travel."}),
        ({"delete": Deletions(inbound=Deletion.UNLINK)}, {
            ("When one is deleted in the mailbox, the one in the CRM stays and is no longer kept "
            "in agreement."),
        }),
        ({"filter": Filters(crm=" a ", groupware=" b "), "leaving": Leaving.DELETE_COPY}, {
            "From the CRM only those take part where a.",
            "From the mailbox only those take part where b.",
            "When an item leaves the filter, an unedited copy is deleted.",
        }),
        ({"filter": Filters(groupware="b")}, {
            "From the mailbox only those take part where b.",
            "When an item leaves the filter, the copy stays and is no longer kept in agreement.",
        }),
        ({"scope": Scope.ALL}, {"Of the mailbox's items every one enters the CRM."}),
        ({"scope": Scope.CATEGORY}, {
            ("Of the mailbox's items those enter the CRM that have one of these categories: "
            "none named."),
        }),
        ({"categories": ("A", "B")}, {
            ("Of the mailbox's items those enter the CRM that name a contact or another user of "
            "it, or have one of these categories: A, B."),
        }),
        ({"private": Private.BUSY}, {
            'Private entries of the mailbox enter it as "Busy", without their content.',
        }),
        ({"private": Private.FULL}, {
            ("Private entries of the mailbox enter it in full where their owner agreed, and stay "
            "out where not."),
        }),
        ({"window": Window(past=3)}, {
            "Only what happens within 3 days back; the copy stays as it is later.",
        }),
        ({"window": Window(past=1, future=2)}, {
            "Only what happens within 1 day back and 2 days ahead; the copy stays as it is later.",
        }),
        ({"window": Window(future=4, past=3, leaving=Leaving.UNLINK)}, {
            ("Only what happens within 3 days back and 4 days ahead; the copy stays and is no "
            "longer kept in agreement later."),
        }),
        ({"fields": {"body": FieldRule(direction=Direction.NONE),
                     "title": FieldRule(direction=Direction.INBOUND, inbound=" x "),
                     "location": FieldRule(source="crm:r", one_way=OneWay.RESTORE)}}, {
            "Text, Reminders: don't travel.",
            "Title: travel into the CRM only.",
            "title becomes, on its way into the CRM, x.",
            "location in the mailbox is crm:r in the CRM.",
            "location: an edit on the side it doesn't come from is put back.",
        }),
        ({"fields": {"title": FieldRule(outbound=" y ")}}, {
            "title becomes, on its way out of the CRM, y.",
        }),
        ({"clash": Clash.GROUPWARE}, {
            "Where both sides changed the same field, the mailbox wins.",
        }),
        ({"clash": Clash.NEWEST}, {
            ("Where both sides changed the same field, the later edit wins if the clocks are known "
            "to agree."),
        }),
        ({"fields": {"title": FieldRule(clash=Clash.HOLD), "body": FieldRule(clash=Clash.HOLD)}}, {
            "For title, body, both stay as they are until somebody decides.",
        }),
        ({"meetings": Meetings.INVITE, "invitations": Invitations.ALLOW}, {
            "The organizer's mailbox alone holds the attendees of a meeting.",
            "The server may mail attendees.",
            ("What would mail people waits after 20 times within an hour, or 100 of all links of "
            "the target."),
        }),
        ({"series": SeriesRule(unfit=Unfit.OCCURRENCES, days=90)}, {
            ("A series that the mailbox's server has no pattern for is written as single entries, "
            "90 days ahead."),
        }),
        ({"guard": GuardLimits(target_updates=1, mailbox_updates=2)}, {
            ("Changes wait where all links of the target together would change more than 1 item of "
            "a side within an hour, or 2 for each of its mailboxes where that is more."),
        }),
        ({"guard": GuardLimits(deletes=1, share=0.5, updates=2, emptied=1, lost=0.2, target=7)}, {
            ("What would delete more than 1 item of a side or 50% of all pairs within an hour "
            "waits for approval, as does what would change more than 2 at once."),
            ("Deletions wait where the last pair would be gone, where the history is lost and more "
            "than 20% are missing, and where all links of the target together would delete more "
            "than 7 within an hour."),
        }),
    ],
)  # fmt: skip
def test_what_a_rule_does(values: dict[str, Any], said: set[str]) -> None:
    assert sentences(**values) == said


def test_of_one_way_rules_nothing_is_said_about_clashes() -> None:
    said = " ".join(describe(Rule(name="x", kind=Kind.CONTACT)))
    assert "wins" not in said
    assert "enters the CRM" not in said
    assert "Private" not in said
    assert "meeting" not in said


def test_of_absences_only_their_own_fields_are_told() -> None:
    said = sentences(Kind.ABSENCE, fields={"title": FieldRule(direction=Direction.NONE)})
    assert said == {"Title: don't travel."}
