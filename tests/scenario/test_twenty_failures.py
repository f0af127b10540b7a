"""The twenty failures that users of such programs complain about most: none of them occurs here.

Each story is named after its failure and plays on a real server, with the built-in CRM.
"""

from __future__ import annotations

import pytest

from accord.sandbox.proxy import Lose
from tests.scenario.conftest import Enter
from tests.scenario.stage import entry, meeting


@pytest.mark.parametrize("times", [1, None])
def test_01_timeout_after_create_makes_a_duplicate(enter: Enter, times: int | None) -> None:
    stage = enter("anna")
    stage.desks["anna"].add(meeting("Kick-off"))
    stage.proxy.add(Lose(), "PUT", times=times)
    stage.attempt()
    assert stage.boxes["anna"].titles() == ["Kick-off"], "the server has acted"
    stage.proxy.clear()
    stage.clock.pass_by(hours=1)
    stage.sync()
    assert stage.boxes["anna"].titles() == ["Kick-off"]
    assert [event.title for event in stage.events("anna")] == ["Kick-off"]
    stage.quiet()
