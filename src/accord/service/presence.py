"""Let others see that this process is at work: a sign of life in the database, with its figures.

`accord status`, `/readyz` and `/metrics` read what all processes leave there.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from accord import __version__
from accord.ports.fault import contained
from accord.service.accord import Accord
from accord.state.holder import myself
from accord.state.processes import Process

BEAT = 10.0
"""Seconds between two signs of life; each is one small write that a power cut may take."""

LIFE = 35.0
"""Seconds after which a process without a sign of life counts as gone."""

Figures = Callable[[], Mapping[str, Any]]


@contextmanager
def present(
    accord: Accord, part: str, figures: Figures = dict, every: float = BEAT
) -> Iterator[Process]:
    """Be seen at work meanwhile; a database that is away is tried again."""
    now = accord.clock()
    me = Process(
        id=myself(),
        part=part,
        host=socket.gethostname(),
        version=__version__,
        started=now,
        until=now,
    )
    ended = threading.Event()

    def live() -> None:
        process = replace(me, figures=dict(figures()))
        accord.state.run(lambda tx: tx.processes.live(process, LIFE), durable=False)

    def beat() -> None:
        while not ended.wait(every):
            _attempt(live)

    _attempt(lambda: accord.state.run(lambda tx: tx.processes.supersede(me), durable=False))
    _attempt(live)
    thread = threading.Thread(target=beat, name="presence", daemon=True)
    thread.start()
    try:
        yield me
    finally:
        ended.set()
        thread.join(every)
        _attempt(lambda: accord.state.run(lambda tx: tx.processes.leave(me.id), durable=False))


def _attempt(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception as error:  # noqa: BLE001 (the edge: nothing depends on it, and it comes again)
        contained(error, "giving a sign of life")
