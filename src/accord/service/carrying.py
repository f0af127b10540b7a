"""Which series are shown by their occurrences, how far ahead, and under which refs.

`by_occurrence` shows them so; a link's rule says whether.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from msgspec import Struct

from accord.model.item import Event
from accord.model.observe import Snapshot
from accord.model.occurrences import TooMany
from accord.model.singles import singles
from accord.model.zones import UnknownZone
from accord.rules.rule import Meetings, Rule, Unfit

MOST = 366
"""Occurrences of a series at most: one for each day of a year."""

_REF = re.compile(r"(?P<series>.+)#(?P<when>\d{8}T\d{6})", re.DOTALL)
_WHEN = "%Y%m%dT%H%M%S"


class Carrying(Struct, frozen=True, kw_only=True):
    """Say which series are shown by occurrences, and how far.

    `unfit` returns why the target can't hold an event, `copied` the CRM's refs of all pairs.
    """

    rule: Rule
    now: datetime
    unfit: Callable[[Event], str]
    copied: Callable[[], Collection[str]]

    def why_whole(self, event: Event) -> str:
        """Return why a series isn't shown by occurrences; empty where it is."""
        said = self.rule.series
        if said.unfit is not Unfit.OCCURRENCES:
            return "the rule writes no occurrences"
        if event.attendees and self.rule.meetings is Meetings.INVITE:
            return "each occurrence would be an invitation of its own"
        try:
            self.ahead(event)
        except (TooMany, UnknownZone, OverflowError) as error:
            return f"within {said.days} days {error}"
        return ""

    def ahead(self, event: Event) -> dict[datetime, Event]:
        """Return the occurrences from today on; raises TooMany and UnknownZone."""
        start = self.now - timedelta(days=1)
        end = self.now + timedelta(days=self.rule.series.days)
        found = singles(event, start, end, limit=MOST)
        return {each.recurrence_id: each.item for each in found}

    def shows(self, snapshot: Snapshot) -> bool:
        """Tell whether a record is shown by its occurrences."""
        item = snapshot.item
        if not isinstance(item, Event) or not item.recurs or not self.unfit(item):
            return False
        return not self.why_whole(item)


def ref_of(series: str, recurrence_id: datetime) -> str:
    """Return the ref of an occurrence."""
    return f"{series}#{recurrence_id:{_WHEN}}"


def parse_ref(ref: str) -> tuple[str, datetime | None]:
    """Return the record's own ref, and which occurrence is meant; None for the record itself."""
    found = _REF.fullmatch(ref)
    if found is None:
        return ref, None
    try:
        # Local to the series' zone.
        return found["series"], datetime.strptime(found["when"], _WHEN)
    except ValueError:
        return ref, None
