"""Digests: tell people which of their edits were lost, put back or refused, and why.

`accord digest` shows them; `jobs.digests` calls `tell`, which tells each thing once, and `untold`
to say what it would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct

from accord.engine.both import OVER_UNREAD, PUT_BACK
from accord.model.kinds import Side
from accord.ports.errors import Rejected
from accord.service.accord import Accord
from accord.state.codec import decode_step
from accord.state.records import Cause, Entry, Link, Pending
from accord.state.state import Tx

WEEK = timedelta(days=7)
_KEY = "digest/"


class Fate(StrEnum):
    """Say what became of an edit."""

    LOST = "lost"
    PUT_BACK = "put back"
    REFUSED = "refused"


class Line(Struct, frozen=True, kw_only=True):
    """Be one edit that didn't come through: where it was made, of which item, and what helps.

    `fields` are names only, for a digest may leave the house; of what nobody could read there are
    none. `label` is empty for what is private.
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
    known = _Known(since=since or accord.clock() - WEEK)
    found = _collect(accord, user, lambda _: known)
    return tuple(_digest(accord, name, lines) for name, (lines, _) in found.items() if lines)


def untold(accord: Accord) -> tuple[Digest, ...]:
    """Return what `tell` would tell now."""
    found = _untold(accord, _kept(accord))
    return tuple(_digest(accord, name, lines) for name, (lines, _) in found.items() if lines)


def tell(accord: Accord, send: Callable[[Digest], None]) -> int:
    """Send everybody's digest of what they weren't told yet; return how many were sent.

    What `send` raises for one keeps that one's digest for the next time, and ends the round, but
    for Rejected, which concerns that one alone.
    """
    kept, first = _kept(accord), _first(accord)
    found = _untold(accord, kept)
    with accord.state.begin() as tx:
        for name, (lines, known) in found.items():
            if not lines:
                _keep(tx, name, known)
            elif _KEY + name not in kept:
                # However often sending fails: it is told from here on.
                tx.settings.put(_KEY + name, first)
    told = 0
    for name, (lines, known) in found.items():
        if lines:
            try:
                send(_digest(accord, name, lines))
            except Rejected:
                continue
            told += 1
            with accord.state.begin() as tx:
                _keep(tx, name, known)
    return told


def _untold(accord: Accord, kept: Mapping[str, Any]) -> dict[str, tuple[list[Line], _Known]]:
    first = _first(accord)
    return _collect(accord, "", lambda user: _known(kept.get(_KEY + user, first)))


def _kept(accord: Accord) -> dict[str, Any]:
    """Return what is kept of how far each was told, by setting."""
    with accord.state.read() as tx:
        return {key: value for key, value in tx.settings.all().items() if key.startswith(_KEY)}


def _first(accord: Accord) -> str:
    """Return from when on somebody is told who never was."""
    return (accord.clock() - WEEK).isoformat()


class _Known(Struct, frozen=True, kw_only=True):
    """Be how far somebody was told: the last entry by link, and the refusals that still stand.

    By entries and not by moments: one bears the moment at which its visit began, and may be
    entered long after that. Nothing is told of the time before `since`.
    """

    since: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    entries: dict[str, int] = {}
    refused: frozenset[str] = frozenset()


def _known(kept: Any) -> _Known:
    if isinstance(kept, str):
        return _Known(since=datetime.fromisoformat(kept))
    return _Known(entries=kept["entries"], refused=frozenset(kept["refused"]))


def _keep(tx: Tx, user: str, known: _Known) -> None:
    told = {"entries": known.entries, "refused": sorted(known.refused)}
    tx.settings.put(_KEY + user, told)


def _collect(
    accord: Accord, user: str, known: Callable[[str], _Known]
) -> dict[str, tuple[list[Line], _Known]]:
    """Return what is to be told to whom, and what they will know then."""
    with accord.state.read() as tx:
        by_user: dict[str, list[Link]] = {}
        for link in tx.links.by_user(user) if user else tx.links.all():
            by_user.setdefault(link.user, []).append(link)
        return {name: _lines(tx, by_user[name], known(name)) for name in sorted(by_user)}


def _digest(accord: Accord, user: str, lines: Sequence[Line]) -> Digest:
    people = accord.crm.identities(user)
    return Digest(user=user, address=people[0].address if people else "", lines=tuple(lines))


def _lines(tx: Tx, links: Sequence[Link], known: _Known) -> tuple[list[Line], _Known]:
    lines: list[Line] = []
    entries: dict[str, int] = {}
    refused: set[str] = set()
    for link in links:
        entries[link.id] = newest = tx.journal.latest(link.id)
        after = known.entries.get(link.id, 0)
        reasons = (PUT_BACK, OVER_UNREAD)
        for entry in tx.journal.overruled(link.id, reasons, known.since, after, newest):
            clash = entry.step == "clash"
            hint = f"`accord undo {entry.id}` brings it back" if clash else ""
            fate = Fate.LOST if clash or OVER_UNREAD in entry.why else Fate.PUT_BACK
            lines.append(_line(tx, link, entry, fate, hint))
        for one in tx.pending.by_link(link.id, Cause.REJECTED):
            mark = f"{link.id}/{one.fingerprint}"
            refused.add(mark)
            if one.at > known.since and not one.refused and mark not in known.refused:
                lines.append(_refusal(tx, link, one))
    told = _Known(entries=entries, refused=frozenset(refused))
    return sorted(lines, key=lambda line: line.at, reverse=True), told


def _line(tx: Tx, link: Link, entry: Entry, fate: Fate, hint: str) -> Line:
    sides = ((entry.side, entry.ref), (entry.side.other, entry.counterpart))
    return Line(
        fate=fate,
        at=entry.at,
        link=link.name,
        kind=str(entry.kind),
        made=str(entry.side),
        label=_label(tx, link, sides),
        fields=() if OVER_UNREAD in entry.why else tuple(c.field for c in entry.fields),
        why=entry.why,
        hint=hint,
    )


def _refusal(tx: Tx, link: Link, one: Pending) -> Line:
    """Return what to tell of an edit that the other side refuses still."""
    sides = tuple((s, r) for s, r in zip(Side, (one.ref_crm, one.ref_groupware), strict=True))
    return Line(
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
