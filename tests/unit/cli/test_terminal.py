"""At a terminal: colours, progress and questions; none of them where nobody looks."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run, event

SERVERLESS = """
from accord.cli.main import main
from accord.groupware import memory
from accord.service import registry

server = memory.build({})
registry.build = lambda target, vault=None: server
"""


def terminal(folder: Path, script: str, typed: str = "", **environ: str) -> str:
    """Run a script with a terminal of 60 columns on all three ends; return what it showed."""
    mine, theirs = pty.openpty()
    environ = {**os.environ, "COLUMNS": "60", "TERM": "xterm", **environ}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVERLESS + script],
        cwd=folder,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        close_fds=True,
    )
    os.close(theirs)
    os.write(mine, typed.encode())
    shown = b""
    while True:
        try:
            some = os.read(mine, 65536)
        except OSError:  # the other end closed
            break
        if not some:
            break
        shown += some
    os.close(mine)
    assert process.wait() == 0, shown.decode()
    return shown.decode()


@pytest.fixture
def folder(linked: Run, tmp_path: Path) -> Path:
    linked("crm", "put", "--as", "alice", stdin=event("A long title " * 10))
    return tmp_path


def test_progress_and_colours_are_shown(folder: Path) -> None:
    shown = terminal(folder, "main(['sync', '--all'])", NO_COLOR="")
    assert "alice@x.test: " in shown
    assert "\x1b[1m" in shown
    assert "mailbox 1 created" in re.sub(r"\x1b\[[0-9;]*m", "", shown)


def test_no_color_is_heeded(folder: Path) -> None:
    shown = terminal(folder, "main(['plan'])", NO_COLOR="1")
    assert "create in the mailbox" in shown
    assert not re.search(r"\x1b\[(?:\d+;)*3\d", shown)


def test_lines_fit_the_terminal(folder: Path) -> None:
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal(folder, "main(['plan'])"))
    assert max(len(line) for line in re.split(r"[\r\n]+", shown)) <= 60


def test_a_question_waits_for_the_answer(folder: Path) -> None:
    script = """
main(["sync", "--all", "--quiet"])
main(["undo", "1"])
print(len(server.person("alice@x.test").list(Kind.EVENT)), "left")
"""
    shown = terminal(folder, "from accord.model.kinds import Kind" + script, typed="n\n")
    assert "Undo this? [y/N]" in shown
    assert "Nothing was done." in shown
    assert "1 left" in shown


def test_yes_is_an_answer(folder: Path) -> None:
    script = """
main(["sync", "--all", "--quiet"])
main(["undo", "1"])
print(len(server.person("alice@x.test").list(Kind.EVENT)), "left")
"""
    shown = terminal(folder, "from accord.model.kinds import Kind" + script, typed="y\n")
    assert "0 left" in shown
