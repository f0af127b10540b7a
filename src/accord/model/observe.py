"""What a side says about its items: snapshots, observations, listings.

Pulls produce these, the engine decides on them. Nothing is inferred from silence.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from accord.model.item import Item


class Snapshot(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Be an item as one side really stores it.

    `marker` is the other side's id that the item carries (on the groupware side the CRM ref
    that Accord wrote there, on the CRM side the uid of the groupware item), `key` the
    idempotency key it was created with, `modified` the side's own time of last change (UTC),
    `folder` where it lies, `by` who changed it last where the side tells. `readonly` says
    that this principal may read but not change it, `silent` that the server mails nobody
    whatever is done to it. `foreign` is the CRM record's id that another connector left on it.
    """

    ref: str
    version: str
    item: Item
    marker: str = ""
    foreign: str = ""
    key: str = ""
    modified: datetime | None = None
    folder: str = ""
    by: str = ""
    readonly: bool = False
    silent: bool = False


class Unchanged(Struct, frozen=True, tag="unchanged"):
    """Say that the ref is there in the version we know."""

    ref: str


class Seen(Struct, frozen=True, tag="seen"):
    """Say what the ref holds now."""

    snapshot: Snapshot

    @property
    def ref(self) -> str:
        """Return the ref of the snapshot."""
        return self.snapshot.ref


class Deleted(Struct, frozen=True, tag="deleted"):
    """Say that the side itself confirmed the deletion; `erased` marks a legal erasure."""

    ref: str
    erased: bool = False


class Moved(Struct, frozen=True, tag="moved"):
    """Say that the item was found elsewhere: another folder, the archive, Deleted Items."""

    ref: str
    folder: str = ""
    new_ref: str = ""
    trash: bool = False


class OutOfScope(Struct, frozen=True, tag="out-of-scope"):
    """Say that the record exists but left this user's scope (territory, list, reassignment)."""

    ref: str
    why: str = ""


class Denied(Struct, frozen=True, tag="denied"):
    """Say that access to the ref was refused; nothing follows from it."""

    ref: str
    why: str = ""


class Unknown(Struct, frozen=True, tag="unknown"):
    """Say that the ref couldn't be read this time; nothing follows from it.

    `version` is the version that could not be understood, where known, so that an unreadable
    item is asked for again only when it changes. `uid` and `title` are what could be made out
    all the same, so that people can ask about it; of what is, or may be, private no title.
    `half` says that a write was cut off there; sent again as such, it is completed. `ours` says
    that it is a copy Accord made, which an update in that very version writes over whole.
    """

    ref: str
    why: str = ""
    version: str = ""
    uid: str = ""
    title: str = ""
    half: bool = False
    ours: bool = False


Observation: TypeAlias = Unchanged | Seen | Deleted | Moved | OutOfScope | Denied | Unknown


class Completeness(StrEnum):
    """Say how much a listing covers."""

    COMPLETE = "complete"
    DELTA = "delta"
    PARTIAL = "partial"
    LOST = "lost"


class Listing(Struct, frozen=True, kw_only=True):
    """Be one page of a pull, with its completeness and the cursor that follows it.

    A full pull ends with a page that says `complete` and is preceded by `partial` ones; absence
    counts only over all of them. `cursor` is empty where the side can't say yet where it is.
    `lost` says that the given cursor is no longer valid: start again without one.
    """

    completeness: Completeness
    observations: tuple[Observation, ...] = ()
    cursor: str = ""
