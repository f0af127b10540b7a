"""The running service comes through each kind of fault by itself; nothing is doubled or lost."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from accord.sandbox.process import PeerMissing
from tests.fault.storm.kinds import KINDS
from tests.fault.storm.storm import Figures, Row, storm, table
from tests.peers import miss

QUICK = ("service killed", "429 and 503")
PATIENT = (
    "servers cut off",
    "clocks set back by 1 h",
    "tokens expired",
    "nonsense for answers",
    "disk full",
)
SHARED = (
    "worker killed",
    "listener killed",
    "database killed",
    "database cut off",
    "worker ended without database",
)
APART = ("one worker cut off", "one worker frozen")
ELSEWHERE = (
    "CRM.interface killed",
    "CRM.interface cut off",
    "CRM.interface's tokens expired",
)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("house", "kinds"),
    [
        ("sqlite", QUICK),
        pytest.param("sqlite", PATIENT, marks=pytest.mark.long),
        pytest.param("postgres", SHARED, marks=[pytest.mark.postgres, pytest.mark.long]),
        pytest.param("split", ELSEWHERE, marks=pytest.mark.long),
        pytest.param("machines", APART, marks=[pytest.mark.postgres, pytest.mark.long]),
    ],
)
def test_the_service_recovers_from_each_fault_by_itself(house: str, kinds: Sequence[str]) -> None:
    figures = _storm(house, kinds)
    print(table(figures))
    assert figures.problems == []
    assert figures.clean
    tried = {row.fault for row in figures.rows if row.times and row.houses == [house]}
    assert tried == {kind.name for kind in KINDS if kind.name in kinds and not kind.missing()}


def _storm(house: str, kinds: Sequence[str]) -> Figures:
    try:
        return storm(houses=[house], kinds=kinds)
    except PeerMissing as missing:
        miss(missing)
        raise


CLEAN = Row(fault="worker killed", houses=["postgres"], times=2, recovered=[1.0, 3.5])


@pytest.mark.parametrize(
    "harm",
    [
        {"losses": ["anna: item-00001: gone from both sides"]},
        {"duplicates": ["anna: item-00001: 2 in the CRM"]},
        {"intents": 1},
        {"mails": 1},
        {"buried": ["a folder: five faults"]},
        {"faults": ["worker-2: visiting anna: KeyError"]},
        {"recovered": [1.0]},
    ],
)
def test_whatever_is_not_zero_or_does_not_recover_is_told(harm: dict[str, object]) -> None:
    before = Figures(seed=1, rows=[CLEAN])
    assert before.clean
    assert before.problems == []
    after = Figures(seed=1, rows=[CLEAN, msgspec.structs.replace(CLEAN, **harm)])
    assert not after.clean
    assert after.problems


def test_the_table_tells_what_was_tried_and_what_was_not() -> None:
    rows = [CLEAN, Row(fault="clocks set on by 1 h", missing="a C compiler is missing")]
    lines = table(Figures(seed=1, rows=rows)).splitlines()
    assert lines[0].split()[:4] == ["fault", "times", "p50", "max"]
    assert lines[1].split() == ["worker", "killed", "2", "2.2", "3.5", *"00000"]
    assert lines[2] == "clocks set on by 1 h: a C compiler is missing"
    assert not Figures(seed=1, rows=[], ends=["all ended with 70"]).clean
