"""`check` finds what is wrong with files, CRM, targets, people, rules and open work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from accord.groupware import memory
from accord.model.kinds import Kind, Side
from accord.ports.adapter import Adapter, Finding
from accord.ports.errors import ConfigError
from accord.rules.rule import Rule
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.check import Checked, check
from accord.service.config import Config
from accord.service.init import init
from accord.state.records import Cause, Intent, Link, Pending, Process, Target, Watched
from tests.databases import Databases

NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path, databases: Databases) -> Config:
    return init(tmp_path, database=databases.url()).config


@pytest.fixture
def accord(config: Config) -> Iterator[Accord]:
    from accord.crm.database import DatabaseCrm
    from accord.crm.database.admin import Administration

    accord = open_accord(config)
    assert isinstance(accord.crm, DatabaseCrm)
    Administration(accord.crm).add_user("alice", "alice@x.test")
    server = memory.build({"principals": {"alice@x.test": "Alice"}})
    accord._build = lambda target: server
    with accord.state.begin() as tx:
        target = Target(id="t", name="company", adapter="memory", side=Side.GROUPWARE)
        tx.targets.put(target)
        tx.rules.activate("events", tx.rules.put(Rule(name="events", kind=Kind.EVENT)))
        tx.links.put(LINK)
    yield accord
    accord.close()


LINK = Link(
    id="l",
    name="alice-event",
    user="alice",
    kind=Kind.EVENT,
    target="t",
    principal="alice@x.test",
    rule="events",
)


def faults(accord: Accord, config: Config | None = None) -> list[Checked]:
    return [one for one in check(accord, config) if not one.ok]


def only(accord: Accord, config: Config | None = None) -> Checked:
    (fault,) = faults(accord, config)
    assert fault.hint
    return fault


def test_a_sound_installation_has_no_faults(accord: Accord, config: Config) -> None:
    found = list(check(accord, config))
    assert all(one.ok for one in found), found
    areas = {one.area for one in found}
    assert {"configuration", "key file", "database", "crm", "crm user alice"} <= areas
    assert {"target company", "target company, alice@x.test", "rules", "state"} <= areas


def test_a_key_that_others_may_read(accord: Accord, config: Config) -> None:
    _others_may_read(config.key_file, accord, config)


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_database_that_others_may_read(accord: Accord, config: Config) -> None:
    _others_may_read(config.folder / "accord.db", accord, config)


def _others_may_read(path: Path, accord: Accord, config: Config) -> None:
    path.chmod(0o644)
    fault = only(accord, config)
    assert str(path) in fault.detail
    assert fault.hint == f"chmod 600 {path}"


def test_a_user_that_the_crm_does_not_know(accord: Accord) -> None:
    with accord.state.begin() as tx:
        tx.links.put(Link(**{**as_dict(LINK), "id": "m", "name": "bob-event", "user": "bob"}))
    fault = only(accord)
    assert fault.area == "crm user bob"
    assert "bob" in fault.detail


def test_a_target_whose_settings_are_wrong(accord: Accord) -> None:
    def refuse(target: Target) -> Adapter:
        raise ConfigError("there is no adapter 'davv'", hint="did you mean dav?")

    accord._build = refuse
    fault = next(one for one in faults(accord) if one.area == "target company")
    assert (fault.subject, fault.hint) == ("settings", "did you mean dav?")


def test_a_server_that_says_what_is_wrong(accord: Accord, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Finding(subject="sign-in", ok=False, detail="refused", hint="use an app password")

    def answer(principal: str = "") -> tuple[Finding, ...]:
        return (wrong,) if principal else ()

    monkeypatch.setattr(accord.adapter("t"), "check", answer)
    fault = only(accord)
    assert fault.area == "target company, alice@x.test"
    assert fault.hint == "use an app password"


def test_how_a_running_process_hears_of_changes(accord: Accord) -> None:
    def told() -> list[str]:
        return [one.detail for one in check(accord) if one.subject == "`accord run` listens"]

    watched = Watched(target="t", principal="alice@x.test", way="pull", why="push: no post came")
    with accord.state.begin() as tx:
        tx.watches.put("here/1/a", [watched])
    assert told() == [], "of a process that is gone nothing is said"
    with accord.state.begin() as tx:
        tx.processes.live(Process(name="here/1/a", parts=frozenset("web"), since=NOW))
    (detail,) = told()
    assert detail.startswith("by pull since ")
    assert detail.endswith(", because push: no post came")


def test_a_folder_that_is_not_there(accord: Accord) -> None:
    with accord.state.begin() as tx:
        tx.links.put(Link(**{**as_dict(LINK), "folder": "Nowhere"}))
    fault = only(accord)
    assert fault.subject == "link alice-event"
    assert "Nowhere" in fault.detail


def test_a_rule_that_is_not_in_force(accord: Accord) -> None:
    with accord.state.begin() as tx:
        tx.links.put(Link(**{**as_dict(LINK), "rule": "gone"}))
    fault = only(accord)
    assert "alice-event" in fault.detail
    assert "'gone'" in fault.detail


def test_a_rule_that_no_longer_fits(accord: Accord) -> None:
    broken = Rule(name="events", kind=Kind.EVENT, ownership={"no address": "alice"})
    with accord.state.begin() as tx:
        tx.rules.activate("events", tx.rules.put(broken))
    assert only(accord).area == "rules"


def test_another_system_under_the_same_target(
    accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not faults(accord)
    clone = memory.build({"instance": "clone", "principals": {"alice@x.test": "Alice"}})
    accord.forget(Target(id="t", name="company", adapter="memory", side=Side.GROUPWARE))
    accord._build = lambda target: clone
    fault = only(accord)
    assert fault.subject == "instance"
    assert "clone" in fault.detail
    assert faults(accord), "it must not be taken for known after one look"


def test_a_write_that_was_interrupted(accord: Accord) -> None:
    intent = Intent(id="i", link="l", run="r", side=Side.CRM, step=b"{}", at=NOW)
    with accord.state.begin() as tx:
        tx.intents.open_many([intent])
    fault = only(accord)
    assert "alice-event (1)" in fault.detail
    assert "accord sync" in fault.hint


def test_what_was_refused_and_what_waits(accord: Accord) -> None:
    def pending(cause: Cause, ref: str) -> Pending:
        return Pending(id=ref, link="l", ref_crm=ref, cause=cause, step=b"", why="too long", at=NOW)

    with accord.state.begin() as tx:
        tx.pending.put_many([pending(Cause.HELD, "a"), pending(Cause.REJECTED, "b")])
    fault = only(accord)
    assert fault.detail == "too long"
    assert "accord explain b" in fault.hint
    assert any("1 held" in one.detail for one in check(accord))


def test_a_pause_is_not_overlooked(accord: Accord) -> None:
    with accord.state.begin() as tx:
        tx.settings.put("paused", True)
    assert "resume" in only(accord).hint


def test_nothing_to_do_is_a_fault_with_a_way_on(config: Config) -> None:
    accord = open_accord(config)
    assert "accord init dav" in only(accord).hint
    accord.close()


def as_dict(link: Link) -> dict:
    return {name: getattr(link, name) for name in link.__struct_fields__}
