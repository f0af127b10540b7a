"""Intents: writes that are about to happen, noted before they go out.

Closed in the commit that records their result; those still open at a start are settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import delete, select

from accord.db.tx import chunks
from accord.model.kinds import Side
from accord.state.context import Repository
from accord.state.records import Intent
from accord.state.schema import INTENTS


class Intents(Repository):
    """Keep open intents; their steps are encrypted where there is a key file."""

    def open_many(self, intents: Sequence[Intent]) -> None:
        """Note writes in one statement; raises Taken for a key that is open already."""
        self.db.insert(INTENTS, [self._row(intent) for intent in intents])

    def close_many(self, ids: Iterable[str]) -> int:
        """Forget writes whose results are recorded; return how many were open."""
        return sum(
            self.db.execute(delete(INTENTS).where(INTENTS.c.id.in_(part))).rowcount
            for part in chunks(ids)
        )

    def of_link(self, link: str) -> list[Intent]:
        """Return a link's open intents, oldest first."""
        return self._where(INTENTS.c.link == link)

    def all(self) -> list[Intent]:
        """Return all open intents, oldest first."""
        return self._where()

    def _where(self, *conditions: Any) -> list[Intent]:
        query = select(INTENTS).where(*conditions).order_by(INTENTS.c.at, INTENTS.c.id)
        return [
            Intent(
                **{
                    **row._mapping,
                    "side": Side(row.side),
                    "step": self.context.unwrap(row.step, f"intent:{row.id}"),
                }
            )
            for row in self.db.execute(query)
        ]

    def _row(self, intent: Intent) -> dict[str, Any]:
        private = self.context.keys is not None
        step = self.context.wrap(intent.step, f"intent:{intent.id}", private=private)
        return {**msgspec.structs.asdict(intent), "side": intent.side.value, "step": step}
