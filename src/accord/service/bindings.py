"""Bind links to mailboxes, not to addresses: an address that somebody else has now isn't followed.

A link's first visit notes the mailbox's lasting ids; `accord check --accept-mailbox` takes others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from accord.ports.adapter import Session
from accord.ports.errors import ConfigError
from accord.ports.identity import Identified
from accord.state.records import Link
from accord.state.state import Tx


def recognize(session: Session, link: Link, known: Mapping[str, str]) -> None:
    """Raise ConfigError where a link's address leads to another mailbox than it is bound to."""
    if known and is_strange(known, ids_of(session)):
        raise ConfigError(
            f"held: {link.principal} is another mailbox than before",
            field="mailbox",
            hint=f"was the address given to somebody else, or the mailbox moved? `accord links "
            f"remove {link.name}` ends the link; if it is meant, `accord check --accept-mailbox "
            f"{link.name}` lets it begin anew there",
        )


def bind(tx: Tx, link: Link, known: Mapping[str, str], ids: Mapping[str, str]) -> None:
    """Note the ids of a link's mailbox, once it was recognized, where they aren't known yet."""
    if (now := {**known, **ids}) != known:
        tx.settings.put(binding_key(link), now)


def binding_key(link: Link) -> str:
    """Return the setting that keeps which mailbox a link is bound to."""
    return f"mailbox-id/{link.id}/{link.target}/{link.principal}"


def ids_of(session: Session) -> dict[str, str]:
    """Return a mailbox's ids, the surest first, shortened: servers' own may be long."""
    if not isinstance(session, Identified):
        return {}
    return {name: _short(value) for name, value in session.identity()}


def _short(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:24]


def is_strange(known: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """Tell whether the surest id that both have differs; with none in common nothing follows."""
    first = next((name for name in now if name in known), None)
    return first is not None and known[first] != now[first]
