"""What persons asked for: to be erased, to have private entries synchronized, or anything else.

Erasures are kept outside what they erase, so that a restored backup can replay them.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import bindparam, delete, select

from accord.db.tx import chunks
from accord.state.context import Repository
from accord.state.records import Erasure
from accord.state.schema import CONSENTS, ERASURES, PREFERENCES


class Erasures(Repository):
    """Keep whom to erase."""

    def put(self, erasure: Erasure) -> None:
        """Store an erasure."""
        self.db.upsert(ERASURES, [msgspec.structs.asdict(erasure)])

    def all(self) -> list[Erasure]:
        """Return all erasures, oldest first."""
        rows = self.db.execute(select(ERASURES).order_by(ERASURES.c.at, ERASURES.c.id))
        return [Erasure(**{**r._mapping, "addresses": tuple(r.addresses)}) for r in rows]

    def remove(self, key: str) -> bool:
        """Forget an erasure; tell whether there was one."""
        return self.db.execute(delete(ERASURES).where(ERASURES.c.id == key)).rowcount > 0


_GIVEN = select(CONSENTS.c.at).where(
    CONSENTS.c.user == bindparam("user"), CONSENTS.c.matter == bindparam("matter")
)


class Consents(Repository):
    """Keep who agreed to what; `matter` is such as `private`."""

    def give(self, user: str, matter: str) -> None:
        """Note that a user agrees."""
        self.db.insert_new(CONSENTS, [{"user": user, "matter": matter, "at": self.context.now()}])

    def withdraw(self, user: str, matter: str) -> bool:
        """Note that a user agrees no longer; tell whether they did before."""
        key = (CONSENTS.c.user == user, CONSENTS.c.matter == matter)
        return self.db.execute(delete(CONSENTS).where(*key)).rowcount > 0

    def has(self, user: str, matter: str) -> bool:
        """Tell whether a user agrees."""
        return self.db.execute(_GIVEN, {"user": user, "matter": matter}).first() is not None

    def all(self) -> list[tuple[str, str]]:
        """Return (user, matter) of all consents."""
        query = select(CONSENTS.c.user, CONSENTS.c.matter).order_by("user", "matter")
        return [(user, matter) for user, matter in self.db.execute(query)]


class Preferences(Repository):
    """Keep what persons chose for themselves; `matter` is such as `busy`, who sees their times."""

    def put(self, user: str, matter: str, value: str) -> None:
        """Note what a user chose; an empty value takes the choice back."""
        if not value:
            key = (PREFERENCES.c.user == user, PREFERENCES.c.matter == matter)
            self.db.execute(delete(PREFERENCES).where(*key))
            return
        row = {"user": user, "matter": matter, "value": value, "at": self.context.now()}
        self.db.upsert(PREFERENCES, [row])

    def of(self, matter: str, users: Iterable[str]) -> dict[str, str]:
        """Return what those of the users chose who did."""
        column = PREFERENCES.c
        chosen: dict[str, str] = {}
        for part in chunks(sorted(set(users))):
            query = select(column.user, column.value).where(column.matter == matter)
            rows = self.db.execute(query.where(column.user.in_(part)))
            chosen |= {row.user: row.value for row in rows}
        return chosen

    def all(self) -> dict[str, dict[str, str]]:
        """Return what every user chose, by matter."""
        column = PREFERENCES.c
        query = select(column.user, column.matter, column.value)
        chosen: dict[str, dict[str, str]] = {}
        for row in self.db.execute(query.order_by(column.user, column.matter)):
            chosen.setdefault(row.user, {})[row.matter] = row.value
        return chosen
