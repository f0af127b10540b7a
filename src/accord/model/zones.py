"""Time zones by their IANA names; the one place where wall-clock times meet instants."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


class UnknownZone(ValueError):
    """Say that a name is no IANA time zone."""


@lru_cache(maxsize=700)
def zone(name: str) -> ZoneInfo:
    """Return the rules of an IANA zone; raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownZone(f"{name[:60]!r} is no time zone") from error


def instant(local: datetime, time_zone: str | None) -> datetime:
    """Return the UTC instant of a wall-clock time; floating times count as UTC.

    Of an hour that comes twice it is the first, of one that is skipped the clock's reading
    before the change counts (RFC 5545 3.3.5).
    """
    if time_zone is None or time_zone == "UTC":
        return local.replace(tzinfo=UTC)
    return local.replace(tzinfo=zone(time_zone)).astimezone(UTC)


def wall_clock(moment: datetime, time_zone: str | None) -> datetime:
    """Return the wall-clock time of an aware instant in a zone, without offset."""
    where = UTC if time_zone is None or time_zone == "UTC" else zone(time_zone)
    return moment.astimezone(where).replace(tzinfo=None, fold=0)
