"""What the repositories of state hold, beside the engine's own pairings and rules.

Frozen values; the service makes and reads them, the repositories keep them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from accord.model.diff import FieldChange
from accord.model.kinds import Kind, Side


class Mode(StrEnum):
    """Say how far a link goes: plans only, few changes at once, or in full use."""

    OBSERVE = "observe"
    PILOT = "pilot"
    ACTIVE = "active"


class Cause(StrEnum):
    """Say why a change is pending.

    `undo` is a step of an undo, `file` one about a file on an item, that waits for approval.
    `withheld` is what a side can't hold, as its rule accepts.
    """

    HELD = "held"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    RETRY = "retry"
    UNDO = "undo"
    FILE = "file"
    WITHHELD = "withheld"


class Target(Struct, frozen=True, kw_only=True):
    """Be a server and how to reach it; `secrets` are encrypted at rest and never shown."""

    id: str
    name: str
    adapter: str
    side: Side
    settings: dict[str, Any] = {}
    secrets: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Name the target without its secrets."""
        return f"Target({self.id!r}, {self.name!r}, {self.adapter!r}, {self.side.value!r})"

    __str__ = __repr__


class Link(Struct, frozen=True, kw_only=True):
    """Be one user, one kind, one folder on one target; `rule` is the rule's name."""

    id: str
    name: str
    user: str
    kind: Kind
    target: str
    principal: str
    folder: str = ""
    rule: str = ""
    mode: Mode = Mode.ACTIVE
    paused: bool = False


class Decision(Struct, frozen=True, kw_only=True):
    """Be the last decision about one ref; `step` is the step's name, `label` its title."""

    link: str
    side: Side
    ref: str
    version: str = ""
    uid: str = ""
    label: str = ""
    step: str = ""
    why: str = ""
    rule: str = ""
    run: str = ""
    at: datetime


class Intent(Struct, frozen=True, kw_only=True):
    """Be a write about to happen; `id` is its idempotency key, `step` what encode_step made."""

    id: str
    link: str
    run: str
    side: Side
    ref: str = ""
    pairing: str = ""
    step: bytes
    at: datetime


class Pending(Struct, frozen=True, kw_only=True):
    """Be a change that waits: for approval, a decision, a mended item or another try.

    `due` is when to try again (UTC). `refused` says that a person said no to this very change
    (`fingerprint`); it stays, so that the same change isn't asked about again.
    """

    id: str
    link: str
    ref_crm: str = ""
    ref_groupware: str = ""
    cause: Cause
    step: bytes
    why: str = ""
    fingerprint: str = ""
    run: str = ""
    at: datetime
    tries: int = 0
    due: datetime | None = None
    approved: bool = False
    refused: bool = False


class Entry(Struct, frozen=True, kw_only=True):
    """Be one line of the journal; `before` and `after` are digests of snapshots in blobs.

    `id` is given by the journal. `counterpart` is the ref on the other side; `ref` is empty where
    a side refused to make a copy of that. `actor` is who
    caused it where the side tells. `fields` come back with plain JSON values; they are empty
    once the entry was redacted; of a `conflict` or `clash` they are the CRM's value and the
    mailbox's. A `clash` is entered on the side that lost. `mails` is how many addresses the write
    may have mailed.
    """

    id: int = 0
    at: datetime
    run: str = ""
    link: str = ""
    user: str = ""
    side: Side
    kind: Kind
    ref: str
    counterpart: str = ""
    pairing: str = ""
    step: str
    why: str = ""
    actor: str = ""
    rule: str = ""
    version: str = ""
    error: str = ""
    fields: tuple[FieldChange, ...] = ()
    before: str | None = None
    after: str | None = None
    undone_by: int | None = None
    mails: int = 0


class Claim(Struct, frozen=True, kw_only=True):
    """Say which link's copy gives a meeting's content, and its CRM ref once there is one."""

    crm: str
    uid: str
    link: str
    ref: str = ""


class Lease(Struct, frozen=True, kw_only=True):
    """Be the right to work alone on `name` until `until`; a later one has a higher fence.

    `sure` is when its holder last made sure of it, in seconds of `time.monotonic`.
    """

    name: str
    holder: str
    fence: int
    until: datetime
    sure: float = 0.0


class Process(Struct, frozen=True, kw_only=True):
    """Be a process of the service: what it does, where, since when, and its figures.

    `name` is what `state.holder.myself` says. It was `heard` of last `silent` seconds ago, and is
    `gone` if that is long, or it is known to have ended.
    """

    name: str
    parts: frozenset[str]
    host: str = ""
    version: str = ""
    since: datetime
    heard: datetime | None = None
    silent: float = 0.0
    figures: dict[str, Any] = {}
    gone: bool = False

    @property
    def part(self) -> str:
        """Return what it does in one word: `all` where it both visits and listens."""
        return "all" if len(self.parts) > 1 else "".join(self.parts)

    @property
    def pid(self) -> str:
        """Return its number on its machine."""
        return self.name.rpartition("/")[0].rpartition("/")[2]


class Watched(Struct, frozen=True, kw_only=True):
    """Be a mailbox that a process watches: in which way since when, and why in no better one."""

    target: str
    principal: str
    way: str
    why: str = ""
    process: str = ""
    at: datetime | None = None


class Run(Struct, frozen=True, kw_only=True):
    """Be one visit: `counts` is what it did, `error` why it ended early."""

    id: str
    link: str = ""
    cause: str = ""
    started: datetime
    finished: datetime | None = None
    counts: dict[str, Any] = {}
    error: str = ""


class Trouble(Struct, frozen=True, kw_only=True):
    """Say that a side isn't the one we knew, or went back in time; its target is held."""

    name: str
    why: str
    instance: str
    seen_instance: str
    revision: int
    seen_revision: int


class Erasure(Struct, frozen=True, kw_only=True):
    """Be a person's erasure, kept so that a restored backup can replay it."""

    id: str
    person: str
    addresses: tuple[str, ...] = ()
    by: str = ""
    at: datetime
