"""A new key changes how private items are stored, and nothing about what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from accord.model.parts import Privacy
from accord.rules.rule import Clash, Private
from accord.service.facts import FULL_CONSENT
from accord.state.records import Cause
from tests.unit.service.kit import World, event

TABLES = ("pairings", "decisions", "journal", "pending", "claims", "cursors")


def world_with(tmp_path: Path, private: Private) -> World:
    """Return a world in agreement, with private items born on either side."""
    world = World(rule={"private": private, "clash": Clash.HOLD}, key_file=tmp_path / "key")
    with world.state.begin() as tx:
        tx.consents.give("alice", FULL_CONSENT)
    for privacy in Privacy:
        world.person().add(event(f"CRM {privacy}", privacy=privacy))
        world.mailbox().add(event(f"mailbox {privacy}", privacy=privacy, uid=f"m-{privacy}"))
    world.sync()
    assert world.sync().writes == 0
    return world


def stored(world: World) -> dict[str, Any]:
    """Return what the tables hold, without when and in which run it was seen."""
    found: dict[str, Any] = {}
    with world.database.read() as connection:
        for name in TABLES:
            rows = connection.execute(text(f"SELECT * FROM state_{name}")).mappings()
            found[name] = sorted(
                str({k: v for k, v in row.items() if k not in ("at", "run", "cursor", "step")})
                for row in rows
            )
    return found


@pytest.mark.parametrize("private", list(Private))
@pytest.mark.parametrize("retire", [False, True])
def test_after_a_rotation_a_pass_finds_nothing_changed(
    tmp_path: Path, private: Private, retire: bool
) -> None:
    world = world_with(tmp_path, private)
    before, titles = stored(world), world.titles()
    assert world.state.rotate_keys(retire=retire) > 0
    for options in ({}, {"full": True}, {"full": True}):
        report = world.sync(**options)
        assert (report.writes, report.conflicts, report.clashes) == (0, 0, 0)
        assert (report.paired, report.unpaired, report.held, report.failed) == (0, 0, 0, 0)
    assert world.titles() == titles
    assert stored(world) == before


@pytest.mark.parametrize("retire", [False, True])
def test_after_a_rotation_edits_merge_and_real_clashes_are_the_only_ones(
    tmp_path: Path, retire: bool
) -> None:
    world = world_with(tmp_path, Private.FULL)
    by_title = {p.crm.item.title: p for p in world.pairings()}  # type: ignore[union-attr]
    world.state.rotate_keys(retire=retire)
    one, two = by_title["CRM private"], by_title["CRM public"]
    world.person().edit(one.crm.ref, location="Room 1")
    world.mailbox().edit(one.groupware.ref, title="Renamed")
    world.person().edit(two.crm.ref, title="here")
    world.mailbox().edit(two.groupware.ref, title="there")
    report = world.sync()
    assert (report.crm.updated, report.groupware.updated, report.conflicts) == (1, 1, 1)
    assert len(world.pending(Cause.CONFLICT)) == 1
    world.state.rotate_keys(retire=retire)
    report = world.sync(full=True)
    assert (report.writes, report.conflicts) == (0, 0)
    assert len(world.pending(Cause.CONFLICT)) == 1
