"""The command line in this process: run a command, read what it printed and its code.

`mailboxes` puts one server in memory behind all commands of a test, so that stories need no peer.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from accord.cli.main import main
from accord.groupware import memory
from accord.service import registry
from accord.state.records import Target
from tests.databases import Databases

CONFIG = """
[[target]]
name = "company"
adapter = "memory"

[[link]]
user = "alice"
target = "company"
kinds = ["event", "task"]
mode = "active"

[[rule]]
name = "events"
kind = "event"
scope = "all"
"""


class Result(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[Any]:
        """The lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def row(self) -> Any:
        """The only line of JSON."""
        (row,) = self.rows
        return row


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `accord WORDS…` in an empty folder; fails unless the exit code is `code`."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "ACCORD_CONFIG",
        "ACCORD_DATABASE",
        "ACCORD_KEY_FILE",
        "ACCORD_KEY_COMMAND",
        "ACCORD_CRM",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*words: object, stdin: str = "", code: int | None = 0) -> Result:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        ended = main([str(word) for word in words])
        result = Result(ended, *capsys.readouterr())
        assert code is None or ended == code, result
        assert "Traceback" not in result.err, result.err
        return result

    return command


@pytest.fixture
def installed(run: Run, databases: Databases) -> Run:
    """An installation with the CRM user alice, and no targets yet; on both databases in turn."""
    run("init", "--database", databases.url())
    run("crm", "users", "add", "alice", "--address", "alice@x.test")
    return run


@pytest.fixture
def mailboxes(monkeypatch: pytest.MonkeyPatch) -> memory.MemoryGroupware:
    """A server that outlasts commands; every target with the memory adapter is this one."""
    server = memory.build({"instance": "company"})

    def build(target: Target, vault: object = None) -> Any:
        assert target.adapter == "memory"
        return server

    monkeypatch.setattr(registry, "build", build)
    return server


@pytest.fixture
def linked(installed: Run, mailboxes: memory.MemoryGroupware, tmp_path: Path) -> Run:
    """Alice's events and tasks are linked with her mailbox."""
    (tmp_path / "company.toml").write_text(CONFIG)
    installed("import", "company.toml")
    return installed


def govern(run: Run, rule: str, name: str = "events") -> None:
    """Import a changed rule and put it into force."""
    run("import", "-", stdin=rule)
    run("rules", "activate", name, "--yes")


def event(title: str = "Meeting", **more: Any) -> str:
    """Return a canonical event."""
    item = {
        "kind": "event",
        "title": title,
        "start": "2027-03-01T10:00:00",
        "end": "2027-03-01T11:00:00",
        "time_zone": "Europe/Berlin",
    }
    return json.dumps(item | more)
