"""Targets keep their secrets to themselves; links go with all that is theirs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from accord.db import Database, InUse, Taken
from accord.model.kinds import Kind, Side
from accord.ports.errors import ConfigError
from accord.state import Decision, Intent, Link, Mode, Pending, State, Target
from accord.state.records import Cause
from tests.unit.state.build import NOW, link, pairing

SECRET = "swordfish-5713"
TARGET = Target(
    id="t2",
    name="dav",
    adapter="dav",
    side=Side.GROUPWARE,
    settings={"url": "https://dav.example.com", "verify": True, "retries": 3},
    secrets={"password": SECRET, "users": {"anna": "x"}},
)


def test_a_target_comes_back_whole(state: State) -> None:
    with state.begin() as tx:
        tx.targets.put(TARGET)
    with state.read() as tx:
        assert tx.targets.get("t2") == TARGET
        assert tx.targets.by_name("dav") == TARGET
        assert [target.name for target in tx.targets.all()] == ["dav", "mail"]
        assert tx.targets.get("t3") is None


def test_a_target_is_replaced(state: State) -> None:
    changed = Target(id="t2", name="new", adapter="dav", side=Side.GROUPWARE)
    with state.begin() as tx:
        tx.targets.put(TARGET)
        tx.targets.put(changed)
        assert tx.targets.get("t2") == changed
        assert tx.targets.remove("t2")
        assert not tx.targets.remove("t2")


def test_secrets_are_not_shown() -> None:
    shown = [repr(TARGET), str(TARGET), f"{TARGET}", f"{[TARGET]}", f"{TARGET!r:>10}"]
    assert not [each for each in shown if SECRET in each]


def test_secrets_do_not_stand_in_the_database(state: State, tmp_path: Path) -> None:
    with state.begin() as tx:
        tx.targets.put(TARGET)
    with state.read() as tx:
        stored = tx.db.execute(text("SELECT secrets FROM state_targets")).scalars()
        assert not [each for each in stored if each and SECRET.encode() in bytes(each)]
    for path in tmp_path.iterdir():
        assert SECRET.encode() not in path.read_bytes()


def test_secrets_open_only_in_their_own_record(state: State) -> None:
    with state.begin() as tx:
        tx.targets.put(TARGET)
        moved = "UPDATE state_targets SET secrets = (SELECT secrets FROM state_targets t "
        tx.db.execute(text(moved + "WHERE t.id = 't2') WHERE id = 't1'"))
        with pytest.raises(ConfigError, match="altered"):
            tx.targets.get("t1")
        assert tx.targets.get("t2") == TARGET


def test_without_a_key_secrets_are_refused(database: Database) -> None:
    state = State(database)
    with pytest.raises(ConfigError, match="need a key"), state.begin() as tx:
        tx.targets.put(TARGET)
    with state.begin() as tx:
        tx.targets.put(Target(id="t", name="open", adapter="memory", side=Side.CRM))


def test_names_are_unique(state: State) -> None:
    with pytest.raises(Taken), state.begin() as tx:
        tx.targets.put(Target(id="t9", name="mail", adapter="dav", side=Side.CRM))
    with pytest.raises(Taken), state.begin() as tx:
        tx.links.put(link("c", name="link a"))


def test_a_target_in_use_stays(state: State) -> None:
    with pytest.raises(InUse), state.begin() as tx:
        tx.targets.remove("t1")


def test_a_link_needs_its_target(state: State) -> None:
    with pytest.raises(InUse), state.begin() as tx:
        tx.links.put(link("c", target="nowhere"))


def test_a_link_comes_back_whole(state: State) -> None:
    other = Link(
        id="c",
        name="tasks",
        user="bob",
        kind=Kind.TASK,
        target="t1",
        principal="bob@example.com",
        folder="/tasks/",
        rule="tasks",
        mode=Mode.PILOT,
        paused=True,
    )
    with state.begin() as tx:
        tx.links.put(other)
    with state.read() as tx:
        assert tx.links.get("c") == other
        assert tx.links.by_name("tasks") == other
        assert tx.links.get("d") is None
        assert tx.links.by_name("d") is None
        assert [each.id for each in tx.links.all()] == ["a", "b", "c"]
        assert tx.links.by_user("bob") == [other]


def test_pausing_one_link(state: State) -> None:
    with state.begin() as tx:
        assert tx.links.pause("a")
        assert not tx.links.pause("nothing")
    with state.read() as tx:
        assert [each.paused for each in tx.links.all()] == [True, False]
    with state.begin() as tx:
        tx.links.pause("a", False)
        assert not any(each.paused for each in tx.links.all())


def test_a_pause_beside_whoever_stores_the_link_whole_is_not_lost(state: State) -> None:
    def pause() -> bool:
        with state.begin() as tx:
            return tx.links.pause("a")

    with ThreadPoolExecutor(1) as pool:
        with state.begin() as tx:
            found = tx.links.hold("a")
            assert found is not None
            paused = pool.submit(pause)
            assert not wait([paused], timeout=0.5).done
            tx.links.put(replace(found, mode=Mode.OBSERVE))
        assert paused.result()
    with state.read() as tx:
        stands = tx.links.get("a")
    assert stands is not None
    assert (stands.mode, stands.paused) == (Mode.OBSERVE, True)


def test_a_link_goes_with_all_that_is_its_own(state: State) -> None:
    with state.begin() as tx:
        for name in ("a", "b"):
            tx.pairings.put(name, pairing(name))
            tx.decisions.put_many([Decision(link=name, side=Side.CRM, ref="c1", at=NOW)])
            tx.windows.put(name, Side.CRM, "c1", NOW)
            pending = Pending(id=name, link=name, ref_crm="c1", cause=Cause.HELD, step=b"", at=NOW)
            tx.pending.put(pending)
    with state.begin() as tx:
        assert tx.links.remove("a")
        assert not tx.links.remove("a")
    with state.read() as tx:
        kept = [tx.pairings.count("a"), len(tx.decisions.all("a"))]
        kept += [len(tx.windows.due("a", NOW)), len(tx.pending.by_link("a"))]
        assert kept == [0, 0, 0, 0]
        kept = [tx.pairings.count("b"), len(tx.decisions.all("b"))]
        kept += [len(tx.windows.due("b", NOW)), len(tx.pending.by_link("b"))]
        assert kept == [1, 1, 1, 1]


def test_a_link_with_open_intents_stays(state: State) -> None:
    with state.begin() as tx:
        intent = Intent(id="i", link="a", run="r", side=Side.CRM, step=b"{}", at=NOW)
        tx.intents.open_many([intent])
    with pytest.raises(InUse), state.begin() as tx:
        tx.links.remove("a")
    with state.begin() as tx:
        tx.intents.close_many(["i"])
        assert tx.links.remove("a")


@pytest.mark.parametrize("value", [True, 0, "text", {"a": [1]}, False])
def test_settings_come_back(state: State, value: object) -> None:
    with state.begin() as tx:
        tx.settings.put("paused", value)
    with state.read() as tx:
        assert tx.settings.get("paused") == value
        assert tx.settings.all() == {"paused": value}
        assert tx.settings.get("other", "default") == "default"
        assert tx.settings.some("paused", "other") == {"paused": value}
        assert tx.settings.some("other") == {}


def test_none_forgets_a_setting(state: State) -> None:
    with state.begin() as tx:
        tx.settings.put("paused", True)
        tx.settings.put("paused", None)
        assert tx.settings.all() == {}
