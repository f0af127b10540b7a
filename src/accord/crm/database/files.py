"""The files on records: their bytes in parts, named by the records' attachments.

Hanging a file on a record, or taking it off, is a change of the record as any other; an edit of
the record's other content leaves its files alone. A contact's one file is its photo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec
from sqlalchemy import delete, select

from accord.crm.database import changing, records
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import Noun
from accord.crm.database.rights import Right, right
from accord.crm.database.rows import new_id
from accord.crm.database.schema import FILES
from accord.crm.database.store import Store
from accord.db import Tx
from accord.model.files import file_field, files_of, size_beside, with_file, without_file
from accord.model.item import Item
from accord.model.parts import STORED, Attachment
from accord.ports.adapter import Revision
from accord.ports.errors import AccordError

ROOM = 100_000_000
"""How many bytes the files on one record may have together."""

_PART = 1_000_000
"""Bytes in one row: what is in memory at once."""


def read(store: Store, noun: Noun, user: str, ref: str, uri: str) -> Iterator[bytes]:
    """Yield the bytes of a file on a record; raises Gone or Denied."""
    with store.read() as tx:
        item = _readable(tx, store, noun, user, ref)
        if all(each.uri != uri for each in files_of(item)):
            raise refusal("not-there", f"no such file is on {ref}")
    yield from _pieces(store, uri)


def read_kept(store: Store, noun: Noun, user: str, ref: str, uri: str) -> Iterator[bytes]:
    """Yield the bytes of a file that is on a record or was; raises Gone or Denied."""
    there = select(FILES.c.id).where(
        FILES.c.id == uri.removeprefix(STORED),
        FILES.c.kind == str(noun.kind),
        FILES.c.ref == ref,
        FILES.c.part == 0,
    )
    with store.read() as tx:
        _readable(tx, store, noun, user, ref)
        if tx.execute(there).first() is None:
            raise refusal("not-there", f"no such file is kept for {ref}")
    yield from _pieces(store, uri)


def _pieces(store: Store, uri: str) -> Iterator[bytes]:
    part = 0
    while True:
        query = select(FILES.c.content).where(FILES.c.id == uri.removeprefix(STORED))
        with store.read(single=True) as tx:
            content = tx.execute(query.where(FILES.c.part == part)).scalar()
        if content is None:
            return
        yield bytes(content)
        part += 1


def attach(
    store: Store, noun: Noun, user: str, ref: str, file: Attachment, content: BinaryIO
) -> str:
    """Hang a file on a record, once, and return its uri; raises Gone, Denied or Rejected."""

    def work(tx: Tx) -> str:
        item = _readable(tx, store, noun, user, ref)
        for each in files_of(item):
            if (each.name, each.digest) == (file.name, file.digest):
                return each.uri
        if size_beside(item) + (file.size or 0) > ROOM:
            raise refusal("too-large", f"the files on one record may have {ROOM:,} bytes")
        key = new_id()
        content.seek(0)
        named = msgspec.structs.replace(file, uri=f"{STORED}{key}")
        _change(tx, store, noun, user, ref, lambda now: with_file(now, named))
        _write(tx, noun, ref, key, content)
        return named.uri

    return store.run(work)


def detach(
    store: Store, noun: Noun, user: str, ref: str, uri: str, *, forget: bool = False
) -> None:
    """Take a file off a record, with its bytes if told to `forget`; raises Gone or Denied."""

    def work(tx: Tx) -> None:
        item = _readable(tx, store, noun, user, ref)
        if any(each.uri == uri for each in files_of(item)):
            _change(tx, store, noun, user, ref, lambda now: without_file(now, uri))
            if forget:
                tx.execute(delete(FILES).where(FILES.c.id == uri.removeprefix(STORED)))

    store.run(work)


def _write(tx: Tx, noun: Noun, ref: str, key: str, content: BinaryIO) -> None:
    part = 0
    while piece := content.read(_PART):
        row = {"id": key, "kind": str(noun.kind), "ref": ref, "part": part, "content": piece}
        tx.insert(FILES, [row])
        part += 1


def _readable(tx: Tx, store: Store, noun: Noun, user: str, ref: str) -> Item:
    """Return a record as this user sees it; raises Gone or Denied."""
    viewer = store.viewer(tx, user)
    record = records.load(tx, noun, viewer, [ref]).get(ref)
    if record is None or record.deleted:
        raise refusal("not-there", f"there is no record {ref}")
    if right(viewer, record) is Right.NONE:
        raise refusal("no-right", f"{user} may not read {ref}")
    return record.seen


def _change(
    tx: Tx,
    store: Store,
    noun: Noun,
    user: str,
    ref: str,
    changed: Callable[[Item], Item],
) -> None:
    """Change the names of a record's files, as it stands in this transaction."""
    viewer = store.viewer(tx, user)
    record = records.load(tx, noun, viewer, [ref])[ref]
    revision = Revision(
        ref=ref,
        version=record.version,
        before=record.seen,
        after=changed(record.seen),
        changed=(file_field(noun.kind),),
    )
    (outcome,) = changing.change(tx, store, noun, user, [revision])
    if isinstance(outcome, AccordError):
        raise outcome
