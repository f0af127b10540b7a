"""What a policy tells the engine: what travels, whose meeting it is, what is past."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accord.engine.policy import Policy, pairing_id
from accord.model.item import Event
from accord.model.kinds import Direction, Kind
from accord.model.parts import Attendee, Body, BodyType, Person, Privacy
from accord.model.recurrence import Override
from accord.rules.rule import FieldRule, Invitations, Private
from tests.unit.engine.kit import (
    BOB,
    CRM,
    EVE,
    GROUPWARE,
    NOW,
    OWNER,
    TOMORROW,
    event,
    meeting,
    policy,
    rule_of,
    series,
    snap,
    task,
    traits,
)


def test_what_a_side_may_not_write_does_not_flow_there() -> None:
    under = policy(
        crm=traits(readonly=frozenset({"location"})), groupware=traits(readonly=frozenset({"url"}))
    )
    assert {"url", "title"} <= under.flows(CRM)
    assert "location" not in under.flows(CRM)
    assert {"location", "title"} <= under.flows(GROUPWARE)
    assert "url" not in under.flows(GROUPWARE)


def test_what_a_side_does_not_store_does_not_flow_there() -> None:
    under = policy(crm=traits(without="location"))
    assert "location" not in under.flows(CRM)
    assert "location" in under.flows(GROUPWARE)


def test_own_fields_flow_to_sides_that_name_none_among_their_fields() -> None:
    rule = rule_of(fields={"crm:region": FieldRule(direction=Direction.BOTH)})
    own = traits(without="extras", extras=frozenset({"crm"}))
    assert "extras" in policy(rule, crm=own, groupware=own).flows(GROUPWARE)


def test_what_changed_is_what_flows_and_differs() -> None:
    under = policy(groupware=traits(readonly=frozenset({"url"})))
    stored, wanted = event("Old", url="https://old.test"), event("New", url="https://new.test")
    assert under.changed_by(GROUPWARE, stored, wanted) == ("title",)
    assert under.changed_by(CRM, stored, wanted) == ("title", "url")
    assert under.changed_by(CRM, stored, stored) == ()


def test_an_invitation_has_somebody_else_as_organizer_and_people() -> None:
    under = policy()
    assert under.invitation(meeting(EVE, OWNER))
    assert not under.invitation(meeting(OWNER, OWNER, BOB))
    assert not under.invitation(event(organizer=Person(address=EVE)))
    assert not under.invitation(event(attendees=(Attendee(address=OWNER),)))


def test_what_ends_now_is_past() -> None:
    def ends(after: timedelta) -> bool:
        end = (NOW + after).replace(tzinfo=None)
        item = event(start=end - timedelta(hours=1), end=end, time_zone="UTC")
        return policy().past(item)

    assert ends(timedelta(0))
    assert not ends(timedelta(seconds=1))


def test_the_id_of_a_pairing_outlives_an_upgrade() -> None:
    """State knows pairs by it: never let it change."""
    assert pairing_id("link", "c1", "g1") == "929fb25781980cf1dde5ddec"


def test_only_over_a_mailbox_body_that_travels_is_a_text_laid() -> None:
    stands, wanted = event(body=Body(text="<p>Agenda</p>", type=BodyType.HTML)), event()
    away = policy(rule_of(fields={"body": FieldRule(direction=Direction.NONE)}))
    assert policy().over(GROUPWARE, wanted, stands) == stands
    assert policy().over(CRM, wanted, stands) == wanted
    assert away.over(GROUPWARE, wanted, stands) == wanted


@pytest.mark.parametrize(
    ("schedules", "notifies", "invitations", "mails"),
    [
        (False, False, Invitations.ALLOW, ()),
        (False, True, Invitations.NEVER, ()),
        (False, True, Invitations.ALLOW, (BOB,)),
        (True, False, Invitations.NEVER, (BOB,)),
        (True, False, Invitations.ALLOW, (BOB,)),
    ],
)
def test_a_server_mails_by_itself_or_where_the_rule_lets_it_be_asked(
    schedules: bool, notifies: bool, invitations: Invitations, mails: tuple[str, ...]
) -> None:
    server = traits(schedules=schedules, notifies=notifies)
    under = policy(rule_of(invitations=invitations), groupware=server)
    assert under.mails(None, meeting(OWNER, OWNER, BOB)) == mails


# What was reduced for privacy.

PRIVATE = Override(recurrence_id=TOMORROW, privacy=Privacy.PRIVATE)
FULL = policy(rule_of(private=Private.FULL), facts={"consents": True})


@pytest.mark.parametrize(
    ("item", "readonly", "under", "discreet"),
    [
        (event(privacy=Privacy.PRIVATE), True, policy(), True),
        (event(privacy=Privacy.PRIVATE), False, policy(), False),
        (event(privacy=Privacy.PRIVATE), True, FULL, False),
        (event(), True, policy(), False),
        (series(overrides=(PRIVATE,)), True, policy(), True),
        (series(overrides=(PRIVATE,)), False, policy(), False),
        (series(overrides=(PRIVATE,)), True, FULL, False),
        (series(overrides=(Override(recurrence_id=TOMORROW, title="x"),)), True, policy(), False),
    ],
)
def test_an_entry_is_reduced_where_it_is_private_and_can_not_be_written_back(
    item: Event, readonly: bool, under: Policy, discreet: bool
) -> None:
    assert under.discreet(snap(item, readonly=readonly)) is discreet


def test_what_has_no_occurrences_is_reduced_alike() -> None:
    under = policy(rule_of(Kind.TASK))
    assert under.discreet(snap(task(privacy=Privacy.PRIVATE), readonly=True))
    assert not under.discreet(snap(task(), readonly=True))
