"""Values of items in few words, for people: one line, cut to a bearable length."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from msgspec import Struct, UnsetType

NOTHING = "—"
LONGEST = 100


def short(value: Any, longest: int = LONGEST) -> str:
    """Return a value in one line of at most `longest` characters."""
    text = " ".join(_words(value).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def plural(count: int, one: str, many: str = "") -> str:
    """Return `3 links`, `1 link`; `one` and `many` may be all that is said of them."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def moment(value: datetime | None) -> str:
    """Return an instant in the machine's own time, to the second."""
    return NOTHING if value is None else f"{value.astimezone():%Y-%m-%d %H:%M:%S}"


def lasting(seconds: float) -> str:
    """Return for how long something stands, roughly."""
    seconds = max(seconds, 0.0)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"


def _words(value: Any) -> str:
    match value:
        case _ if value in (None, "", (), [], {}):
            return NOTHING
        case True:
            return "yes"
        case False:
            return "no"
        case Enum():
            return str(value.value)
        case datetime():
            return _time(value)
        case str():
            return _iso(value)
        case list() | tuple():
            return ", ".join(_words(each) for each in value)
        case Struct():
            said = {name: getattr(value, name) for name in value.__struct_fields__}
            return _table({k: v for k, v in said.items() if not isinstance(v, UnsetType)})
        case Mapping():
            return _table(value)
        case _:
            return str(value)


def _table(value: Mapping[str, Any]) -> str:
    """Return what distinguishes a part of an item: its address, text or whatever it says."""
    said = {name: each for name, each in value.items() if each not in (None, "", [], (), {}, False)}
    if "digest" in said and "name" in said:
        return _file(said)
    if "frequency" in said:
        return _rule(value)
    for name in ("address", "number", "text"):
        if name in said:
            rest = said.get("name") or said.get("type") or said.get("reply")
            return f"{said[name]}" + (f" ({_words(rest)})" if rest and name != "text" else "")
    return ", ".join(f"{name} {_words(each)}" for name, each in said.items()) or NOTHING


def _rule(value: Mapping[str, Any]) -> str:
    """Return how often something repeats: weekly, every 2 weeks, 10 times, day mo."""
    frequency, interval = _words(value["frequency"]), value.get("interval", 1)
    unit = "day" if frequency == "daily" else frequency.removesuffix("ly")
    parts = [frequency if interval == 1 else f"every {plural(interval, unit)}"]
    if (count := value.get("count")) is not None:
        parts.append(plural(count, "time"))
    if (until := value.get("until")) is not None:
        parts.append(f"until {_words(until)}")
    for name, each in value.items():
        if name.startswith("by_") and each:
            days = name == "by_day"
            told = ", ".join(map(_weekday, each)) if days else _words(each)
            parts.append(f"{name.removeprefix('by_').replace('_', ' ')} {told}")
    if (first := _words(value.get("week_start", "mo"))) != "mo":
        parts.append(f"weeks from {first}")
    return ", ".join(parts)


def _weekday(value: Any) -> str:
    """Return one day of a rule: mo, or -1 fr for the last of its kind."""
    said = value if isinstance(value, Mapping) else {"day": value.day, "nth": value.nth}
    return f"{said.get('nth') or ''} {_words(said['day'])}".strip()


def _file(said: Mapping[str, Any]) -> str:
    """Return a file's name and size, and where its bytes are once it is taken off."""
    size = said.get("size", 0)
    large = f"{size / 1024 / 1024:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"
    kept = ", kept in the CRM" if said.get("kept") else ""
    return f"{said['name']} ({large}{kept})"


def _time(value: datetime) -> str:
    clock = f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
    return clock if value.tzinfo is None else f"{clock} {value:%Z}"


def _iso(text: str) -> str:
    """Return a moment in canonical JSON as people read it; any other text as it is."""
    if len(text) < 16 or text[4:5] != "-" or text[10:11] != "T":
        return text
    try:
        return _time(datetime.fromisoformat(text))
    except ValueError:
        return text


def of_templates(plans: int, handovers: int, withdrawals: int) -> list[str]:
    """Say what templates let wait, and where it is listed: a line each, none for nothing."""
    lines = []
    if plans:
        lines.append(f"{plural(plans, 'plan')} of templates for approval: `accord templates`")
    if handovers:
        offers = plural(handovers, "handover")
        lines.append(f"{offers} to successors for approval: `accord templates handovers`")
    if withdrawals:
        stuck = plural(withdrawals, "withdrawal")
        lines.append(f"{stuck} of leavers held or failed: `accord templates`")
    return lines
