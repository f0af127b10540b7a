"""What a participant of an appointment keeps to themselves: reminders, show-as, categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from accord.crm.database import rows
from accord.crm.database.schema import PERSONAL
from accord.db import Tx
from accord.db.tx import chunks


def put(tx: Tx, user: int, values: Mapping[str, tuple[int, Mapping[str, Any]]]) -> None:
    """Store some fields of a user, by appointment with the revision; the others stay.

    What was never set follows the appointment: its show-as and categories, no reminders.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for some in chunks(values):
        kept = select(
            PERSONAL.c.appointment_id,
            PERSONAL.c.reminders,
            PERSONAL.c.busy,
            PERSONAL.c.categories,
        ).where(PERSONAL.c.user_id == user, PERSONAL.c.appointment_id.in_(some))
        found.update((ref, tuple(own)) for ref, *own in tx.execute(kept))
    fresh = []
    for ref, (revision, fields) in values.items():
        reminders, busy, categories = found.get(ref, (None, None, None))
        if "reminders" in fields:
            reminders = rows.pack(fields["reminders"])
        if "busy" in fields:
            busy = str(fields["busy"])
        if "categories" in fields:
            categories = rows.pack(fields["categories"]) or "[]"
        fresh.append(
            {
                "appointment_id": ref,
                "user_id": user,
                "revision": revision,
                "reminders": reminders,
                "busy": busy,
                "categories": categories,
            }
        )
    tx.upsert(PERSONAL, fresh)
