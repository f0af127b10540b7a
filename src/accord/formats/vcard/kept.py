"""What a card says besides the modelled values, as extras keep it.

`vcard:X-FOO` holds an unknown property. The name of a modelled one (`vcard:N`) holds its
content lines where writing the value anew would give others: groups, parameters, spellings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias
from zlib import crc32

from accord.formats.lines import Line, escape, format_line, parse, split, unescape

NAMESPACE = "vcard:"

Extras: TypeAlias = dict[str, str | int | float | bool | tuple[str, ...] | None]
Params: TypeAlias = Mapping[str, tuple[str, ...]]
Props: TypeAlias = dict[str, list["Entry"]]


class Entry(NamedTuple):
    """Be one property of a card, its group apart."""

    group: str
    name: str
    params: Params
    value: str
    number: int

    @property
    def types(self) -> list[str]:
        """Return the TYPE values in lower case, each once."""
        found = (part for value in self.params.get("TYPE", ()) for part in value.split(","))
        return list(dict.fromkeys(part.strip().lower() for part in found if part.strip()))

    @property
    def raw(self) -> str:
        """Return the content line."""
        return line_of(self.name, self.params, self.value, self.group)


def entry(line: Line) -> Entry:
    """Return a line as an entry of a card."""
    group, _, name = line.name.rpartition(".")
    return Entry(group.lower(), name, line.params, line.value, line.number)


def line_of(name: str, params: Params, value: str, group: str = "") -> str:
    """Return a content line with its group."""
    return format_line(f"{group}.{name}" if group else name, params, value)


def checksum(value: object) -> str:
    """Return a short mark that tells whether a value is still the one read."""
    return f"@{crc32(repr(value).encode('utf-8', 'replace')):08x}"


def kept(extras: Mapping[str, object], name: str) -> list[Entry]:
    """Return the lines that extras keep under the name of a modelled property."""
    value = extras.get(NAMESPACE + name)
    lines = value if isinstance(value, tuple) else ()
    return [entry(parse(text, 0)) for text in lines if not text.startswith("@")]


def unchanged(extras: Mapping[str, object], name: str, value: object) -> bool:
    """Tell whether the kept lines of a property were read as this very value."""
    found = extras.get(NAMESPACE + name)
    return isinstance(found, tuple) and found[:1] == (checksum(value),)


def parts(value: str, separator: str = ";") -> list[str]:
    """Return the texts of a structured value or a list."""
    return [unescape(part).strip() for part in split(value, separator)]


def structured(values: Sequence[str]) -> str:
    """Return a structured value."""
    return ";".join(map(escape, values))
