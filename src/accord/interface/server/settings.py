"""The start-up settings of CRM.interface: the table `[interface]` of accord.toml.

Read by `service.config`; the server and its listener are made from them.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

_Store: TypeAlias = Literal["addressbook", "calendar", "todo", "absence", "mail"]
_ADDRESS = r"^(https?://[^/?#@\s]+(/[^?#\s]*)?)?$"


class Wins(StrEnum):
    """Say what becomes of what was changed on a device and in the CRM."""

    SERVER = "server"
    CLIENT = "client"
    DUPLICATE = "duplicate"


class InterfaceSettings(Struct, frozen=True, kw_only=True):
    """Be the table `[interface]`; sizes are in bytes.

    `listen` is host and port. `certificate` and `key` are files in PEM for TLS. `address` is where
    devices reach it, if a server stands in front of it. `conflict` says who wins where both sides
    changed the same of an item, `conflicts` where a store has a rule of its own; the loser stands
    in the log of syncs. A conversation that nobody goes on with for `minutes` is over.
    """

    listen: str = "127.0.0.1:8640"
    certificate: str = ""
    key: str = ""
    address: Annotated[str, Meta(pattern=_ADDRESS)] = ""
    conflict: Wins = Wins.SERVER
    conflicts: dict[_Store, Wins] = {}
    max_message: Annotated[int, Meta(ge=8_000, le=4_000_000)] = 150_000
    max_object: Annotated[int, Meta(ge=8_000, le=50_000_000)] = 4_000_000
    minutes: Annotated[int, Meta(ge=1, le=1_440)] = 60

    def wins(self, store: str) -> Wins:
        """Return who wins in a store."""
        return next((wins for name, wins in self.conflicts.items() if name == store), self.conflict)

    @property
    def patience(self) -> timedelta:
        """Return how long a conversation may rest."""
        return timedelta(minutes=self.minutes)
