"""iCalendar in and out: calendar objects to Event and Task and back (RFC 5545, 7986, 9073, 6868).

`read` one stored object, `read_all` entries of a file, `encode` an item. What the model doesn't
know survives in `extras` under `ical:`; what can't keep its meaning is `Refused`.
"""

from __future__ import annotations

from accord.formats.errors import Refused
from accord.formats.ical.people import silenced
from accord.formats.ical.reader import Document, decode, decode_all, read, read_all
from accord.formats.ical.writer import PRODUCT, encode, revised

__all__ = [
    "PRODUCT",
    "Document",
    "Refused",
    "decode",
    "decode_all",
    "encode",
    "read",
    "read_all",
    "revised",
    "silenced",
]
