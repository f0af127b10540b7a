"""The state that a link's mailbox was last found in, kept until a visit gets through again.

Written at the end of visits; `check` and `explain` show it. Nothing follows from it for items.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Struct

from accord.service.report import Report
from accord.state.state import State, Tx


class MailboxTrouble(Struct, frozen=True, kw_only=True):
    """Be the state of a mailbox by its name, what the server said, what to do, and since when."""

    state: str
    error: str
    hint: str
    since: datetime

    def __str__(self) -> str:
        """Say it in one line."""
        return f"mailbox {self.state} since {self.since:%Y-%m-%d %H:%M} UTC: {self.error}"


def note(state: State, reports: Iterable[Report], now: datetime) -> None:
    """Keep what visits found, and forget what is over; most visits find and change nothing."""
    reports = list(reports)
    with state.read() as tx:
        kept = tx.settings.some(*(_key(one.link) for one in reports))
    known = {one.link: _read(kept[key]) for one in reports if (key := _key(one.link)) in kept}
    changed = [one for one in reports if one.state or (one.link in known and not one.error)]
    if not changed:
        return
    with state.begin() as tx:
        for one in changed:
            before = known.get(one.link)
            same = before is not None and before.state == one.state
            value = None
            if one.state:
                since = before.since if same and before is not None else now
                found = MailboxTrouble(state=one.state, error=one.error, hint=one.hint, since=since)
                value = msgspec.to_builtins(found)
            tx.settings.put(_key(one.link), value)


def trouble(tx: Tx, link: str) -> MailboxTrouble | None:
    """Return the state that keeps a link from its mailbox, None where there is none."""
    kept = tx.settings.get(_key(link))
    return None if kept is None else _read(kept)


def forget(tx: Tx, link: str) -> None:
    """Forget what a link's mailbox was found in."""
    tx.settings.put(_key(link), None)


def _read(kept: object) -> MailboxTrouble:
    return msgspec.convert(kept, MailboxTrouble)


def _key(link: str) -> str:
    return f"mailbox/{link}"
