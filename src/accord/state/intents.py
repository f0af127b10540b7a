"""Intents: writes that are about to happen, noted before they go out.

Closed in the commit that records their result; those still open at a start are settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, delete, select

from accord.db.tx import Given, chunks
from accord.model.kinds import Side
from accord.state.context import Repository
from accord.state.records import Intent
from accord.state.schema import INTENTS

_ALL = select(INTENTS).order_by(INTENTS.c.at, INTENTS.c.id)
_OF_LINK = _ALL.where(INTENTS.c.link == bindparam("link"))
_CLOSED = delete(INTENTS).where(INTENTS.c.id.in_(bindparam("ids", expanding=True)))


class Intents(Repository):
    """Keep open intents; their steps are encrypted where there is a key file."""

    def open_many(self, intents: Sequence[Intent]) -> None:
        """Note writes in one statement; raises Taken for a key that is open already."""
        self.db.insert(INTENTS, [self._row(intent) for intent in intents])

    def close_many(self, ids: Iterable[str]) -> int:
        """Forget writes whose results are recorded; return how many were open."""
        return sum(self.db.execute(_CLOSED, {"ids": part}).rowcount for part in chunks(ids))

    def of_link(self, link: str) -> list[Intent]:
        """Return a link's open intents, oldest first."""
        return self._read(_OF_LINK, {"link": link})

    def all(self) -> list[Intent]:
        """Return all open intents, oldest first."""
        return self._read(_ALL)

    def _read(self, query: Select[Any], given: Given | None = None) -> list[Intent]:
        return [
            Intent(
                **{
                    **row._mapping,
                    "side": Side(row.side),
                    "step": self.context.unwrap(row.step, f"intent:{row.id}"),
                }
            )
            for row in self.db.execute(query, given)
        ]

    def _row(self, intent: Intent) -> dict[str, Any]:
        private = self.context.keys is not None
        step = self.context.wrap(intent.step, f"intent:{intent.id}", private=private)
        return {**msgspec.structs.asdict(intent), "side": intent.side.value, "step": step}
