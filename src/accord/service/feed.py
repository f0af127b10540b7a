"""Ask the CRM what changed, for all users at once, and ask for visits of the folders concerned.

One process does, whose share it is (`shares`); how far it came is kept for the one after it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from accord.model.kinds import Kind
from accord.ports.adapter import Feed
from accord.ports.errors import AccordError, CursorExpired
from accord.ports.fault import contained
from accord.ports.queue import Urgency
from accord.service.accord import Accord
from accord.service.roster import Roster
from accord.service.shares import Shares
from accord.state.records import Lease
from accord.state.state import Tx

Ask = Callable[[str, str, Urgency], None]
"""Ask for a visit of a folder: its name, what causes that, and how urgent it is."""

KEPT = 2.0
"""Seconds between two notes of how far it came: whoever comes after repeats so much at most."""

_LONGEST_WAIT = 60.0
_KEY = "feed"
_log = logging.getLogger("accord.service.listen")


class CrmFeed:
    """Follow what the CRM tells."""

    def __init__(
        self, accord: Accord, ask: Ask, every: float, shares: Shares, ended: threading.Event
    ) -> None:
        """Ask nothing yet, then `every` so many seconds until it `ended`."""
        self._accord, self._ask, self._every = accord, ask, every
        self._shares, self._ended = shares, ended
        self._roster = Roster((), ())
        self._covered = False
        self._fence = 0
        self._cursor = ""
        self._kept, self._keep = "", 0.0
        self.begun = False

    def cover(self, roster: Roster) -> None:
        """Ask for visits of these folders from now on; called before any of them is asked for."""
        lease = self._shares.feed
        if not self._covered and self._shares.alone and lease is not None:
            # What was before is visited anyway.
            self._fence, self._cursor = lease.fence, self._position()
        self._covered = True
        self._roster = roster

    def follow(self) -> None:
        """Ask again and again."""
        failures = 0
        while not self._ended.wait(min(self._every * 2**failures, _LONGEST_WAIT)):
            lease = self._shares.feed
            if lease is None:
                failures = 0
                continue
            try:
                self._follow(lease)
                failures = 0
            except Exception as error:  # noqa: BLE001 (the edge: the CRM is asked again)
                trouble = contained(error, "asking the CRM what changed")
                if not failures:
                    _log.warning("listen.crm", extra={"why": str(trouble)})
                failures = min(failures + 1, 10)

    def _follow(self, lease: Lease) -> None:
        if lease.fence != self._fence:
            # Another one asked before: go on where that one ended.
            with self._accord.state.read() as tx:
                self._cursor = self._kept = str(tx.settings.get(_KEY, ""))
            self._fence = lease.fence
        self._ask_crm()
        if self._cursor != self._kept and time.monotonic() >= self._keep:
            self._note(lease)

    def _note(self, lease: Lease) -> None:
        """Keep how far it came; raises LeaseLost where another one goes on by now."""
        cursor = self._cursor

        def keep(tx: Tx) -> None:
            tx.leases.check(lease)
            tx.settings.put(_KEY, cursor)

        self._accord.state.run(keep, durable=False)
        self._kept, self._keep = cursor, time.monotonic() + KEPT

    def _position(self) -> str:
        crm = self._accord.crm
        try:
            return crm.hints("")[1] if isinstance(crm, Feed) else ""
        except AccordError:
            return ""

    def _ask_crm(self) -> None:
        crm = self._accord.crm
        assert isinstance(crm, Feed)
        try:
            if not self._cursor:
                raise CursorExpired("the CRM could not be asked before")
            hints, cursor = crm.hints(self._cursor)
        except CursorExpired:
            cursor = crm.hints("")[1]
            for key in self._roster.posts:
                self._ask(key, "crm", Urgency.DUE)
            self._cursor = cursor
            return
        seen: set[tuple[str, Kind]] = {
            (who, hint.kind) for hint in hints for who in hint.principals
        }
        for user, kind in seen:
            for key in self._roster.of_user(user, kind):
                self._ask(key, "crm", Urgency.EDIT)
        # Only now: what could not be asked for is told once more.
        self._cursor = cursor
