"""The properties of one component by name, and the parts of them that the model doesn't know.

What isn't modelled travels in extras: `ical:X-FOO` holds the value of an unknown property (or
its content lines, where there are several or parameters), and the name of a modelled property
(`ical:SUMMARY`) holds the parameters beside the modelled value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias
from zlib import crc32

from accord.formats.ical.values import refuse
from accord.formats.lines import Line, format_line, format_param
from accord.formats.tree import Component

NAMESPACE = "ical:"

Extras: TypeAlias = dict[str, str | int | float | bool | tuple[str, ...] | None]

SINGLE = frozenset(
    {"UID", "DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "RRULE", "COMPLETED"}
)
"""Properties that must not stand twice, because two would contradict each other."""

DROPPED = frozenset({"DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "UID", "X-ACCORD-ID"})
"""Properties that are told apart from the item, or made anew with every writing."""

Props: TypeAlias = dict[str, list[Line]]


def gather(component: Component) -> Props:
    """Return the lines of a component by name; raises Refused for what contradicts itself."""
    if component.bad is not None:
        raise component.bad
    props: Props = {}
    for line in component.lines:
        if line.name in props:
            props[line.name].append(line)
            if line.name in SINGLE:
                _same_twice(props[line.name])
        else:
            props[line.name] = [line]
    return props


def _same_twice(lines: list[Line]) -> None:
    first, other = lines[0], lines[-1]
    if (first.value, first.params) != (other.value, other.params):
        raise refuse(other, "it stands there twice with different values")
    lines.pop()


def first(props: Props, name: str) -> Line | None:
    """Return the first line of a name."""
    lines = props.get(name)
    return lines[0] if lines else None


def raw(line: Line, tzid: str = "") -> str:
    """Return the content line as kept in extras, under the IANA zone `tzid` where given."""
    if tzid:
        return format_line(line.name, {**line.params, "TZID": (tzid,)}, line.value)
    return format_line(line.name, line.params, line.value)


def unknown(lines: list[Line]) -> str | tuple[str, ...]:
    """Return what extras keep of an unknown property: its bare value, or content lines."""
    if len(lines) == 1 and not lines[0].params:
        return lines[0].value
    return tuple(raw(line) for line in lines)


def beside(lines: list[Line], known: Collection[str] = ()) -> tuple[str, ...]:
    """Return what extras keep beside a modelled single value.

    These are parameters other than `known`, and further lines of the same name. An ALTREP
    belongs to the very text it stands with, so its checksum is kept as `@…`.
    """
    line = lines[0]
    kept = [format_param(key, line.params[key]) for key in sorted(line.params) if key not in known]
    if "ALTREP" in line.params and "ALTREP" not in known:
        kept.insert(0, checksum(line.value))
    kept.extend(raw(other) for other in lines[1:])
    return tuple(kept)


def keep(extras: Extras, props: Props, name: str, known: Collection[str] = ()) -> Line | None:
    """Return the first line of a modelled property, and keep what stands beside its value."""
    lines = props.get(name)
    if not lines:
        return None
    if len(lines) > 1 or lines[0].params:
        kept = beside(lines, known)
        if kept:
            extras[NAMESPACE + name] = kept
    return lines[0]


def checksum(text: str) -> str:
    """Return a short mark that tells whether a text is still the one read."""
    return f"@{crc32(text.encode('utf-8', 'replace')):08x}"


def components(parts: Iterable[Component], zoned: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return unknown components as extras keep them: by name, each one text."""
    found: dict[str, list[str]] = {}
    for part in parts:
        for inner in part.walk():
            if inner.bad is not None:
                raise inner.bad
        found.setdefault(part.name, []).append(rezoned(part, zoned))
    return {NAMESPACE + name: tuple(texts) for name, texts in found.items()}


def rezoned(part: Component, zoned: Mapping[str, str]) -> str:
    """Return a component as one text, its TZIDs replaced by IANA names."""
    for inner in part.walk():
        inner.lines = [
            line._replace(params={**line.params, "TZID": (zoned.get(tzid, tzid),)})
            if (tzid := line.param("TZID"))
            else line
            for line in inner.lines
        ]
    return "\n".join(part.dump())


def balanced(text: str) -> bool:
    """Tell whether a component closes all that it opens, and nothing else."""
    depth = 0
    lines = text.split("\n")
    for index, line in enumerate(lines):
        mark = line[:6].upper()
        depth += (mark == "BEGIN:") - (mark[:4] == "END:")
        if depth <= 0:
            return depth == 0 and index == len(lines) - 1
    return False
