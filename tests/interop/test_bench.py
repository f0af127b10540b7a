"""The benchmark of devices does what it is timed for, and names peers that are missing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import syncml
from bench.rows import Rows

pytestmark = pytest.mark.waits


@pytest.mark.slow
@pytest.mark.usefixtures("kit", "reference")
def test_contacts_travel_both_ways_through_both_servers(tmp_path: Path) -> None:
    rows = Rows()
    goals = syncml.run(tmp_path, rows, contacts=3)
    assert len(goals) == 8
    own, devices = rows.rows[:4], rows.rows[4:]
    assert [row["what"] for row in own] == [
        f"{which}: 3 contacts {way}"
        for which in ("our client, our server", "CRM at hand")
        for way in ("up", "down")
    ]
    assert [row["what"] for row in devices] == [
        f"{server}: 3 contacts {way}"
        for server in ("SyncEvolution's server", "accord interface")
        for way in ("up", "down")
    ]
    for row in devices:
        assert all(float(str(row[name])) > 0 for name in ("seconds", "cpu_seconds", "kib"))
        assert float(str(row["peak_mib"])) > 20, "not the server's"
        assert 3 <= int(str(row["requests"])) <= 6


def test_a_missing_peer_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "syncml"])
    monkeypatch.setattr(bench, "_compile", lambda: None)
    assert bench.main() == 1
    assert "apt-get install" in capsys.readouterr().err
