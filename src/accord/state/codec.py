"""The bytes in which snapshots and steps are kept: deterministic JSON, compressed.

Blobs, intents and pending changes are made of these; equal values give equal bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec
import zstandard

from accord.engine.plan import Step
from accord.model.diff import FieldChange
from accord.model.observe import Snapshot

_ENCODER = msgspec.json.Encoder(order="deterministic")
_STEP: msgspec.json.Decoder[Step] = msgspec.json.Decoder(Step)
_SNAPSHOT: msgspec.json.Decoder[Snapshot] = msgspec.json.Decoder(Snapshot)
_CHANGES: msgspec.json.Decoder[tuple[FieldChange, ...]] = msgspec.json.Decoder(
    tuple[FieldChange, ...]
)

PLAIN, ZSTD = b"\x00", b"\x01"
_SMALL = 64
_MAX_SIZE = 256 * 1024 * 1024


def encode_step(step: Step) -> bytes:
    """Return a step as JSON; intents and pending changes hold this."""
    return _ENCODER.encode(step)


def decode_step(data: bytes) -> Step:
    """Return the step in `data`; raises msgspec.ValidationError for what is none."""
    return _STEP.decode(data)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot as JSON; blobs hold this."""
    return _ENCODER.encode(snapshot)


def decode_snapshot(data: bytes) -> Snapshot:
    """Return the snapshot in `data`."""
    return _SNAPSHOT.decode(data)


def encode_changes(changes: tuple[FieldChange, ...]) -> bytes:
    """Return field changes as JSON; journal entries refer to this."""
    return _ENCODER.encode(changes)


def decode_changes(data: bytes) -> tuple[FieldChange, ...]:
    """Return field changes; their values are plain JSON values, no longer parts of items."""
    return _CHANGES.decode(data)


def pack(data: bytes) -> bytes:
    """Return `data` compressed, with a leading byte that says how."""
    if len(data) < _SMALL:
        return PLAIN + data
    packed = zstandard.ZstdCompressor(level=3, write_checksum=False).compress(data)
    return ZSTD + packed if len(packed) < len(data) else PLAIN + data


def unpack(packed: bytes) -> bytes:
    """Return what was packed; raises ValueError for an unknown form."""
    if packed[:1] == PLAIN:
        return packed[1:]
    if packed[:1] == ZSTD:
        return zstandard.ZstdDecompressor().decompress(packed[1:], max_output_size=_MAX_SIZE)
    raise ValueError(f"unknown form of stored bytes: {packed[:1]!r}")


def builtins(value: Any) -> Any:
    """Return a value as plain JSON types, for columns that hold JSON."""
    return msgspec.to_builtins(value, enc_hook=None)
