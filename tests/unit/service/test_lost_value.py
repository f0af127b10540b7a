"""A visit that ends between a write and its commit still keeps the value which lost the clash."""

from __future__ import annotations

from datetime import datetime, timedelta
from unittest.mock import patch

import pytest

from accord.crm import memory as crm
from accord.groupware import memory as groupware
from accord.model.item import Event
from accord.model.kinds import Kind, Side
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.rules.rule import Rule, Scope
from accord.service import apply
from accord.service.accord import Accord
from accord.service.sync import sync
from accord.state.records import Link, Target
from accord.state.state import State
from tests.databases import Databases
from tests.unit.service.kit import World, event


def test_the_losing_value_is_kept_by_the_visit_that_settles(databases: Databases) -> None:
    records = crm.build({"users": {"anna": "anna@example.test"}})
    mail = groupware.build({})
    state = State(databases.blank())
    accord = Accord(state, records, lambda target: mail)
    link = Link(
        id="l", name="l", user="anna", kind=Kind.EVENT, target="t", principal="anna", rule="events"
    )
    with state.begin() as tx:
        tx.targets.put(Target(id="t", name="t", adapter="memory", side=Side.GROUPWARE))
        rule = Rule(name="events", kind=Kind.EVENT, scope=Scope.ALL)
        tx.rules.activate("events", tx.rules.put(rule))
        tx.links.put(link)
    start, end = datetime(2030, 1, 1, 9), datetime(2030, 1, 1, 10)
    event = Event(title="Visit", start=start, end=end, time_zone="UTC")
    record = records.person("anna").add(event)
    sync(accord, [link])
    (copy,) = mail.person("anna").list(Kind.EVENT)
    records.person("anna").edit(record.ref, location="from the CRM")
    mail.person("anna").edit(copy.ref, location="from the mailbox")
    with (
        patch.object(apply, "commit", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        sync(accord, [link])
    (report,) = sync(accord, [link])
    assert not report.error
    with state.read() as tx:
        entries = tx.journal.query(link="l")
        assert not tx.intents.all()
    (conflict,) = [entry for entry in entries if entry.step == "clash"]
    assert [(c.before, c.after) for c in conflict.fields] == [("from the CRM", "from the mailbox")]
    accord.close()


def test_so_it_is_with_an_occurrence_of_a_series_that_was_moved() -> None:
    world = World()
    begin = event().start
    rule = RecurrenceRule(frequency=Frequency.WEEKLY, count=4)
    record = world.person().add(event("Series", rule=rule))
    world.sync()
    (copy,) = world.items()
    own = Override(recurrence_id=begin + timedelta(weeks=1), location="from the mailbox")
    world.mailbox().edit(copy.ref, overrides=(own,))
    later = {"start": begin + timedelta(hours=1), "end": begin + timedelta(hours=2)}
    world.person().edit(record.ref, **later)
    assert world.crash(lambda point: point == "after update on groupware")
    assert world.sync().error == ""
    (clash,) = world.journal(step="clash")
    assert "from the mailbox" in str(clash.fields)
