"""A CRM put back from a backup: nothing follows from it until somebody says that it is meant."""

from __future__ import annotations

import shutil
from pathlib import Path

from accord.cli import exits
from accord.groupware.memory import MemoryGroupware
from accord.model.kinds import Kind
from tests.unit.cli.conftest import CONFIG, Run, event
from tests.unit.cli.test_commands import edit, put


def test_a_restored_crm_is_held_until_it_is_accepted(
    run: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    settings, crm = tmp_path / "accord.toml", tmp_path / "crm.db"
    run("init")
    settings.write_text(settings.read_text().replace('"database:"', '"database:sqlite:///crm.db"'))
    run("crm", "users", "add", "alice", "--address", "alice@x.test")
    (tmp_path / "company.toml").write_text(CONFIG)
    run("import", "company.toml")
    run("crm", "put", "--as", "alice", stdin=event("Before the backup"))
    run("sync", "--all")
    shutil.copy(crm, tmp_path / "backup.db")
    for number in range(4):
        run("crm", "put", "--as", "alice", stdin=event(f"After it {number}"))
    run("sync", "--all")
    mailbox = mailboxes.person("alice@x.test")
    assert len(mailbox.list(Kind.EVENT)) == 5

    shutil.copy(tmp_path / "backup.db", crm)
    held = run("sync", "--all", code=None)
    assert held.code != 0
    assert "accord check --accept" in held.out + held.err
    assert len(mailbox.list(Kind.EVENT)) == 5
    assert "accord check --accept" in run("check", code=1).out

    assert "accord plan --all-steps" in run("check", "--accept").out
    plan = run("plan", "--all-steps").out
    assert plan.count("the CRM has never had this record") == 4
    run("sync", "--all")
    assert len(mailbox.list(Kind.EVENT)) == 5


def test_a_conflict_is_not_decided_by_a_crm_that_went_back(
    run: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    settings, crm = tmp_path / "accord.toml", tmp_path / "crm.db"
    run("init")
    settings.write_text(settings.read_text().replace('"database:"', '"database:sqlite:///crm.db"'))
    run("crm", "users", "add", "alice", "--address", "alice@x.test")
    (tmp_path / "company.toml").write_text(CONFIG + 'clash = "hold"\n')
    run("import", "company.toml")
    ref = put(run, "Before")
    run("sync", "--all")
    shutil.copy(crm, tmp_path / "backup.db")
    edit(run, ref, title="Ac")
    mailbox = mailboxes.person("alice@x.test")
    mailbox.edit(mailbox.list(Kind.EVENT)[0].ref, title="Am")
    run("sync", "--all")
    assert "both sides changed title" in run("conflicts").out

    shutil.copy(tmp_path / "backup.db", crm)
    held = run("conflicts", "resolve", "--all", "--take", "crm", code=exits.WRONG)
    assert "held: crm went back" in held.err and "accord check --accept" in held.err
    assert [getattr(one.item, "title", "") for one in mailbox.list(Kind.EVENT)] == ["Am"]
    assert "both sides changed title" in run("conflicts").out
