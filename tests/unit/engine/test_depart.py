"""Deletions and departures whose answer hangs on one thing only."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accord.engine.plan import Create, Delete, Update
from accord.engine.reconcile import Case, reconcile
from accord.model.item import Event
from accord.model.kinds import Direction
from accord.model.observe import OutOfScope, Unchanged
from accord.model.parts import Attendee, Body, Person, Reply
from accord.rules.rule import Clash, FieldRule, Filters, Leaving, OneWay, Scope, Window
from tests.unit.engine.kit import (
    BOB,
    CHANGED,
    CRM,
    EVE,
    GONE,
    GROUPWARE,
    LEFT,
    OWNER,
    SAME,
    TOMORROW,
    decide,
    event,
    found,
    invite,
    meeting,
    pairing,
    past,
    policy,
    rule_of,
    scheduling,
    traits,
    why,
    words,
)

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("crm", "mailbox", "steps"),
    [
        (past(), event(), ["unpair past"]),
        (event(), past(), ["unpair past"]),
        (event(), event(), ["delete crm"]),
    ],
)
def test_past_on_either_side_is_tidied_away_in_the_mailbox(
    crm: Event, mailbox: Event, steps: list[str]
) -> None:
    assert words(decide(pairing(crm, mailbox), SAME, GONE)) == steps


def test_a_deletion_says_whether_the_other_item_is_gone_already() -> None:
    for answer in (decide(pairing(event()), SAME, GONE), decide(pairing(event()), GONE, SAME)):
        assert found(answer, Delete).follows
    withdrawn = decide(pairing(event(), made=GROUPWARE), LEFT, SAME)
    assert not found(withdrawn, Delete).follows


def test_deleted_and_outside_the_window_stays() -> None:
    under = policy(rule_of(window=Window(future=0)))
    later = event(start=TOMORROW + DAY)
    answer = decide(pairing(later), SAME, GONE, under)
    assert words(answer) == ["unpair unlinked"]
    assert "but outside" in why(answer)


def test_a_deletion_follows_the_filter_of_the_side_it_reaches() -> None:
    pair = pairing(event("Secret"), event("Open"))
    under = policy(rule_of(filter=Filters(crm="item.title != 'Secret'")))
    assert words(decide(pair, SAME, GONE, under)) == ["unpair unlinked"]
    assert words(decide(pair, GONE, SAME, under)) == ["delete groupware"]


def test_once_paired_the_people_scope_is_asked_no_more() -> None:
    """Inbound scope says what comes in, not what stays."""
    under = policy(rule_of(scope=Scope.PEOPLE))
    pair = pairing(event())
    assert words(decide(pair, GONE, SAME, under)) == ["delete groupware"]
    assert words(decide(pair, SAME, CHANGED, under, mailbox_edit={"title": "X"})) == [
        "update crm: title"
    ]


def test_a_deleted_record_nobody_edited_takes_its_mailbox_item_along() -> None:
    """An open difference between the two bases is no edit."""
    pair = pairing(event("CRM wording"), event("Mailbox wording"))
    assert words(decide(pair, CHANGED, GONE)) == ["delete crm"]
    assert words(decide(pair, GONE, CHANGED)) == ["delete groupware"]


@pytest.mark.parametrize("field", ["location", "url"])
def test_an_edit_that_could_not_travel_stops_no_deletion(field: str) -> None:
    under = policy(groupware=traits(readonly=frozenset({field})))
    answer = decide(pairing(event()), CHANGED, GONE, under, crm_edit={field: "elsewhere"})
    assert words(answer) == ["delete crm"]


def test_an_unedited_copy_is_measured_by_its_own_base() -> None:
    rule = rule_of(filter=Filters(groupware="item.title != 'Out'"), leaving=Leaving.DELETE_COPY)
    pair = pairing(event("Cut"), event("Cut off here"), made=CRM)
    answer = decide(pair, SAME, CHANGED, policy(rule), mailbox_edit={"title": "Out"})
    assert words(answer) == ["delete crm"]
    assert why(answer).startswith("outside: ")


def test_a_copy_withdrawn_by_reassignment_says_so() -> None:
    answer = decide(pairing(event(), made=GROUPWARE), LEFT, SAME)
    assert "left the user's scope: now with Bob; the unedited copy is withdrawn" in why(answer)


def test_what_left_without_a_reason_is_given_none() -> None:
    case = Case(pairing=pairing(event()), crm=OutOfScope(ref="c1"), groupware=Unchanged(ref="g1"))
    assert why(reconcile(case, policy())) == "left the user's scope"


def test_an_organizer_without_people_cancels_nothing() -> None:
    """Alone with oneself there is no meeting: the record's edit wins."""
    alone = event(organizer=Person(address=OWNER))
    answer = decide(pairing(alone), CHANGED, GONE, crm_edit={"title": "X"})
    assert words(answer) == ["create groupware"]


def test_people_without_an_organizer_are_no_meeting_of_the_owners() -> None:
    people = event(attendees=(Attendee(address=BOB),))
    answer = decide(pairing(people), CHANGED, GONE, crm_edit={"title": "X"})
    assert words(answer) == ["create groupware"]
    assert found(answer, Create).source.item.title == "X"


def test_an_invitation_in_the_mailbox_is_declined_whatever_the_record_says() -> None:
    """The record may have lost its people; what was deleted was an invitation."""
    answer = decide(pairing(event(), meeting(BOB, OWNER)), SAME, GONE)
    assert words(answer) == ["unpair declined"]
    assert "the attendee deleted their copy" in why(answer)


def test_declining_says_what_it_means() -> None:
    answer = decide(pairing(meeting(BOB, OWNER)), SAME, GONE)
    assert "which declines it" in found(answer, Update).why


def test_deleting_a_record_mails_nobody() -> None:
    """The server wrote to everybody when the organizer deleted the meeting itself."""
    under = policy(invite(), groupware=scheduling())
    answer = decide(pairing(meeting(OWNER, OWNER, BOB)), SAME, GONE, under)
    assert found(answer, Delete, CRM).mails == ()


# Copies that give no content.


def test_what_the_crm_and_such_a_copy_both_changed_goes_to_the_copy() -> None:
    under = policy(rule_of(clash=Clash.GROUPWARE))
    copy = event(people=(Person(address=BOB), Person(address=OWNER)))
    answer = decide(
        pairing(meeting(BOB, OWNER), copy, content=False),
        CHANGED,
        CHANGED,
        under,
        crm_edit={"title": "CRM"},
        mailbox_edit={"title": "Copy"},
    )
    assert words(answer) == ["conflict title: crm", "update groupware: title"]


def replied(item: Event, reply: Reply, *more: str) -> tuple[Attendee, ...]:
    people = [
        Attendee(address=a.address, reply=reply) if a.address == OWNER else a
        for a in item.attendees
    ]
    return (*people, *(Attendee(address=address) for address in more))


def test_the_owners_reply_comes_from_a_copy_that_is_no_invitation_too() -> None:
    item = meeting(OWNER, OWNER, BOB)
    edit = {"attendees": replied(item, Reply.ACCEPTED)}
    answer = decide(pairing(item, content=False), SAME, CHANGED, mailbox_edit=edit)
    assert words(answer) == ["update crm: attendees"]


def test_no_reply_comes_where_attendees_do_not_come_in() -> None:
    item = meeting(BOB, OWNER)
    edit = {"attendees": replied(item, Reply.ACCEPTED)}
    for under in (
        policy(crm=traits(without="attendees")),
        policy(rule_of(fields={"attendees": FieldRule(direction=Direction.OUTBOUND)})),
    ):
        answer = decide(pairing(item, content=False), SAME, CHANGED, under, mailbox_edit=edit)
        assert words(answer) == ["pair"]


def test_one_who_is_no_longer_named_gives_no_reply() -> None:
    item = meeting(BOB, OWNER, BOB)
    edit = {"attendees": (Attendee(address=BOB),)}
    answer = decide(pairing(item, content=False), SAME, CHANGED, mailbox_edit=edit)
    assert words(answer) == ["pair"]


def test_an_invitation_brings_its_new_people_beside_the_reply() -> None:
    item = meeting(BOB, OWNER, BOB)
    edit = {"attendees": replied(item, Reply.ACCEPTED, "carol@x.test")}
    answer = decide(pairing(item), SAME, CHANGED, mailbox_edit=edit)
    after = found(answer, Update, CRM).after
    assert {a.address: a.reply for a in after.attendees} == {
        OWNER: Reply.ACCEPTED,
        BOB: Reply.NEEDS_ACTION,
        "carol@x.test": Reply.NEEDS_ACTION,
    }


def test_a_text_kept_from_outsiders_is_not_put_back_either() -> None:
    rule = invite(direction=Direction.OUTBOUND, one_way=OneWay.RESTORE)
    under = policy(rule, groupware=scheduling())
    edit = {"body": Body(text="the mailbox's own")}
    outside = decide(pairing(meeting(OWNER, OWNER, EVE)), SAME, CHANGED, under, mailbox_edit=edit)
    assert words(outside) == ["pair"]
    inside = decide(pairing(meeting(OWNER, OWNER, BOB)), SAME, CHANGED, under, mailbox_edit=edit)
    assert words(inside) == ["update groupware: body"]
