"""Who may do what with a record: one function, asked by every call.

Pure: `records` loads what it needs, reading and writing obey what it says.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum

import msgspec

from accord.crm.database.records import Record
from accord.crm.database.viewer import ALL, NONE, OWN, READ, WRITE, Viewer
from accord.model.fields import FIELDS
from accord.model.item import Event, Item
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Privacy, Reply
from accord.model.recurrence import Override


class Right(IntEnum):
    """Say what a user may do with a record; each includes those before.

    reply: answer, and keep reminders, show-as and categories of one's own · edit: change the
    content · own: also delete it, restore it and give it to others.
    """

    NONE = 0
    READ = 1
    REPLY = 2
    EDIT = 3
    OWN = 4


class Visibility(StrEnum):
    """Say who may read a record beside its owner and those it was shared with.

    participants: organizer, participants, assignee, absent person, owner of the account ·
    group: also the members of the record's group · everyone: every user. What an item's
    privacy withholds, neither group nor everyone nor an administrator sees.
    """

    PRIVATE = "private"
    PARTICIPANTS = "participants"
    GROUP = "group"
    EVERYONE = "everyone"


PERSONAL = frozenset(name for name, spec in FIELDS[Kind.EVENT].items() if spec.personal)
"""The fields of an appointment that every participant has for themselves."""


def right(viewer: Viewer, record: Record) -> Right:
    """Return what `viewer` may do with `record`."""
    return min(_granted(viewer, record), _LEVELS[viewer.levels.get(record.kind, WRITE)])


def covers(viewer: Viewer, record: Record) -> bool:
    """Tell whether a contact is on this user's list, whether they may read it or not."""
    if viewer.contact_mode == ALL:
        return right(viewer, record) >= Right.READ
    mine = viewer.id in (record.owner, record.second) or record.group in viewer.groups
    return record.chosen or (viewer.contact_mode == OWN and mine)


def only_answers(before: Item, after: Item, changed: Iterable[str], own: frozenset[str]) -> bool:
    """Tell whether a change keeps to what a participant with the addresses `own` may do."""
    shared = frozenset(changed) - PERSONAL
    if not shared:
        return True
    if not shared <= {"attendees", "overrides"}:
        return False
    if not isinstance(before, Event) or not isinstance(after, Event):
        return False
    return _unanswered(before, own) == _unanswered(after, own)


_LEVELS = {NONE: Right.NONE, READ: Right.READ, WRITE: Right.OWN}
_SHARES = {"": Right.NONE, "read": Right.READ, "write": Right.EDIT}


def _granted(viewer: Viewer, record: Record) -> Right:
    granted = Right.OWN if viewer.id == record.owner else Right.NONE
    if record.visibility != Visibility.PRIVATE:
        granted = max(granted, _taking_part(viewer, record))
    granted = max(granted, _SHARES[record.shares])
    if record.item.privacy is not Privacy.PUBLIC:
        return granted
    if record.visibility == Visibility.GROUP and record.group in viewer.groups:
        granted = max(granted, Right.EDIT if record.group_writes else Right.READ)
    if record.visibility == Visibility.EVERYONE and viewer.id:
        granted = max(granted, Right.READ)
    return Right.OWN if viewer.admin else granted


def _taking_part(viewer: Viewer, record: Record) -> Right:
    if viewer.id == record.second:
        return Right.EDIT if record.kind is Kind.TASK else Right.OWN
    if viewer.id not in record.users:
        return Right.NONE
    # A meeting that nobody in the CRM organizes is kept by whoever has a copy of it.
    item = record.item
    outside = isinstance(item, Event) and item.organizer is not None and record.second is None
    return Right.EDIT if outside else Right.REPLY


def _unanswered(item: Event, own: frozenset[str]) -> tuple[object, ...]:
    """Return people and changed occurrences as they are without the replies of `own`."""
    attendees = _blank(item.attendees, own)
    overrides = {}
    for override in item.overrides:
        people = override.attendees
        if people is not msgspec.UNSET and _blank(people, own) == attendees:
            override = msgspec.structs.replace(override, attendees=msgspec.UNSET)
        elif people is not msgspec.UNSET:
            override = msgspec.structs.replace(override, attendees=_blank(people, own))
        if override != Override(recurrence_id=override.recurrence_id):
            overrides[override.recurrence_id] = override
    return attendees, overrides


def _blank(attendees: tuple[Attendee, ...], own: frozenset[str]) -> tuple[Attendee, ...]:
    return tuple(
        msgspec.structs.replace(one, reply=Reply.NEEDS_ACTION, rsvp=False)
        if one.address.casefold() in own
        else one
        for one in attendees
    )
