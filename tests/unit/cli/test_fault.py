"""A fault of Accord's own in one link: it is told with its place, and the others are visited."""

from __future__ import annotations

from typing import Any

import pytest

from accord.cli import exits
from accord.service import sync
from accord.service.reading import read_crm
from tests.unit.cli.conftest import Run, event

HERE = "a time that nobody thought of"


@pytest.mark.usefixtures("faults")
def test_a_fault_is_told_and_the_other_links_are_visited(
    linked: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked("crm", "put", "-", "--as", "alice", stdin=event("Visit"))
    plain = read_crm

    def faulty(visit: Any) -> Any:
        if visit.link.name == "alice-task":
            raise LookupError(HERE)
        return plain(visit)

    with monkeypatch.context() as patch:
        patch.setattr(sync, "read_crm", faulty)
        result = linked("sync", "--all", code=exits.BUG)
        assert "alice-event: mailbox 1 created" in result.out
        assert "alice-task: a fault of Accord (LookupError); the log tells where" in result.err
        assert "in faulty" in result.err and HERE not in result.err
        assert "report it" in result.err
        assert linked("plan", code=exits.BUG).err
        told = linked("check", code=exits.FAILED).out
        assert "link alice-task: its last visit ended early: a fault of Accord" in told
    linked("sync", "--all")
    assert "All is well" in linked("check").out
