"""A batch of a device's changes put into the CRM: found, compared, written, answered.

Every step is one call of the CRM for the whole batch; `updating` decides about what both have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from accord.formats.errors import Refused
from accord.formats.syncml.status import StatusCode
from accord.interface.server import render
from accord.interface.server.change import Op, keep_to, refuse
from accord.interface.server.house import Turn
from accord.interface.server.identifying import identify
from accord.interface.server.settings import Wins
from accord.interface.server.talk import StoreTalk
from accord.interface.server.updating import (
    agree,
    changed,
    clashes,
    create,
    keep,
    lack,
    offer_again,
    put_back,
    update,
    update_mail,
)
from accord.model import canonical
from accord.model.item import Mail
from accord.model.observe import Deleted, Denied, Moved, OutOfScope, Seen, Snapshot
from accord.ports import errors
from accord.ports.adapter import Draft, Removal, Revision, Written
from accord.ports.errors import AccordError

_NOT_THEIRS = "the user may not change it; the device gets it back"

_Result: TypeAlias = Written | AccordError


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
        _keep(turn, store, open_)
    for op in batch:
        assert op.code is not None
        if not op.code.success and not op.noted:
            store.doubt = f"an item of the device's got status {int(op.code)}"
            store.baffled = store.baffled or op.code is StatusCode.COMMAND_FAILED
        lost = op.code is StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
        if not op.code.success and not lost and not op.noted:
            why = op.why or op.code.name.replace("_", " ").lower()
            turn.note(store, "refused", why, luid=op.luid, ref=op.ref)


def _decode(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    kind, names = turn.store(store).kind, {form.type for form in turn.store(store).types}
    for op in ops:
        if op.delete:
            continue
        media = op.type.partition(";")[0].strip().lower() or turn.store(store).types[0].type
        if media not in names:
            op.code = StatusCode.UNSUPPORTED_MEDIA_TYPE_OR_FORMAT
            op.why = f"it is of type {media[:100]}, and taken are {', '.join(sorted(names))}"
            continue
        with keep_to(op, turn, store):
            try:
                op.item = render.read(op.data, media, kind)
                op.digest = canonical.digest(op.item)
            except Refused as why:
                op.code, op.why = StatusCode.BAD_REQUEST, str(why)


def _look(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    known = [op for op in ops if op.ref]
    for op, now in zip(known, turn.fetch(store, [op.ref for op in known]), strict=True):
        op.now = now
    both = [
        (op, op.row.base)
        for op in known
        if op.row and isinstance(op.now, Seen) and clashes(store, op, op.now.snapshot)
    ]
    if both:
        with turn.house.state.read() as tx:
            bases = tx.device_items.bases(base for _, base in both)
        for op, base in both:
            op.base = bases.get(base)


def _decide(turn: Turn, store: StoreTalk, op: Op) -> None:
    now = op.now
    if op.delete:
        _decide_delete(turn, store, op)
    elif now is None:
        create(turn, store, op)
    elif isinstance(now, Seen):
        change = update_mail if isinstance(now.snapshot.item, Mail) else update
        change(turn, store, op, now.snapshot)
    elif isinstance(now, Deleted):
        # What was edited on the device isn't lost with a deletion here.
        create(turn, store, op)
    elif isinstance(now, OutOfScope):
        turn.note(store, "conflict", "it left your scope", luid=op.luid, ref=op.ref, item=op.item)
        op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
    elif isinstance(now, Denied):
        put_back(turn, store, op, _NOT_THEIRS)
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
            put_back(turn, store, op, _NOT_THEIRS)
        elif isinstance(op.now, Deleted | OutOfScope | Moved):
            op.code = StatusCode.OK
        else:
            _unread(op)
        return
    snapshot, wins = op.now.snapshot, turn.house.settings.wins(store.name)
    if snapshot.version != op.row.version:
        if wins is not Wins.CLIENT:
            turn.note(store, "conflict", "deleted there, changed here", luid=op.luid, ref=op.ref)
            op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
            return
        why = "changed here, deleted there"
        turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=snapshot.item)
    op.write = Removal(ref=op.ref, version=snapshot.version)


def _write(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    creates = [op for op in ops if isinstance(op.write, Draft)]
    changes = [op for op in ops if isinstance(op.write, Revision)]
    removals = [op for op in ops if isinstance(op.write, Removal)]
    revisions = [op.write for op in changes if isinstance(op.write, Revision)]
    gone = [op.write for op in removals if isinstance(op.write, Removal)]
    _created(turn, store, creates, _made(turn, store, creates))
    updated = turn.ask(store, turn.crm.update, revisions)
    _changed(turn, store, changes, updated)
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
            create(turn, store, op)
            (outcome,) = _made(turn, store, [op])
        if isinstance(outcome, Written):
            op.ref, op.code = outcome.ref, op.success
            keep(store, op, _after(op, outcome))
            store.count("added")
        else:
            refuse(op, outcome)


def _changed(turn: Turn, store: StoreTalk, ops: Sequence[Op], outcomes: list[_Result]) -> None:
    for op, outcome in zip(ops, outcomes, strict=True):
        if isinstance(outcome, Written):
            op.code = op.success
            keep(store, op, _after(op, outcome))
            store.count("changed")
        elif isinstance(outcome, errors.Stale) and _is_there(turn, store, op):
            store.count("changed")
        elif isinstance(outcome, errors.Stale | errors.Gone):
            # Somebody was faster by a moment: as if both had changed it before.
            why = "changed on both sides at once; the CRM won"
            turn.note(store, "conflict", why, luid=op.luid, ref=op.ref, item=op.item)
            op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
            lack(store, op)
        elif isinstance(outcome, errors.Denied):
            put_back(turn, store, op, _NOT_THEIRS)
            lack(store, op)
        else:
            refuse(op, outcome)
            if op.matched:
                lack(store, op)


def _is_there(turn: Turn, store: StoreTalk, op: Op) -> bool:
    """Tell whether the CRM has all of a change, as where a batch broke in its middle."""
    (now,) = turn.fetch(store, [op.ref])
    if not isinstance(now, Seen) or op.item is None:
        return False
    if changed(turn, store, op, now.snapshot.item):
        return False
    agree(store, op, now.snapshot)
    return True


def _removed(turn: Turn, store: StoreTalk, ops: Sequence[Op], outcomes: list[_Result]) -> None:
    for op, outcome in zip(ops, outcomes, strict=True):
        if isinstance(outcome, Written | errors.Gone):
            op.code = StatusCode.OK
            store.count("deleted")
        elif isinstance(outcome, errors.Stale):
            op.code = StatusCode.CONFLICT_RESOLVED_WITH_SERVER_DATA
        elif isinstance(outcome, errors.Denied):
            put_back(turn, store, op, _NOT_THEIRS)
        else:
            refuse(op, outcome)


def _forget(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    """Forget what the device deleted; where the CRM keeps it, it is offered again."""
    gone = [op.ref for op in ops if op.ref and op.code is StatusCode.OK]
    kept = [op.ref for op in ops if op.ref and op.code is not StatusCode.OK]
    if gone:
        turn.house.state.run(lambda tx: tx.device_items.drop(turn.shelf(store), gone))
    for ref in kept:
        offer_again(turn, store, ref)


def _after(op: Op, written: Written) -> Snapshot:
    """Return what the CRM has after a write: as it was read back, if nobody came between."""
    read = written.snapshot
    if read is not None and written.version in ("", read.version):
        return read
    assert isinstance(op.write, Draft | Revision)
    item = op.write.item if isinstance(op.write, Draft) else op.write.after
    return Snapshot(ref=op.ref, version=written.version, item=item)


def _keep(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    """Store what the device has, and about what it agreed with the CRM."""
    rows = [op.keep for op in ops if op.keep is not None]
    if rows:
        shelf, bases = turn.shelf(store), {op.ref: op.agreed for op in ops if op.agreed}
        turn.house.state.run(lambda tx: tx.device_items.put(shelf, rows, bases))
