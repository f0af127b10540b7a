"""The port for time: our own, so that tests and previews can stand at any moment, and a side's.

Of a side on another machine it is known how far its clock is from ours only while it tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from accord.model.observe import Snapshot

Clock: TypeAlias = Callable[[], datetime]
"""Return the present moment, aware, in UTC."""

AGREEING = 2.0
"""Clocks agree that are at most so many seconds apart."""

LASTING = 3_600.0
"""For so many seconds what was seen of a clock counts."""


class Reading(Struct, frozen=True, kw_only=True):
    """Be what was seen of a side's clock: by how many seconds `ahead` of ours, how many ago."""

    ahead: float
    age: float


OURS = Reading(ahead=0.0, age=0.0)
"""The clock of whatever works in this process: it is our own."""


@runtime_checkable
class Timed(Protocol):
    """Be a session whose side tells what time it is; by that clock it says when items changed."""

    def clock(self) -> Reading | None:
        """Return what was seen of the side's clock last, None where it hasn't told yet.

        Asks nothing: what answers tell anyway is enough.
        """
        ...


@runtime_checkable
class Dated(Protocol):
    """Be a session whose listings don't say by its own clock when an item was edited."""

    def edited(self, snapshots: Sequence[Snapshot]) -> Mapping[str, datetime]:
        """Return when these were edited by that clock (UTC), by ref.

        Only those of which that is known, and whose version still stands.
        """
        ...


def system_clock() -> datetime:
    """Return the machine's time in UTC."""
    return datetime.now(UTC)


def differing(reading: Reading) -> str:
    """Say by how much a clock differs from ours."""
    much = abs(reading.ahead)
    shown = f"{much:.1f}" if 0.05 <= much < 10 else f"{much:,.0f}"
    return f"{shown} s {'behind' if reading.ahead < 0 else 'ahead of'} ours"
