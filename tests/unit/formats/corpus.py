"""The calendar files that icalendar and recurring-ical-events ship in their test folders."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

EXPECTED = {"icalendar": 163, "recurring_ical_events": 95}


def files(package: str) -> list[Path]:
    """Return the .ics files of an installed package, in order."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return sorted(Path(spec.origin).parent.rglob("*.ics"))


def name_of(path: Path) -> str:
    """Return the name that the lists of reviewed files use: its last folder and its own."""
    return f"{path.parent.name}/{path.name}"
