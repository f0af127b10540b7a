"""The canonical JSON of items: what `accord crm put` reads and what blobs and digests are made of.

Deterministic: equal items give equal bytes, so that content addressing works.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from accord.model.item import Item
from accord.model.learning import learnt

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER: msgspec.json.Decoder[Item] = msgspec.json.Decoder(learnt(Item))


class InvalidItem(ValueError):
    """Say which field of a canonical item is wrong and what was expected."""


def encode(item: Item) -> bytes:
    """Return the canonical JSON of `item` in UTF-8."""
    return _ENCODER.encode(item)


def decode(data: bytes | str) -> Item:
    """Return the item in canonical JSON `data`; raises InvalidItem naming the field."""
    try:
        return _DECODER.decode(data)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidItem(_in_words(str(error))) from error


def _in_words(message: str) -> str:
    """Return what msgspec says of an item; of a time how it is written."""
    said, _, where = message.partition(_NO_TIME)
    if said or not where:
        return message
    instant = any(f".{name}`" in where for name in _INSTANTS)
    return f"that is no time, write 2026-12-10T09:00:00{'Z' if instant else ''}{where}"


_NO_TIME = "Invalid RFC3339 encoded datetime"
_INSTANTS = ("completed", "sent", "received")


def digest(item: Item) -> str:
    """Return the SHA-256 of the canonical JSON, in hexadecimal."""
    return hashlib.sha256(encode(item)).hexdigest()


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of all kinds of item."""
    (root,), components = msgspec.json.schema_components([Item], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Accord item",
        **root,
        "$defs": components,
    }
