"""Why a link's last visit could not be made, kept until one gets through.

Written at the end of visits, where it changes; the error check groups it by cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from accord.model.learning import learnt
from accord.service.report import Report
from accord.state.state import Tx

_PREFIX = "trouble/"


class LinkTrouble(Struct, frozen=True, kw_only=True):
    """Be what ended a visit: in words, by its reaction (`ports.errors`), and what to do."""

    error: str
    action: str
    hint: str = ""


def key_of(link: str) -> str:
    """Return the setting that keeps why a link could not be visited."""
    return _PREFIX + link


def news(kept: Mapping[str, Any], reports: Iterable[Report]) -> dict[str, Any]:
    """Return what changes of what is kept by what ended visits; most end well, and change nothing.

    Whoever found another run at work, or is to rest, knows nothing new.
    """
    changed = {}
    for one in reports:
        if one.busy or one.paused:
            continue
        found = LinkTrouble(error=one.error, action=one.action, hint=one.hint)
        value = msgspec.to_builtins(found) if one.error else None
        if kept.get(key_of(one.link)) != value:
            changed[key_of(one.link)] = value
    return changed


def troubles(tx: Tx) -> dict[str, LinkTrouble]:
    """Return what keeps links from being visited, by their ids."""
    found = tx.settings.under(_PREFIX)
    return {
        key.removeprefix(_PREFIX): msgspec.convert(value, learnt(LinkTrouble))
        for key, value in found.items()
    }


def forget(tx: Tx, link: str) -> None:
    """Forget what kept a link from being visited."""
    tx.settings.put(key_of(link), None)
