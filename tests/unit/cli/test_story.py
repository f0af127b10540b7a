"""From an empty folder to an undo, as an administrator does it, against a real CalDAV server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import Databases
from tests.peers import Account
from tests.unit.cli.conftest import Result, Run, event

EXPORTED = """\
[[rule]]
name = "events"
kind = "event"
scope = "all"
"""


class Shell:
    """Runs `accord`, and keeps all it ever printed."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.printed: list[str] = []

    def __call__(self, *words: str, stdin: str = "", code: int | None = 0) -> Result:
        result = self.run(*words, stdin=stdin, code=code)
        self.printed += [result.out, result.err]
        return result


@pytest.fixture
def shell(run: Run, radicale_account: Account, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("COMPANY_PASSWORD", radicale_account.password)
    return Shell(run)


def titles(account: Account) -> set[str]:
    """What a person sees in their calendar, asked of the server itself."""
    report = (
        '<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop>'
        '<C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR">'
        '<C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>'
    )
    with account.client() as client:
        reply = client.request("REPORT", account.calendar, content=report, headers={"Depth": "1"})
    return {
        line.removeprefix("SUMMARY:").strip()
        for line in reply.text.splitlines()
        if line.startswith("SUMMARY:")
    }


def test_from_nothing_to_undo(
    shell: Shell, radicale_account: Account, tmp_path: Path, databases: Databases
) -> None:
    account = radicale_account
    person = f"{account.user}@x.test"
    shell("init", "--database", databases.url())
    shell("crm", "users", "add", "alice", "--address", person)
    answers = ["--url", account.url, "--user", "alice", "--principal", person]
    shell("init", "dav", *answers, "--login", account.user, "--password-env", "NOT_SET", code=2)
    found = shell(
        "init", "dav", *answers, "--login", account.user, "--name", "company",
        "--password-env", "COMPANY_PASSWORD", "--output", "company.toml",
    )  # fmt: skip
    assert "✓ sign-in and discovery" in found.err
    assert "accord mode alice active" in found.err
    text = (tmp_path / "company.toml").read_text()
    calendar = account.calendar.removeprefix(account.url.rstrip("/"))
    target = text.replace("\n[target.", f'calendar = "{calendar}"\n\n[target.', 1)
    (tmp_path / "company.toml").write_text(target + EXPORTED)
    assert "+ target company" in shell("import", "company.toml", "--plan").out
    shell("import", "company.toml")
    assert "All is well." in shell("check").out

    ref = shell("crm", "put", "--as", "alice", "--json", stdin=event("Kick-off")).row["ref"]
    assert "create in the mailbox: Kick-off" in shell("plan").out
    observed = shell("sync", "--all").out
    assert "only observed, nothing written" in observed
    assert "`accord mode" in observed
    assert titles(account) == set()
    shell("mode", "alice", "active")
    result = shell("sync", "--all", "--json")
    rows = result.rows
    assert result.err == "", "logs are for those who ask"
    assert sum(row["groupware"]["created"] for row in rows) == 1
    assert titles(account) == {"Kick-off"}
    quiet = shell("sync", "--all", "--json").rows
    assert all(row[side]["created"] == 0 for row in quiet for side in ("crm", "groupware"))

    item = json.loads(shell("crm", "show", ref, "--as", "alice").out)
    shell(
        "crm", "put", "--as", "alice", "--ref", ref, stdin=json.dumps(item | {"title": "Kick-on"})
    )
    shell("sync", "alice-event")
    assert titles(account) == {"Kick-on"}
    assert "Kick-on: synchronized" in shell("explain", "Kick-on").out
    newest = shell("journal", "--json").rows[0]
    assert newest["step"] == "update"
    assert "Kick-on → Kick-off" in shell("undo", str(newest["id"]), "--plan").out
    shell("undo", str(newest["id"]), "--yes")
    assert titles(account) == {"Kick-off"}

    exported = shell("export").out
    assert "Nothing to change" in shell("import", "-", stdin=exported).out
    logged = shell("sync", "--all", "--verbose").err
    assert re.search(r"dav\.request .*method.*REPORT.*status.*207", logged), logged
    assert "dav.request" not in shell("sync", "--all").err
    everything = "".join(shell.printed)
    assert account.password not in everything
    for file in tmp_path.iterdir():
        assert account.password.encode() not in file.read_bytes(), file


def test_a_wrong_password_is_said_at_once(
    shell: Shell, radicale_account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPANY_PASSWORD", "swordfish")
    result = shell(
        "init", "dav", "--url", radicale_account.url, "--user", "alice",
        "--principal", f"{radicale_account.user}@x.test", "--login", radicale_account.user,
        "--password-env", "COMPANY_PASSWORD", "--output", "company.toml", code=1,
    )  # fmt: skip
    assert "refuses login name or password" in result.err
    assert not (tmp_path / "company.toml").exists()
    assert "swordfish" not in "".join(shell.printed)


def test_a_server_that_is_gone_is_told_by_plan_sync_and_check(shell: Shell, tmp_path: Path) -> None:
    shell("init")
    shell("crm", "users", "add", "alice", "--address", "alice@x.test")
    text = (
        '[[target]]\nname = "gone"\nadapter = "dav"\nurl = "http://127.0.0.1:9/"\n'
        'password = { env = "COMPANY_PASSWORD" }\n'
        '[[link]]\nuser = "alice"\ntarget = "gone"\nkind = "event"\n'
    )
    shell("import", "-", stdin=text)
    for words in (("plan",), ("sync", "--all")):
        assert "alice-event" in shell(*words, code=3).err
    (row,) = shell("sync", "--all", "--json", code=3).rows
    assert row["action"] == "retry"
    assert "✗ connection" in shell("check", code=1).out


def test_the_installed_program_works_too(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("accord")
    for words in (["init"], ["links"], ["crm", "users", "--json"]):
        done = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "accord.toml").exists()
