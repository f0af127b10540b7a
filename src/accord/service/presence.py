"""Signs of life: what this process is to the others that share its work, while it runs.

By them listeners divide the mailboxes (`shares`), and what a dead process held is taken over.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from accord import __version__
from accord.ports.fault import contained
from accord.state.holder import myself
from accord.state.records import Process
from accord.state.state import State

Figures = Callable[[], Mapping[str, Any]]

SIGN = 4.0
"""Seconds between two signs of life; some may come late before a process counts as gone."""

INTERFACE = "interface"
"""What a process does that serves CRM.interface alone, beside the parts of a run."""

_log = logging.getLogger("accord.service.presence")


class Presence:
    """Be seen as long as this process runs; safe to share between threads."""

    def __init__(self, state: State, parts: Collection[str], figures: Figures = dict) -> None:
        """Be unseen yet; `parts` are what this process does, `figures` what it tells of that."""
        self.name = myself()
        self._state = state
        self._parts = frozenset(parts)
        self._figures = figures
        self._since = datetime.now(UTC)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Give signs of life from now on."""
        self._state.run(lambda tx: tx.processes.supersede(self._me()), durable=False)
        self._sign()
        self._thread = threading.Thread(target=self._signing, name="signs-of-life", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Be gone for the others at once."""
        self._ended.set()
        if self._thread is None:
            return
        self._thread.join()
        try:
            self._state.run(lambda tx: tx.processes.leave(self.name), durable=False)
        except Exception as error:  # noqa: BLE001 (the edge: silence says it soon)
            _log.warning("presence.leave", extra={"why": str(contained(error, "leaving"))})

    def living(self, part: str) -> list[str]:
        """Return the names of all processes that do a part of the work, this one's included."""
        with self._state.read() as tx:
            found = {
                each.name for each in tx.processes.all() if part in each.parts and not each.gone
            }
        return sorted(found | {self.name}) if part in self._parts else sorted(found)

    def _sign(self) -> None:
        process = self._me()
        self._state.run(lambda tx: tx.processes.live(process), durable=False)

    def _me(self) -> Process:
        return Process(
            name=self.name,
            parts=self._parts,
            host=socket.gethostname(),
            version=__version__,
            since=self._since,
            figures=dict(self._figures()),
        )

    def _signing(self) -> None:
        silent = False
        while not self._ended.wait(SIGN):
            try:
                self._sign()
                silent = False
            except Exception as error:  # noqa: BLE001 (the edge: the database may come back)
                why = str(contained(error, "giving a sign of life"))
                if not silent:
                    _log.warning("presence.sign", extra={"why": why})
                silent = True
