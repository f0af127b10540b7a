"""What a policy tells the engine: what travels, whose meeting it is, what is past."""

from __future__ import annotations

from datetime import timedelta

from accord.engine.policy import pairing_id
from accord.model.kinds import Direction
from accord.model.parts import Attendee, Person
from accord.rules.rule import FieldRule
from tests.unit.engine.kit import (
    BOB,
    CRM,
    EVE,
    GROUPWARE,
    NOW,
    OWNER,
    event,
    meeting,
    policy,
    rule_of,
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
