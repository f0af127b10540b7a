"""Why a link's last visit could not be made, kept until one gets through.

Written at the end of visits, where it changes; the error check groups it by cause.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from accord.service.report import Report
from accord.state.state import State, Tx

_PREFIX = "trouble/"


class LinkTrouble(Struct, frozen=True, kw_only=True):
    """Be what ended a visit: in words, by its reaction (`ports.errors`), and what to do."""

    error: str
    action: str
    hint: str = ""


def note(state: State, reports: Iterable[Report]) -> None:
    """Keep what ended these visits, and forget what is over; most end well, and change nothing.

    Whoever found another run at work, or is to rest, knows nothing new.
    """
    reports = [one for one in reports if not one.busy and not one.paused]
    with state.read() as tx:
        kept = tx.settings.some(*(_PREFIX + one.link for one in reports))
    for one in reports:
        found = LinkTrouble(error=one.error, action=one.action, hint=one.hint)
        value = msgspec.to_builtins(found) if one.error else None
        if kept.get(_PREFIX + one.link) == value:
            kept.pop(_PREFIX + one.link, None)
        else:
            kept[_PREFIX + one.link] = value
    if kept:
        with state.begin() as tx:
            for key, value in kept.items():
                tx.settings.put(key, value)


def troubles(tx: Tx) -> dict[str, LinkTrouble]:
    """Return what keeps links from being visited, by their ids."""
    found = tx.settings.under(_PREFIX)
    return {
        key.removeprefix(_PREFIX): msgspec.convert(value, LinkTrouble)
        for key, value in found.items()
    }


def forget(tx: Tx, link: str) -> None:
    """Forget what kept a link from being visited."""
    tx.settings.put(_PREFIX + link, None)
