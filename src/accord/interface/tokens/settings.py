"""The start-up settings of tokens: the table `[tokens]` of accord.toml.

Read by `service.config`; the desk and the providers are made from them.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class Provider(StrEnum):
    """Say who issues and checks tokens: Accord itself, or a program of yours."""

    HMAC = "hmac"
    COMMAND = "command"


class TokenSettings(Struct, frozen=True, kw_only=True):
    """Be the table `[tokens]`; moments are in seconds.

    `command` is the program and its arguments, never read by a shell, and `timeout` how long it
    may take. `skew` is by how much two machines' clocks may differ. Within `window` a user may
    fail `user_failures` times and an address `peer_failures` times.
    """

    provider: Provider = Provider.HMAC
    command: tuple[str, ...] = ()
    timeout: Seconds = 10
    skew: Annotated[int, Meta(ge=0, le=3_600)] = 60
    longest_days: Annotated[int, Meta(ge=1, le=3_660)] = 366
    user_failures: Count = 20
    peer_failures: Count = 100
    window: Seconds = 300

    @property
    def longest(self) -> timedelta:
        """Return how long a token may hold; a longer one ends then."""
        return timedelta(days=self.longest_days)

    @property
    def tolerance(self) -> timedelta:
        """Return by how much clocks may differ."""
        return timedelta(seconds=self.skew)
