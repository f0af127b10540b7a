"""Decisions: the last one about every ref, skips included, so that `explain` has an answer.

Also what a pull compares versions with for refs that were never paired.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, delete, or_, select, update

from accord.db.tx import AnyRow, chunks
from accord.engine.plan import FAILED
from accord.model.kinds import Side
from accord.state.context import Repository
from accord.state.records import Decision
from accord.state.schema import DECISIONS

_FIELDS = [DECISIONS.c[name] for name in Decision.__struct_fields__]


_D = DECISIONS.c
GONE = "gone"
"""The step of a decision about an item that went without ever having taken part."""

_LEFT_ALONE, _ASKED = ("skip", FAILED, "unreadable", "withheld"), ("create", "hold")
_NOT_MADE = _D.version == ""
_VERSIONS = select(_D.ref, _D.version).where(
    _D.link == bindparam("link"), _D.side == bindparam("side")
)
_VERSIONS_OF = _VERSIONS.where(_D.ref.in_(bindparam("refs", expanding=True)))


class Decisions(Repository):
    """Keep the last decision per link, side and ref."""

    def put_many(self, decisions: Sequence[Decision]) -> None:
        """Store decisions in one statement; later ones of a ref replace earlier ones."""
        self.db.upsert(DECISIONS, [_row(each) for each in decisions])

    def get(self, link: str, side: Side, ref: str) -> Decision | None:
        """Return the last decision about a ref."""
        key = (DECISIONS.c.link == link, DECISIONS.c.side == side.value, DECISIONS.c.ref == ref)
        row = self.db.execute(select(*_FIELDS).where(*key)).first()
        return None if row is None else _decision(row)

    def versions(self, link: str, side: Side, refs: Iterable[str] | None = None) -> dict[str, str]:
        """Return the version each ref had when it was last decided about (all by default)."""
        given = {"link": link, "side": side.value}
        if refs is None:
            return self.db.mapping(_VERSIONS, given)
        found: dict[str, str] = {}
        for part in chunks(sorted(set(refs))):
            found.update(self.db.mapping(_VERSIONS_OF, {**given, "refs": part}))
        return found

    def find(self, text: str, limit: int = 100) -> list[Decision]:
        """Return decisions whose ref or uid is `text`, or whose label holds it; newest first."""
        folded = DECISIONS.c.folded.contains(text.casefold(), autoescape=True)
        query = select(*_FIELDS).where(
            or_(DECISIONS.c.ref == text, DECISIONS.c.uid == text, folded)
        )
        order = (DECISIONS.c.at.desc(), DECISIONS.c.link, DECISIONS.c.side, DECISIONS.c.ref)
        return [_decision(row) for row in self.db.execute(query.order_by(*order).limit(limit))]

    def all(self, link: str) -> list[Decision]:
        """Return all decisions of a link by side and ref."""
        query = select(*_FIELDS).where(DECISIONS.c.link == link)
        return [_decision(r) for r in self.db.execute(query.order_by("side", "ref"))]

    def end(self, link: str, side: Side, refs: Iterable[str], why: str) -> None:
        """Note that items are gone that never took part; what was done about others stays told."""
        change = update(DECISIONS).where(DECISIONS.c.link == link, DECISIONS.c.side == side.value)
        change = change.where(or_(_D.step.in_(_LEFT_ALONE), and_(_D.step.in_(_ASKED), _NOT_MADE)))
        change = change.values(step=GONE, why=why, version="", at=self.context.now())
        for part in chunks(sorted(refs)):
            self.db.execute(change.where(_D.ref.in_(part)))

    def redact(self, link: str, side: Side, refs: Iterable[str], why: str) -> int:
        """Take title and reason off what was said about these refs; return how often it told."""
        key = (DECISIONS.c.link == link, DECISIONS.c.side == side.value, DECISIONS.c.label != "")
        change = update(DECISIONS).values(label="", folded="", why=why)
        return sum(
            self.db.execute(change.where(*key, DECISIONS.c.ref.in_(part))).rowcount
            for part in chunks(refs)
        )

    def remove(self, link: str, side: Side, refs: Iterable[str]) -> int:
        """Forget what was decided about these refs; return how many there were."""
        key = (DECISIONS.c.link == link, DECISIONS.c.side == side.value)
        return sum(
            self.db.execute(delete(DECISIONS).where(*key, DECISIONS.c.ref.in_(part))).rowcount
            for part in chunks(refs)
        )


def _row(decision: Decision) -> dict[str, Any]:
    values = msgspec.structs.asdict(decision)
    return {**values, "side": decision.side.value, "folded": decision.label.casefold()}


def _decision(row: AnyRow) -> Decision:
    return Decision(**{**row._mapping, "side": Side(row.side)})
