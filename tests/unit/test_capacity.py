"""The page of what a machine holds follows from figures, and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accord.service.bootstrap import connections
from accord.service.jobs.standing import job_of, options_of
from accord.service.running import RunSettings
from accord.state.jobs import JobRow
from bench.scale.capacity import FIGURES, Costs, costs, most, need, readme, render

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"
KEPT = 730
COST = Costs(
    change=0.1,
    visit=0.01,
    link=10_000,
    base=100e6,
    requests=3,
    stored=3_000,
    crm=500,
    seconds=2,
    workers=4,
)


def test_a_thousand_mailboxes_in_the_busiest_hour() -> None:
    found = need(1_000, COST)
    assert found.changes == pytest.approx(1_000 * 50 / (8 * 3600) * 3)
    assert found.visits == pytest.approx(10)
    assert found.cores == pytest.approx(found.changes * 0.1 + 0.1)
    assert found.workers == 1
    assert found.memory == pytest.approx(100e6 + 3_000 * 10_000)
    assert found.streams == 5
    assert found.connections == connections(4)
    assert found.stored == pytest.approx(1_000 * 50 * KEPT * 3_000)
    assert found.records == pytest.approx(1_000 * 50 * KEPT * 500)


def test_every_worker_process_has_its_connections() -> None:
    found = need(100_000, COST)
    assert found.workers > 1
    assert found.connections == found.workers * connections(4)


def test_what_is_reached_first_is_the_last_number_that_holds() -> None:
    last = most(lambda n: n.streams <= 10, COST)
    assert need(last, COST).streams == 10
    assert need(last + 1, COST).streams == 11
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


def test_the_page_keeps_the_journal_for_as_long_as_accord_does() -> None:
    job = job_of("retention")
    assert options_of(job, JobRow(name=job.name, enabled=True)) == {"days": KEPT}
    assert f"| database after {KEPT} days, GB |" in render()
    assert f"the journal is kept for {KEPT} days" in " ".join(render().split())


def test_the_page_says_that_postgresql_waited_for_no_disk(tmp_path: Path) -> None:
    figures: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    file = tmp_path / "figures.json"
    for fsync, said in (("off", True), ("on", False)):
        figures["parts"]["workers"]["fsync"] = fsync
        file.write_text(json.dumps(figures), encoding="utf-8")
        assert ("| worker processes, PostgreSQL with `fsync = off` |" in render(file)) is said
        assert ("| worker processes, PostgreSQL with `fsync = off` |" in readme(file)) is said
        assert ("it waited for no disk" in render(file)) is said


def test_the_pages_tell_the_connections_that_there_are() -> None:
    deploy = " ".join(DEPLOY.read_text(encoding="utf-8").split())
    measured = costs(json.loads(FIGURES.read_text(encoding="utf-8"))).workers
    for workers in (RunSettings().workers, measured):
        said = f"{connections(workers)} with `workers = {workers}`"
        assert said in deploy
        assert f"to {connections(workers)}" in render()
    assert "at most |" in render()
    assert "PostgreSQL's 100 connections may be used up" in render()
    most_of_all = max(connections(workers) for workers in range(1, 65))
    assert f"never more than {most_of_all}" in deploy
