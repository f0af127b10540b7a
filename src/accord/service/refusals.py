"""What CRM.interface refused, for the journal: tokens, rights and items, each with its reason."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from accord.state.state import Tx


class Refusal(Struct, frozen=True, kw_only=True):
    """Be a refusal: `refused` is `item`, or `token:` and why, such as `token:expired`.

    `user` is the name that was given, of a refused token hearsay. `where` is the address or device
    it came from, `ref` the record in the CRM, `luid` its name on the device. `times` is how often
    it happened in that hour.
    """

    at: datetime
    refused: str
    user: str
    where: str
    why: str
    store: str = ""
    ref: str = ""
    luid: str = ""
    times: int = 1


def refusals(
    tx: Tx,
    *,
    user: str | None = None,
    item: str | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[Refusal]:
    """Return refusals, newest first, at most `limit`; `item` is a record's ref in the CRM."""
    found = [
        Refusal(
            at=sync.at,
            refused="item",
            user=sync.user,
            where=sync.device,
            why=note.why,
            store=sync.store,
            ref=note.ref,
            luid=note.luid,
        )
        for sync, note in tx.sync_log.refused(user=user, ref=item, before=before, limit=limit)
    ]
    if item is None:
        found += [
            Refusal(
                at=line.last,
                refused=line.event.replace("refused", "token", 1),
                user=line.user,
                where=line.peer,
                why=line.why,
                times=line.times,
            )
            for line in tx.token_log.query(user=user, event="refused", before=before, limit=limit)
            if line.last is not None
        ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:limit]
