"""Keep one server process on a leash: run as a script by `process.Peer`, never imported.

Usage: leash.py FIFO-FD STOP-SIGNAL GRACE USER FOLDER -- COMMAND...

The holders of the server keep the writing end of the FIFO open. `t` asks the server to stop and
kills it after GRACE seconds, `k` kills it at once, and end of file (every holder is gone, however
it died) kills it too and removes FOLDER, unless that is `-`. All that the server leaves behind is
killed. USER is a login name, or `-` to change nothing.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(arguments: list[str]) -> int:
    """Run the server until it ends or nobody holds it; return its exit code."""
    fifo, grace = int(arguments[0]), float(arguments[2])
    stop_signal, user, folder = arguments[1], arguments[3], arguments[4]
    waking, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the holders, who then let go
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)  # daemons that leave their parent come back to us
    server = subprocess.Popen(
        arguments[6:],
        preexec_fn=lambda: _become(user),  # noqa: PLW1509  (this script has no threads)
        process_group=0,
    )
    try:
        held = _watch(server, fifo, waking, getattr(signal, stop_signal), grace)
    finally:
        _sweep(server)
    if not held and folder != "-":
        shutil.rmtree(folder, ignore_errors=True)
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _become(user: str) -> None:
    if user != "-":
        import pwd

        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after setuid, which clears it


def _watch(
    server: subprocess.Popen[bytes], fifo: int, waking: int, stop_signal: int, grace: float
) -> bool:
    """Return when the server shall end or has ended, with whether somebody still holds it."""
    while server.poll() is None:
        ready, _, _ = select.select([fifo, waking], [], [])
        if fifo in ready:
            word = os.read(fifo, 1)
            if word == b"t":
                server.send_signal(stop_signal)
                _wait(server, grace)
            return word != b""
        os.read(waking, 512)
    return True


def _wait(server: subprocess.Popen[bytes], grace: float) -> None:
    try:
        server.wait(grace)
    except subprocess.TimeoutExpired:
        return


def _sweep(server: subprocess.Popen[bytes]) -> None:
    """Kill the server's process group and everything that came from it, until nothing is left."""
    try:
        os.killpg(server.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    server.wait()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for child in _children():
            os.kill(child, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return


def _children() -> list[int]:
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    except OSError:  # not Linux: the process group has to do
        return []
    return [int(pid) for pid in listed.split()]


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
