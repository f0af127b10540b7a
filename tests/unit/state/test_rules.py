"""Rule versions never change; one is active, one may wait as a draft, and history stays."""

from __future__ import annotations

import msgspec
import pytest

from accord.model.kinds import Direction, Kind
from accord.rules.rule import FieldRule, Rule, Window
from accord.state import State
from tests.unit.state.build import Clock

FIRST = Rule(
    name="calendar",
    kind=Kind.EVENT,
    direction=Direction.BOTH,
    fields={"title": FieldRule(inbound="'CRM: ' + value")},
    window=Window(past=30),
)
SECOND = msgspec.structs.replace(FIRST, direction=Direction.INBOUND)


def test_a_rule_begins_as_a_draft(state: State) -> None:
    with state.begin() as tx:
        version = tx.rules.put(FIRST)
        assert version == FIRST.version
        assert tx.rules.get(version) == FIRST
        assert tx.rules.draft("calendar") == FIRST
        assert tx.rules.active("calendar") is None
        assert tx.rules.drafts() == {"calendar": version}
        assert tx.rules.history("calendar") == []
        assert tx.rules.names() == ["calendar"]


def test_activating_makes_history(state: State, clock: Clock) -> None:
    with state.begin() as tx:
        tx.rules.activate("calendar", tx.rules.put(FIRST), by="root")
    clock.wait(60)
    with state.begin() as tx:
        second = tx.rules.put(SECOND)
        assert tx.rules.active("calendar") == FIRST
        assert tx.rules.draft("calendar") == SECOND
        tx.rules.activate("calendar", second, by="eve")
        assert tx.rules.active("calendar") == SECOND
        assert tx.rules.draft("calendar") is None
        assert tx.rules.drafts() == {}
        assert tx.rules.get(FIRST.version) == FIRST
        made = [(each.version, each.by) for each in tx.rules.history("calendar")]
        assert made == [(SECOND.version, "eve"), (FIRST.version, "root")]
        times = [each.at for each in tx.rules.history("calendar")]
        assert (times[0] - times[1]).total_seconds() == 60


def test_going_back_to_an_older_version(state: State) -> None:
    with state.begin() as tx:
        for rule in (FIRST, SECOND):
            tx.rules.activate("calendar", tx.rules.put(rule))
        assert tx.rules.put(FIRST) == FIRST.version
        tx.rules.activate("calendar", FIRST.version)
        assert tx.rules.active("calendar") == FIRST
        assert len(tx.rules.history("calendar")) == 3


def test_activating_the_active_version_is_no_history(state: State) -> None:
    with state.begin() as tx:
        version = tx.rules.put(FIRST)
        tx.rules.activate("calendar", version)
        tx.rules.activate("calendar", version)
        assert len(tx.rules.history("calendar")) == 1


def test_putting_the_active_version_drops_the_draft(state: State) -> None:
    with state.begin() as tx:
        tx.rules.activate("calendar", tx.rules.put(FIRST))
        tx.rules.put(SECOND)
        tx.rules.put(FIRST)
        assert tx.rules.draft("calendar") is None
        assert tx.rules.active("calendar") == FIRST


def test_discarding_a_draft(state: State) -> None:
    with state.begin() as tx:
        tx.rules.put(FIRST)
        tx.rules.discard("calendar")
        assert tx.rules.names() == []
        tx.rules.activate("calendar", FIRST.version)
        tx.rules.put(SECOND)
        tx.rules.discard("calendar")
        assert tx.rules.draft("calendar") is None
        assert tx.rules.active("calendar") == FIRST


def test_only_a_rules_own_versions_can_be_activated(state: State) -> None:
    with state.begin() as tx:
        version = tx.rules.put(FIRST)
        with pytest.raises(KeyError):
            tx.rules.activate("other", version)
        with pytest.raises(KeyError):
            tx.rules.activate("calendar", "unknown")
        assert tx.rules.get("unknown") is None
        assert tx.rules.draft("unknown") is None
