"""The page of what a machine holds follows from figures, and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.scale.capacity import FIGURES, Costs, costs, most, need, readme, render

COST = Costs(
    change=0.1,
    visit=0.01,
    link=10_000,
    base=100e6,
    requests=3,
    stored=3_000,
    crm=500,
    seconds=2,
)


def test_a_thousand_mailboxes_in_the_busiest_hour() -> None:
    found = need(1_000, COST)
    assert found.changes == pytest.approx(1_000 * 50 / (8 * 3600) * 3)
    assert found.visits == pytest.approx(10)
    assert found.cores == pytest.approx(found.changes * 0.1 + 0.1)
    assert found.workers == 1
    assert found.memory == pytest.approx(100e6 + 3_000 * 10_000)
    assert found.connections == 5
    assert found.stored == pytest.approx(1_000 * 50 * 90 * 3_000)


def test_what_is_reached_first_is_the_last_number_that_holds() -> None:
    last = most(lambda n: n.connections <= 10, COST)
    assert need(last, COST).connections == 10
    assert need(last + 1, COST).connections == 11
    assert last == 2_000


def test_the_page_shows_the_figures_it_was_given(tmp_path: Path) -> None:
    figures: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    figures["parts"]["day"] |= {"mailboxes": 777_001, "p95_seconds": 12.34}
    figures["parts"]["idle"]["kb_per_link"] = 31.4
    file = tmp_path / "figures.json"
    file.write_text(json.dumps(figures), encoding="utf-8")
    page = render(file)
    assert "777,001" in page
    assert "12.3 s" in page
    assert "31.4 kB" in page
    assert "nobody has run it" in page
    assert costs(figures).link == pytest.approx(31_400)


def test_the_figures_that_are_shown_are_of_a_run_in_which_nothing_was_lost() -> None:
    parts = json.loads(FIGURES.read_text(encoding="utf-8"))["parts"]
    for row in (parts["day"], *parts["workers"]["rows"]):
        assert (row["lost"], row["doubled"], row["mails"]) == (0, 0, 0)


def test_the_page_says_which_figures_are_rough(tmp_path: Path) -> None:
    figures: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    file = tmp_path / "figures.json"
    sizes = {"day": {"mailboxes": 1_000}, "workers": {"mailboxes": 100}, "idle": {"links": 10_000}}
    for part, size in sizes.items():
        figures["parts"][part] |= {"load": 0.2, **size}
    file.write_text(json.dumps(figures), encoding="utf-8")
    assert "**" not in render(file)
    figures["parts"]["day"]["load"] = 4.2
    figures["parts"]["idle"]["links"] = 300
    file.write_text(json.dumps(figures), encoding="utf-8")
    assert "of the day and the idle links come of a small run" in " ".join(render(file).split())
    assert "**The figures of the day" in readme(file)
