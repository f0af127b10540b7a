"""When refs enter or leave the window, which no side tells: nothing changes but the time.

The service asks at every visit what is due and looks at those refs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, select

from accord.db.tx import chunks
from accord.model.kinds import Side
from accord.state.context import Repository
from accord.state.schema import WINDOWS


class Windows(Repository):
    """Keep the next moment at which a ref must be looked at again."""

    def put(self, link: str, side: Side, ref: str, at: datetime) -> None:
        """Look at this ref again at `at` (UTC); replaces what was noted before."""
        self.put_many(link, side, {ref: at})

    def put_many(self, link: str, side: Side, moments: Mapping[str, datetime]) -> None:
        """Note many refs in one statement."""
        rows = [
            {"link": link, "side": side.value, "ref": ref, "at": at} for ref, at in moments.items()
        ]
        self.db.upsert(WINDOWS, rows)

    def due(self, link: str, now: datetime) -> list[tuple[Side, str]]:
        """Return the refs whose moment has come, earliest first; they stay noted."""
        query = select(WINDOWS.c.side, WINDOWS.c.ref).where(
            WINDOWS.c.link == link, WINDOWS.c.at <= now
        )
        rows = self.db.execute(query.order_by(WINDOWS.c.at, WINDOWS.c.side, WINDOWS.c.ref))
        return [(Side(side), ref) for side, ref in rows]

    def remove(self, link: str, side: Side, refs: Iterable[str]) -> int:
        """Forget refs; return how many there were."""
        key = (WINDOWS.c.link == link, WINDOWS.c.side == side.value)
        return sum(
            self.db.execute(delete(WINDOWS).where(*key, WINDOWS.c.ref.in_(part))).rowcount
            for part in chunks(refs)
        )
