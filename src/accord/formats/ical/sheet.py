"""One component while it is written: its content lines, the extras beside them, the zones named."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType

from accord.formats.errors import Refused
from accord.formats.ical.props import NAMESPACE, balanced, checksum
from accord.formats.ical.values import BEYOND, EDGES, format_date, format_local
from accord.formats.lines import escape, one_line
from accord.model.zones import instant

_NAME = re.compile(r"[A-Z0-9-]+\Z")
_TZID = re.compile(r';TZID="?([^":;\n]+)')


class Sheet:
    """Collect the lines of a component whose extras are given."""

    def __init__(
        self,
        extras: Mapping[str, object],
        *,
        silent: bool = False,
        before: Mapping[str, frozenset[str]] = MappingProxyType({}),
    ) -> None:
        """Keep what travels beside the modelled values; `silent` and `before` are for attendees."""
        self.lines: list[str] = []
        self.extras = extras
        self.zones: set[str] = set()
        self.silent = silent
        self.before = before

    def kept(self, name: str) -> tuple[str, ...]:
        """Return the lines or parameters that extras keep under a name."""
        value = self.extras.get(NAMESPACE + name)
        return value if isinstance(value, tuple) else ()

    def put(self, name: str, value: str, params: str = "", *, default: bool = False) -> None:
        """Write a modelled property, with the parameters kept beside it.

        Where the value is the `default`, an odd original that was read as the default stands.
        """
        kept = self.kept(name) if self.extras else ()
        if not kept:
            self.lines.append(f"{name}{params}:{value}")
        elif kept[0] == "=":
            self.lines.extend(kept[1:] if default else (f"{name}{params}:{value}",))
        else:
            more = tuple(one for one in kept if one.startswith((f"{name}:", f"{name};")))
            beside = [one for one in kept if one not in more and not one.startswith("@")]
            if kept[0].startswith("@") and kept[0] != checksum(value):
                beside = [one for one in beside if not one.startswith("ALTREP=")]
            self.lines.append(f"{name}{params}{''.join(f';{one}' for one in beside)}:{value}")
            self.lines.extend(more)

    def text(self, name: str, text: str) -> None:
        """Write a TEXT property unless it says nothing."""
        if text:
            self.put(name, escape(text))

    def time(self, name: str, local: datetime, zone: str | None, all_day: bool) -> None:
        """Write a property that holds one time."""
        self.put(name, *self.stamp([local], zone, all_day))

    def stamp(
        self, dates: Collection[datetime], zone: str | None, all_day: bool
    ) -> tuple[str, str]:
        """Return value and parameters of a property that holds times of one zone.

        Raises Refused for a time that no reader could tell.
        """
        if all_day:
            return ",".join(map(format_date, dates)), ";VALUE=DATE"
        if zone is None:
            return ",".join(map(format_local, dates)), ""
        if zone == "UTC":
            return ",".join(f"{format_local(date)}Z" for date in dates), ""
        for date in dates:
            if date.year in EDGES:
                _tell(date, zone)
        self.zones.add(zone)
        return ",".join(map(format_local, dates)), f";TZID={zone}"

    def others(self, modelled: Collection[str]) -> None:
        """Write what extras keep of unknown properties and components, by name."""
        for key in sorted(self.extras):
            name = key.removeprefix(NAMESPACE).upper()
            if not key.startswith(NAMESPACE) or name in modelled or not _NAME.match(name):
                continue
            value = self.extras[key]
            if isinstance(value, tuple):
                for text in value:
                    self.raw(name, str(text))
            elif isinstance(value, bool):
                self.lines.append(f"{name}:{'TRUE' if value else 'FALSE'}")
            elif value is not None:
                self.lines.append(f"{name}:{one_line(str(value))}")

    def raw(self, name: str, text: str) -> None:
        """Write a kept content line or component; anything else becomes a value."""
        if text.startswith((f"{name}:", f"{name};")):
            self.lines.append(one_line(text))
        elif text.startswith(f"BEGIN:{name}\n"):
            if balanced(text):
                self.lines.extend(text.split("\n"))
        else:
            self.lines.append(f"{name}:{one_line(text)}")

    def named_zones(self) -> set[str]:
        """Return the zones of all lines, those of kept lines included."""
        found = set(self.zones)
        if self.extras:
            for line in self.lines:
                if ";TZID=" in line:
                    found.update(_TZID.findall(line))
        return found


def _tell(local: datetime, zone: str) -> None:
    try:
        instant(local, zone)
    except OverflowError as error:
        raise Refused(BEYOND) from error
