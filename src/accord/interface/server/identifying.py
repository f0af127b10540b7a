"""Which item of the CRM each of a device's is: by its name there, by content, by an earlier try."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from accord.formats.syncml.status import StatusCode
from accord.interface.server.change import Op, keep_to, key_of, refuse
from accord.interface.server.house import Turn
from accord.interface.server.matching import Matcher, begin
from accord.interface.server.talk import StoreTalk
from accord.ports.adapter import Question
from accord.ports.errors import AccordError
from accord.state.device_items import DeviceItem


def identify(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    """Find which item of the CRM each one is."""
    with turn.house.state.read() as tx:
        rows = tx.device_items.by_luid(turn.shelf(store), [op.luid for op in ops])
    for op in ops:
        op.row = rows.get(op.luid)
        mine = op.row is not None and (not store.slow or op.row.session == store.mark)
        if op.row is not None and mine:
            op.ref = op.row.ref
    if store.slow:
        _match(turn, store, [op for op in ops if not op.ref and op.item is not None])
    _recognize(turn, store, ops)


def _match(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    candidates = begin(turn, store)
    shelf = turn.shelf(store)
    with turn.house.state.read() as tx:
        rows = tx.device_items.by_ref(shelf, candidates)
    taken = {ref for ref, row in rows.items() if row.session == store.mark}
    for op in ops:
        if op.row is not None and op.row.session and op.row.ref in candidates.keys() - taken:
            # Named in a try that broke off: it is this one, whatever the device made of it since.
            op.ref, op.matched = op.row.ref, True
        elif op.row is not None and op.row.ref in store.unread:
            _wait(store, op, op.row)
    matcher = Matcher(candidates, taken | {op.ref for op in ops})
    for op in ops:
        if not op.ref and op.code is None and op.item is not None:
            with keep_to(op, turn, store):
                op.ref = matcher.find(op.item, op.row.ref if op.row else "")
                op.matched = bool(op.ref)


def _wait(store: StoreTalk, op: Op, row: DeviceItem) -> None:
    """Leave an item to the next sync: what it was last, the CRM couldn't read when it was listed.

    To make another one of it would leave both sides with two.
    """
    op.ref, op.code = row.ref, StatusCode.PROCESSING_ERROR
    op.why = "the CRM can't read what it was in the last sync"
    op.keep = replace(row, version="", session=store.mark)


def _recognize(turn: Turn, store: StoreTalk, ops: Sequence[Op]) -> None:
    """Find new items that the CRM has already.

    By their key, from a try whose end got lost; by their uid: an invitation, say.
    """
    open_ = [op for op in ops if not op.ref and op.code is None]
    new = [(op, op.item) for op in open_ if op.item is not None]
    if not new or (store.slow and not store.candidates):
        return
    questions = [
        Question(key=key_of(turn, store, op), uid="" if store.slow else item.uid)
        for op, item in new
    ]
    answers = turn.ask(store, turn.crm.lookup, questions)
    with turn.house.state.read() as tx:
        good = [found for found in answers if not isinstance(found, AccordError)]
        refs = [one.ref for found in good for one in found]
        rows = tx.device_items.by_ref(turn.shelf(store), refs)
    taken = {ref for ref, row in rows.items() if _is_taken(store, row)} | {op.ref for op in ops}
    for (op, _), question, found in zip(new, questions, answers, strict=True):
        if isinstance(found, AccordError):
            refuse(op, found)
            continue
        tried = tuple(one for one in found if one.key == question.key)
        found = tried or found
        if len(found) == 1 and found[0].ref not in taken:
            op.ref, op.matched = found[0].ref, True
            taken.add(op.ref)
        elif tried:
            op.again = True


def _is_taken(store: StoreTalk, row: DeviceItem) -> bool:
    """Tell whether an item is another one of the device's already.

    An offer that the device hasn't named may be any.
    """
    return row.session == store.mark if store.slow else row.luid is not None
