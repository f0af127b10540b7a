"""Keep visits away from links while something about them is decided or taken apart.

Needs no server: the folder of a link that was ever visited is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from accord.service.accord import Accord
from accord.service.opening import Place, folder_key, take_lease
from accord.state.records import Link


@contextmanager
def locked(accord: Accord, links: Sequence[Link]) -> Iterator[None]:
    """Hold the leases of the links' folders; raises Busy while a visit is under way."""
    with accord.state.read() as tx:
        folders = {link.id: tx.settings.get(folder_key(link), "") for link in links}
    places = {}
    for link in links:
        if folders[link.id]:
            place = Place(
                target=link.target,
                principal=link.principal,
                folder=folders[link.id],
                links=(link,),
            )
            places[place.scope] = place
    with ExitStack() as stack:
        for scope in sorted(places):
            take_lease(accord, places[scope], stack)
        yield
