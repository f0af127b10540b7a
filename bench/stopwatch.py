"""Run a command and write down what it cost: run as a script by `figures.measure`, never imported.

A process of its own, because Linux counts the memory of whoever starts a program into its peak.
Usage: stopwatch.py FIGURES-FILE COMMAND...
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main(target: str, command: list[str]) -> int:
    """Run the command to its end, write its figures as JSON and return its exit code."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    unit = 2**20 if sys.platform == "darwin" else 2**10  # ru_maxrss: bytes or KiB
    figures = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / unit,
    }
    Path(target).write_text(json.dumps(figures), encoding="utf-8")
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
