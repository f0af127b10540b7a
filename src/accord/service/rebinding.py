"""Take other mailboxes than links were bound to: they begin anew there, and nothing is deleted.

Called by `accord check --accept`, once somebody says that an address was meant to move.
"""

from __future__ import annotations

from collections.abc import Mapping

from accord.ports.errors import AccordError
from accord.service.accord import Accord
from accord.service.bindings import binding_key, ids_of, is_strange
from accord.service.locking import locked
from accord.service.removal import forget_all
from accord.state.records import Link


def rebind(accord: Accord, *, by: str = "") -> list[Link]:
    """Take the mailboxes behind all links for those to work with; return the links that moved.

    Such a link begins anew: what it paired lies in another mailbox, so nothing follows from its
    not being in this one. Mailboxes that can't be reached are left as they were. Raises Retry
    while the folder of such a link is visited.
    """
    with accord.state.read() as tx:
        links = tx.links.all()
        known = tx.settings.some(*(binding_key(link) for link in links))
    moved = []
    for link in links:
        bound = known.get(binding_key(link))
        now = {} if bound is None else _ask(accord, link)
        if bound is not None and is_strange(bound, now):
            _begin_anew(accord, link, now, by)
            moved.append(link)
    return moved


def _ask(accord: Accord, link: Link) -> dict[str, str]:
    try:
        with accord.adapter(link.target).open(link.principal) as session:
            return ids_of(session)
    except AccordError:
        return {}


def _begin_anew(accord: Accord, link: Link, ids: Mapping[str, str], by: str) -> None:
    why = f"the link {link.name} left its former mailbox for another one"
    with locked(accord, [link]), accord.state.begin() as tx:
        forget_all(tx, accord, link, by, why)
        tx.links.put(link)
        tx.settings.put(binding_key(link), dict(ids))
