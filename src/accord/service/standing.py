"""How links stand: what they join, what waits on them, and whether they may write.

The command line and later the console list and change links through this.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from accord.service.accord import Accord
from accord.service.choose import choose
from accord.state.records import Cause, Link, Mode


class LinkStanding(Struct, frozen=True, kw_only=True):
    """Be a link with what waits on it; `paused` also while everything is.

    `pairings` are those that take part, `failed` counts what was rejected or is to be tried again,
    `error` says why the last visit ended early.
    """

    name: str
    user: str
    kind: str
    target: str
    principal: str
    folder: str
    rule: str
    mode: Mode
    paused: bool
    pairings: int
    held: int
    conflicts: int
    failed: int
    visited: datetime | None
    error: str


def standing(accord: Accord, words: Sequence[str] = ()) -> list[LinkStanding]:
    """Return how the chosen links stand (all by default); raises ConfigError as `choose` does."""
    with accord.state.read() as tx:
        if not words and not tx.links.all():
            return []
    chosen = choose(accord, words)
    with accord.state.read() as tx:
        targets = {target.id: target.name for target in tx.targets.all()}
        stopped = bool(tx.settings.get("paused", False))
        found = []
        for link in chosen:
            pending = [one for one in tx.pending.by_link(link.id) if not one.refused]
            run = next(iter(tx.runs.latest(link.id)), None)
            counts = {cause: sum(one.cause is cause for one in pending) for cause in Cause}
            one = LinkStanding(
                name=link.name,
                user=link.user,
                kind=str(link.kind),
                target=targets[link.target],
                principal=link.principal,
                folder=link.folder,
                rule=link.rule,
                mode=link.mode,
                paused=link.paused or stopped,
                pairings=tx.pairings.live(link.id),
                held=sum(counts[cause] for cause in (Cause.HELD, Cause.UNDO, Cause.FILE)),
                conflicts=counts[Cause.CONFLICT],
                failed=counts[Cause.REJECTED] + counts[Cause.RETRY],
                visited=run.started if run else None,
                error=run.error if run else "",
            )
            found.append(one)
    return found


def pause_all(accord: Accord, *, paused: bool) -> list[Link]:
    """Stop every write at once, or end that stop; return the links that stay paused themselves.

    Those were paused one by one, or because their users left, and that is ended one by one.
    """
    with accord.state.begin() as tx:
        tx.settings.put("paused", True if paused else None)
        return [link for link in tx.links.all() if link.paused]


def pause_links(accord: Accord, words: Sequence[str], *, paused: bool) -> list[Link]:
    """Stop or resume the chosen links and return them; raises ConfigError as `choose` does."""
    chosen = choose(accord, words)
    with accord.state.begin() as tx:
        for link in chosen:
            tx.links.pause(link.id, paused)
    return chosen


def set_mode(accord: Accord, words: Sequence[str], mode: Mode) -> list[Link]:
    """Say how far the chosen links go and return them; raises ConfigError as `choose` does.

    Nothing else of them is written, nor those that were removed meanwhile.
    """
    chosen = choose(accord, words)
    with accord.state.begin() as tx:
        return [replace(link, mode=mode) for link in chosen if tx.links.set_mode(link.id, mode)]
