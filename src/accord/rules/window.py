"""When an item is within a rule's window, and when it enters and leaves it.

Entry and exit happen as time passes, with no change event: `state` indexes these times.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from accord.model.item import Absence, Event, Item
from accord.model.occurrences import first_and_last
from accord.rules.failure import RuleFailed
from accord.rules.rule import Window

_LONGEST = 4_000_000
_BEGIN = datetime(1, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 31, tzinfo=UTC)


def window_times(window: Window, item: Item) -> tuple[datetime | None, datetime | None]:
    """Return when `item` enters and leaves a window, UTC; None is always, and never.

    It enters `future` days before its first occurrence begins and leaves `past` days after
    its last one ends; an endless series never leaves. Tasks and contacts have no window.
    Raises RuleFailed for times that can't be told.
    """
    if window.past is None and window.future is None:
        return None, None
    if not isinstance(item, Event | Absence):
        return None, None
    try:
        found = first_and_last(item)
    except (ValueError, OverflowError) as error:
        raise RuleFailed("window", str(error)) from error
    if found is None:
        return None, None
    first, last = found
    enters = None if window.future is None else _earlier(first, window.future)
    leaves = None if window.past is None or last is None else _later(last, window.past)
    return enters, leaves


def _earlier(moment: datetime, days: int) -> datetime:
    try:
        return moment - timedelta(days=min(days, _LONGEST))
    except OverflowError:
        return _BEGIN


def _later(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=min(days, _LONGEST))
    except OverflowError:
        return _END
