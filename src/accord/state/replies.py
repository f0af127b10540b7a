"""Automatic replies: what stood in a mailbox before Accord's, and what Accord set there.

Written before a mailbox's replies are set, so that a stop in between leaves nothing unknown.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, delete, select

from accord.engine.replies import Kept
from accord.model.learning import learnt
from accord.state.context import Repository
from accord.state.schema import REPLIES

_KEPT = select(REPLIES.c.kept).where(REPLIES.c.link == bindparam("link"))


class KeptReplies(Repository):
    """Keep what is known of a link's replies; it is encrypted where there is a key file."""

    def get(self, link: str) -> Kept | None:
        """Return what is kept for a link."""
        row = self.db.execute(_KEPT, {"link": link}).first()
        if row is None:
            return None
        return msgspec.json.decode(self.context.unwrap(row.kept, _record(link)), type=learnt(Kept))

    def put(self, link: str, kept: Kept | None) -> None:
        """Keep this for a link in place of what was kept; None forgets it."""
        if kept is None:
            self.db.execute(delete(REPLIES).where(REPLIES.c.link == link))
            return
        private = self.context.keys is not None
        data = self.context.wrap(msgspec.json.encode(kept), _record(link), private=private)
        self.db.upsert(REPLIES, [{"link": link, "kept": data, "at": self.context.now()}])


def _record(link: str) -> str:
    return f"replies:{link}"
