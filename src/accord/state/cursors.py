"""Cursors: where the last pull of a folder or feed ended.

Moved only in the transaction that stores every change of the page.
"""

from __future__ import annotations

from sqlalchemy import delete, select

from accord.model.kinds import Side
from accord.state.context import Repository
from accord.state.schema import CURSORS


class Cursors(Repository):
    """Keep cursors by scope (a text of the caller's) and side."""

    def get(self, scope: str, side: Side) -> str:
        """Return the cursor; empty where the next pull must list everything."""
        query = select(CURSORS.c.cursor)
        query = query.where(CURSORS.c.scope == scope, CURSORS.c.side == side.value)
        return self.db.execute(query).scalar() or ""

    def put(self, scope: str, side: Side, cursor: str) -> None:
        """Store the cursor; an empty one drops it."""
        if not cursor:
            self.drop(scope, side)
            return
        row = {"scope": scope, "side": side.value, "cursor": cursor, "at": self.context.now()}
        self.db.upsert(CURSORS, [row])

    def drop(self, scope: str, side: Side | None = None) -> None:
        """Forget the cursor of one side, or of both."""
        gone = delete(CURSORS).where(CURSORS.c.scope == scope)
        self.db.execute(gone if side is None else gone.where(CURSORS.c.side == side.value))

    def all(self) -> dict[tuple[str, Side], str]:
        """Return all cursors."""
        query = select(CURSORS.c.scope, CURSORS.c.side, CURSORS.c.cursor)
        return {(scope, Side(side)): cursor for scope, side, cursor in self.db.execute(query)}
