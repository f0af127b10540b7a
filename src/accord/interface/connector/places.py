"""What a connector's addresses name: a store with its folder and perhaps an item, or a resource.

item/KIND[/REF][?folder=…]     ./instance  ./traits  ./folders  ./files  ./feed  ./people/…  ./check
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from msgspec import Struct

from accord.formats import wire
from accord.model.canonical import InvalidItem
from accord.model.kinds import Kind
from accord.model.traits import Traits

STORE = "item"


class Place(Struct, frozen=True):
    """Be a store or an item in it; `more` is what else the address says."""

    kind: Kind
    folder: str
    ref: str
    more: dict[str, str]

    @property
    def store(self) -> str:
        """Return the name of the store."""
        return f"{STORE}/{self.kind}"


def find(uri: str, traits: Traits) -> Place | None:
    """Return the store or item that an address names; None where there is no such store."""
    path, _, query = uri.partition("?")
    first, _, rest = path.removeprefix("./").partition("/")
    kind, _, ref = rest.partition("/")
    if first != STORE or kind not in traits.kinds:
        return None
    more = dict(parse_qsl(query, keep_blank_values=True))
    return Place(Kind(kind), more.pop("folder", ""), wire.unname(ref) if ref else "", more)


def resource(uri: str) -> tuple[str, str, dict[str, str]]:
    """Return the name of a resource, what stands behind it, and what is asked of it."""
    path, _, query = uri.partition("?")
    name, _, rest = path.removeprefix("./").partition("/")
    try:
        return name, wire.unname(rest) if rest else "", dict(parse_qsl(query))
    except InvalidItem:
        return "", "", {}
