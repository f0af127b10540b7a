"""Cursors: where a link's last pull of a side ended.

Moved only in the transaction that commits the link's visit, so that no other link's visit can
take changes from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select

from accord.model.kinds import Side
from accord.state.context import Repository
from accord.state.schema import CURSORS

_C = CURSORS.c
_LINK = _C.link == bindparam("link")
_OF_LINK = select(_C.side, _C.place, _C.cursor).where(_LINK)
_GONE = delete(CURSORS).where(_LINK)
_GONE_ON = _GONE.where(_C.side == bindparam("side"))


class Cursors(Repository):
    """Keep a cursor per link and side, with the name of the place that it belongs to."""

    def get(self, link: str, side: Side, place: str) -> str:
        """Return the cursor; empty where the next pull of that place must list everything."""
        return self.of(link, {side: place})[side]

    def of(self, link: str, places: Mapping[Side, str]) -> dict[Side, str]:
        """Return a link's cursors of these places, which may be empty."""
        rows = self.db.execute(_OF_LINK, {"link": link})
        found = {(side, place): cursor for side, place, cursor in rows}
        return {side: found.get((side.value, place), "") for side, place in places.items()}

    def seen(self, link: str, side: Side, place: str) -> datetime | None:
        """Return when a link's last pull of that place was over; None where there was none."""
        where = (_C.link == link, _C.side == side.value, _C.place == place)
        return self.db.execute(select(_C.at).where(*where)).scalar()

    def put(
        self, link: str, side: Side, place: str, cursor: str, *, complete: bool = False
    ) -> None:
        """Store the cursor instead of that of any other place; an empty one drops it.

        It is noted when a listing was `complete`, without a cursor too: a folder that is made
        with its first item has none.
        """
        if not cursor and not complete:
            self.drop(link, side)
            return
        now = self.context.now()
        row = {"link": link, "side": side.value, "place": place, "cursor": cursor, "at": now}
        # Of another listing the moment stays; an upsert writes the columns that it names.
        self.db.upsert(CURSORS, [{**row, "complete": now} if complete else row])

    def completed(self) -> dict[str, datetime]:
        """Return, by link, when both sides were last listed completely; without those never."""
        query = (
            select(CURSORS.c.link, func.min(CURSORS.c.complete).label("at"))
            .group_by(CURSORS.c.link)
            .having(func.count(CURSORS.c.complete) == len(Side))
        )
        return {row.link: row.at for row in self.db.execute(query)}

    def drop(self, link: str, side: Side | None = None) -> None:
        """Forget the cursor of one side, or of both."""
        if side is None:
            self.db.execute(_GONE, {"link": link})
        else:
            self.db.execute(_GONE_ON, {"link": link, "side": side.value})

    def all(self) -> dict[tuple[str, Side], str]:
        """Return all cursors."""
        query = select(CURSORS.c.link, CURSORS.c.side, CURSORS.c.cursor)
        return {(link, Side(side)): cursor for link, side, cursor in self.db.execute(query)}
