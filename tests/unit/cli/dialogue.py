"""The installed program at a terminal, and somebody who answers what it asks."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("accord")
PATIENCE = 60.0


def dialogue(
    folder: Path, words: Sequence[str], answers: Sequence[tuple[str, str]], code: int = 0
) -> str:
    """Run `accord WORDS…`, answer each question when it is asked; return what was shown.

    Fails where it asks for anything else, or doesn't end with `code`.
    """
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, *words],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # Without another terminal in reach, passwords are asked for at this one.
        start_new_session=True,
    )
    os.close(theirs)
    shown = ""
    try:
        for question, answer in answers:
            new, until = "", time.monotonic() + PATIENCE
            while question not in new or not new.endswith(": "):
                some = _read(mine)
                new += some
                told = f"{question!r} isn't asked: {shown + new}"
                assert some and time.monotonic() < until, told
            shown += new
            os.write(mine, f"{answer}\n".encode())
        while some := _read(mine):
            shown += some
        assert process.wait(PATIENCE) == code, shown
    finally:
        process.kill()
        process.wait()
        os.close(mine)
    return shown


def _read(terminal: int) -> str:
    """Return what is shown next; empty where the other end is closed."""
    try:
        return os.read(terminal, 65536).decode()
    except OSError:
        return ""
