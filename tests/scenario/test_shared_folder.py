"""One calendar, two links: events and absences, visited together, alone, paused or only looking."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from accord.state.records import Mode
from tests.scenario.conftest import Enter
from tests.scenario.stage import Stage, entry

Act = Callable[[Stage], None]


def alone(stage: Stage) -> None:
    """Visit only the absences."""
    change(stage)
    stage.sync("anna-absence")


def paused(stage: Stage) -> None:
    """Pause the events, and visit both."""
    keep(stage, paused=True)
    change(stage)
    assert sorted(report.error for report in stage.attempt()) == ["", "paused"]
    keep(stage, paused=False)


def observed(stage: Stage) -> None:
    """Let the events only be looked at, and visit both."""
    keep(stage, mode=Mode.OBSERVE)
    change(stage)
    stage.sync()
    keep(stage, mode=Mode.ACTIVE)


def keep(stage: Stage, **values: object) -> None:
    (link,) = stage.links("anna-event")
    with stage.accord.state.begin() as tx:
        tx.links.put(msgspec.structs.replace(link, **values))


def change(stage: Stage) -> None:
    """Let Anna add, edit and delete an entry each."""
    box = stage.boxes["anna"]
    box.put("added.ics", entry("Added", 12))
    box.edit("Standing", SUMMARY="Edited")
    box.delete("Leaving")


@pytest.mark.parametrize("stand", [alone, paused, observed])
def test_no_visit_takes_changes_from_a_link_it_does_not_serve(enter: Enter, stand: Act) -> None:
    stage = enter("anna", kinds=("event", "absence"))
    for number, title in enumerate(("Standing", "Leaving")):
        stage.boxes["anna"].put(f"{number}.ics", entry(title, 14 + number))
    stage.sync()
    stage.quiet()
    stage.proxy.clear()
    stage.sync()
    usual = sum(stage.proxy.counts.values())
    stand(stage)
    stage.sync("anna-event")
    assert sorted(event.title for event in stage.events("anna")) == ["Added", "Edited"]
    stage.quiet()
    stage.proxy.clear()
    reports = stage.sync()
    assert sum(stage.proxy.counts.values()) == usual, "one pull serves both again"
    assert sum(report.requests for report in reports) >= usual
