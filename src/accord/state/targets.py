"""Targets: the servers and how to reach them, their secrets encrypted.

Edited by import and console, read by the service when it builds adapters.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, select

from accord.db.tx import AnyRow
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
            secrets = self.context.wrap(data, f"target:{target.id}", private=True)
        row = {
            "id": target.id,
            "name": target.name,
            "adapter": target.adapter,
            "side": target.side.value,
            "settings": target.settings,
            "secrets": secrets,
        }
        self.db.upsert(TARGETS, [row])

    def get(self, key: str) -> Target | None:
        """Return one target with its secrets."""
        return self._first(TARGETS.c.id == key)

    def by_name(self, name: str) -> Target | None:
        """Return the target of that name."""
        return self._first(TARGETS.c.name == name)

    def all(self) -> list[Target]:
        """Return all targets by name."""
        rows = self.db.execute(select(TARGETS).order_by(TARGETS.c.name))
        return [self._target(row) for row in rows]

    def remove(self, key: str) -> bool:
        """Forget a target; raises InUse while links use it."""
        return self.db.execute(delete(TARGETS).where(TARGETS.c.id == key)).rowcount > 0

    def _first(self, condition: Any) -> Target | None:
        row = self.db.execute(select(TARGETS).where(condition)).first()
        return None if row is None else self._target(row)

    def _target(self, row: AnyRow) -> Target:
        secrets: dict[str, Any] = {}
        if row.secrets is not None:
            secrets = msgspec.json.decode(self.context.unwrap(row.secrets, f"target:{row.id}"))
        return Target(
            id=row.id,
            name=row.name,
            adapter=row.adapter,
            side=Side(row.side),
            settings=row.settings,
            secrets=secrets,
        )
