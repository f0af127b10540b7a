"""Items that lost a conflict with a device: shown from the log of syncs, and brought back."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from accord.interface.server.unfolding import Unfolded
from accord.model import canonical
from accord.model.diff import FieldChange, changes, patch
from accord.model.fields import is_empty
from accord.model.item import Item, kind_of
from accord.ports.errors import ConfigError, Gone
from accord.service.accord import Accord
from accord.service.records import Records
from accord.state.sync_sessions import Sync, SyncNote


class Lost(Struct, frozen=True, kw_only=True):
    """Be an item that lost, the sync in which it did, and what the log says of it."""

    sync: Sync
    note: SyncNote
    item: Item


class Return(Struct, frozen=True, kw_only=True):
    """Say what bringing an item back does to the record `ref`; without one it is made anew."""

    ref: str
    fields: tuple[FieldChange, ...]


def find(accord: Accord, id_: str) -> Lost:
    """Return what is kept under an id of the log. Raises ConfigError where nothing is."""
    with accord.state.read() as tx:
        found = tx.sync_log.lost(id_)
    if found is None or found[1].item is None:
        raise ConfigError(
            f"no item is kept as {id_}",
            field="id",
            hint="`accord interface sessions` shows the ids of items that lost",
        )
    return Lost(sync=found[0], note=found[1], item=canonical.decode(found[1].item))


def plan(accord: Accord, lost: Lost) -> Return:
    """Return what `restore` would do."""
    stored = _stored(accord, lost)
    if stored is None:
        return Return(ref="", fields=())
    return Return(ref=lost.note.ref, fields=changes(stored, _returned(stored, lost.item)))


def restore(accord: Accord, lost: Lost) -> Return:
    """Write a lost item as its user: over its record, or as a new one where that is gone.

    What it doesn't say stays, since a device can't say everything. Raises Denied and other errors
    of items.
    """
    stored, records = _stored(accord, lost), _records(accord)
    if stored is None:
        fresh = msgspec.structs.replace(lost.item, uid="")
        made = records.put(lost.sync.user, fresh)
        return Return(ref=made.ref, fields=())
    wanted = _returned(stored, lost.item)
    done = Return(ref=lost.note.ref, fields=changes(stored, wanted))
    if done.fields:
        records.put(lost.sync.user, wanted, lost.note.ref)
    return done


def _records(accord: Accord) -> Records:
    """Return the CRM's records with refs for changed occurrences, too, as devices have them."""
    return Records(accord.crm, lambda session: Unfolded(session, tuple))


def _stored(accord: Accord, lost: Lost) -> Item | None:
    if not lost.note.ref:
        return None
    try:
        kind = kind_of(lost.item)
        return _records(accord).show(lost.sync.user, kind, lost.note.ref).item
    except Gone:
        return None


def _returned(stored: Item, lost: Item) -> Item:
    traveling = [change.field for change in changes(stored, lost)]
    return patch(stored, {n: getattr(lost, n) for n in traveling if not is_empty(lost, n)})
