"""Whole series as items to whole series as Microsoft says them: the rule with all its changes.

Adapters ask this before they write; what is `Unfit` is withheld, or its occurrences are written.
"""

from __future__ import annotations

from accord.formats.outlook.neighbours import fits_neighbours
from accord.formats.outlook.pattern import Dialect, Unfit
from accord.formats.outlook.to_pattern import Fit, to_pattern
from accord.model.item import Event


def event_pattern(event: Event, dialect: Dialect = Dialect.EWS) -> Fit | Unfit:
    """Return the pattern of a series, or why series or one of its changes can't be written.

    Single dates without a rule are unfit; an event that doesn't repeat isn't asked about.
    """
    length = event.end - event.start
    found = to_pattern(
        event.rule,
        event.start,
        exdates=event.exdates,
        rdates=event.rdates,
        length=length,
        dialect=dialect,
    )
    if isinstance(found, Unfit):
        return found
    shown = [one for one in event.overrides if one.recurrence_id not in event.exdates]
    return fits_neighbours(found, shown, length=length, time_zone=event.time_zone) or found
