"""How much an item takes in a message, estimated from above."""

from __future__ import annotations

from accord.formats import wire
from accord.formats.syncml.message import Item, Location, Meta
from accord.formats.wire import Told

ENVELOPE = 300
"""Bytes around an item's name, version and text, at most."""

COMMAND = 600
"""Bytes around a command's items, at most."""


def item(ref: str, told: Told) -> Item:
    """Return what is told of a ref, or of anything that has a name."""
    version = wire.name(told.version) if told.version else None
    meta = Meta(mark=told.sort, version=version)
    return Item(source=Location(wire.name(ref)), meta=meta, data=told.text)


def cost(ref: str, told: Told) -> int:
    """Return how many bytes an item takes at most."""
    names = len(wire.name(ref)) + len(wire.name(told.version))
    return ENVELOPE + 5 * names + wire.weight(told.text or "")
