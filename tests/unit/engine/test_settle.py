"""New bases after writes, also after half of them: what didn't travel still shows as a change."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from accord.engine.entries import brought
from accord.engine.merge import merge
from accord.engine.plan import Pairing, Update
from accord.engine.settle import as_written, settle
from accord.model.diff import changes, patch
from accord.model.item import Item
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.model.recurrence import Override
from tests.unit.engine.kit import CRM, GROUPWARE, TOMORROW, event, pairing, policy, snap

BASE = event(location="", url="")
CRM_EDIT = {"title": "From the CRM"}
MAILBOX_EDIT = {"location": "From the mailbox"}


def now(pair: Pairing, side: Side, edit: dict[str, Any]) -> Snapshot:
    base = pair.side(side)
    return msgspec.structs.replace(base, version="2", item=patch(base.item, edit))


def written(pair: Pairing, side: Side, values: dict[str, Any], found: Item | None = None) -> Any:
    """Return an update of one side and what it left behind, in version 3."""
    edits = {CRM: CRM_EDIT, GROUPWARE: MAILBOX_EDIT}
    before, base = now(pair, side, edits[side]), now(pair, side.other, edits[side.other])
    after = patch(before.item, values)
    step = Update(
        side=side,
        pairing=pair.id,
        before=before,
        after=after,
        base=base,
        changes=changes(before.item, after),
        why="",
    )
    return step, msgspec.structs.replace(before, version="3", item=found or after)


def both(pair: Pairing) -> tuple[Snapshot, Snapshot]:
    return now(pair, CRM, CRM_EDIT), now(pair, GROUPWARE, MAILBOX_EDIT)


def still_travels(pair: Pairing, crm: Item, mailbox: Item) -> dict[str, Any]:
    """Return what the next visit would write, by side."""
    result = merge(
        pair,
        msgspec.structs.replace(pair.crm, version="9", item=crm),
        msgspec.structs.replace(pair.groupware, version="9", item=mailbox),
        policy(),
    )
    return {"crm": result.crm, "groupware": result.groupware}


DONE = patch(patch(BASE, CRM_EDIT), MAILBOX_EDIT)


def test_after_both_updates_both_bases_are_what_stands_there() -> None:
    pair = pairing(BASE)
    done = {
        CRM: written(pair, CRM, MAILBOX_EDIT),
        GROUPWARE: written(pair, GROUPWARE, CRM_EDIT),
    }
    after = settle(pair, *both(pair), done, frozenset())
    assert (after.crm.item, after.groupware.item) == (DONE, DONE)
    assert (after.crm.version, after.groupware.version) == ("3", "3")
    assert still_travels(after, DONE, DONE) == {"crm": {}, "groupware": {}}


def test_an_update_of_one_side_moves_the_other_base_to_what_it_brought() -> None:
    pair = pairing(BASE)
    crm = now(pair, CRM, CRM_EDIT)
    step, after = written(pair, GROUPWARE, CRM_EDIT)
    settled = settle(pair, crm, pair.groupware, {GROUPWARE: (step, after)}, frozenset())
    assert (settled.crm.version, settled.crm.item) == ("2", crm.item)
    assert settled.groupware == after


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("side", Side)
def test_a_record_that_was_written_is_refused_no_more(side: Side, refused: bool) -> None:
    pair = msgspec.structs.replace(pairing(BASE), refused=refused)
    values = {CRM: MAILBOX_EDIT, GROUPWARE: CRM_EDIT}[side]
    settled = settle(pair, *both(pair), {side: written(pair, side, values)}, frozenset())
    assert settled.refused is (refused and side is GROUPWARE)


@pytest.mark.parametrize("failed", Side)
def test_what_one_side_refused_still_travels(failed: Side) -> None:
    pair = pairing(BASE)
    did = failed.other
    brought = {CRM: MAILBOX_EDIT, GROUPWARE: CRM_EDIT}
    done = {did: written(pair, did, brought[did])}
    after = settle(pair, *both(pair), done, frozenset({failed}))
    assert after.side(failed).version == "2", "its own change has arrived"
    assert after.side(did).version == "1", "its change has still to arrive"
    assert after.side(did).ref == pair.side(did).ref
    assert after.side(did).item == patch(BASE, brought[did]), "what did arrive is in its base"
    stands = {CRM: patch(BASE, CRM_EDIT), GROUPWARE: patch(BASE, MAILBOX_EDIT), did: DONE}
    waits = {"crm": {}, "groupware": {}, str(failed): brought[failed]}
    assert still_travels(after, stands[CRM], stands[GROUPWARE]) == waits


@pytest.mark.parametrize("failed", Side)
def test_the_entry_that_one_side_refused_still_travels(failed: Side) -> None:
    """Both added an entry to one field: only the one that arrived is in the other's base."""
    pair, did = pairing(BASE), failed.other
    crm, mailbox = patch(BASE, {"categories": ("red",)}), patch(BASE, {"categories": ("blue",)})
    now = {CRM: snap(crm, ref="c1", version="2"), GROUPWARE: snap(mailbox, ref="g1", version="2")}
    before, after = now[did], patch(BASE, {"categories": ("blue", "red")})
    step = Update(
        side=did,
        pairing=pair.id,
        before=before,
        after=after,
        base=now[failed],
        changes=changes(before.item, after),
        why="",
    )
    left = msgspec.structs.replace(before, version="3", item=after)
    settled = settle(pair, now[CRM], now[GROUPWARE], {did: (step, left)}, frozenset({failed}))
    stands = {CRM: crm, GROUPWARE: mailbox, did: after}
    waits = still_travels(settled, stands[CRM], stands[GROUPWARE])
    assert not waits[str(did)]
    assert set(waits[str(failed)]["categories"]) == {"red", "blue"}


SECOND = TOMORROW + timedelta(days=1)


def change(at: datetime, title: str) -> Override:
    return Override(recurrence_id=at, title=title)


@pytest.mark.parametrize(
    ("field", "base", "before", "after", "expected"),
    [
        ("title", "Base", "Old", "New", "New"),
        ("categories", ("a", "b"), ("a", "b"), ("a", "c"), ("a", "c")),
        ("categories", ("a",), ("a", "b"), ("a", "c"), ("a", "c")),
        ("categories", ("a", "mine"), ("a",), (), ("mine",)),
        ("extras", {"crm:a": "1"}, {"crm:a": "1"}, {"crm:a": "2"}, {"crm:a": "2"}),
        (
            "overrides",
            (change(SECOND, "theirs"),),
            (change(SECOND, "ours"),),
            (change(TOMORROW, "new"), change(SECOND, "ours")),
            (change(TOMORROW, "new"), change(SECOND, "theirs")),
        ),
    ],
)
def test_into_a_base_goes_what_changed_entry_by_entry_and_no_more(
    field: str, base: Any, before: Any, after: Any, expected: Any
) -> None:
    one, two, three = (event(**{field: value}) for value in (base, before, after))
    assert brought(field, one, two, three) == expected


def test_settling_ends_what_was_frozen() -> None:
    pair = pairing(BASE, frozen="scope")
    step = written(pair, GROUPWARE, CRM_EDIT)
    assert settle(pair, *both(pair), {GROUPWARE: step}, frozenset()).frozen == ""


def test_settling_keeps_what_the_pair_is() -> None:
    pair = pairing(BASE, rule="r7", content=False, made=CRM)
    step = written(pair, GROUPWARE, CRM_EDIT)
    after = settle(pair, *both(pair), {GROUPWARE: step}, frozenset())
    assert (after.id, after.rule, after.content, after.made) == ("p1", "r7", False, CRM)


# The base of a side just written.


def test_the_base_is_the_read_back_in_the_version_written() -> None:
    stored = snap(event("Cut"), version="5", ref="g1", marker="m")
    assert as_written("g1", "5", event("Cut off here"), stored) is stored


def test_an_edit_in_between_stays_visible() -> None:
    found = snap(
        event("Edited meanwhile", uid="theirs"), version="6", ref="g1", marker="m", key="k",
        folder="calendar",
    )  # fmt: skip
    base = as_written("g1", "5", event("As sent", uid="ours"), found)
    assert (base.ref, base.version, base.item) == ("g1", "5", event("As sent", uid="theirs"))
    assert (base.marker, base.key, base.folder) == ("m", "k", "calendar")


def test_a_write_may_give_an_item_another_ref() -> None:
    old = snap(event(), version="4", ref="before", marker="m")
    base = as_written("after", "5", event("As sent"), None, old)
    assert (base.ref, base.version, base.marker) == ("after", "5", "m")


def test_without_a_read_back_the_base_is_what_was_sent() -> None:
    base = as_written("g1", "5", event("Sent"), None)
    assert base == Snapshot(ref="g1", version="5", item=event("Sent"))
    old = snap(event("Old"), version="4", ref="g1", marker="m", folder="calendar")
    base = as_written("g1", "5", event("Sent"), None, old)
    assert (base.version, base.item, base.marker) == ("5", event("Sent"), "m")
    assert base.folder == "calendar"


def test_a_side_that_tells_no_version_gives_a_base_that_will_be_looked_at() -> None:
    found = snap(event("Found"), version="6", ref="g1")
    assert as_written("g1", "", event("Sent"), found).version == ""
