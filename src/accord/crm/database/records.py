"""Records as loaded for one user: item, owner, rights and what is this user's own.

Every call goes through `load`; what it returns, `rights` and `reading` judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Select, and_, bindparam, literal, or_, select

from accord.crm.database import participants, rows
from accord.crm.database.nouns import CONTACT, EVENT, NOUNS, Noun
from accord.crm.database.schema import (
    ACCOUNTS,
    CONTACT_CHOICES,
    MARKERS,
    PERSONAL,
    SCOPES,
    SHARES,
    USERS,
)
from accord.crm.database.viewer import Viewer
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.item import Event, Item
from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.model.recurrence import Busy

PAGE = 500


class Record(Struct, kw_only=True):
    """Be one record, loaded for one user.

    `item` is what everybody shares, `seen` what this user sees: theirs are `seen`'s reminders,
    show-as and categories. `second` is the user beside the owner (`nouns.Noun`), `users` are
    those who take part. `state` is this user's in the table of scopes, `chosen` says that the
    contact is on their list, `shares` is "", "read" or "write".
    """

    kind: Kind
    ref: str
    revision: int
    item: Item
    seen: Item
    owner: int
    second: int | None
    users: frozenset[int]
    group: int | None
    group_writes: bool
    visibility: str
    key: str
    modified: datetime
    by: str
    deleted: bool
    erased: bool
    marker: str
    state: str
    chosen: bool
    own_revision: int = 0
    shares: str = ""

    @property
    def version(self) -> str:
        """Return the revision of what this user sees."""
        return str(max(self.revision, self.own_revision))

    def snapshot(self, folder: str, *, readonly: bool) -> Snapshot:
        """Return the record as this user sees it."""
        return Snapshot(
            ref=self.ref,
            version=self.version,
            item=self.seen,
            marker=self.marker,
            key=self.key,
            modified=self.modified,
            folder=folder,
            by=self.by,
            readonly=readonly,
        )


def load(tx: Tx, noun: Noun, viewer: Viewer, refs: Sequence[str]) -> dict[str, Record]:
    """Return the records of `refs` that there are, deleted ones included, whatever the rights."""
    found: dict[str, Record] = {}
    for some in chunks(dict.fromkeys(refs), PAGE):
        given = {"refs": some, "viewer": viewer.id}
        people = participants.load(tx, some) if noun is EVENT else {}
        for row in tx.connection.execute(_select(noun.kind), given).all():
            record = _record(noun, viewer, tuple(row), people)
            found[record.ref] = record
        _add_shares(tx, noun, viewer, found, some)
    return found


_HEAD = 19


@cache
def _select(kind: Kind) -> Select[Any]:
    noun = NOUNS[kind]
    table, viewer = noun.table, bindparam("viewer", type_=USERS.c.id.type)
    personal = (PERSONAL.c.revision, PERSONAL.c.reminders, PERSONAL.c.busy, PERSONAL.c.categories)
    nothing = (literal(None), literal(None), literal(None), literal(None))
    head: list[Any] = [
        table.c.id,
        table.c.revision,
        table.c.owner_id,
        noun.second,
        table.c.group_id,
        table.c.group_writes,
        table.c.visibility,
        table.c.key,
        table.c.modified_at,
        USERS.c.name,
        table.c.deleted_at.is_not(None),
        table.c.erased,
        MARKERS.c.marker,
        SCOPES.c.state,
        CONTACT_CHOICES.c.user_id if noun is CONTACT else literal(None),
        *(personal if noun is EVENT else nothing),
    ]
    assert len(head) == _HEAD
    source: Any = table.outerjoin(USERS, USERS.c.id == table.c.modified_by)
    for mine in (MARKERS, SCOPES):
        on = and_(mine.c.user_id == viewer, mine.c.kind == str(kind), mine.c.ref == table.c.id)
        source = source.outerjoin(mine, on)
    if noun is CONTACT:
        source = source.outerjoin(ACCOUNTS, ACCOUNTS.c.id == table.c.account_id).outerjoin(
            CONTACT_CHOICES,
            and_(CONTACT_CHOICES.c.user_id == viewer, CONTACT_CHOICES.c.contact_id == table.c.id),
        )
    if noun is EVENT:
        source = source.outerjoin(
            PERSONAL, and_(PERSONAL.c.appointment_id == table.c.id, PERSONAL.c.user_id == viewer)
        )
    labelled = [column.label(f"h{at}") for at, column in enumerate(head)]
    content = [table.c[name].label(f"c_{name}") for name in rows.columns(kind)]
    wanted = table.c.id.in_(bindparam("refs", expanding=True))
    return select(*labelled, *content).select_from(source).where(wanted)


def _record(
    noun: Noun, viewer: Viewer, row: tuple[Any, ...], people: dict[str, participants.Present]
) -> Record:
    (ref, revision, owner, second, group, group_writes, visibility, key, modified) = row[:9]
    (by, deleted, erased, marker, state, chosen) = row[9:15]
    own_revision, *own = row[15:_HEAD]
    present = people.get(ref, participants.NOBODY)
    more: dict[str, Any] = {}
    if noun is EVENT:
        more = {"attendees": present.attendees, "people": present.people}
    item = rows.decode(noun.kind, row[_HEAD:], **more)
    mine = owner == viewer.id
    return Record(
        kind=noun.kind,
        ref=ref,
        revision=revision,
        item=item,
        seen=item if noun is not EVENT or mine else _personal(item, own),
        owner=owner,
        second=second,
        users=present.users,
        group=group,
        group_writes=bool(group_writes),
        visibility=visibility,
        key=key or "",
        modified=modified,
        by=by or "",
        deleted=bool(deleted),
        erased=bool(erased),
        marker=marker or "",
        state=state or "",
        chosen=chosen is not None,
        own_revision=0 if mine else own_revision or 0,
    )


def _personal(item: Item, own: Sequence[Any]) -> Item:
    """Return an appointment as a participant sees it: the owner's reminders are not theirs."""
    assert isinstance(item, Event)
    reminders, busy, categories = own
    if reminders is None and busy is None and categories is None and not item.reminders:
        return item
    return msgspec.structs.replace(
        item,
        reminders=rows.reminders(reminders),
        busy=item.busy if busy is None else Busy(busy),
        categories=item.categories if categories is None else rows.strings(categories),
    )


def _add_shares(
    tx: Tx, noun: Noun, viewer: Viewer, found: dict[str, Record], refs: Sequence[str]
) -> None:
    """Look up what was shared with this user, where owning or taking part doesn't settle it."""
    asked = [
        ref
        for ref in refs
        if (record := found.get(ref)) and viewer.id not in (record.owner, record.second)
    ]
    if not asked:
        return
    given = {"refs": asked, "viewer": viewer.id, "groups": sorted(viewer.groups) or [-1]}
    for ref, writes in tx.connection.execute(_shares(noun.kind), given):
        record = found[ref]
        record.shares = "write" if writes or record.shares == "write" else "read"


@cache
def _shares(kind: Kind) -> Select[Any]:
    group = SHARES.c.grantee_id.in_(bindparam("groups", expanding=True))
    return select(SHARES.c.ref, SHARES.c.writes).where(
        SHARES.c.kind == str(kind),
        SHARES.c.ref.in_(bindparam("refs", expanding=True)),
        or_(
            and_(SHARES.c.grantee == "user", SHARES.c.grantee_id == bindparam("viewer")),
            and_(SHARES.c.grantee == "group", group),
        ),
    )
