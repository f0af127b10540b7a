"""When an item happens: its occurrences, its first start and its last end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from accord.model.item import Absence, Event, Item, Task
from accord.model.zones import instant


def first_and_last(item: Item) -> tuple[datetime, datetime | None]:
    """Return first start and last end in UTC; None as last end means endless."""
    if isinstance(item, Task):
        moment = item.start or item.due or datetime(1970, 1, 1)
        start, end = moment, item.due or moment
    elif isinstance(item, Event | Absence):
        start, end = item.start, item.end
    else:
        return datetime(1970, 1, 1, tzinfo=UTC), None
    zone = item.time_zone
    last = instant(end, zone)
    if isinstance(item, Event):
        if item.rule is not None:
            if item.rule.until is None and item.rule.count is None:
                return instant(start, zone), None
            until = item.rule.until or start + timedelta(days=366 * (item.rule.count or 1))
            last = max(last, instant(until, zone) + (end - start))
        for extra in item.rdates:
            last = max(last, instant(extra, zone) + (end - start))
    return instant(start, zone), last
