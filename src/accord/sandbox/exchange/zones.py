"""Time zones by their Windows names, as clients spell them."""

from __future__ import annotations

from datetime import tzinfo
from zoneinfo import ZoneInfo

from accord.formats import windows_zones
from accord.sandbox.exchange.errors import SoapFault
from accord.sandbox.exchange.xml import Node, child


def zone_of(header: Node | None) -> tuple[str, tzinfo]:
    """Return name and rules of the zone that a TimeZoneContext names. Raises SoapFault."""
    named = None if header is None else child(header, "TimeZoneDefinition")
    name = "UTC" if named is None else named.get("Id", "")
    found = zone_named(name)
    if found is None:
        raise SoapFault("ErrorTimeZone", "The time zone is not known.")
    return name, found


def zone_named(name: str) -> tzinfo | None:
    """Return the zone of a Windows name."""
    found = windows_zones.iana(name)
    return None if found is None else ZoneInfo(found)
