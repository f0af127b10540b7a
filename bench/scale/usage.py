"""What processes use, as Linux counts it, and how to hold one to a part of a core."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from accord.sandbox.process import until

_CGROUPS = Path("/sys/fs/cgroup")
_PERIOD = 0.1


class Process:
    """Be a process to be measured from outside."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    @classmethod
    def own(cls) -> Process:
        """Return the process that asks."""
        return cls(os.getpid())

    @property
    def cpu(self) -> float:
        """Return the seconds of CPU it has used."""
        text = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        ticks = text.rpartition(")")[2].split()
        return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident(self) -> int:
        """Return the bytes it has in memory."""
        return self._status("VmRSS:")

    @property
    def peak(self) -> int:
        """Return the most bytes it ever had in memory."""
        return self._status("VmHWM:")

    def _status(self, which: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(which):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the system doesn't tell how much memory a process has")


class Line:
    """Be one process after another in the same place, measured as if they were one."""

    def __init__(self, pid: int) -> None:
        self._process = Process(pid)
        self._before = self._cpu = 0.0
        self._peak = 0

    def look(self) -> None:
        """Note what it has used so far, for it may be killed."""
        with suppress(OSError, RuntimeError):
            self._cpu = self._process.cpu
            self._peak = max(self._peak, self._process.peak)

    def follow(self, pid: int) -> None:
        """Go on with the process that takes its place."""
        self._before += self._cpu
        self._process, self._cpu = Process(pid), 0.0

    @property
    def cpu(self) -> float:
        """Return the seconds of CPU all of them have used."""
        self.look()
        return self._before + self._cpu

    @property
    def resident(self) -> int:
        """Return the bytes that the living one has in memory."""
        return self._process.resident

    @property
    def peak(self) -> int:
        """Return the most bytes that any of them ever had in memory."""
        self.look()
        return self._peak


class Measured(Protocol):
    """Be what tells the seconds of CPU it has used."""

    @property
    def cpu(self) -> float: ...


class Together:
    """Be several that are measured as one."""

    def __init__(self, several: Collection[Measured]) -> None:
        self._several = several

    @property
    def cpu(self) -> float:
        """Return the seconds of CPU they have used."""
        return sum(each.cpu for each in self._several)


class Watch:
    """Measure some processes between two moments."""

    def __init__(self, **processes: Measured) -> None:
        self._processes = processes
        self.restart()

    def restart(self) -> None:
        """Begin to measure from now on."""
        self._before = {name: each.cpu for name, each in self._processes.items()}
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return how long it has been."""
        return time.monotonic() - self._began

    def cores(self) -> dict[str, float]:
        """Return how much of a core each used meanwhile."""
        return {name: used / self.seconds for name, used in self.used().items()}

    def used(self) -> dict[str, float]:
        """Return the seconds of CPU each used meanwhile."""
        return {name: each.cpu - self._before[name] for name, each in self._processes.items()}


@contextmanager
def held_to(share: float, pid: int) -> Iterator[str]:
    """Hold a process to a part of a core until it has ended; yields how.

    By the kernel, where we may make a group with a quota, or by stopping it for a while in each
    tenth of a second.
    """
    group = _group(pid, share)
    if group is not None:
        try:
            yield "cgroup"
        finally:
            _leave(group)
        return
    ended = threading.Event()
    governor = threading.Thread(target=_govern, args=(pid, share, ended), daemon=True)
    governor.start()
    try:
        yield "stopped and continued"
    finally:
        ended.set()
        governor.join()


def _group(pid: int, share: float) -> Path | None:
    """Put a process into a group of its own with a quota; None where that can't be done."""
    micros = round(_PERIOD * 1e6)
    for base, file, text in (
        (_CGROUPS, "cpu.max", f"{round(share * micros)} {micros}"),
        (_CGROUPS / "cpu", "cpu.cfs_quota_us", f"{round(share * micros)}"),
    ):
        group = base / f"accord-scale-{pid}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if (group / file).exists():
                (group / file).write_text(text, encoding="ascii")
                (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
                return group
        except OSError:
            pass
        group.rmdir()
    return None


def _leave(group: Path) -> None:
    def gone() -> bool:
        try:
            group.rmdir()
        except OSError:
            return False
        return True

    until(gone, 20)


def _govern(pid: int, share: float, ended: threading.Event) -> None:
    """Let a process run until it has used its share of each period."""
    used = _nanoseconds(pid)
    try:
        while not ended.is_set():
            began, before = time.monotonic(), used
            os.kill(pid, signal.SIGCONT)
            while (left := began + _PERIOD - time.monotonic()) > 0:
                used = _nanoseconds(pid)
                spare = share * _PERIOD - (used - before) / 1e9
                if spare <= 0:
                    os.kill(pid, signal.SIGSTOP)
                    # What was used beyond the share is paid for before it goes on.
                    time.sleep(max(left, -spare / share + left))
                    break
                time.sleep(min(max(spare, 0.001), left))
    except (ProcessLookupError, FileNotFoundError):
        return
    finally:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def _nanoseconds(pid: int) -> int:
    """Return the CPU time of all threads of a process."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total
