"""The state that a link's mailbox was last found in, kept until a visit gets through again.

Written at the end of visits; `check` and `explain` show it. Nothing follows from it for items.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from accord.model.learning import learnt
from accord.service.report import Report
from accord.state.state import Tx


class MailboxTrouble(Struct, frozen=True, kw_only=True):
    """Be the state of a mailbox by its name, what the server said, what to do, and since when."""

    state: str
    error: str
    hint: str
    since: datetime

    def __str__(self) -> str:
        """Say it in one line."""
        return f"mailbox {self.state} since {self.since:%Y-%m-%d %H:%M} UTC: {self.error}"


def key_of(link: str) -> str:
    """Return the setting that keeps the state of a link's mailbox."""
    return f"mailbox/{link}"


def news(kept: Mapping[str, Any], reports: Iterable[Report], now: datetime) -> dict[str, Any]:
    """Return what changes of what is kept by what visits found; most change nothing."""
    changed: dict[str, Any] = {}
    for one in reports:
        key = key_of(one.link)
        before = _read(kept[key]) if key in kept else None
        if one.state:
            same = before is not None and before.state == one.state
            since = before.since if same and before is not None else now
            found = MailboxTrouble(state=one.state, error=one.error, hint=one.hint, since=since)
            changed[key] = msgspec.to_builtins(found)
        elif before is not None and not one.error:
            changed[key] = None
    return changed


def trouble(tx: Tx, link: str) -> MailboxTrouble | None:
    """Return the state that keeps a link from its mailbox, None where there is none."""
    kept = tx.settings.get(key_of(link))
    return None if kept is None else _read(kept)


def forget(tx: Tx, link: str) -> None:
    """Forget what a link's mailbox was found in."""
    tx.settings.put(key_of(link), None)


def _read(kept: object) -> MailboxTrouble:
    return msgspec.convert(kept, learnt(MailboxTrouble))
