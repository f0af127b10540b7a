"""Settings that hold for the whole installation, such as the pause of everything.

Read by the service before it writes anywhere.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, select

from accord.state.context import Repository
from accord.state.schema import SETTINGS

_KEY, _VALUE = SETTINGS.c.key, SETTINGS.c.value
_ONE = select(_VALUE).where(bindparam("one") == _KEY)
_SOME = select(_KEY, _VALUE).where(_KEY.in_(bindparam("some", expanding=True)))
_GONE = delete(SETTINGS).where(bindparam("one") == _KEY)


class Settings(Repository):
    """Keep any JSON value under a name."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or `default`."""
        found = self.db.execute(_ONE, {"one": key}).first()
        return default if found is None else found[0]

    def some(self, *keys: str) -> dict[str, Any]:
        """Return the values under those of the names that have one."""
        return self.db.mapping(_SOME, {"some": keys})

    def under(self, start: str) -> dict[str, Any]:
        """Return the values under all names that start so."""
        some = SETTINGS.c.key.startswith(start, autoescape=True)
        query = select(SETTINGS.c.key, SETTINGS.c.value).where(some)
        found = self.db.mapping(query.order_by(SETTINGS.c.key))
        # SQLite minds no capitals there.
        return {name: value for name, value in found.items() if name.startswith(start)}

    def put(self, key: str, value: Any) -> None:
        """Store a JSON value; None forgets it."""
        if value is None:
            self.db.execute(_GONE, {"one": key})
        else:
            self.db.upsert(SETTINGS, [{"key": key, "value": value}])

    def all(self) -> dict[str, Any]:
        """Return all values by name."""
        query = select(SETTINGS.c.key, SETTINGS.c.value).order_by(SETTINGS.c.key)
        return self.db.mapping(query)
