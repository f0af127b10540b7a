"""Digests: tell people which of their edits were lost, put back or refused, and why.

`accord digest` shows them; a scheduler calls `tell`, which tells each thing once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from accord.engine.both import PUT_BACK
from accord.model.kinds import Side
from accord.service.accord import Accord
from accord.state.codec import decode_step
from accord.state.records import Cause, Entry, Link, Pending
from accord.state.state import Tx

WEEK = timedelta(days=7)
_KEY = "digest/"
_MOST = 1000
"""How many journal entries of a kind one digest looks at."""


class Fate(StrEnum):
    """Say what became of an edit."""

    LOST = "lost"
    PUT_BACK = "put back"
    REFUSED = "refused"


class Line(Struct, frozen=True, kw_only=True):
    """Be one edit that didn't come through: where it was made, of which item, and what helps.

    `fields` are names only, for a digest may leave the house. `label` is empty for what is private.
    """

    fate: Fate
    at: datetime
    link: str
    kind: str
    made: str
    label: str
    fields: tuple[str, ...] = ()
    why: str
    hint: str = ""


class Digest(Struct, frozen=True, kw_only=True):
    """Be what one person is told, newest first; `address` is theirs, empty where there is none."""

    user: str
    address: str
    lines: tuple[Line, ...]


def digests(accord: Accord, *, user: str = "", since: datetime | None = None) -> tuple[Digest, ...]:
    """Return what there is to tell of the time since then (a week), for one user or all."""
    return _collect(accord, user, lambda _: since or accord.clock() - WEEK)


def tell(accord: Accord, send: Callable[[Digest], None]) -> int:
    """Send everybody's digest of what they weren't told yet; return how many were sent.

    What `send` raises for one keeps that one's digest for the next time, and ends the round.
    """
    with accord.state.read() as tx:
        told = {key: value for key, value in tx.settings.all().items() if key.startswith(_KEY)}
    now, first = accord.clock(), accord.clock() - WEEK

    def since(user: str) -> datetime:
        last = told.get(_KEY + user)
        return datetime.fromisoformat(last) if last else first

    found = _collect(accord, "", since)
    for one in found:
        send(one)
        with accord.state.begin() as tx:
            tx.settings.put(_KEY + one.user, now.isoformat())
    return len(found)


def _collect(accord: Accord, user: str, since: Callable[[str], datetime]) -> tuple[Digest, ...]:
    with accord.state.read() as tx:
        by_user: dict[str, list[Link]] = {}
        for link in tx.links.by_user(user) if user else tx.links.all():
            by_user.setdefault(link.user, []).append(link)
        lines = {
            name: _lines(tx, links, since(name), accord.clock()) for name, links in by_user.items()
        }
    found = []
    for name, told in sorted(lines.items()):
        if told:
            people = accord.crm.identities(name)
            address = people[0].address if people else ""
            found.append(Digest(user=name, address=address, lines=tuple(told)))
    return tuple(found)


def _lines(tx: Tx, links: Sequence[Link], since: datetime, until: datetime) -> list[Line]:
    lines = [
        line
        for link in links
        for line in (*_of_journal(tx, link, since), *_refused(tx, link, since))
        if line.at <= until
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _of_journal(tx: Tx, link: Link, since: datetime) -> Iterator[Line]:
    for entry in tx.journal.query(link=link.id, step="clash", limit=_MOST):
        if entry.at > since and entry.undone_by is None:
            hint = f"`accord undo {entry.id}` brings it back"
            yield _line(tx, link, entry, Fate.LOST, hint)
    for entry in tx.journal.query(link=link.id, step="update", limit=_MOST):
        if entry.at > since and PUT_BACK in entry.why and not entry.error:
            yield _line(tx, link, entry, Fate.PUT_BACK, "")


def _line(tx: Tx, link: Link, entry: Entry, fate: Fate, hint: str) -> Line:
    sides = ((entry.side, entry.ref), (entry.side.other, entry.counterpart))
    return Line(
        fate=fate,
        at=entry.at,
        link=link.name,
        kind=str(entry.kind),
        made=str(entry.side),
        label=_label(tx, link, sides),
        fields=tuple(change.field for change in entry.fields),
        why=entry.why,
        hint=hint,
    )


def _refused(tx: Tx, link: Link, since: datetime) -> Iterator[Line]:
    """Yield the edits that the other side refuses still; each is told from when it was refused."""
    for one in tx.pending.by_link(link.id, Cause.REJECTED):
        if one.at <= since or one.refused:
            continue
        sides = tuple((s, r) for s, r in zip(Side, (one.ref_crm, one.ref_groupware), strict=True))
        yield Line(
            fate=Fate.REFUSED,
            at=one.at,
            link=link.name,
            kind=str(link.kind),
            made=_made(one),
            label=_label(tx, link, sides),
            why=one.why,
            hint=f"`accord explain {one.ref_crm or one.ref_groupware}` says what helps",
        )


def _made(one: Pending) -> str:
    """Return the side on which an edit was made that the other one refuses."""
    side = getattr(decode_step(one.step), "side", None) if one.step else None
    return str(side.other) if isinstance(side, Side) else ""


def _label(tx: Tx, link: Link, sides: Sequence[tuple[Side, str]]) -> str:
    found = (tx.decisions.get(link.id, side, ref) for side, ref in sides if ref)
    return next((one.label for one in found if one is not None and one.label), "")
