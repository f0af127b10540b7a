"""What all processes of a server cost together, those that it has started and that ended included.

Read from Linux's /proc, as the server goes on afterwards.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from accord.sandbox.process import Peer

_TICKS = os.sysconf("SC_CLK_TCK")


class _Process(NamedTuple):
    parent: int
    ticks: int  # of CPU, with children that it has waited for


class Family:
    """Be the processes of one running server, looked at from now on."""

    def __init__(self, server: Peer) -> None:
        """Begin to count."""
        self._eldest = server.pid
        self._before = self._ticks()

    @property
    def cpu_seconds(self) -> float:
        """User and system, since the beginning."""
        return (self._ticks() - self._before) / _TICKS

    @property
    def peak_mib(self) -> float:
        """The largest resident set that one of them had so far."""
        return max(_peak(pid) for pid in self._members()) / 1024

    def _ticks(self) -> int:
        return sum(each.ticks for each in self._members().values())

    def _members(self) -> dict[int, _Process]:
        there = {int(path.name): _read(path) for path in Path("/proc").glob("[0-9]*")}
        everyone = {pid: found for pid, found in there.items() if found is not None}
        members = {self._eldest}
        grown = True
        while grown:
            more = {pid for pid, found in everyone.items() if found.parent in members} - members
            members |= more
            grown = bool(more)
        return {pid: everyone[pid] for pid in members if pid in everyone}


def _read(path: Path) -> _Process | None:
    try:
        words = (path / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None  # it has ended
    return _Process(int(words[1]), sum(int(word) for word in words[11:15]))


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)
