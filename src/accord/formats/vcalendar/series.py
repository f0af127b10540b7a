"""Series with changed occurrences, cut into entries that 1.0 can write, and put together again.

The series leaves these days out, and each changed occurrence is an entry of its own that says
which occurrence it is (`ical:RECURRENCE-ID`), as in an invitation to one occurrence.
"""

from __future__ import annotations

import msgspec

from accord.formats.errors import Refused
from accord.formats.ical.events import RECURRENCE_ID, changes_of
from accord.formats.ical.sheet import Sheet
from accord.formats.ical.times import Clock, Moment
from accord.formats.ical.write import occurrence_of
from accord.formats.ical.zones import Zones
from accord.formats.limits import LIMITS
from accord.formats.lines import parse
from accord.model.item import Event, Extras
from accord.model.recurrence import Override

replace = msgspec.structs.replace


def split(event: Event) -> tuple[Event, ...]:
    """Return a series without its changed occurrences, and these, all under its uid.

    An event that has none is returned as it is.
    """
    if not event.overrides:
        return (event,)
    gone = {one.recurrence_id for one in event.overrides}
    series = replace(event, overrides=(), exdates=tuple(sorted(gone | set(event.exdates))))
    shown = [one for one in event.overrides if one.recurrence_id not in event.exdates]
    return (series, *(_alone(event, one) for one in shown))


def join(series: Event, occurrence: Event) -> Event:
    """Return a series with one occurrence changed to what an entry cut from it says now.

    Raises Refused where the entry doesn't say which occurrence it is.
    """
    kept = occurrence.extras.get(RECURRENCE_ID)
    if not isinstance(kept, tuple) or not kept:
        reason = "the entry doesn't say which occurrence it is"
        raise Refused(reason, prop="RECURRENCE-ID", uid=occurrence.uid)
    line = parse(str(kept[0]), 0)
    start = Moment(series.start, series.all_day, series.time_zone)
    clock = Clock(Zones((), 0), LIMITS, {})
    when = clock.in_zone(clock.read(line), start, line)
    values = changes_of(series, occurrence, when)
    patch: Extras = {key: None for key in series.extras if key not in occurrence.extras}
    for key, value in occurrence.extras.items():
        if key != RECURRENCE_ID and series.extras.get(key) != value:
            patch[key] = value
    if patch:
        values["extras"] = patch
    found = {one.recurrence_id: one for one in series.overrides}
    found[when] = Override(recurrence_id=when, **values)
    exdates = tuple(date for date in series.exdates if date != when)
    overrides = tuple(found[one] for one in sorted(found))
    return replace(series, overrides=overrides, exdates=exdates)


def _alone(series: Event, override: Override) -> Event:
    one, extras = occurrence_of(series, override)
    value, params = Sheet({}).stamp([override.recurrence_id], series.time_zone, series.all_day)
    kept = {**extras, RECURRENCE_ID: (f"RECURRENCE-ID{params}:{value}",)}
    return replace(one, rule=None, rdates=(), exdates=(), overrides=(), extras=kept)
