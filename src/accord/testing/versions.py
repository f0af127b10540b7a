"""What the hostile adapter remembers: new versions without a change, and observations it owes.

`hostile_session` translates versions both ways with it.
"""

from __future__ import annotations

import threading
from typing import Any, TypeAlias

from accord.model.kinds import Kind

Place: TypeAlias = tuple[str, str, Kind]
"""A principal, a folder and a kind."""

_READERS = 3
"""At how many cursors an observation is told that was kept back."""


class Versions:
    """Remember, for all sessions, which items were touched, seen and kept back.

    A touched item's version is the server's own with `~idle` and a number behind it.
    """

    def __init__(self) -> None:
        """Start with nothing touched."""
        self._touched: dict[tuple[str, str], int] = {}
        self._seen: dict[Place, dict[str, None]] = {}
        self._owed: dict[Place, dict[str, tuple[str, ...]]] = {}
        self._lock = threading.RLock()

    def outer(self, principal: str, ref: str, version: str) -> str:
        """Return the version to show for the server's own."""
        with self._lock:
            times = self._touched.get((principal, ref), 0)
            return f"{version}~idle{times}" if times and version else version

    def inner(self, principal: str, ref: str, version: str) -> str | None:
        """Return the server's own version for a shown one; None where it was touched since."""
        with self._lock:
            times = self._touched.get((principal, ref), 0)
        bare, mark, shown = version.rpartition("~idle")
        if not mark:
            return None if times else version
        return bare if shown == str(times) else None

    def touch(self, principal: str, ref: str) -> None:
        """Give an item a new version."""
        with self._lock:
            self._touched[principal, ref] = self._touched.get((principal, ref), 0) + 1

    def note(self, place: Place, ref: str) -> None:
        """Remember that an item was seen there."""
        with self._lock:
            self._seen.setdefault(place, {})[ref] = None

    def seen(self, place: Place) -> list[str]:
        """Return the refs seen in a folder so far."""
        with self._lock:
            return list(self._seen.get(place, {}))

    def owe(self, place: Place, ref: str) -> None:
        """Promise to report an item in a later delta."""
        with self._lock:
            self._owed.setdefault(place, {})[ref] = ()

    def due(self, place: Place, cursor: str) -> list[str]:
        """Return what is to be reported to somebody who comes with this cursor.

        Who asks again gets it again. Several readers may stand at cursors of their own, so it is
        told at some cursors before it counts as paid; without a cursor all is listed anyway.
        """
        if not cursor:
            return []
        with self._lock:
            owed = self._owed.setdefault(place, {})
            for ref in list(owed):
                if cursor not in owed[ref]:
                    owed[ref] = (*owed[ref], cursor)
                if len(owed[ref]) > _READERS:
                    del owed[ref]
            return list(owed)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind, so that copies and pickles work."""
        with self._lock:
            seen = {place: dict(refs) for place, refs in self._seen.items()}
            owed = {place: dict(refs) for place, refs in self._owed.items()}
            return {"_touched": dict(self._touched), "_seen": seen, "_owed": owed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make a lock of its own."""
        self.__dict__.update(state, _lock=threading.RLock())
