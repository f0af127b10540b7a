"""What devices do to items that nobody edited, so that it isn't taken for an edit.

They count otherwise, repeat a title as the text, turn HTML into text, and most hold one calendar
entry per item: a series goes out without its changed occurrences, which go beside it (`unfolding`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from msgspec.structs import replace

from accord.model.fields import FIELDS
from accord.model.html import says_the_same
from accord.model.item import Event, Item, Task
from accord.model.kinds import Kind
from accord.model.occurrences import TooMany, starts_of
from accord.model.parts import Body, BodyType
from accord.model.recurrence import RecurrenceRule

_MOST = 2_000
_FAR = timedelta(days=36_525)


def shown(item: Item) -> Item:
    """Return an item as devices get it: a series leaves its changed occurrences out."""
    if not isinstance(item, Event) or not item.overrides:
        return item
    left = {one.recurrence_id for one in item.overrides}
    return replace(item, overrides=(), exdates=tuple(sorted(left | set(item.exdates))))


def plain(item: Item) -> Item:
    """Return a device's item without a text that only repeats its title."""
    if isinstance(item, Event | Task) and item.body is not None:
        text = item.body.text.strip()
        if item.body.type is BodyType.TEXT and text == item.title.strip():
            return replace(item, body=None)
    return item


def settle(stored: Item, given: Item, values: dict[str, Any]) -> dict[str, Any]:
    """Return, of the fields that seem changed, those that a person changed."""
    kept = dict(values)
    body = getattr(stored, "body", None)
    if "body" in kept and _same_body(body, kept["body"]):
        del kept["body"]
    if "rule" in kept and _same_rule(stored, given):
        del kept["rule"]
    if kept.keys() == {"size"}:
        # A mail that is written otherwise, and says the same.
        return {}
    if isinstance(stored, Event) and stored.overrides:
        kept.pop("overrides", None)
        if not isinstance(given, Event) or not given.recurs:
            kept.pop("exdates", None)
        elif "exdates" in kept:
            ours = {one.recurrence_id for one in stored.overrides} - set(stored.exdates)
            dates = tuple(date for date in given.exdates if date not in ours)
            kept["exdates"] = dates
            if set(dates) == set(stored.exdates):
                del kept["exdates"]
    return kept


def breaks(stored: Item, given: Item, values: dict[str, Any]) -> bool:
    """Tell whether a change makes one entry of a series of which some occurrences were changed.

    What a device says that can't hold a series, and says so, is about the whole as long as it
    leaves the time alone.
    """
    if not isinstance(stored, Event) or not stored.overrides:
        return False
    if not isinstance(given, Event) or given.recurs:
        return False
    return any(FIELDS[Kind.EVENT][name].group == "schedule" for name in values)


def _same_body(stored: Body | None, given: Body | None) -> bool:
    if stored is None or given is None:
        return stored is given
    if stored.type is not BodyType.HTML or given.type is not BodyType.TEXT:
        return False
    return says_the_same(given.text, stored.text)


def _same_rule(stored: Item, given: Item) -> bool:
    """Tell whether two rules that end give the same dates, one by count, one by date."""
    if not isinstance(stored, Event | Task) or not isinstance(given, Event | Task):
        return False
    if stored.rule is None or given.rule is None or stored.start != given.start:
        return False
    if not (_ends(stored.rule) and _ends(given.rule)):
        return False
    try:
        ours, theirs = _dates(stored.rule, stored.start), _dates(given.rule, stored.start)
    except TooMany:
        return False
    return ours == theirs and len(ours) < _MOST


def _dates(rule: RecurrenceRule, start: datetime | None) -> list[datetime]:
    if start is None:
        return []
    until = start + min(_FAR, datetime.max - start)
    return list(islice(starts_of(rule, start, start, until), _MOST))


def _ends(rule: RecurrenceRule) -> bool:
    return rule.count is not None or rule.until is not None
