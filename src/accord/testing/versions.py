"""What the hostile adapter remembers: new versions without a change, and observations it owes.

`hostile_session` translates versions both ways with it.
"""

from __future__ import annotations

import threading
from typing import Any, TypeAlias

from accord.model.kinds import Kind

Place: TypeAlias = tuple[str, str, Kind]
"""A principal, a folder and a kind."""


class Versions:
    """Remember, for all sessions, which items were touched, seen and kept back.

    A touched item's version is the server's own with `~idle` and a number behind it.
    """

    def __init__(self) -> None:
        """Start with nothing touched."""
        self._touched: dict[tuple[str, str], int] = {}
        self._seen: dict[Place, dict[str, None]] = {}
        self._owed: dict[Place, dict[str, str | None]] = {}
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
            self._owed.setdefault(place, {})[ref] = None

    def due(self, place: Place, cursor: str) -> list[str]:
        """Return what is to be reported to somebody who comes with this cursor.

        A debt is paid once they come with a later one: who asks again gets it again.
        """
        with self._lock:
            owed = self._owed.setdefault(place, {})
            for ref in [ref for ref, paid in owed.items() if paid not in (None, cursor)]:
                del owed[ref]
            owed.update(dict.fromkeys(owed, cursor))
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
