"""What the CRM calls its records: for each kind its folder, table and who is beside the owner.

`records` reads and `writing` writes through this table; a new kind begins here.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Column, Table

from accord.crm.database.schema import ABSENCES, ACCOUNTS, APPOINTMENTS, CONTACTS, TASKS
from accord.model.kinds import Kind
from accord.ports.errors import ConfigError


class Noun(Struct, frozen=True, kw_only=True):
    """Be one kind of record.

    `second` is the column of the user beside the owner: the organizer of an appointment, the
    assignee of a task, the absent person, the owner of a contact's account.
    """

    kind: Kind
    folder: str
    title: str
    table: Table
    second: Column[Any]


EVENT = Noun(
    kind=Kind.EVENT,
    folder="events",
    title="Appointments",
    table=APPOINTMENTS,
    second=APPOINTMENTS.c.organizer_id,
)
TASK = Noun(kind=Kind.TASK, folder="tasks", title="Tasks", table=TASKS, second=TASKS.c.assignee_id)
CONTACT = Noun(
    kind=Kind.CONTACT,
    folder="contacts",
    title="Contacts",
    table=CONTACTS,
    second=ACCOUNTS.c.owner_id,
)
ABSENCE = Noun(
    kind=Kind.ABSENCE,
    folder="absences",
    title="Absences",
    table=ABSENCES,
    second=ABSENCES.c.user_id,
)

NOUNS: dict[Kind, Noun] = {noun.kind: noun for noun in (EVENT, TASK, CONTACT, ABSENCE)}


def noun_of(folder: str, kind: Kind) -> Noun:
    """Return the noun of a kind; an empty `folder` means the right one, a wrong one ConfigError."""
    noun = NOUNS.get(kind)
    if noun is None:
        raise ConfigError(
            f"the CRM keeps no items of kind {kind}",
            field="kind",
            hint=f"use one of: {', '.join(NOUNS)}",
        )
    if folder not in ("", noun.folder):
        raise ConfigError(
            f"the CRM has no folder {folder!r} for items of kind {kind}",
            field="folder",
            hint=f"use {noun.folder!r} or leave it empty",
        )
    return noun
