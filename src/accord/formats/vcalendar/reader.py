"""The text of a vCalendar 1.0 to an entry or a task."""

from __future__ import annotations

from accord.formats import old, tree
from accord.formats.errors import Refused
from accord.formats.ical.reader import Document, document
from accord.formats.limits import LIMITS, Limits
from accord.formats.vcalendar.translate import translated
from accord.model.item import Event, Task


def read(data: bytes | str, *, zone: str = "", limits: Limits = LIMITS) -> Document:
    """Return the one entry of a text: a series may stand in it with its changed occurrences.

    `zone` is the IANA zone to prefer where offsets fit several or say nothing of summer time:
    that of the entry as known, or its user's. Raises Refused with the property and line.
    """
    text = old.unfold(data, limits)
    try:
        roots = tree.parse(text, limits, bare=True)
        return document([translated(root, limits, zone) for root in roots], limits)
    except Refused as error:
        raise text.placed(error) from error


def decode(data: bytes | str, *, zone: str = "", limits: Limits = LIMITS) -> Event | Task:
    """Return the item of a text; see `read`."""
    return read(data, zone=zone, limits=limits).item
