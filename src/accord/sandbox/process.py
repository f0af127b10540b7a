"""Start, watch and end the real servers of the sandbox; each server's module builds on `Peer`.

A server runs behind `leash.py`: it ends with the last process that holds it, even a killed one.
"""

from __future__ import annotations

import errno
import os
import pwd
import random
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
_LEASH = Path(__file__).with_name("leash.py")
_PORTS = range(
    15_000, 30_000
)  # below what the system hands to clients, so a port stays ours while a server is down


class PeerMissing(Exception):
    """The program of a peer is not installed; the text says what to install."""


class PeerFailed(RuntimeError):
    """A peer did not start or did not do what was asked; the text ends with the tail of its log."""


class Peer:
    """Run one real server on loopback as a context manager; subclasses say which and how.

    `folder` is where configuration, data, log and leash stand; it stays. Without one a temporary
    folder is made, owned by `user`, and removed when the server has ended.
    """

    name = "peer"
    stop_signal = "SIGTERM"
    patience = 30.0  # seconds until a server that does not answer counts as failed
    grace = 10.0  # seconds between the stop signal and the kill

    def __init__(self, folder: Path | None = None, *, user: str | None = None) -> None:
        self.user = user
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"accord-{self.name}-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._temporary and user is not None:
            self.own(self.folder)
        self.log = self.folder / f"{self.name}.log"
        self.leash = self.folder / "leash"
        self._keeper: subprocess.Popen[bytes] | None = None
        self._hold: int | None = None

    def command(self) -> Sequence[str]:
        """Return the program and its arguments; called at each start, after `prepare`."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Write configuration and data that the program needs; called at each start."""

    def ready(self) -> bool:
        """Tell whether the server answers; may raise OSError while it doesn't."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return the environment of the program, without settings of this Python's."""
        return {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "COVERAGE"))
        }

    # ---- life ----

    def start(self) -> Self:
        """Start the server and wait until it answers. Raises PeerMissing or PeerFailed."""
        if self.running:
            return self
        self._close()
        self.prepare()
        self._spawn()
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        """Ask the server to end and wait; kill what does not end in time. The data stays."""
        self._end(b"t")

    def kill(self) -> None:
        """Kill the server at once, as a power cut would, and wait until all of it is gone."""
        self._end(b"k")

    def restart(self) -> Self:
        """Start again on the same port with the same data; stop first if it is running."""
        self.stop()
        return self.start()

    def close(self) -> None:
        """Kill the server and remove its folder if it was a temporary one."""
        self.kill()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Tell whether the server's process is alive."""
        return self._keeper is not None and self._keeper.poll() is None

    @property
    def pid(self) -> int:
        """Return the process from which all of the running server's descend."""
        assert self._keeper is not None
        return self._keeper.pid

    def release(self) -> None:
        """Let go without ending the server: it ends with its last holder, and its folder too."""
        if self._keeper is not None:
            # Not ours to wait for: else the object complains when this process ends.
            self._keeper.returncode = 0
        self._close()

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    # ---- for subclasses ----

    def tail(self, lines: int = 25) -> str:
        """Return the end of the server's log."""
        try:
            return "\n".join(
                self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
            )
        except OSError:
            return "(no log)"

    def own(self, path: Path) -> None:
        """Give a file or folder to the user that the server runs as."""
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def fail(self, what: str) -> PeerFailed:
        """Return an error that ends with the server's last words."""
        return PeerFailed(f"{self.name}: {what}\n--- {self.log} ---\n{self.tail()}")

    # ---- the leash ----

    def _spawn(self) -> None:
        self.leash.unlink(missing_ok=True)
        os.mkfifo(self.leash, 0o600)
        reading = os.open(self.leash, os.O_RDONLY | os.O_NONBLOCK)
        self._hold = hold(self.leash)
        os.set_blocking(reading, True)
        command = [
            sys.executable,
            "-I",
            "-S",
            str(_LEASH),
            str(reading),
            self.stop_signal,
            str(self.grace),
        ]
        command += [
            self.user or "-",
            str(self.folder) if self._temporary else "-",
            "--",
            *self.command(),
        ]
        try:
            with self.log.open("ab") as log:
                self._keeper = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env=dict(self.environment()),
                    pass_fds=[reading],
                    start_new_session=True,
                )
        finally:
            os.close(reading)

    def _await_ready(self) -> None:
        assert self._keeper is not None
        if not until(self._answers, self.patience):
            raise self.fail(f"did not answer within {self.patience:g} s")

    def _answers(self) -> bool:
        assert self._keeper is not None
        if self._keeper.poll() is not None:
            raise self.fail(f"ended while starting, exit code {self._keeper.returncode}")
        try:
            return self.ready()
        except OSError:
            return False

    def _end(self, word: bytes) -> None:
        if self._keeper is not None and self._hold is not None:
            try:
                os.write(self._hold, word)
            except BrokenPipeError:
                pass  # it has ended by itself
            self._keeper.wait(self.grace + 15)
        self._close()

    def _close(self) -> None:
        if self._hold is not None:
            os.close(self._hold)
        self._hold, self._keeper = None, None


def hold(leash: Path) -> int | None:
    """Return a descriptor that keeps a server alive until closed; None if it has ended."""
    try:
        return os.open(leash, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOENT):
            return None
        raise


def no_tls() -> ssl.SSLContext:
    """Return what trusts nobody, for clients of plain HTTP.

    Left to itself an HTTP client reads all of the system's authorities, each time.
    """
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def free_port() -> int:
    """Return a loopback port that nobody listens on and the system gives to no client."""
    for port in random.SystemRandom().sample(_PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise PeerFailed("no free port on loopback")


def until(met: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again until `met` is true; return False when the time is over."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.3, 0.2)
    return True
