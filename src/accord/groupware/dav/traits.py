"""What a CalDAV/CardDAV server can do, as data; what differs between servers is discovered.

`adapter.traits` returns it; the fields are those that iCalendar and vCard carry both ways.
"""

from __future__ import annotations

from accord.groupware.dav.settings import Config
from accord.model.fields import FIELDS
from accord.model.kinds import Kind
from accord.model.traits import KindTraits, Traits

BATCH = 100


def traits(config: Config, schedules: bool) -> Traits:
    """Return the traits of a target whose server mails attendees by itself or doesn't."""
    kinds = {
        Kind.EVENT: KindTraits(
            fields=frozenset(FIELDS[Kind.EVENT]), extras=frozenset({"ical"}), schedules=schedules
        ),
        Kind.TASK: KindTraits(fields=frozenset(FIELDS[Kind.TASK]), extras=frozenset({"ical"})),
        Kind.CONTACT: KindTraits(
            fields=frozenset(FIELDS[Kind.CONTACT]),
            extras=frozenset({"vcard"}),
            html=False,
            files=True,
        ),
    }
    return Traits(
        adapter="dav",
        kinds=kinds,
        batch=BATCH,
        page=config.page,
        concurrency=config.concurrency,
    )
