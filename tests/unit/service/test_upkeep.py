"""What nothing refers to is removed once a day, and not more often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from accord.crm import memory as crm
from accord.groupware import memory as groupware
from accord.service.accord import Accord
from accord.service.upkeep import tidy
from accord.state.state import State
from tests.databases import Databases


def test_orphaned_blobs_go_once_a_day(databases: Databases) -> None:
    now = [datetime(2026, 11, 1, tzinfo=UTC)]
    state = State(databases.blank(), clock=lambda: now[0])
    accord = Accord(state, crm.build({}), lambda target: groupware.build({}), lambda: now[0])
    with state.begin() as tx:
        orphan = tx.blobs.put(b"nobody refers to this")
    assert tidy(accord) == 0  # too young
    now[0] += timedelta(hours=23)
    assert tidy(accord) == 0  # not yet a day since the last time
    now[0] += timedelta(days=2)
    assert tidy(accord) == 1
    with state.read() as tx:
        assert tx.blobs.get(orphan) is None
    accord.close()
