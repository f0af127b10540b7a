"""vCard in and out: address cards to Contact and back (vCard 2.1, RFC 2426, RFC 6350).

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
