"""Secrets that a server replaces now and then, such as refresh tokens; encrypted.

Written by `service.vault`; what the settings hold stays as it was.
"""

from __future__ import annotations

import hmac
from datetime import datetime

from sqlalchemy import select

from accord.state.context import Repository
from accord.state.schema import RENEWALS


class Renewals(Repository):
    """Keep the newest secret of each name of a target, and which one it began with."""

    def newest(self, target: str, name: str, first: str) -> str:
        """Return the newest secret that came of `first`; `first` itself where none did."""
        key = _key(target, name)
        row = self.db.execute(select(RENEWALS.c.secret).where(RENEWALS.c.id == key)).first()
        if row is None:
            return first
        kept = self.context.unwrap(row.secret, f"renewal:{key}").decode()
        seed, _, newest = kept.partition("\n")
        return newest if hmac.compare_digest(seed.encode(), first.encode()) else first

    def renewed(self, target: str, name: str) -> datetime | None:
        """Return when a secret was last renewed, by the day, replaced or not; None if never."""
        query = select(RENEWALS.c.at).where(RENEWALS.c.id == _key(target, name))
        return self.db.execute(query).scalar()

    def put(self, target: str, name: str, first: str, newest: str) -> None:
        """Keep a secret that came of `first`."""
        key = _key(target, name)
        data = f"{first}\n{newest}".encode()
        sealed = self.context.wrap(data, f"renewal:{key}", private=True)
        row = {"id": key, "target": target, "secret": sealed, "at": self.context.now()}
        self.db.upsert(RENEWALS, [row])


def _key(target: str, name: str) -> str:
    return f"{target}/{name}"
