"""What became of tokens: used up, or revoked; so every process answers alike.

Rows go when the tokens they speak of have expired anyway.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from sqlalchemy import case, delete, or_, select

from accord.state.context import Repository
from accord.state.schema import TOKEN_REVOCATIONS, TOKEN_USES

_TOKEN, _USER = "token", "user"


class Revocation(Struct, frozen=True, kw_only=True):
    """Say that a token, or all of a user's issued up to `before`, no longer hold."""

    token: str = ""
    user: str = ""
    before: datetime
    at: datetime
    by: str = ""


class TokenUses(Repository):
    """Keep which tokens were used up."""

    def use(self, id_: str, until: datetime) -> bool:
        """Use a token up; tell whether it wasn't before, however many ask at once.

        `until` is when it has expired for good.
        """
        self.db.execute(delete(TOKEN_USES).where(TOKEN_USES.c.until <= self.context.now()))
        row = self.db.inserting(TOKEN_USES).values(id=id_, until=until).on_conflict_do_nothing()
        # Not by the row count, which PostgreSQL's driver doesn't give for an insert.
        return self.db.execute(row.returning(TOKEN_USES.c.id)).first() is not None

    def prune(self) -> int:
        """Forget those that have expired; return how many."""
        gone = delete(TOKEN_USES).where(TOKEN_USES.c.until <= self.context.now())
        return self.db.execute(gone).rowcount


class Revocations(Repository):
    """Keep revocations."""

    def of_token(self, id_: str, until: datetime, by: str = "") -> Revocation:
        """Revoke one token; `until` is when it has expired for good."""
        return self._put(_TOKEN, id_, self.context.now(), until, by)

    def of_user(self, user: str, before: datetime, until: datetime, by: str = "") -> Revocation:
        """Revoke all of a user's tokens issued up to `before`; a later moment stands."""
        return self._put(_USER, user, before, until, by)

    def holds(self, id_: str, user: str, issued: datetime) -> bool:
        """Tell whether a token is revoked, by its id or with all of its user's."""
        column = TOKEN_REVOCATIONS.c
        by_id = (column.what == _TOKEN) & (column.name == id_)
        by_user = (column.what == _USER) & (column.name == user) & (column.before >= issued)
        query = select(column.what).where(or_(by_id, by_user)).limit(1)
        return self.db.execute(query).first() is not None

    def all(self) -> list[Revocation]:
        """Return what is revoked, newest first."""
        query = select(TOKEN_REVOCATIONS).order_by(TOKEN_REVOCATIONS.c.at.desc())
        return [
            Revocation(before=row.before, at=row.at, by=row.by, **{row.what: row.name})
            for row in self.db.execute(query)
        ]

    def prune(self) -> int:
        """Forget those of what has expired anyway; return how many."""
        gone = delete(TOKEN_REVOCATIONS).where(TOKEN_REVOCATIONS.c.until <= self.context.now())
        return self.db.execute(gone).rowcount

    def _put(self, what: str, name: str, before: datetime, until: datetime, by: str) -> Revocation:
        now, column = self.context.now(), TOKEN_REVOCATIONS.c
        self.db.execute(delete(TOKEN_REVOCATIONS).where(column.until <= now))
        row = {"what": what, "name": name, "before": before, "until": until, "by": by, "at": now}
        statement = self.db.inserting(TOKEN_REVOCATIONS).values(row)
        new = statement.excluded
        kept = {
            key: case((new[key] > column[key], new[key]), else_=column[key])
            for key in ("before", "until")
        }
        said = {"by": new["by"], "at": new["at"]}
        self.db.execute(
            statement.on_conflict_do_update(index_elements=["what", "name"], set_=kept | said)
        )
        return Revocation(before=before, at=now, by=by, **{what: name})
