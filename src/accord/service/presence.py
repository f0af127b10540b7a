"""Signs of life: what this process is to the others that share its work, while it runs.

By them listeners divide the mailboxes (`shares`), and what a dead process held is taken over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection

from accord.ports.fault import contained
from accord.state.holder import is_dead, myself
from accord.state.processes import LIFE
from accord.state.state import State

SIGN = 4.0
"""Seconds between two signs of life; some may come late before a process counts as gone."""

_log = logging.getLogger("accord.service.presence")


class Presence:
    """Be seen as long as this process runs; safe to share between threads."""

    def __init__(self, state: State, parts: Collection[str]) -> None:
        """Be unseen yet; `parts` are what this process does of the work."""
        self.name = myself()
        self._state = state
        self._parts = frozenset(parts)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Give signs of life from now on."""
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
                each.name
                for each in tx.processes.all()
                if part in each.parts and each.silent <= LIFE and not is_dead(each.name)
            }
        return sorted(found | {self.name}) if part in self._parts else sorted(found)

    def _sign(self) -> None:
        self._state.run(lambda tx: tx.processes.live(self.name, self._parts), durable=False)

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
