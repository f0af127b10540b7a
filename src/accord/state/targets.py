"""Targets: the servers and how to reach them, their secrets encrypted.

Edited by import and console, read by the service when it builds adapters.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row, delete, select, update

from accord.model.kinds import Side
from accord.state.context import Repository
from accord.state.records import Target
from accord.state.schema import TARGETS


class Targets(Repository):
    """Keep targets."""

    def put(self, target: Target) -> None:
        """Store a target; raises Taken where another one has its name."""
        secrets = None
        if target.secrets:
            data = msgspec.json.encode(target.secrets)
            secrets = self.context.require_keys().seal(data, _record(target.id))
        row = {
            "id": target.id,
            "name": target.name,
            "adapter": target.adapter,
            "side": target.side.value,
            "settings": target.settings,
            "secrets": secrets,
        }
        self.db.upsert(TARGETS, [row])

    def get(self, id: str) -> Target | None:
        """Return one target with its secrets."""
        return self._first(TARGETS.c.id == id)

    def by_name(self, name: str) -> Target | None:
        """Return the target of that name."""
        return self._first(TARGETS.c.name == name)

    def all(self) -> list[Target]:
        """Return all targets by name."""
        rows = self.db.execute(select(TARGETS).order_by(TARGETS.c.name))
        return [self._target(row) for row in rows]

    def remove(self, id: str) -> bool:
        """Forget a target; raises Taken while links use it."""
        return self.db.execute(delete(TARGETS).where(TARGETS.c.id == id)).rowcount > 0

    def reseal(self) -> int:
        """Encrypt all secrets under the newest key; return how many were not yet."""
        keys = self.context.require_keys()
        query = select(TARGETS.c.id, TARGETS.c.secrets).where(TARGETS.c.secrets.is_not(None))
        old = [(id, data) for id, data in self.db.execute(query) if not keys.current(data)]
        for id, data in old:
            fresh = keys.seal(keys.open(data, _record(id)), _record(id))
            self.db.execute(update(TARGETS).where(TARGETS.c.id == id).values(secrets=fresh))
        return len(old)

    def _first(self, condition: Any) -> Target | None:
        row = self.db.execute(select(TARGETS).where(condition)).first()
        return None if row is None else self._target(row)

    def _target(self, row: Row[Any]) -> Target:
        secrets: dict[str, Any] = {}
        if row.secrets is not None:
            opened = self.context.require_keys().open(row.secrets, _record(row.id))
            secrets = msgspec.json.decode(opened)
        return Target(
            id=row.id,
            name=row.name,
            adapter=row.adapter,
            side=Side(row.side),
            settings=row.settings,
            secrets=secrets,
        )


def _record(id: str) -> str:
    return f"target:{id}"
