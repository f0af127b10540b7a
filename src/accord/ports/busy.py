"""Free and busy times, an optional part of the ports: who is taken when, and who works with whom.

`service/busy.py` asks a groupware session for times and the CRM for teams; where a session can't
tell times by itself, the calendar it can read does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from accord.model.busy import Span


class Times(Struct, frozen=True, kw_only=True):
    """Be when somebody is taken, and where that is known from, for people."""

    spans: tuple[Span, ...]
    source: str


class Hidden(Struct, frozen=True, kw_only=True):
    """Say why somebody's times can't be told."""

    why: str


Seen: TypeAlias = Times | Hidden


@runtime_checkable
class BusySource(Protocol):
    """Be a session that tells when other people of its server are taken, times and no more."""

    def busy(self, people: Sequence[str], start: datetime, end: datetime) -> list[Seen]:
        """Return for each address when that person is taken from `start` to before `end` (UTC).

        Only what the session's own person may see; where that is nothing the answer says why.
        """
        ...


@runtime_checkable
class Teams(Protocol):
    """Be a CRM that knows who works together."""

    def teammates(self, user: str) -> frozenset[str]:
        """Return the users who are in a group with this one."""
        ...
