"""A mailbox's automatic replies as a value: on or off, for which time, with which texts.

`rules` words them, `engine` decides about them, groupware adapters read and set them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Audience(StrEnum):
    """Say who outside of the organization gets an automatic reply."""

    NONE = "none"
    KNOWN = "known"
    ALL = "all"


class Replies(Struct, frozen=True, kw_only=True):
    """Be a mailbox's automatic replies; times are UTC, None for no limit.

    The texts are HTML as it stands there, so that what was there can be put back to the letter.
    """

    on: bool = False
    start: datetime | None = None
    end: datetime | None = None
    inside: str = ""
    outside: str = ""
    audience: Audience = Audience.NONE

    def answers(self, now: datetime) -> bool:
        """Tell whether somebody is answered now or will be: a time that is over answers nobody."""
        return self.on and (self.end is None or self.end > now)
