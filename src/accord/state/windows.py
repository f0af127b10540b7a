"""When refs enter or leave the window, which no side tells: nothing changes but the time.

The service asks at every visit what is due and looks at those refs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from accord.db.tx import chunks
from accord.model.kinds import Side
from accord.state.context import Repository
from accord.state.schema import WINDOWS

_W = WINDOWS.c
_LINK = _W.link == bindparam("link")
_DUE = (
    select(_W.side, _W.ref).where(_LINK, _W.at <= bindparam("now")).order_by(_W.at, _W.side, _W.ref)
)
_GONE = delete(WINDOWS).where(
    _LINK, _W.side == bindparam("side"), _W.ref.in_(bindparam("refs", expanding=True))
)


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
        rows = self.db.execute(_DUE, {"link": link, "now": now})
        return [(Side(side), ref) for side, ref in rows]

    def remove(self, link: str, side: Side, refs: Iterable[str]) -> int:
        """Forget refs; return how many there were."""
        given = {"link": link, "side": side.value}
        return sum(
            self.db.execute(_GONE, {**given, "refs": part}).rowcount for part in chunks(refs)
        )
