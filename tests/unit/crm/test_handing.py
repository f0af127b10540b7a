"""What a leaver owns gets a new owner: only what was shown, and those concerned are told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accord.crm.database import DatabaseCrm
from accord.model.kinds import Kind
from accord.model.observe import OutOfScope
from accord.model.parts import Privacy
from accord.model.recurrence import Frequency, RecurrenceRule
from accord.model.zones import instant
from accord.ports.errors import AuthFailed, ConfigError, ItemError, Stale
from tests.unit.crm.office import END, Office, done

SINCE = instant(END, "Europe/Berlin") - timedelta(minutes=1)


def test_what_is_not_over_lies_ahead(office: Office, crm: DatabaseCrm) -> None:
    made = office.create(office.ann, office.event())
    office.create(office.ann, office.event(privacy=Privacy.PRIVATE))
    office.create(office.bob, office.event(office.ann))
    assert [one.ref for one in crm.ahead(office.ann, SINCE)] == [made.ref]
    assert crm.ahead(office.ann, SINCE + timedelta(minutes=2)) == ()
    endless = office.event(rule=RecurrenceRule(frequency=Frequency.WEEKLY))
    series = office.create(office.ann, endless)
    assert [one.ref for one in crm.ahead(office.ann, SINCE + timedelta(days=99))] == [series.ref]
    office.admin.change_user(office.ann, active=False)
    assert len(crm.ahead(office.ann, SINCE)) == 2, "also of who may no longer sign in"


def test_a_successor_owns_it_and_both_are_told(office: Office, crm: DatabaseCrm) -> None:
    made = office.create(office.ann, office.event())
    _, cursor = crm.hints("")
    (outcome,) = crm.hand_over(office.ann, office.bob, {made.ref: made.version})
    assert not isinstance(outcome, ItemError)
    hints, _ = crm.hints(cursor)
    assert {each for hint in hints for each in hint.principals} == {office.ann, office.bob}
    assert office.see(office.bob, Kind.EVENT, made.ref).item == made.item
    assert isinstance(office.fetch(office.ann, Kind.EVENT, made.ref), OutOfScope)
    done(office.delete(office.bob, office.see(office.bob, Kind.EVENT, made.ref)))


def test_only_in_the_version_shown_and_from_its_owner(office: Office, crm: DatabaseCrm) -> None:
    made = office.create(office.ann, office.event())
    (stale,) = crm.hand_over(office.ann, office.bob, {made.ref: f"0{made.version}"})
    assert isinstance(stale, Stale)
    (stranger,) = crm.hand_over(office.carl, office.bob, {made.ref: made.version})
    assert isinstance(stranger, Stale) and "somebody else" in str(stranger)
    assert [one.ref for one in crm.ahead(office.ann, SINCE)] == [made.ref]


def test_nobody_without_a_place_in_the_crm_succeeds(office: Office, crm: DatabaseCrm) -> None:
    made = office.create(office.ann, office.event())
    office.admin.change_user(office.bob, active=False)
    with pytest.raises(AuthFailed):
        crm.hand_over(office.ann, office.bob, {made.ref: made.version})
    with pytest.raises(ConfigError):
        crm.ahead("nobody", SINCE)
