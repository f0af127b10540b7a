"""What a TZID means: always an IANA zone, or a refusal.

A name is believed before its definition, as calendar programs do; custom names are told by
comparing their definition with every IANA zone over the years that matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files

from accord.formats import windows_zones
from accord.formats.errors import Refused
from accord.formats.ical.observances import Definition
from accord.formats.ical.values import refuse
from accord.formats.lines import Line
from accord.model.zones import zone

HORIZON = 10
"""For how many years after its start the zone of an endless series must agree."""


class Zones:
    """Be the time zone definitions of one text, by TZID."""

    def __init__(
        self, definitions: Iterable[list[str]], most: int, floating: str | None = None
    ) -> None:
        """Keep the undivided lines of each definition; raises Refused for more than `most`.

        `floating` is the zone that times without one lie in.
        """
        self.floating = floating
        self._raw: dict[str, tuple[str, ...]] = {}
        for raw in definitions:
            tzid = _value(raw, "TZID")
            if tzid:
                self._raw.setdefault(tzid, tuple(raw))
            if len(self._raw) > most:
                raise Refused(f"the text defines more than {most} time zones")

    def resolve(
        self, tzid: str, at: datetime, last: int, recurs: bool, line: Line
    ) -> tuple[str, bool]:
        """Return the IANA zone that `tzid` means, and whether it does so for other times too.

        The zone must agree from the year of the local time `at` to the year `last`; a single
        moment is content with a zone that agrees at that moment. Raises Refused otherwise.
        """
        named = by_name(tzid)
        if named is not None:
            return named, True
        raw = self._raw.get(tzid) or self._raw.get(tzid.strip("/"))
        if raw is None:
            raise refuse(line, f"the time zone {tzid[:60]!r} is neither known nor defined")
        located = by_name(_value(raw, "X-LIC-LOCATION"))
        if located is not None:
            return located, True
        try:
            found = _by_rules(raw, tzid, at.year, min(last, at.year + HORIZON), None)
            if found is not None:
                return found, True
            found = None if recurs else _by_rules(raw, tzid, at.year, at.year, at)
        except Refused as error:
            raise refuse(line, f"the time zone {tzid[:60]!r}: {error.reason}") from error
        except (OverflowError, ValueError) as error:
            raise refuse(line, "the time zone reaches beyond the calendar") from error
        if found is None:
            raise refuse(line, f"no IANA time zone has the offsets of {tzid[:60]!r}")
        return found, False


@lru_cache(maxsize=4096)
def by_name(tzid: str) -> str | None:
    """Return the IANA zone of a TZID by its name alone: IANA, prefixed, Windows, UTC."""
    name = tzid.strip().strip('"')
    if name.casefold() in _UTC_NAMES:
        return "UTC"
    known = _known()
    if name.casefold() in known:
        return known[name.casefold()]
    parts = name.strip("/").split("/")[-4:]
    for skipped in range(len(parts) - 1):
        tail = "/".join(parts[skipped:]).casefold()
        if tail in known:
            return known[tail]
    return windows_zones.iana(name)


_UTC_NAMES = {
    "utc",
    "etc/utc",
    "z",
    "zulu",
    "etc/zulu",
    "uct",
    "etc/uct",
    "coordinated universal time",
}


def _value(raw: Iterable[str], name: str) -> str:
    for line in raw:
        if line[: len(name)].upper() == name and line[len(name) : len(name) + 1] in (":", ";"):
            return line.partition(":")[2].strip()
    return ""


@cache
def _known() -> dict[str, str]:
    names = files("tzdata").joinpath("zones").read_text("ascii").split()
    return {name.casefold(): name for name in names}


@lru_cache(maxsize=512)
def _by_rules(
    raw: tuple[str, ...], tzid: str, first: int, last: int, exact: datetime | None
) -> str | None:
    definition = Definition(list(raw))
    for slack in (timedelta(0), _SLACK):
        found = fitting(tzid, list(_probes(definition, first, last, exact, slack)))
        if found is not None:
            return found
    return None


def fitting(hint: str, probes: list[tuple[datetime, timedelta]]) -> str | None:
    """Return an IANA zone that has the offset of each (UTC instant, offset), the likeliest first.

    Cities that are named in `hint` come before others.
    """
    return next((name for name in _candidates(hint, probes) if agrees(name, probes)), None)


_SLACK = timedelta(hours=3)
"""Notes lets summer and winter begin at the same local hour: wrong, but only for that night."""


def _probes(
    definition: Definition, first: int, last: int, exact: datetime | None, slack: timedelta
) -> Iterator[tuple[datetime, timedelta]]:
    """Yield instants with the offset that the definition gives them."""
    changes = definition.transitions(first, last)
    offsets = [definition.first_offset, *(change.after for change in changes)]
    moments = [change.at for change in changes]
    if exact is not None:
        # Of an hour that comes twice the first counts, of one that is skipped the old offset.
        around = zip(moments, offsets, offsets[1:], strict=False)
        over = [at for at, *pair in around if _local(at, max(pair)) <= exact]
        offset = offsets[len(over)]
        yield (exact - offset).replace(tzinfo=UTC), offset
        return
    months = [datetime(y, m, 15, tzinfo=UTC) for y in range(first, last + 1) for m in range(1, 13)]
    inside = [at for at in moments if at.year >= first]
    edges = [x for at in inside for x in (at - slack - timedelta(seconds=1), at + slack)]
    index = 0
    for at in sorted({*months, *edges}):
        while index < len(moments) and moments[index] <= at:
            index += 1
        yield at, offsets[index]


def _local(at: datetime, offset: timedelta) -> datetime:
    return (at + offset).replace(tzinfo=None)


def agrees(name: str, probes: list[tuple[datetime, timedelta]]) -> bool:
    """Tell whether a zone has the offset of each (UTC instant, offset)."""
    rules = zone(name)
    return all(at.astimezone(rules).utcoffset() == offset for at, offset in probes)


def _candidates(tzid: str, probes: list[tuple[datetime, timedelta]]) -> Iterator[str]:
    """Yield zones to try: a fixed offset where that is all, named cities, wide use, then all."""
    offsets = {offset for _, offset in probes}
    if len(offsets) == 1:
        hours, rest = divmod(int(offsets.pop().total_seconds()), 3600)
        if rest == 0 and -14 <= -hours <= 12:
            yield "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"
    text = tzid.casefold()
    for key, name in _known().items():
        if "/" in key and key.rpartition("/")[2].replace("_", " ") in text:
            yield name
    yield from _FAMILIAR
    yield from windows_zones.common()
    yield from _known().values()


_FAMILIAR = (
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
"""What to call rules that several zones share."""
