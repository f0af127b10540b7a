"""The bytes in which snapshots and steps are kept: deterministic JSON, compressed.

Blobs, intents and pending changes are made of these; equal values give equal bytes.
"""

from __future__ import annotations

import threading

import msgspec
import zstandard

from accord.engine.plan import Step
from accord.model.diff import FieldChange
from accord.model.learning import learnt
from accord.model.observe import Snapshot
from accord.state.dictionary import FIRST

_ENCODER = msgspec.json.Encoder(order="deterministic")
_STEP: msgspec.json.Decoder[Step] = msgspec.json.Decoder(learnt(Step))
_SNAPSHOT: msgspec.json.Decoder[Snapshot] = msgspec.json.Decoder(learnt(Snapshot))
_CHANGES: msgspec.json.Decoder[tuple[FieldChange, ...]] = msgspec.json.Decoder(
    learnt(tuple[FieldChange, ...])
)


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
    packed = _packers.compressor.compress(data)
    return ZSTD_FIRST + packed if len(packed) < len(data) else PLAIN + data


def unpack(packed: bytes) -> bytes:
    """Return what was packed; raises ValueError for an unknown form."""
    form = packed[:1]
    if form == PLAIN:
        return packed[1:]
    if form == ZSTD_FIRST:
        return _packers.decompressor.decompress(packed[1:])
    raise ValueError(f"unknown form of stored bytes: {form!r}")


PLAIN, ZSTD_FIRST = b"\x00", b"\x01"
_LEVEL = 3


class _Packers(threading.local):
    """Keep what compresses per thread: it is dear to make and must not be shared."""

    def __init__(self) -> None:
        words = zstandard.ZstdCompressionDict(FIRST, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        self.compressor = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=words, write_dict_id=False
        )
        self.decompressor = zstandard.ZstdDecompressor(dict_data=words)


_packers = _Packers()
