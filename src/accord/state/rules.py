"""Rules: immutable versions, and per name which one is active and which is a draft.

Import and console put drafts; activating one is a decision of its own, kept as history.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, delete, insert, select

from accord.model.learning import learnt
from accord.rules.rule import Rule
from accord.state.context import Repository
from accord.state.schema import ACTIVATIONS, RULE_NAMES, RULES

_BODY = select(RULES.c.body).where(RULES.c.version == bindparam("version"))
_STANDING = select(RULE_NAMES.c.active, RULE_NAMES.c.draft).where(
    RULE_NAMES.c.name == bindparam("name")
)


class Activation(Struct, frozen=True, kw_only=True):
    """Say when a version of a rule came into force, and by whom."""

    name: str
    version: str
    by: str
    at: datetime


class Rules(Repository):
    """Keep rules."""

    def put(self, rule: Rule) -> str:
        """Store a rule as its name's draft and return its version.

        Putting the active version again drops the draft.
        """
        version, now = rule.version, self.context.now()
        body = msgspec.json.encode(rule, order="deterministic")
        row = {"version": version, "name": rule.name, "body": body, "at": now}
        self.db.insert_new(RULES, [row])
        active, _ = self._names(rule.name)
        draft = None if active == version else version
        self._set_names(rule.name, active, draft)
        return version

    def get(self, version: str) -> Rule | None:
        """Return one version."""
        body = self.db.execute(_BODY, {"version": version}).scalar()
        return None if body is None else msgspec.json.decode(body, type=learnt(Rule))

    def former(self, version: str) -> Rule | None:
        """Return a version that something still stands under; None also where it is unreadable."""
        try:
            return self.get(version)
        except msgspec.DecodeError:
            return None

    def active(self, name: str) -> Rule | None:
        """Return the version in force."""
        version, _ = self._names(name)
        return None if version is None else self.get(version)

    def draft(self, name: str) -> Rule | None:
        """Return the version that waits to be activated."""
        _, version = self._names(name)
        return None if version is None else self.get(version)

    def drafts(self) -> dict[str, str]:
        """Return which version waits to be activated, by name of the rule."""
        query = select(RULE_NAMES.c.name, RULE_NAMES.c.draft).where(RULE_NAMES.c.draft.is_not(None))
        return self.db.mapping(query)

    def activate(self, name: str, version: str, by: str = "") -> None:
        """Put a version into force; raises KeyError for one that isn't that rule's."""
        known = select(RULES.c.name).where(RULES.c.version == version)
        if self.db.execute(known).scalar() != name:
            raise KeyError(f"rule {name!r} has no version {version!r}")
        active, draft = self._names(name)
        if active == version:
            return
        self._set_names(name, version, None if draft == version else draft)
        row = {"name": name, "version": version, "by": by, "at": self.context.now()}
        self.db.execute(insert(ACTIVATIONS).values(**row))

    def discard(self, name: str) -> None:
        """Drop the draft; the version itself stays known."""
        active, draft = self._names(name)
        if draft is not None and active is None:
            self.db.execute(delete(RULE_NAMES).where(RULE_NAMES.c.name == name))
        elif draft is not None:
            self._set_names(name, active, None)

    def history(self, name: str) -> list[Activation]:
        """Return which versions were in force, newest first."""
        table = ACTIVATIONS.c
        query = select(table.name, table.version, table.by, table.at)
        rows = self.db.execute(query.where(table.name == name).order_by(table.id.desc()))
        return [Activation(name=n, version=v, by=by, at=at) for n, v, by, at in rows]

    def names(self) -> list[str]:
        """Return the names of all rules that are in force or wait as drafts."""
        return list(
            self.db.execute(select(RULE_NAMES.c.name).order_by(RULE_NAMES.c.name)).scalars()
        )

    def _names(self, name: str) -> tuple[str | None, str | None]:
        row = self.db.execute(_STANDING, {"name": name}).first()
        return (None, None) if row is None else (row.active, row.draft)

    def _set_names(self, name: str, active: str | None, draft: str | None) -> None:
        self.db.upsert(RULE_NAMES, [{"name": name, "active": active, "draft": draft}])
