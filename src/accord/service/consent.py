"""Whose private entries may be taken in full: each person decides for themselves.

A rule with `private = "full"` asks for it; without the owner's consent it leaves them out.
"""

from __future__ import annotations

from msgspec import Struct

from accord.model.kinds import Side
from accord.ports.errors import AuthFailed, ConfigError
from accord.rules.rule import Private
from accord.service.accord import Accord
from accord.service.discreet import tells_all
from accord.service.facts import FULL_CONSENT
from accord.service.identity import require_user
from accord.service.locking import locked
from accord.service.opening import look_anew, withdrawn_key
from accord.state.records import Entry, Link
from accord.state.state import Tx


class Consent(Struct, frozen=True, kw_only=True):
    """Say how a user's consent stands; `changed` tells whether that is new.

    `links` are the user's links whose rules take private entries in full.
    """

    user: str
    given: bool
    changed: bool
    links: tuple[str, ...] = ()


def consenting(accord: Accord) -> list[str]:
    """Return the users who agree to have private entries taken in full."""
    with accord.state.read() as tx:
        return [user for user, matter in tx.consents.all() if matter == FULL_CONSENT]


def set_consent(accord: Accord, user: str, *, given: bool, by: str = "") -> Consent:
    """Note that a CRM user agrees, or agrees no longer; the next visit acts on it.

    Raises ConfigError for a stranger, Retry while one of the user's folders is visited.
    """
    with accord.state.read() as tx:
        links = tx.links.by_user(user)
        known = tx.consents.has(user, FULL_CONSENT)
    if given or not known:
        _require_user(accord, user)
    with locked(accord, links), accord.state.begin() as tx:
        if given:
            changed = not tx.consents.has(user, FULL_CONSENT)
            tx.consents.give(user, FULL_CONSENT)
        else:
            changed = tx.consents.withdraw(user, FULL_CONSENT)
        full = tuple(link.name for link in links if _takes_all(tx, link))
        if changed:
            for link in links:
                look_anew(tx, link)
                told = [] if given else [p.id for p in tx.pairings.all(link.id) if tells_all(p)]
                tx.settings.put(withdrawn_key(link), told or None)
            _enter(tx, accord, user, links, given=given, by=by)
    return Consent(user=user, given=given, changed=changed, links=full)


def _require_user(accord: Accord, user: str) -> None:
    try:
        require_user(accord, user)
    except AuthFailed as error:
        raise ConfigError(str(error), field="user", hint="name a user of the CRM") from error


def _takes_all(tx: Tx, link: Link) -> bool:
    rule = tx.rules.active(link.rule)
    return rule is not None and rule.private is Private.FULL


def _enter(tx: Tx, accord: Accord, user: str, links: list[Link], *, given: bool, by: str) -> None:
    said = "agrees" if given else "no longer agrees"
    why = f"{user} {said} to have private entries taken in full"
    entries = [
        Entry(
            at=accord.clock(),
            link=link.id,
            user=user,
            side=Side.GROUPWARE,
            kind=link.kind,
            ref=link.principal,
            step="consent" if given else "withdraw",
            why=why,
            actor=by,
        )
        for link in links
    ]
    tx.journal.append_many(entries)
