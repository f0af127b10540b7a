"""The process that is killed: one synchronization that dies at a chosen step of apply.

Points are counted before and after every transaction of state and CRM, and before and after every
single request that writes on the server.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from stamina.instrumentation import set_on_retry_hooks

from accord.db import Database
from accord.groupware.dav.client import Client
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.service.opening import Options
from accord.service.sync import sync


class Points:
    """Count the steps of apply, and die at one of them."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.passed = 0
        self._lock = threading.Lock()

    def pass_one(self) -> None:
        """Pass a point; SIGKILL at the fatal one."""
        with self._lock:
            self.passed += 1
            if self.passed == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return `act` with a point before and after it."""

        def counted(*args: Any, **named: Any) -> Any:
            self.pass_one()
            result = act(*args, **named)
            self.pass_one()
            return result

        return counted


def run(folder: str, fatal: int, report: Connection) -> None:
    """Synchronize once; tell how many points were passed and what the reports say."""
    logging.disable(logging.WARNING)
    set_on_retry_hooks([])
    points = Points(fatal)
    Client.write = points.around(Client.write)  # type: ignore[method-assign]
    accord = open_accord(load(Path(folder) / "accord.toml", {}, Path(folder)))
    _count_transactions(points)
    with accord.state.read() as tx:
        links = tx.links.all()
    reports = sync(accord, links, Options(cause="fault"))
    accord.close()
    errors = [one.error for one in reports if one.error]
    report.send((points.passed, sum(one.writes for one in reports), errors))


def _count_transactions(points: Points) -> None:
    from contextlib import contextmanager

    begin = Database.begin

    @contextmanager
    def counted(self: Database, **named: Any) -> Any:
        with begin(self, **named) as tx:
            points.pass_one()
            yield tx
            points.pass_one()
        points.pass_one()

    Database.begin = counted  # type: ignore[method-assign]
