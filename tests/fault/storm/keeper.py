"""Keep a process of the service alive as a service manager does, each with a clock of its own.

One of them may be as if on another machine: no other can see whether it is still there.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from accord.sandbox.process import PeerFailed

ELSEWHERE = "another-machine"
"""How the names of processes begin that are as if on another machine."""

PAUSE = 1.0
"""Seconds between the end of a process and the start of the next one."""

_PATIENCE = 60
_FAULT = re.compile(r"fault: (.*)")
_HERE = ("-m", "accord.cli.main")
_ELSEWHERE = (
    "-c",
    f"""import sys
from accord.cli.main import main
from accord.state import holder
holder._place = lambda: "{ELSEWHERE}:boot:pid"
sys.exit(main(sys.argv[1:]))""",
)
_CLOCK = Path(__file__).with_name("clock.c")


@cache
def clock_library() -> str:
    """Return the library that gives a process another clock; empty where no compiler makes it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return ""
    folder = tempfile.mkdtemp(prefix="accord-storm-clock-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = Path(folder) / "clock.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(_CLOCK), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return str(made)


def environment() -> dict[str, str]:
    """Return the environment of a command in a house: nothing of what is set where tests run."""
    return {n: v for n, v in os.environ.items() if not n.startswith(("ACCORD_", "COVERAGE"))}


class Keeper:
    """Keep `accord run` or a part of it running in a folder, until it is closed."""

    def __init__(
        self, part: str, folder: Path, logs: Path, number: int, elsewhere: str = ""
    ) -> None:
        """Prepare; `logs` is where its words go.

        `elsewhere` is the database's address as it is reached from another machine, where this
        one shall be on it.
        """
        self.part = part
        self._elsewhere = elsewhere
        self._folder = folder
        self._log = logs / f"{part or 'all'}-{number}.log"
        self._clock = logs / f"{part or 'all'}-{number}.clock"
        self._clock.write_bytes(bytes(8))
        self.ahead = 0
        self.killed = 0
        self.ended: list[int] = []
        self._at = 0.0
        self._told = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"keeper-{part}", daemon=True)

    def start(self) -> None:
        """Start it, and again whenever it ends."""
        self._thread.start()

    def kill(self) -> None:
        """Kill it in the middle of whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self.killed += 1
            self._process.kill()

    @property
    def age(self) -> float:
        """Return for how many seconds its process has been there; 0 where there is none."""
        process = self._process
        return 0.0 if process is None or process.poll() is not None else time.monotonic() - self._at

    def end(self, patience: float) -> bool:
        """Have it end in good order, and tell whether it did so; the next one starts after it."""
        process = self._process
        if process is None:
            return False
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(patience) == 0
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def set_clock(self, ahead: int) -> None:
        """Let its clock be so many seconds ahead of the machine's from now on."""
        self.ahead = ahead
        with self._clock.open("r+b") as file:
            file.write(struct.pack("=q", ahead))

    def limit(self, size: int) -> None:
        """Let no file that it writes grow beyond so many bytes; -1 lifts the limit."""
        import resource

        if self._process is not None and self._process.poll() is None:
            most = resource.RLIM_INFINITY
            soft = most if size < 0 else size
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (soft, most))

    def faults(self) -> list[str]:
        """Return the faults of Accord's own that were logged since the last time."""
        found = _FAULT.findall(self._log.read_text(encoding="utf-8", errors="replace"))
        new, self._told = found[self._told :], len(found)
        return [f"{self._log.stem}: {each}" for each in new]

    def close(self) -> int:
        """End it in good order and return its exit code."""
        self._closing.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise PeerFailed(f"{self._log.stem} doesn't end, see {self._log}") from error
        self._thread.join()
        return 0 if process is None else process.returncode

    def _keep(self) -> None:
        while not self._closing.is_set():
            killed = self.killed
            with self._log.open("ab") as log:
                self._at = time.monotonic()
                self._process = subprocess.Popen(
                    [sys.executable, *self._words(), "--json"],
                    cwd=self._folder,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                )
            code = self._process.wait()
            if self.killed == killed and not self._closing.is_set():
                self.ended.append(code)
            self._closing.wait(PAUSE)

    def _words(self) -> list[str]:
        part = [self.part] if self.part else []
        return [*(_ELSEWHERE if self._elsewhere else _HERE), "run", *part]

    def _environment(self) -> Mapping[str, str]:
        given = environment()
        if self._elsewhere:
            given["ACCORD_DATABASE"] = self._elsewhere
        if library := clock_library():
            given |= {"LD_PRELOAD": library, "STORM_CLOCK": str(self._clock)}
        return given
