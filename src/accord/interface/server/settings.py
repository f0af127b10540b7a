"""The start-up settings of CRM.interface: the table `[interface]` of accord.toml.

Read by `service.config`; the server and its listener are made from them.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

_ADDRESS = r"^(https?://[^/?#@\s]+(/[^?#\s]*)?)?$"


class Wins(StrEnum):
    """Say what becomes of an item that was changed on a device and in the CRM."""

    SERVER = "server"
    CLIENT = "client"
    DUPLICATE = "duplicate"


class InterfaceSettings(Struct, frozen=True, kw_only=True):
    """Be the table `[interface]`; sizes are in bytes.

    `listen` is host and port. `certificate` and `key` are files in PEM for TLS. `address` is where
    devices reach it, if a server stands in front of it. `conflict` says who wins where both sides
    changed an item; the loser stands in the log of syncs. A conversation that nobody goes on with
    for `minutes` is over.
    """

    listen: str = "127.0.0.1:8640"
    certificate: str = ""
    key: str = ""
    address: Annotated[str, Meta(pattern=_ADDRESS)] = ""
    conflict: Wins = Wins.SERVER
    max_message: Annotated[int, Meta(ge=8_000, le=4_000_000)] = 150_000
    max_object: Annotated[int, Meta(ge=8_000, le=50_000_000)] = 4_000_000
    minutes: Annotated[int, Meta(ge=1, le=1_440)] = 60

    @property
    def patience(self) -> timedelta:
        """Return how long a conversation may rest."""
        return timedelta(minutes=self.minutes)
