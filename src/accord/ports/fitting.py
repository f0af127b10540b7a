"""What a session may offer beside the port: to say beforehand which series it can't hold.

A side that stores every series of RFC 5545 doesn't offer it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol, runtime_checkable

from accord.model.item import Item
from accord.model.kinds import Kind


@runtime_checkable
class Fitting(Protocol):
    """Be a session whose side has words for some series, not for all."""

    def unfit(self, kind: Kind, item: Item, changed: Collection[str] | None = None) -> str:
        """Return why an item that repeats can't be held as such; empty where it can.

        `changed` are the fields that are to be written; without it the item is new. Asks
        nothing of the server.
        """
        ...
