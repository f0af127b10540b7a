"""A CRM that went back in time, or is another one, is held until somebody says it is meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from accord.crm import database
from accord.crm.database.admin import Administration
from accord.db import open_database
from accord.groupware import memory
from accord.model.item import Task
from accord.model.kinds import Kind, Side
from accord.ports.errors import ConfigError
from accord.service.accord import Accord
from accord.service.check import check
from accord.service.config import Config
from accord.service.identity import accept, verify
from accord.state.records import Link, Target
from accord.state.state import State
from tests.databases import Databases
from tests.unit.service.kit import World, event


def _accord(folder: Path, state: str, crm: str) -> Accord:
    opened = State(open_database(state), folder / "key")
    return Accord(opened, database.build({"url": crm}), lambda target: memory.build({}))


def test_the_crm_we_know_passes(tmp_path: Path, databases: Databases) -> None:
    accord = _accord(tmp_path, databases.url("state"), databases.url("crm"))
    verify(accord)
    verify(accord)
    accord.close()


def test_another_crm_is_held_until_it_is_accepted(tmp_path: Path, databases: Databases) -> None:
    state = databases.url("state")
    first = _accord(tmp_path, state, databases.url("crm"))
    verify(first)
    with first.state.begin() as tx:
        tx.targets.put(Target(id="t", name="t", adapter="memory", side=Side.GROUPWARE))
        tx.links.put(
            Link(id="a", name="a", user="anna", kind=Kind.TASK, target="t", principal="a", rule="r")
        )
        tx.cursors.put("a", Side.CRM, "desk", "17")
    first.close()
    other = _accord(tmp_path, state, databases.url("clone"))
    with pytest.raises(ConfigError, match="another system"):
        verify(other)
    accept(other)
    verify(other)
    with other.state.read() as tx:
        assert tx.cursors.all() == {}
    other.close()


def test_a_check_after_a_visit_finds_the_same_crm(tmp_path: Path, databases: Databases) -> None:
    accord = _accord(tmp_path, databases.url("state"), databases.url("crm"))
    assert isinstance(accord.crm, database.DatabaseCrm)
    people = Administration(accord.crm)
    people.add_user("anna", "anna@example.test")
    people.put("anna", Task(title="raises the revision"))
    verify(accord)
    config = Config(
        file=None, folder=tmp_path, database="sqlite:///x", key_file=tmp_path / "key", crm="x:"
    )
    found = [one for one in check(accord, config) if one.subject == "instance"]
    assert [one.ok for one in found] == [True]
    accord.close()


class _Slow:
    """A CRM whose answers arrive after what another process did and noted since each time."""

    def __init__(self, accord: Accord, meanwhile: Callable[[], None], times: int) -> None:
        self._crm: Any = accord.crm
        self._meanwhile = [meanwhile] * times

    @property
    def revision(self) -> int:
        """Return the revision of before."""
        said = int(self._crm.revision)
        if self._meanwhile:
            self._meanwhile.pop()()
        return said

    def __getattr__(self, name: str) -> Any:
        return getattr(self._crm, name)


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("asks", ["visit", "check"])
def test_a_crm_that_another_process_moved_on_meanwhile_did_not_go_back(
    tmp_path: Path, databases: Databases, asks: str, times: int
) -> None:
    accord = _accord(tmp_path, databases.url("state"), databases.url("crm"))
    assert isinstance(accord.crm, database.DatabaseCrm)
    people = Administration(accord.crm)
    people.add_user("anna", "anna@example.test")

    def another() -> None:
        people.put("anna", Task(title="raises the revision"))
        verify(accord)

    slow: Any = _Slow(accord, another, times)
    here = Accord(accord.state, slow, lambda target: memory.build({}))
    if asks == "visit":
        verify(here)
    else:
        config = Config(
            file=None, folder=tmp_path, database="sqlite:///x", key_file=tmp_path / "key", crm="x:"
        )
        found = [one for one in check(here, config) if one.subject == "instance"]
        assert [one.ok for one in found] == [True]
    accord.close()


class _Moving:
    """A target that may turn out to be another one."""

    def __init__(self, world: World) -> None:
        self.instance = "mail-1"
        self._adapter = world.accord.adapter("t")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


def test_another_target_is_held_until_it_is_accepted() -> None:
    world = World()
    target: Any = _Moving(world)
    world.accord = Accord(world.state, world.accord.crm, lambda _: target, world.clock)
    world.person().add(event("Review"))
    world.sync()
    target.instance = "mail-2"
    world.person().add(event("Secret plans"))
    world.mailbox().add(event("Theirs"))
    report = world.sync()
    assert report.error == "held: target mail is another system than before: mail-2, not mail-1"
    assert "accord check --accept" in report.hint and report.action == "configure"
    assert world.titles() == (["Review", "Secret plans"], ["Review", "Theirs"])
    with pytest.raises(ConfigError, match="target mail"):
        verify(world.accord, "t")
    accept(world.accord)
    assert not world.sync().error
    assert world.titles() == (["Review", "Secret plans", "Theirs"],) * 2


def test_what_can_not_be_opened_is_accepted_another_time() -> None:
    world = World()
    world.sync()

    def broken(_: object) -> Any:
        raise ConfigError("no password", field="password", hint="import one")

    world.accord = Accord(world.state, world.accord.crm, broken, world.clock)
    accept(world.accord)
    with world.state.read() as tx:
        assert tx.cursors.all() == {}
