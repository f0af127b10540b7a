"""What an adapter can do, as data: kinds, writable fields, limits, quirks.

Differences between adapters come from here, never from their names.
"""

from __future__ import annotations

from msgspec import Struct

from accord.model.kinds import Kind


class KindTraits(Struct, frozen=True, kw_only=True):
    """Say what a side can store of one kind.

    `fields` are those it stores; `readonly` names those of them, or others, that it reports but
    can't write; `limits` are maximum lengths in characters; `extras` are the namespaces of own
    fields it keeps.
    `series` false means that the adapter produces a rolling window of occurrences itself.
    `schedules` means that the server mails attendees by itself when an organizer's copy with
    attendees is written, `notifies` that it mails them where a write asks for it and else never;
    `foreign_organizer` that it can store a copy whose organizer is
    somebody else. `trash` says that a delete can be found again in a folder of deleted items,
    `restores` that a deleted record can be brought back under its own ref. `html` says that
    bodies may be HTML, `seconds` that times keep seconds, `files` that its sessions are
    `Attachments` for items of this kind.
    """

    fields: frozenset[str]
    readonly: frozenset[str] = frozenset()
    limits: dict[str, int] = {}
    extras: frozenset[str] = frozenset()
    series: bool = True
    schedules: bool = False
    notifies: bool = False
    foreign_organizer: bool = True
    trash: bool = False
    restores: bool = False
    html: bool = True
    seconds: bool = True
    uid_kept: bool = True
    files: bool = False


class Traits(Struct, frozen=True, kw_only=True):
    """Declare an adapter: its name, the kinds it carries and how to speak to it.

    `batch` is the largest number of items in one write call, `page` in one listing page,
    `concurrency` how many sessions may be open at once. `replies` says that its sessions are
    `Answering`: that mailboxes answer by themselves and that this can be set.
    """

    adapter: str
    kinds: dict[Kind, KindTraits]
    batch: int = 50
    page: int = 200
    concurrency: int = 4
    replies: bool = False
