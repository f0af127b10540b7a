"""A device's version of an item that the CRM has: what of it is written, and who wins a clash.

Where both sides changed an item since they agreed about it, the engine merges field by field; only
what both changed goes by the setting, and whatever loses is kept in the log.
"""

from __future__ import annotations

from typing import Any

from accord.engine.merge import Merged, merge_alike
from accord.formats import mime
from accord.formats.errors import Refused
from accord.formats.syncml.status import StatusCode
from accord.formats.types import Format
from accord.interface.server import quirks, render
from accord.interface.server.change import Op, guid, key_of
from accord.interface.server.devinf import denied
from accord.interface.server.house import Turn
from accord.interface.server.matching import alike
from accord.interface.server.settings import Wins
from accord.interface.server.talk import Mode, StoreTalk
from accord.model.diff import holds, normalise, patch
from accord.model.fields import is_empty
from accord.model.item import Item, Mail
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.ports.adapter import Draft, Revision
from accord.state.device_items import DeviceItem

_BOTH = "changed on both sides"


def create(turn: Turn, store: StoreTalk, op: Op) -> None:
    """Plan to make a new item of a device's."""
    assert op.item is not None
    if isinstance(op.item, Mail) and (lost := mime.files(op.data)):
        op.code = StatusCode.UNSUPPORTED_MEDIA_TYPE_OR_FORMAT
        op.why = f"files would be lost that hang on it: {', '.join(lost)}"
        return
    item = normalise(render.fresh(op.item), turn.traits(store))
    op.write = Draft(item=item, key=key_of(turn, store, op))
    op.success = StatusCode.ITEM_ADDED


def update(turn: Turn, store: StoreTalk, op: Op, stored: Snapshot) -> None:
    """Plan what a device's item changes in the stored one, or answer it."""
    assert op.item is not None
    base = stored.item if op.base is None else op.base
    try:
        values = changed(turn, store, op, base)
    except Refused as refusal:
        op.code, op.why = StatusCode.BAD_REQUEST, str(refusal)
        return
    wins, met = turn.house.settings.wins(store.name), not _never_agreed(store, op, stored)
    if values and quirks.breaks(base, op.item, values):
        # A person who wants it only once, or a device that lost the series: nobody can tell.
        if not met and wins is Wins.DUPLICATE:
            wins = Wins.SERVER
        why = "a series with changed occurrences came back as a single entry"
        values |= {"overrides": (), "exdates": ()}
        if not _clash(turn, store, op, stored, wins, why):
            return
    elif op.base is not None:
        values = _merge(turn, store, op, stored, values, wins)
        if op.code is not None or op.write is not None:
            return
    elif values and not met:
        values = _first_meeting(turn, store, op, stored, values, wins)
    elif values and clashes(store, op, stored):
        if not _clash(turn, store, op, stored, wins, _BOTH):
            return
    elif values and op.matched and not alike(stored.item, op.item):
        why = "another one has its name on the device since a sync broke off; the device won"
        turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=stored.item)
    if not values:
        agree(store, op, stored)
        return
    op.write = Revision(
        ref=op.ref,
        version=stored.version,
        before=stored.item,
        after=patch(stored.item, values),
        changed=tuple(values),
    )


def update_mail(turn: Turn, store: StoreTalk, op: Op, stored: Snapshot) -> None:
    """Answer a mail that is there: it stays as it was sent."""
    try:
        values = changed(turn, store, op, stored.item)
    except Refused as refusal:
        op.code, op.why = StatusCode.BAD_REQUEST, str(refusal)
        return
    if not values:
        agree(store, op, stored)
        return
    put_back(turn, store, op, "a mail stays as it was sent; the device gets it back")
    lack(store, op)


def put_back(turn: Turn, store: StoreTalk, op: Op, why: str) -> None:
    """Refuse a change that may not be; the device gets back what the CRM has."""
    turn.note(store, "refused", why, luid=op.luid, ref=op.ref, item=op.item)
    op.code, op.noted = denied(turn.devinf), True


def changed(turn: Turn, store: StoreTalk, op: Op, stored: Item) -> dict[str, Any]:
    """Return what a device's item changes in one that it had; raises Refused."""
    assert op.item is not None
    form = _form(turn, store, op)
    return render.changed(stored, op.item, form, turn.keeps(store, form))


def clashes(store: StoreTalk, op: Op, stored: Snapshot) -> bool:
    """Tell whether the item was changed here, too, since the device got it."""
    if op.row is None or op.matched or store.slow:
        return False
    return op.row.version != stored.version


def agree(store: StoreTalk, op: Op, stored: Snapshot) -> None:
    """Take note that the device has what the CRM has, but for what is to be sent."""
    op.code = op.success
    # What the device's type can't hold it lacks in any case; the rest it has, unless resent.
    keep(store, op, stored)


def keep(store: StoreTalk, op: Op, now: Snapshot) -> None:
    """Remember that the device has an item as the CRM has it now, unless it is sent again."""
    op.keep = row(store, op, "" if op.resend else now.version)
    op.agreed = op.agreed if op.resend else now.item


def lack(store: StoreTalk, op: Op) -> None:
    """Remember that the device lacks what the CRM has: it is sent again."""
    op.keep, op.agreed = row(store, op, ""), None


def row(store: StoreTalk, op: Op, version: str) -> DeviceItem:
    """Return how an item of the device is remembered; what both agreed about stays what it was."""
    same = op.row is not None and op.row.ref == op.ref and not op.matched
    return DeviceItem(
        ref=op.ref,
        luid=op.luid,
        guid=guid(op.ref),
        version=version,
        session=store.mark,
        base=op.row.base if op.row is not None and same else "",
    )


def offer_again(turn: Turn, store: StoreTalk, ref: str) -> None:
    """Forget that the device has an item: it is offered as a new one."""
    made = DeviceItem(ref=ref, guid=guid(ref), session=store.mark, ours=True)
    turn.house.state.run(lambda tx: tx.device_items.put(turn.shelf(store), [made]))


def _never_agreed(store: StoreTalk, op: Op, stored: Snapshot) -> bool:
    """Tell whether device and CRM never had the same of an item, as far as is known."""
    if not op.matched or (store.mode is Mode.REFRESH_FROM_CLIENT and not store.merge):
        return False
    row = op.row
    return row is None or row.ref != op.ref or not row.session or row.version != stored.version


def _merge(
    turn: Turn, store: StoreTalk, op: Op, stored: Snapshot, values: dict[str, Any], wins: Wins
) -> dict[str, Any]:
    """Return what to write of a device's changes beside those that were made here since.

    The device gets what it lacks. Without a status, and nothing to write, all is there already.
    """
    assert op.base is not None
    theirs = patch(op.base, values)
    winner = Side.GROUPWARE if wins is Wins.CLIENT else Side.CRM
    merged = merge_alike(op.base, stored.item, theirs, winner)
    if merged.clashes:
        what = f"{_BOTH}: {', '.join(sorted(one.group for one in merged.clashes))}"
        if wins is Wins.DUPLICATE:
            _clash(turn, store, op, stored, wins, what)
            return {}
        lost, name = (stored.item, "device") if wins is Wins.CLIENT else (op.item, "CRM")
        why = f"{what}; the {name} won"
        turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=lost)
    op.success = _told(merged, wins)
    if merged.groupware:
        op.resend = True
        after = patch(stored.item, merged.crm)
        # What the device hasn't got yet it must not seem to have changed.
        shared = {name: getattr(after, name) for name in values if holds(after, theirs, name)}
        op.agreed = patch(op.base, shared)
    return merged.crm


def _told(merged: Merged, wins: Wins) -> StatusCode:
    if merged.clashes and wins is Wins.CLIENT:
        return StatusCode.CONFLICT_RESOLVED_WITH_CLIENT_COMMAND_WINNING
    if merged.clashes and not merged.crm:
        return StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
    if merged.groupware:
        return StatusCode.CONFLICT_RESOLVED_WITH_MERGE
    return StatusCode.OK


def _clash(turn: Turn, store: StoreTalk, op: Op, stored: Snapshot, wins: Wins, what: str) -> bool:
    """Decide which item wins as a whole; tell whether the device's change is to be written."""
    match wins:
        case Wins.CLIENT:
            why = f"{what}; the device won"
            turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=stored.item)
            op.success = StatusCode.CONFLICT_RESOLVED_WITH_CLIENT_COMMAND_WINNING
            return True
        case Wins.DUPLICATE:
            why = f"{what}; both were kept"
            turn.note(store, "conflict", why, luid=op.luid, ref=op.ref)
            offer_again(turn, store, op.ref)
            assert op.item is not None
            op.item = patch(op.item, {"uid": ""})
            op.ref = ""
            op.again = True
            create(turn, store, op)
            op.success = StatusCode.CONFLICT_RESOLVED_WITH_DUPLICATE
        case _:
            why = f"{what}; the CRM won"
            turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=op.item)
            op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
            op.resend = True
            op.keep = row(store, op, "")
    return False


def _first_meeting(
    turn: Turn, store: StoreTalk, op: Op, stored: Snapshot, values: dict[str, Any], wins: Wins
) -> dict[str, Any]:
    """Return what to write where two items meet that never agreed: empty fields are filled."""
    if wins is Wins.CLIENT:
        return values
    filled = {name: value for name, value in values.items() if is_empty(stored.item, name)}
    if filled != values:
        why = "differs, and never agreed before; the CRM won"
        turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=op.item)
        op.resend = True
        op.success = StatusCode.CONFLICT_RESOLVED_WITH_MERGE
    return filled


def _form(turn: Turn, store: StoreTalk, op: Op) -> Format:
    """Return in which type the device has an item: the one that it sends."""
    media = op.type.partition(";")[0].strip().lower()
    for form in turn.store(store).types:
        if form.type == media:
            return form
    return turn.store(store).types[0]
