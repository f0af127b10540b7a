"""The process that is killed: one synchronization that dies at a chosen step of apply.

Points stand in, before and after every commit of state and CRM, and before and after every single
request that writes on the server. Each is named after what is being done there.
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

from accord.crm.database.session import DatabaseSession
from accord.db import Database
from accord.groupware.dav.client import Client
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.service.opening import Options
from accord.service.sync import sync

STEPS = ("create", "update", "delete")
MOMENTS = {"crm": ("in", "before the commit of", "after"), "groupware": ("before", "after")}
CELLS = tuple(
    f"{moment} {side} {step}"
    for side, words in MOMENTS.items()
    for step in STEPS
    for moment in words
)
"""Where a kill must have hit at least once for the figures to mean anything."""


class Points:
    """Count the steps of apply, and die at one of them: the nth, or the first of a name."""

    def __init__(self, fatal: int | str, last_words: Connection) -> None:
        self.fatal = fatal
        self.passed = 0
        self._last_words = last_words
        self._lock = threading.Lock()
        self._doing = threading.local()

    def pass_one(self, moment: str, what: str = "") -> None:
        """Pass a point; tell its name and die by SIGKILL at the fatal one."""
        name = f"{moment} {what or getattr(self._doing, 'what', 'state')}"
        with self._lock:
            self.passed += 1
            if self.fatal in (self.passed, name):
                self._last_words.send(name)
                os.kill(os.getpid(), signal.SIGKILL)

    def request(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return a request that writes on the server, with a point before and after it."""

        def counted(client: Any, method: str, ref: str, body: bytes, headers: Any) -> Any:
            put = "create" if "If-None-Match" in headers else "update"
            what = "groupware " + ("delete" if method == "DELETE" else put)
            self.pass_one("before", what)
            result = act(client, method, ref, body, headers)
            self.pass_one("after", what)
            return result

        return counted

    def named(self, act: Callable[..., Any], what: str) -> Callable[..., Any]:
        """Return `act` so that the transactions in it bear a name."""

        def counted(*given: Any) -> Any:
            self._doing.what = what
            try:
                return act(*given)
            finally:
                del self._doing.what

        return counted


def run(folder: str, fatal: int | str, report: Connection) -> None:
    """Synchronize once; tell where it dies, or how many points it passed and what came of it."""
    logging.disable(logging.WARNING)
    set_on_retry_hooks([])
    points = Points(fatal, report)
    Client.write = points.request(Client.write)  # type: ignore[method-assign]
    for step in STEPS:
        act = getattr(DatabaseSession, step)
        setattr(DatabaseSession, step, points.named(act, f"crm {step}"))
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
            points.pass_one("in")
            yield tx
            points.pass_one("before the commit of")
        points.pass_one("after")

    Database.begin = counted  # type: ignore[method-assign]
