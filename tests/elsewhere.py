"""The other machine: a CRM and CRM.interface in a folder, a database and a process of their own.

Tests reach it as a connector does, by HTTP; people's hands work there beside it, in its database.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from datetime import datetime
from multiprocessing.forkserver import ensure_running as start_forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn.protocols.http.auto  # here so that a process finds it loaded
import uvicorn.protocols.websockets.auto  # noqa: F401

import accord.crm.database.admin
import accord.interface.server.server
import accord.interface.tokens.command  # noqa: F401
from accord.cli.call import Call
from accord.cli.interface import serve
from accord.interface.server.app import PATH
from accord.ports.clock import Clock, system_clock
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord, open_desk
from accord.service.config import Config
from accord.service.connector import KEY_FILE
from accord.service.init import init

HOST = "127.0.0.1"
Prepare = Callable[..., None]
"""Something to do in the process before it serves, such as making it die somewhere."""

_PATIENCE = 60


class FileClock:
    """Be a clock that shows what stands in a file: two processes see the same time."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def set(self, now: datetime) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(now.isoformat(), encoding="ascii")
        fresh.replace(self._file)

    def __call__(self) -> datetime:
        return datetime.fromisoformat(self._file.read_text(encoding="ascii"))


class Elsewhere:
    """Be that machine; what it serves outlasts its process, which may be killed and started."""

    def __init__(
        self,
        folder: Path,
        *,
        database: str = "sqlite:///accord.db",
        records: str = "",
        clock: Path | None = None,
    ) -> None:
        """Install in `folder`; `records` is the CRM's own database where it isn't state's."""
        self.folder = folder
        self.config: Config = init(folder, database=database, crm=f"database:{records}").config
        self._clock = clock
        self._context = forkserver()
        self._port = socket.socket()
        # Bound and never listening, it keeps the port for the process, whenever that is started.
        self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._port.bind((HOST, 0))
        self.address = f"{HOST}:{self._port.getsockname()[1]}"
        self.url = f"http://{self.address}{PATH}"
        self.crm = f"interface+{self.url}"
        self.process: BaseProcess | None = None

    def open(self) -> Accord:
        """Return what a person at that machine works with."""
        return open_accord(self.config, clock_of(self._clock))

    def write_key(self, folder: Path) -> None:
        """Carry the token key to the connector's machine."""
        from accord.formats.token import key_text

        accord = self.open()
        try:
            text = key_text(open_desk(accord, self.config).signer().key())
        finally:
            accord.close()
        (folder / KEY_FILE).write_text(text + "\n", encoding="ascii")
        (folder / KEY_FILE).chmod(0o600)

    def start(self, prepare: Prepare | None = None, *given: Any) -> Self:
        """Serve from now on, in a new process, and wait until it answers."""
        target, words = _serve, (str(self.folder), self.address, self._clock, prepare, given)
        self.process = self._context.Process(target=target, args=words, daemon=True)
        self.process.start()
        deadline = time.monotonic() + _PATIENCE
        while not self._listens():
            if not self.process.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"CRM.interface doesn't serve: {self.process.exitcode}")
            time.sleep(0.01)
        return self

    def kill(self) -> None:
        """End the process in the middle of whatever it does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the process as a service manager does."""
        self._end(signal.SIGTERM)

    def close(self) -> None:
        """Stop and give the port back."""
        self.kill()
        self._port.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _end(self, sign: signal.Signals) -> None:
        if self.process is not None:
            if self.process.is_alive():
                os.kill(self.process.pid or 0, sign)
            self.process.join(_PATIENCE)
            self.process.close()
            self.process = None

    def _listens(self) -> bool:
        host, _, port = self.address.partition(":")
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((host, int(port))) == 0


def forkserver() -> Any:
    """Return the context of processes that begin with everything loaded; one for all tests."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.elsewhere", "tests.fault.victim"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # it gets no other word of where to look
    try:
        start_forkserver()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before
    return context


def clock_of(file: Path | None) -> Clock:
    """Return the clock that a file shows, or the real one."""
    return system_clock if file is None else FileClock(file)


def _serve(
    folder: str, address: str, clock: Path | None, prepare: Prepare | None, given: tuple[Any, ...]
) -> None:
    if prepare is not None:
        prepare(*given)

    def opener(config: Config) -> Accord:
        return open_accord(config, clock_of(clock))

    here = Path(folder)
    call = Call(config=here / "accord.toml", quiet=True, environ={}, here=here, opener=opener)
    serve(listen=address, call=call)
