"""The keys that sign tokens: the newest signs, the others verify until their time has come.

Read by CRM.interface for every token; encrypted at rest like all secrets.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import delete, or_, select, update

from accord.db.tx import AnyRow
from accord.state.context import Repository
from accord.state.schema import TOKEN_KEYS


class SigningKey(Struct, frozen=True, kw_only=True):
    """Be a key: its id, its secret, since when it signs and `until` when it verifies.

    Without `until` it isn't retired yet.
    """

    id: str
    secret: bytes
    made: datetime
    until: datetime | None = None

    def __repr__(self) -> str:
        """Name the key without its secret."""
        return f"SigningKey({self.id!r}, until={self.until!r})"

    __str__ = __repr__


class TokenKeys(Repository):
    """Keep signing keys."""

    def add(self, id_: str, secret: bytes) -> SigningKey:
        """Store a new key, which signs from now on."""
        key = SigningKey(id=id_, secret=secret, made=self.context.now())
        sealed = self.context.wrap(secret, _record(id_), private=True)
        row = {"id": id_, "secret": sealed, "made": key.made, "until": None}
        self.db.insert(TOKEN_KEYS, [row])
        return key

    def newest(self) -> SigningKey | None:
        """Return the key that signs; None where there is none."""
        query = select(TOKEN_KEYS).where(TOKEN_KEYS.c.until.is_(None))
        query = query.order_by(TOKEN_KEYS.c.made.desc(), TOKEN_KEYS.c.id.desc())
        return self._first(self.db.execute(query.limit(1)).first())

    def get(self, id_: str) -> SigningKey | None:
        """Return a key that still verifies; None for others."""
        row = self.db.execute(select(TOKEN_KEYS).where(TOKEN_KEYS.c.id == id_)).first()
        if row is None or (row.until is not None and row.until <= self.context.now()):
            return None
        return self._first(row)

    def retire(self, all_but: str, until: datetime) -> int:
        """Let all keys but one verify until then at the longest; return how many that changes."""
        later = or_(TOKEN_KEYS.c.until.is_(None), TOKEN_KEYS.c.until > until)
        change = update(TOKEN_KEYS).where(TOKEN_KEYS.c.id != all_but, later)
        return self.db.execute(change.values(until=until)).rowcount

    def retiring(self) -> dict[str, datetime]:
        """Return until when retired keys still verify, by their ids."""
        query = select(TOKEN_KEYS.c.id, TOKEN_KEYS.c.until)
        query = query.where(TOKEN_KEYS.c.until > self.context.now())
        return self.db.mapping(query)

    def prune(self) -> int:
        """Remove the keys whose time has come; return how many."""
        past = TOKEN_KEYS.c.until <= self.context.now()
        return self.db.execute(delete(TOKEN_KEYS).where(past)).rowcount

    def _first(self, row: AnyRow | None) -> SigningKey | None:
        if row is None:
            return None
        secret = self.context.unwrap(row.secret, _record(row.id))
        return SigningKey(id=row.id, secret=secret, made=row.made, until=row.until)


def _record(id_: str) -> str:
    return f"token-key:{id_}"
