"""The processes that are killed: a synchronization, or CRM.interface, dies at a step of apply.

Points stand in, before and after every commit of state and CRM, and before and after every single
request that writes on a server; in CRM.interface also before each answer. Each is named after what
is being done there.
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

import exchangelib  # noqa: F401 (these three here so that a process finds them loaded)
import httpcore2  # noqa: F401
import truststore  # noqa: F401
from stamina.instrumentation import set_on_retry_hooks

from accord.crm.database.session import DatabaseSession
from accord.crm.syncml.http import Http
from accord.crm.syncml.session import SyncmlSession
from accord.db import Database
from accord.groupware.dav.client import Client
from accord.groupware.exchange.client import Client as Exchange
from accord.groupware.exchange.wire import local
from accord.interface.server.server import Server
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.service.connector import is_elsewhere
from accord.service.opening import Options
from accord.service.sync import sync

STEPS = ("create", "update", "delete")
WRITING = ("in", "before the commit of", "after")
ASKING = ("before", "after")
OCCURRENCES = "occurrences"
"""What is written on Exchange to single occurrences, after their series."""

CONNECTOR, INTERFACE = "connector: ", "CRM.interface: "

_OPERATIONS = {"CreateItem": "create", "UpdateItem": "update", "DeleteItem": "delete"}


def cells(topology: str, target: str = "dav") -> tuple[str, ...]:
    """Return where a kill must have hit at least once for the figures to mean anything."""
    who = CONNECTOR if topology == "split" else ""
    own = tuple(f"{who}{moment} groupware {OCCURRENCES}" for moment in ASKING)
    more = own if target == "exchange" else ()
    if topology == "one":
        return (*_cells("", "crm", WRITING), *_cells("", "groupware", ASKING), *more)
    return (
        *_cells(CONNECTOR, "crm", ASKING),
        *_cells(CONNECTOR, "groupware", ASKING),
        *more,
        *_cells(INTERFACE, "crm", (*WRITING, "before the answer to")),
    )


def _cells(who: str, side: str, moments: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{who}{moment} {side} {step}" for step in STEPS for moment in moments)


class Points:
    """Count the steps of apply, and die at one of them: the nth, or the first of a name."""

    def __init__(self, fatal: int | str, last_words: Connection, who: str = "") -> None:
        self.fatal = fatal
        self.passed = 0
        self.armed = True
        self._who = who
        self._last_words = last_words
        self._lock = threading.Lock()
        self._doing = threading.local()

    def pass_one(self, moment: str, what: str = "") -> None:
        """Pass a point; tell its name and die by SIGKILL at the fatal one."""
        if not self.armed:
            return
        name = f"{self._who}{moment} {what or getattr(self._doing, 'what', 'state')}"
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

    def operation(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return an operation that writes on Exchange, with a point before and after it."""

        def counted(client: Any, request: Any, count: int) -> Any:
            name = local(request)
            what = f"groupware {_OPERATIONS.get(name, name)}"
            if next(request.iter("{*}OccurrenceItemId"), None) is not None:
                what = f"groupware {OCCURRENCES}"
            self.pass_one("before", what)
            result = act(client, request, count)
            self.pass_one("after", what)
            return result

        return counted

    def named(self, act: Callable[..., Any], what: str) -> Callable[..., Any]:
        """Return `act` so that the transactions in it bear a name."""

        def counted(*given: Any) -> Any:
            self._doing.what = self._doing.last = what
            try:
                return act(*given)
            finally:
                del self._doing.what

        return counted

    def message(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return a message to CRM.interface, with points around it where it writes."""

        def counted(*given: Any) -> Any:
            writes = hasattr(self._doing, "what")
            if writes:
                self.pass_one("before")
            result = act(*given)
            if writes:
                self.pass_one("after")
            return result

        return counted

    def answer(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return the answering of a message, with a point before the answer to one that wrote."""

        def counted(*given: Any) -> Any:
            self.armed = True
            self._doing.last = ""
            result = act(*given)
            if self._doing.last:
                self.pass_one("before the answer to", self._doing.last)
            return result

        return counted


def run(folder: str, fatal: int | str, report: Connection) -> None:
    """Synchronize once; tell where it dies, or how many points it passed and what came of it."""
    logging.disable(logging.WARNING)
    set_on_retry_hooks([])
    config = load(Path(folder) / "accord.toml", {}, Path(folder))
    split = is_elsewhere(config.crm)
    points = Points(fatal, report, CONNECTOR if split else "")
    Client.write = points.request(Client.write)  # type: ignore[method-assign]
    Exchange._write = points.operation(Exchange._write)  # type: ignore[method-assign]
    if split:
        Http.post = points.message(Http.post)  # type: ignore[method-assign]
    _name_steps(points, SyncmlSession if split else DatabaseSession)
    accord = open_accord(config)
    _count_transactions(points)
    with accord.state.read() as tx:
        links = tx.links.all()
    reports = sync(accord, links, Options(cause="fault"))
    accord.close()
    errors = [(one.action, one.error) for one in reports if one.error]
    report.send((points.passed, sum(one.writes for one in reports), errors))


def expose(fatal: int | str, report: Connection) -> None:
    """Make this process, which is to serve CRM.interface, die at a step after its start."""
    points = Points(fatal, report, INTERFACE)
    points.armed = False
    _name_steps(points, DatabaseSession)
    Server.answer = points.answer(Server.answer)  # type: ignore[method-assign]
    _count_transactions(points)


def _name_steps(points: Points, session: type) -> None:
    for step in STEPS:
        setattr(session, step, points.named(getattr(session, step), f"crm {step}"))


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
