"""Take other mailboxes than links were bound to: they begin anew there, and nothing is deleted.

Called by `accord check --accept-mailbox`, once somebody says of a link that it was meant to move.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from accord.ports.errors import AccordError, ConfigError
from accord.service.accord import Accord
from accord.service.bindings import binding_key, ids_of, is_strange
from accord.service.locking import locked
from accord.service.removal import forget_all
from accord.state.records import Link, Mode
from accord.state.state import Tx


def rebind(accord: Accord, links: Sequence[Link], *, by: str = "") -> Iterator[Link]:
    """Take the mailboxes behind these links for those to work with; yield each link that moved.

    Such a link begins anew: what it paired lies in another mailbox, so nothing follows from its
    not being in this one. It only observes from then on: whose mailbox it is now, a person has to
    look at. Mailboxes that can't be reached are left as they were. Raises Retry while the folder
    of such a link is visited.
    """
    with accord.state.read() as tx:
        known = tx.settings.some(*(binding_key(link) for link in links))
    for link in links:
        bound = known.get(binding_key(link))
        now = {} if bound is None else _ask(accord, link)
        if bound is not None and is_strange(bound, now):
            yield _begin_anew(accord, link, now, by)


def _ask(accord: Accord, link: Link) -> dict[str, str]:
    try:
        with accord.adapter(link.target).open(link.principal) as session:
            return ids_of(session)
    except AccordError:
        return {}


def _begin_anew(accord: Accord, link: Link, ids: Mapping[str, str], by: str) -> Link:
    with locked(accord, [link]):
        return accord.state.run(lambda tx: _let_begin(tx, accord, link, ids, by))


def _let_begin(tx: Tx, accord: Accord, link: Link, ids: Mapping[str, str], by: str) -> Link:
    """Forget what a link had paired, and put it back with what its template knows of it."""
    now = tx.links.hold(link.id)
    if now is None or (now.target, now.principal) != (link.target, link.principal):
        raise ConfigError(f"{link.name} was changed meanwhile", field="link", hint="try again")
    given = tx.given_links.get(link.id)
    forget_all(tx, accord, now, by, f"the link {now.name} left its former mailbox for another one")
    now = replace(now, mode=Mode.OBSERVE)
    tx.links.put(now)
    if given is not None:  # else it would count as made by hand, and its user could never leave
        tx.given_links.put(given)
    tx.settings.put(binding_key(now), dict(ids))
    return now
