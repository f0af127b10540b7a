"""A batch of a device's changes put into the CRM: found, compared, written, answered.

Every step is one call of the CRM for the whole batch. Who wins where both sides changed an item is
a setting; whatever loses is kept in the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from accord.formats.errors import Refused
from accord.formats.syncml.status import StatusCode
from accord.formats.types import Format
from accord.interface.server import quirks, render
from accord.interface.server.change import Op, keep_to, key_of, refuse
from accord.interface.server.house import Turn
from accord.interface.server.identifying import identify
from accord.interface.server.matching import alike
from accord.interface.server.settings import Wins
from accord.interface.server.talk import Mode, StoreTalk
from accord.model import canonical
from accord.model.diff import normalise, patch
from accord.model.observe import Deleted, Denied, Moved, OutOfScope, Seen, Snapshot
from accord.ports import errors
from accord.ports.adapter import Draft, Removal, Revision, Written
from accord.ports.errors import AccordError
from accord.state.device_items import DeviceItem, Shelf

_Result: TypeAlias = Written | AccordError
_BOTH = "changed on both sides"


def apply(turn: Turn, store: StoreTalk, batch: Sequence[Op]) -> None:
    """Do a batch of changes; every op has a code afterwards."""
    open_ = [op for op in batch if op.code is None]
    _decode(turn, store, open_)
    open_ = [op for op in open_ if op.code is None]
    if open_:
        identify(turn, store, open_)
        _look(turn, store, open_)
        for op in open_:
            if op.code is None:
                with keep_to(op, turn, store):
                    _decide(turn, store, op)
        _write(turn, store, open_)
        _put(turn, turn.shelf(store), [op.keep for op in open_ if op.keep is not None])
    for op in batch:
        assert op.code is not None
        if not op.code.success:
            store.doubt = f"an item of the device's got status {int(op.code)}"
            store.baffled = store.baffled or op.code is StatusCode.COMMAND_FAILED
        if not op.code.success and op.code is not StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA:
            why = op.why or f"status {int(op.code)}"
            turn.note(store, "refused", why, luid=op.luid, ref=op.ref)


def _decode(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    kind, names = turn.store(store).kind, {form.type for form in turn.store(store).types}
    for op in ops:
        if op.delete:
            continue
        media = op.type.partition(";")[0].strip().lower() or turn.store(store).types[0].type
        if media not in names:
            op.code = StatusCode.UNSUPPORTED_MEDIA_TYPE_OR_FORMAT
            continue
        with keep_to(op, turn, store):
            try:
                op.item = render.read(op.data, media, kind)
                op.digest = canonical.digest(op.item)
            except Refused:
                op.code = StatusCode.BAD_REQUEST


def _look(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    known = [op for op in ops if op.ref]
    for op, now in zip(known, turn.fetch(store, [op.ref for op in known]), strict=True):
        op.now = now


def _decide(turn: Turn, store: StoreTalk, op: Op) -> None:
    now = op.now
    if op.delete:
        _decide_delete(turn, store, op)
    elif now is None:
        _create(turn, store, op)
    elif isinstance(now, Seen):
        _decide_update(turn, store, op, now.snapshot)
    elif isinstance(now, Deleted):
        # What was edited on the device isn't lost with a deletion here.
        _create(turn, store, op)
    elif isinstance(now, OutOfScope):
        turn.note(store, "conflict", "it left your scope", luid=op.luid, ref=op.ref, item=op.item)
        op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
    elif isinstance(now, Denied):
        _put_back(turn, store, op)
    else:
        _unread(op)


def _unread(op: Op) -> None:
    op.code = StatusCode.PROCESSING_ERROR
    op.why = f"the CRM can't read it: {getattr(op.now, 'why', '')}"


def _decide_delete(turn: Turn, store: StoreTalk, op: Op) -> None:
    if not op.ref or op.row is None:
        op.code = StatusCode.ITEM_NOT_DELETED
        return
    if not isinstance(op.now, Seen):
        if isinstance(op.now, Denied):
            _put_back(turn, store, op)
        elif isinstance(op.now, Deleted | OutOfScope | Moved):
            op.code = StatusCode.OK
        else:
            _unread(op)
        return
    snapshot, wins = op.now.snapshot, turn.house.settings.conflict
    if snapshot.version != op.row.version:
        if wins is not Wins.CLIENT:
            turn.note(store, "conflict", "deleted there, changed here", luid=op.luid, ref=op.ref)
            op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
            return
        why = "changed here, deleted there"
        turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=snapshot.item)
    op.write = Removal(ref=op.ref, version=snapshot.version)


def _create(turn: Turn, store: StoreTalk, op: Op) -> None:
    assert op.item is not None
    item = normalise(render.fresh(op.item), turn.traits(store))
    op.write = Draft(item=item, key=key_of(turn, store, op))
    op.success = StatusCode.ITEM_ADDED


def _decide_update(turn: Turn, store: StoreTalk, op: Op, stored: Snapshot) -> None:
    assert op.item is not None
    form = _form(turn, store, op)
    try:
        values = render.changed(stored.item, op.item, form, turn.keeps(store, form))
    except Refused:
        op.code = StatusCode.BAD_REQUEST
        return
    if not values:
        _agree(store, op, stored)
        return
    wins, met = turn.house.settings.conflict, not _never_agreed(store, op, stored)
    if quirks.breaks(stored.item, op.item, values):
        # A person who wants it only once, or a device that lost the series: nobody can tell.
        if not met and wins is Wins.DUPLICATE:
            wins = Wins.SERVER
        why = "a series with changed occurrences came back as a single entry"
        if not _clash(turn, store, op, stored, wins, why):
            return
        values |= {"overrides": (), "exdates": ()}
    elif not met:
        values = _first_meeting(turn, store, op, stored, values, wins)
        if not values:
            _agree(store, op, stored)
            return
    elif _clashes(store, op, stored) and not _clash(turn, store, op, stored, wins, _BOTH):
        return
    elif op.matched and not alike(stored.item, op.item):
        why = "another one has its name on the device since a sync broke off; the device won"
        turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=stored.item)
    after = patch(stored.item, values)
    op.write = Revision(
        ref=op.ref,
        version=stored.version,
        before=stored.item,
        after=after,
        changed=tuple(values),
    )


def _never_agreed(store: StoreTalk, op: Op, stored: Snapshot) -> bool:
    """Tell whether device and CRM never had the same of an item, as far as is known."""
    if not op.matched or (store.mode is Mode.REFRESH_FROM_CLIENT and not store.merge):
        return False
    row = op.row
    return row is None or row.ref != op.ref or not row.session or row.version != stored.version


def _clashes(store: StoreTalk, op: Op, stored: Snapshot) -> bool:
    """Tell whether the item was changed here, too, since the device got it."""
    changed = op.row is not None and op.row.version != stored.version
    return changed and not op.matched and not store.slow


def _clash(
    turn: Turn, store: StoreTalk, op: Op, stored: Snapshot, wins: Wins, what: str
) -> bool:
    """Decide who wins; tell whether the device's change is to be written."""
    match wins:
        case Wins.CLIENT:
            why = f"{what}; the device won"
            turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=stored.item)
            op.success = StatusCode.CONFLICT_RESOLVED_WITH_CLIENT_COMMAND_WINNING
            return True
        case Wins.DUPLICATE:
            why = f"{what}; both were kept"
            turn.note(store, "conflict", why, luid=op.luid, ref=op.ref)
            _offer_again(turn, store, op.ref)
            assert op.item is not None
            op.item = patch(op.item, {"uid": ""})
            op.ref = ""
            op.again = True
            _create(turn, store, op)
            op.success = StatusCode.CONFLICT_RESOLVED_WITH_DUPLICATE
        case _:
            why = f"{what}; the CRM won"
            turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=op.item)
            op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
            op.resend = True
            op.keep = _row(store, op, "")
    return False


def _first_meeting(
    turn: Turn, store: StoreTalk, op: Op, stored: Snapshot, values: dict[str, Any], wins: Wins
) -> dict[str, Any]:
    """Return what to write where two items meet that never agreed: empty fields are filled."""
    if wins is Wins.CLIENT:
        return values
    assert op.item is not None
    form = _form(turn, store, op)
    filled = render.filled(stored.item, op.item, form, turn.keeps(store, form))
    if filled != values:
        why = "differs, and never agreed before; the CRM won"
        turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=op.item)
        op.resend = True
        op.success = StatusCode.CONFLICT_RESOLVED_WITH_MERGE
    return filled


def _agree(store: StoreTalk, op: Op, stored: Snapshot) -> None:
    """Take note that the device has what the CRM has, but for what is to be sent."""
    op.code = op.success
    # What the device's type can't hold it lacks in any case; the rest it has, unless resent.
    op.keep = _row(store, op, "" if op.resend else stored.version)


def _write(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    creates = [op for op in ops if isinstance(op.write, Draft)]
    changes = [op for op in ops if isinstance(op.write, Revision)]
    removals = [op for op in ops if isinstance(op.write, Removal)]
    revisions = [op.write for op in changes if isinstance(op.write, Revision)]
    gone = [op.write for op in removals if isinstance(op.write, Removal)]
    _created(turn, store, creates, _made(turn, store, creates))
    changed = turn.ask(store, turn.crm.update, revisions)
    _changed(turn, store, changes, changed)
    removed = turn.ask(store, turn.crm.delete, gone)
    _removed(turn, store, removals, removed)
    _forget(turn, store, [op for op in ops if op.delete])


def _made(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> list[_Result]:
    drafts = [op.write for op in ops if isinstance(op.write, Draft)]
    return turn.ask(store, turn.crm.create, drafts)


def _created(turn: Turn, store: StoreTalk, ops: Sequence[Op], outcomes: list[_Result]) -> None:
    for op, outcome in zip(ops, outcomes, strict=True):
        if isinstance(outcome, errors.Gone):
            # Made by an earlier try and deleted since: this is another one.
            op.again = True
            _create(turn, store, op)
            (outcome,) = _made(turn, store, [op])
        if isinstance(outcome, Written):
            op.ref, op.code = outcome.ref, op.success
            op.keep = _row(store, op, _version(outcome))
            store.count("added")
        else:
            refuse(op, outcome)


def _changed(turn: Turn, store: StoreTalk, ops: Sequence[Op], outcomes: list[_Result]) -> None:
    for op, outcome in zip(ops, outcomes, strict=True):
        if isinstance(outcome, Written):
            op.code = op.success
            op.keep = _row(store, op, "" if op.resend else _version(outcome))
            store.count("changed")
        elif isinstance(outcome, errors.Stale) and _is_there(turn, store, op):
            store.count("changed")
        elif isinstance(outcome, errors.Stale | errors.Gone):
            # Somebody was faster by a moment: as if both had changed it before.
            why = "changed on both sides at once; the CRM won"
            turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=op.item)
            op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
            op.keep = _row(store, op, "")
        elif isinstance(outcome, errors.Denied):
            _put_back(turn, store, op)
            op.keep = _row(store, op, "")
        else:
            refuse(op, outcome)
            if op.matched:
                op.keep = _row(store, op, "")


def _is_there(turn: Turn, store: StoreTalk, op: Op) -> bool:
    """Tell whether the CRM has all of a change, as where a batch broke in its middle."""
    (now,) = turn.fetch(store, [op.ref])
    if not isinstance(now, Seen) or op.item is None:
        return False
    form = _form(turn, store, op)
    if render.changed(now.snapshot.item, op.item, form, turn.keeps(store, form)):
        return False
    _agree(store, op, now.snapshot)
    return True


def _removed(turn: Turn, store: StoreTalk, ops: Sequence[Op], outcomes: list[_Result]) -> None:
    for op, outcome in zip(ops, outcomes, strict=True):
        if isinstance(outcome, Written | errors.Gone):
            op.code = StatusCode.OK
            store.count("deleted")
        elif isinstance(outcome, errors.Stale):
            op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
        elif isinstance(outcome, errors.Denied):
            _put_back(turn, store, op)
        else:
            refuse(op, outcome)


def _put_back(turn: Turn, store: StoreTalk, op: Op) -> None:
    """Refuse a change that the user may not make; the device gets back what the CRM has.

    Not with 403: libsynthesis then ends the whole session, each time anew, as long as the device
    has the change.
    """
    why = "the user may not change it; the device gets it back"
    turn.note(store, "refused", why, luid=op.luid, ref=op.ref, item=op.item)
    op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA


def _forget(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    """Forget what the device deleted; where the CRM keeps it, it is offered again."""
    gone = [op.ref for op in ops if op.ref and op.code is StatusCode.OK]
    kept = [op.ref for op in ops if op.ref and op.code is not StatusCode.OK]
    if gone:
        turn.house.state.run(lambda tx: tx.device_items.drop(turn.shelf(store), gone))
    for ref in kept:
        _offer_again(turn, store, ref)


def _offer_again(turn: Turn, store: StoreTalk, ref: str) -> None:
    row = DeviceItem(ref=ref, guid=guid(ref), session=store.mark)
    _put(turn, turn.shelf(store), [row])


def _row(store: StoreTalk, op: Op, version: str) -> DeviceItem:
    return DeviceItem(
        ref=op.ref,
        luid=op.luid,
        guid=guid(op.ref),
        version=version,
        session=store.mark,
    )


def _put(turn: Turn, shelf: Shelf, rows: list[DeviceItem]) -> None:
    if rows:
        turn.house.state.run(lambda tx: tx.device_items.put(shelf, rows))


def _form(turn: Turn, store: StoreTalk, op: Op) -> Format:
    """Return in which type the device has an item: the one that it sends."""
    media = op.type.partition(";")[0].strip().lower()
    for form in turn.store(store).types:
        if form.type == media:
            return form
    return turn.store(store).types[0]


def _version(written: Written) -> str:
    return written.version or (written.snapshot.version if written.snapshot else "")


def guid(ref: str) -> str:
    """Return the name under which an item is offered: short, whatever refs a CRM has."""
    if len(ref) <= 40 and ref.isascii() and ref.isprintable() and " " not in ref:
        return ref
    return "~" + hashlib.sha256(ref.encode("utf-8", "replace")).hexdigest()[:32]
