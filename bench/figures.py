"""What the benchmark measures of one run: a command in a process of its own, timed from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

_STOPWATCH = Path(__file__).with_name("stopwatch.py")


class Figures(msgspec.Struct, frozen=True):
    """The cost of one command, start of its interpreter included."""

    what: str
    seconds: float  # wall clock
    cpu_seconds: float  # user and system, with all processes it started
    peak_mib: float  # largest resident set of one process; at least the stopwatch's own, about 10


class CommandFailed(RuntimeError):
    """A measured command ended with an error; the text ends with what it printed."""


def measure(
    what: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    output: Path,
) -> Figures:
    """Run a command to its end and return what it cost; its output goes to the file `output`.

    Raises CommandFailed.
    """
    figures = output.absolute().with_suffix(".figures.json")
    with output.open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(_STOPWATCH), str(figures), *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            check=False,
        )
    if done.returncode:
        words = output.read_text(encoding="utf-8", errors="replace")
        raise CommandFailed(f"{what}: exit code {done.returncode}\n{words[-4000:]}")
    return msgspec.json.decode(figures.read_bytes(), type=_Cost).named(what)


class _Cost(msgspec.Struct):
    seconds: float
    cpu_seconds: float
    peak_mib: float

    def named(self, what: str) -> Figures:
        return Figures(what, self.seconds, self.cpu_seconds, self.peak_mib)
