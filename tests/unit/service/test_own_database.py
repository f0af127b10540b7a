"""Accord's own database: a copy of it, or an older one in its place, is held until it is meant."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from accord.crm import memory as crm_memory
from accord.db import open_database
from accord.db.whereabouts import whereabouts
from accord.groupware import memory
from accord.model.item import Task
from accord.model.kinds import Kind, Side
from accord.ports.errors import ConfigError
from accord.rules.rule import Rule, Scope
from accord.sandbox.postgres import fresh_database
from accord.service.accord import Accord
from accord.service.check import check
from accord.service.identity import accept, verify
from accord.service.jobs.catalogue import JOBS
from accord.service.jobs.job import Outcome
from accord.service.jobs.running import run_job
from accord.service.notices.causes import standing as causes
from accord.service.sync import sync
from accord.state.records import Link, Target
from accord.state.state import State
from tests.unit.service.jobbing import Asked, config


@pytest.fixture(autouse=True)
def on_both() -> None:
    """These are about files."""


class Office:
    """Be a CRM and a mailbox that go on while Accord's database is copied and put back."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "accord.db"
        self.crm = crm_memory.build({"users": {"anna": "anna@x.test"}})
        self.mailboxes = memory.build({"principals": {"anna@x.test": "anna"}})
        with self.open() as accord, accord.state.begin() as tx:
            tx.targets.put(Target(id="t", name="t", adapter="memory", side=Side.GROUPWARE))
            rule = Rule(name="r", kind=Kind.TASK, scope=Scope.ALL)
            tx.rules.activate("r", tx.rules.put(rule))
            tx.links.put(
                Link(
                    id="a",
                    name="a",
                    user="anna",
                    kind=Kind.TASK,
                    target="t",
                    principal="anna@x.test",
                    rule="r",
                )
            )

    def open(self, file: Path | None = None) -> Opened:
        return Opened(self, file or self.file)

    def work(self, title: str) -> None:
        """Let the CRM have one more task, and a visit."""
        self.crm.person("anna").add(Task(title=title))
        assert self.visit() == ""

    def visit(self, file: Path | None = None) -> str:
        """Return why a visit failed."""
        with self.open(file) as accord:
            with accord.state.read() as tx:
                links = tx.links.all()
            return sync(accord, links)[0].error

    def copied(self, to: Path) -> Path:
        """Copy the database as a backup program would."""
        with self.open() as accord, accord.state.database.begin() as tx:
            tx.connection.exec_driver_sql("SELECT 1")
        shutil.copy(self.file, to)
        return to

    def titles(self) -> list[str]:
        tasks = self.mailboxes.person("anna@x.test").list(Kind.TASK)
        return sorted(str(getattr(one.item, "title", "")) for one in tasks)


class Opened:
    """Be Accord for a moment."""

    def __init__(self, office: Office, file: Path) -> None:
        state = State(open_database(f"sqlite:///{file}"), file.parent / "key")
        self._accord = Accord(state, office.crm, lambda _: office.mailboxes)

    def __enter__(self) -> Accord:
        return self._accord

    def __exit__(self, *_: object) -> None:
        self._accord.state.database.close()


def _overwrite(backup: Path, file: Path) -> None:
    for more in ("-wal", "-shm"):
        Path(f"{file}{more}").unlink(missing_ok=True)
    with file.open("r+b") as old:
        old.truncate()
        old.write(backup.read_bytes())


def _replace(backup: Path, file: Path) -> None:
    for more in ("-wal", "-shm"):
        Path(f"{file}{more}").unlink(missing_ok=True)
    shutil.copy(backup, file.with_name("fresh"))
    file.with_name("fresh").replace(file)


@pytest.mark.parametrize(
    ("put_back", "why"),
    [
        (_overwrite, "held: Accord's own database went back from journal entry 2 to 1"),
        (_replace, "held: Accord's own database is a copy, or was put back"),
    ],
    ids=["overwritten", "replaced"],
)
def test_an_older_database_is_held_until_it_is_accepted(
    tmp_path: Path, put_back: Callable[[Path, Path], None], why: str
) -> None:
    office = Office(tmp_path)
    office.work("Before the backup")
    backup = office.copied(tmp_path / "backup.db")
    office.work("After it")
    put_back(backup, office.file)
    office.crm.person("anna").add(Task(title="Since then"))
    assert office.visit() == why
    assert office.titles() == ["After it", "Before the backup"]
    with office.open() as accord:
        said = [one for one in check(accord) if one.area == "database"]
        assert [(one.ok, f"held: {one.detail}") for one in said] == [(False, why)]
        accept(accord)
        assert [one.ok for one in check(accord) if one.area == "database"] == [True]
    assert office.visit() == ""
    assert office.titles() == ["After it", "Before the backup", "Since then"]
    assert office.visit() == ""


def test_a_copy_elsewhere_is_held(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.work("Real")
    (tmp_path / "trial").mkdir()
    copy = office.copied(tmp_path / "trial" / "accord.db")
    shutil.copy(tmp_path / "key", tmp_path / "trial" / "key")
    assert office.visit(copy) == "held: Accord's own database is a copy, or was put back"
    assert office.visit() == ""


def test_a_renamed_file_is_the_same_database(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.work("Real")
    renamed = tmp_path / "renamed.db"
    office.file.rename(renamed)
    assert office.visit(renamed) == ""


def test_a_witness_that_can_not_be_written_stops_nobody(tmp_path: Path) -> None:
    office = Office(tmp_path)
    (tmp_path / "accord.db-stand").mkdir()
    office.work("Real")
    assert office.visit() == ""


def test_a_pruned_journal_is_no_step_back(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.work("Real")
    with office.open() as accord, accord.state.begin() as tx:
        assert tx.journal.prune(accord.clock()) == 1
    assert office.visit() == ""


@pytest.mark.postgres
def test_a_dump_that_is_read_back_is_another_database(postgres: str) -> None:
    with fresh_database(postgres) as url:
        database = open_database(url)
        with database.begin() as tx:
            tx.connection.exec_driver_sql("CREATE TABLE kept (a int)")
        first = whereabouts(database, "kept")
        assert whereabouts(database, "kept") == first
        with database.begin() as tx:
            tx.connection.exec_driver_sql("DROP TABLE kept; CREATE TABLE kept (a int)")
        assert whereabouts(database, "kept") != first
        database.close()


def test_a_mailbox_store_that_went_back_is_held(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.work("Before the backup")
    office.work("After it")
    office.mailboxes.store.number = 0
    assert office.visit() == "held: target t went back from revision 2 to 0"
    with office.open() as accord:
        with pytest.raises(ConfigError, match="went back") as caught:
            verify(accord, "t")
        assert "was a backup restored" in caught.value.hint
        accept(accord)
        verify(accord, "t")


def test_on_a_copy_no_job_is_done_and_what_is_wrong_is_told(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.work("first")
    copy = office.copied(tmp_path / "copy.db")
    with office.open(copy) as accord:
        told = {name: _job(accord, name) for name in JOBS}
        assert told.pop("errors").ending == "done"
        assert {one.ending for one in told.values()} == {"unable"}
        assert all("is a copy, or was put back" in one.words for one in told.values())
        assert any("is a copy" in row.words for row in causes(accord))
    with office.open() as accord:
        assert _job(accord, "housekeeping").ending == "done"


def test_jobs_write_nothing_into_the_journal_of_one_that_was_put_back(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.work("first")
    copy = office.copied(tmp_path / "older.db")
    for number in range(5):
        office.work(f"more {number}")
    _overwrite(copy, office.file)
    with office.open() as accord:
        before = _newest(accord)
        for name in JOBS:
            _job(accord, name)
        assert _newest(accord) == before
    assert "went back" in office.visit()


def _newest(accord: Accord) -> int:
    with accord.state.read() as tx:
        return tx.journal.newest()


def _job(accord: Accord, name: str) -> Outcome:
    outcome = run_job(accord, config(), Asked(), name)
    assert outcome is not None
    return outcome
