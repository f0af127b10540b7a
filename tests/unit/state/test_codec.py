"""What is encoded comes back equal, stays readable for years, and takes little room."""

from __future__ import annotations

import hashlib
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
    Hold,
    Pair,
    Skip,
    Step,
    Update,
)
from accord.model.diff import FieldChange
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind, Side
from accord.model.observe import Snapshot
from accord.state import decode_step, encode_step
from accord.state.codec import decode_snapshot, encode_snapshot, pack, unpack
from accord.state.dictionary import FIRST
from accord.testing.samples import samples
from accord.testing.strategies import items
from tests.unit.state.build import snapshot

KINDS = (Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE)
SAMPLES = [item for kind in KINDS for item in samples(kind, "me@example.com").values()]
HERE, THERE = snapshot("c1", title="Old"), snapshot("g1", title="Old")
CHANGES = (
    FieldChange(field="title", before="Old", after="New"),
    FieldChange(field="all_day", before=False, after=True),
)
STEPS: list[Step] = [
    Create(why="new", side=Side.CRM, source=THERE, item=HERE.item, mails=("a@example.com",)),
    Update(
        why="title changed",
        side=Side.GROUPWARE,
        pairing="p1",
        before=THERE,
        after=HERE.item,
        base=HERE,
        changes=CHANGES,
    ),
    Delete(why="gone", side=Side.CRM, pairing="p1", before=HERE),
    Pair(why="same uid", crm=HERE, groupware=THERE, pairing="p1", content=False),
    Conflict(why="both", pairing="p1", field="title", crm=HERE, groupware=THERE, fields=CHANGES),
    Skip(why="private", side=Side.GROUPWARE, ref="g1", version="1"),
    Hold(
        why="many", cause="deletes", held=Delete(why="g", side=Side.CRM, pairing="p", before=HERE)
    ),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_steps_come_back_equal(step: Step) -> None:
    assert decode_step(encode_step(step)) == step


@pytest.mark.parametrize("item", SAMPLES, ids=lambda item: f"{kind_of(item)}-{item.uid}")
def test_snapshots_come_back_equal(item: Item) -> None:
    whole = Snapshot(
        ref="r",
        version='W/"1"',
        item=item,
        marker="m",
        key="k",
        modified=datetime.fromisoformat("2026-01-01T09:00:00+00:00"),
        folder="/f/",
        by="bob",
        readonly=True,
    )
    assert decode_snapshot(encode_snapshot(whole)) == whole


@given(st.sampled_from(KINDS).flatmap(lambda kind: items(kind, "me@example.com", html=True)))
def test_any_item_comes_back_equal(item: Item) -> None:
    one = Snapshot(ref="r", version="1", item=item)
    data = encode_snapshot(one)
    assert decode_snapshot(unpack(pack(data))) == one
    assert encode_snapshot(decode_snapshot(data)) == data, "equal items are equal bytes"


@given(st.binary(max_size=5000))
def test_any_bytes_can_be_packed(data: bytes) -> None:
    packed = pack(data)
    assert unpack(packed) == data
    assert len(packed) <= len(data) + 1


def test_a_short_snapshot_takes_half_its_room() -> None:
    data = encode_snapshot(snapshot("/calendars/anna/office/8f2e.ics"))
    assert len(pack(data)) < len(data) * 0.55


def test_stored_bytes_stay_readable() -> None:
    """Databases hold bytes like these: neither the forms nor the dictionary may ever change."""
    assert hashlib.sha256(FIRST).hexdigest() == DICTIONARY
    assert unpack(b"\x00plain") == b"plain"
    assert unpack(bytes.fromhex(STORED)) == b'{"ref":"","version":"","item":{"kind":"event","x":1}}'


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown form"):
        unpack(b"\x7fdata")
    with pytest.raises(ValueError, match="unknown form"):
        unpack(b"")


DICTIONARY = "a5c7edd7d816820f6aa1d9d94012f4b633016eef48a7b1dcfd7c633c2ab25445"
STORED = "0128b52ffd20358500003078223a317d7d0200e8050158504220"
