"""vCard in and out: address cards to Contact and back (RFC 2426, 6350; 2.1 is read).

`read` one card, `read_all` cards of a file, `encode` a contact. What the model doesn't know
survives in `extras` under `vcard:`, groups and labels included.
"""

from __future__ import annotations

from accord.formats.errors import Refused
from accord.formats.vcard.reader import Card, decode, decode_all, read, read_all
from accord.formats.vcard.writer import PRODUCT, encode

__all__ = [
    "PRODUCT",
    "Card",
    "Refused",
    "decode",
    "decode_all",
    "encode",
    "read",
    "read_all",
]
