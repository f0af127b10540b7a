"""`clash = "newest"`: the later edit wins where all clocks agree, and nobody where one is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accord.sandbox.proxy import Redate
from accord.service.check import check
from accord.service.explain import explain
from tests.scenario.conftest import Enter, EnterExchange
from tests.scenario.exchange import own
from tests.scenario.stage import Stage, entry, steps

NEWEST = {"event": 'scope = "all"\nclash = "newest"'}


@pytest.mark.split
@pytest.mark.parametrize("later", ["crm", "mailbox"])
def test_the_later_edit_wins(enter: Enter, later: str) -> None:
    stage = enter("anna", rules=NEWEST)
    box = stage.boxes["anna"]
    year = 2040 if later == "crm" else 2020  # what a calendar program thinks; it doesn't count
    box.put("visit.ics", entry("Visit", 10, f"LAST-MODIFIED:{year}0101T000000Z"))
    _begin(stage)
    box.edit("Visit", LOCATION="Mailbox's")
    _edit_in_crm(stage, later)
    (report,) = stage.sync()
    winner = "CRM's" if later == "crm" else "Mailbox's"
    assert stage.event("anna", "Visit").location == winner
    assert f"LOCATION:{winner}" in box.text("Visit")
    assert (report.conflicts, report.clashes) == (0, 1), steps([report])
    stage.quiet()


@pytest.mark.parametrize("ahead", [-600, None])
def test_nobody_wins_where_the_mailbox_server_has_another_time(
    enter: Enter, ahead: int | None
) -> None:
    stage = enter("anna", rules=NEWEST)
    box = stage.boxes["anna"]
    box.put("visit.ics", entry("Visit"))
    stage.proxy.add(Redate(ahead), times=None)
    _begin(stage)
    box.edit("Visit", LOCATION="Mailbox's")
    _edit_in_crm(stage, "crm")
    (report,) = stage.sync()
    assert "LOCATION:Mailbox's" in box.text("Visit")
    _stays_open(stage, report.conflicts, ahead)


@pytest.mark.split
@pytest.mark.parametrize("later", ["crm", "mailbox"])
def test_the_later_edit_wins_with_exchange(enter_exchange: EnterExchange, later: str) -> None:
    stage = enter_exchange("anna", rules=NEWEST)
    hand = stage.hands["anna"]
    hand.add(own("Visit"))
    _begin(stage)
    hand.set("Visit", Location="Mailbox's")
    _edit_in_crm(stage, later)
    (report,) = stage.sync()
    winner = "CRM's" if later == "crm" else "Mailbox's"
    assert stage.event("anna", "Visit").location == winner
    assert hand.find("Visit").text("Location") == winner
    assert (report.conflicts, report.clashes) == (0, 1), steps([report])
    stage.quiet()


@pytest.mark.parametrize("ahead", [-600, None])
def test_nobody_wins_where_exchange_has_another_time(
    enter_exchange: EnterExchange, ahead: int | None
) -> None:
    stage = enter_exchange("anna", rules=NEWEST)
    hand = stage.hands["anna"]
    hand.add(own("Visit"))
    stage.proxy.add(Redate(ahead), times=None)
    _begin(stage)
    hand.set("Visit", Location="Mailbox's")
    _edit_in_crm(stage, "crm")
    (report,) = stage.sync()
    assert hand.find("Visit").text("Location") == "Mailbox's"
    _stays_open(stage, report.conflicts, ahead)


def _begin(stage: Stage) -> None:
    """Bring the entry into the CRM, whose clock shows the real time, as the servers' do."""
    stage.clock.now = datetime.now(UTC)
    stage.sync()


def _edit_in_crm(stage: Stage, later: str) -> None:
    """Edit the record ten minutes after the edit in the mailbox, or before it."""
    minutes = 10 if later == "crm" else -10
    stage.clock.now = datetime.now(UTC) + timedelta(minutes=minutes)
    stage.desks["anna"].set("Visit", location="CRM's")
    stage.clock.now = datetime.now(UTC)


def _stays_open(stage: Stage, conflicts: int, ahead: int | None) -> None:
    assert conflicts == 1
    assert stage.event("anna", "Visit").location == "CRM's"
    (told,) = explain(stage.accord, stage.desks["anna"].find("Visit").ref)
    assert "which edit is newer can't be told: the mailbox's " in told.why
    words = {-600: "s behind ours", None: "server doesn't tell its time"}
    assert told.why.endswith(words[ahead])
    found = check(stage.accord)
    (checked,) = (one for one in found if one.subject == "clock" and one.area != "crm")
    assert checked.ok is (ahead is None)
    assert ahead is None or words[ahead] in checked.detail
    stage.quiet()
