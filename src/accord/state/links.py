"""Links: one user, one kind, one folder on one target each.

Read at the start of every folder visit; everything kept per link goes with it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Select, bindparam, delete, distinct, func, select, update

from accord.db.tx import AnyRow, Given, chunks
from accord.model.kinds import Kind
from accord.state.context import Repository
from accord.state.records import Link, Mode
from accord.state.schema import LINKS

_ALL = select(LINKS).order_by(LINKS.c.name)
_ONE = _ALL.where(LINKS.c.id == bindparam("one"))
_HELD = _ONE.with_for_update()
_MAILBOXES = select(func.count(distinct(LINKS.c.principal))).where(
    LINKS.c.target == bindparam("target")
)


class Links(Repository):
    """Keep links."""

    def put(self, link: Link) -> None:
        """Store a link; raises Taken where another one has its name."""
        self.put_many([link])

    def put_many(self, links: Sequence[Link]) -> None:
        """Store links in one statement."""
        self.db.upsert(LINKS, [_row(link) for link in links])

    def bring(self, links: Sequence[Link], modes: Collection[str]) -> None:
        """Store what a text says of links, and of links that are there nothing else.

        A link that is there keeps whether it is paused, and its mode unless its name is among
        `modes`, those that the text gives; a new one observes then. Nothing is read for that, so
        that no `pause` or `set_mode` beside it is lost.
        """
        said = [_row(link) for link in links if link.name in modes]
        unsaid = [replace(link, mode=Mode.OBSERVE) for link in links if link.name not in modes]
        self.db.upsert(LINKS, said, kept=("paused",))
        self.db.upsert(LINKS, [_row(link) for link in unsaid], kept=("paused", "mode"))

    def get(self, key: str) -> Link | None:
        """Return one link."""
        return next(iter(self._read(_ONE, {"one": key})), None)

    def hold(self, key: str) -> Link | None:
        """Return one link that nobody else changes until this transaction ends.

        For whoever stores it whole after looking: a pause meanwhile would be lost.
        """
        return next(iter(self._read(_HELD, {"one": key})), None)

    def by_name(self, name: str) -> Link | None:
        """Return the link of that name."""
        return next(iter(self._read(_ALL.where(LINKS.c.name == name))), None)

    def all(self) -> list[Link]:
        """Return all links by name."""
        return self._read(_ALL)

    def rows(self) -> list[tuple[Any, ...]]:
        """Return all links by name, as they are stored: to tell quickly whether one has changed."""
        return [tuple(row) for row in self.db.execute(_ALL)]

    def by_user(self, user: str) -> list[Link]:
        """Return the links of one CRM user."""
        return self._read(_ALL.where(LINKS.c.user == user))

    def by_mailbox(self, target: str, principals: Sequence[str]) -> dict[str, frozenset[str]]:
        """Return whose links work in mailboxes of a target, by the mailbox casefolded."""
        found: dict[str, set[str]] = {}
        for some in chunks(sorted({*principals, *(each.casefold() for each in principals)})):
            query = select(LINKS.c.principal, LINKS.c.user).distinct()
            where = (LINKS.c.target == target, LINKS.c.principal.in_(some))
            for principal, user in self.db.execute(query.where(*where)):
                found.setdefault(principal.casefold(), set()).add(user)
        return {principal: frozenset(users) for principal, users in found.items()}

    def mailboxes(self, target: str) -> int:
        """Return how many mailboxes of a target there are links to."""
        return int(self.db.execute(_MAILBOXES, {"target": target}).scalar() or 0)

    def pause(self, key: str, paused: bool = True) -> bool:
        """Stop or resume one link; tell whether there is one."""
        change = update(LINKS).where(LINKS.c.id == key).values(paused=paused)
        return self.db.execute(change).rowcount > 0

    def set_mode(self, key: str, mode: Mode) -> bool:
        """Say how far one link goes, and change nothing else; tell whether there is one."""
        change = update(LINKS).where(LINKS.c.id == key).values(mode=mode.value)
        return self.db.execute(change).rowcount > 0

    def remove(self, key: str) -> bool:
        """Forget a link with its pairings, decisions and pending changes; the journal stays.

        Raises InUse while it has open intents: settle them first.
        """
        return self.db.execute(delete(LINKS).where(LINKS.c.id == key)).rowcount > 0

    def _read(self, query: Select[Any], given: Given | None = None) -> list[Link]:
        return [_link(row) for row in self.db.execute(query, given)]


def _row(link: Link) -> dict[str, Any]:
    return {**msgspec.structs.asdict(link), "kind": link.kind.value, "mode": link.mode.value}


def _link(row: AnyRow) -> Link:
    values = dict(row._mapping)
    return Link(**{**values, "kind": Kind(row.kind), "mode": Mode(row.mode)})
