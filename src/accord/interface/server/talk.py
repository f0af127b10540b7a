"""A conversation as data: what must be remembered between one message and the next.

Stored after each reply, so that any process can go on. Items are named by refs, never held, but
for the rest of one that travels in parts.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct, field

from accord.formats.syncml.message import Command
from accord.model.learning import learnt
from accord.state.device_items import Anchors


class Stage(StrEnum):
    """Name whose turn it is to send a package."""

    OPENING = "opening"
    CLIENT = "client"
    SERVER = "server"
    CLOSING = "closing"
    OVER = "over"


class Mode(StrEnum):
    """Name how a store is synced, as the log of syncs shows it."""

    TWO_WAY = "two-way"
    SLOW = "slow"
    FROM_CLIENT = "from-client"
    REFRESH_FROM_CLIENT = "refresh-from-client"
    FROM_SERVER = "from-server"
    REFRESH_FROM_SERVER = "refresh-from-server"

    @property
    def code(self) -> int:
        """Return the alert that asks for it."""
        return 200 + list(Mode).index(self)

    @property
    def receives(self) -> bool:
        """Tell whether the client's changes are wanted."""
        return self not in (Mode.FROM_SERVER, Mode.REFRESH_FROM_SERVER)

    @property
    def sends(self) -> bool:
        """Tell whether the client gets changes."""
        return self not in (Mode.FROM_CLIENT, Mode.REFRESH_FROM_CLIENT)


class Candidate(Struct, array_like=True):
    """Be an item of the CRM that one of the device's may be, in a slow sync."""

    ref: str
    version: str
    uid: str
    name: str
    marks: tuple[str, ...] = ()


class Out(Struct, array_like=True):
    """Be one change for the device; `luid` is its name there, none for a new item.

    `vague` says that the CRM couldn't read it, so nobody knows whether it changed at all.
    """

    ref: str
    luid: str | None = None
    gone: bool = False
    vague: bool = False


class Part(Struct):
    """Be the rest of an item that goes out in parts: `text` from `at` on; `base` is its digest."""

    out: Out
    text: str
    version: str
    type: str
    at: int = 0
    base: str = ""


class Sent(Struct, array_like=True):
    """Be a command of ours whose status is awaited; `base` is the digest of the item that went."""

    store: str
    what: str
    ref: str = ""
    version: str = ""
    base: str = ""


class Coming(Struct):
    """Be an item that comes in parts, which may part a character: `pieces` are UTF-8."""

    store: str
    command: str
    luid: str
    type: str
    size: int | None
    pieces: list[bytes] = []
    length: int = 0

    def take(self, piece: bytes) -> None:
        """Add a piece."""
        if piece:
            self.pieces.append(piece)
            self.length += len(piece)


class StoreTalk(Struct):
    """Be one store in a conversation.

    `merge` marks a refresh that the client didn't ask for: nothing is taken away. `candidates` are
    there in a slow sync as soon as something has come, with the refs of the `unread` that the CRM
    couldn't read; `queue` as soon as something goes out.
    `mark` stands on the device's items that this sync has touched, also when it is resumed. `came`
    counts the device's changes, of which it said there are `expected`; `doubt` tells which of them
    didn't arrive. `held` says that the next sync must ask again for the changes of this one;
    `baffled` that a fault hides which of the CRM's items one of the device's is.
    """

    id: str
    name: str
    uri: str
    mode: Mode
    client_next: str
    own_next: str
    before: Anchors | None
    merge: bool = False
    max_object: int | None = None
    cursor: str = ""
    candidates: dict[str, Candidate] | None = None
    unread: list[str] = []
    queue: list[Out] | None = None
    alerted: bool = False
    heard: bool = False
    announced: bool = False
    part: Part | None = None
    failed: str = ""
    ended: bool = False
    mark: str = ""
    expected: int = 0
    came: int = 0
    doubt: str = ""
    held: bool = False
    baffled: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def slow(self) -> bool:
        """Tell whether the client sends all it has."""
        return self.mode in (Mode.SLOW, Mode.REFRESH_FROM_CLIENT)

    @property
    def repeats(self) -> bool:
        """Tell whether everything is to be compared once more, and nothing sent until then.

        Whatever the device gets might be what it has. A fault that stays is borne the next time.
        """
        again = self.before is not None and not self.before.client
        return self.slow and self.baffled and not again

    @property
    def done(self) -> bool:
        """Tell whether nothing is left to send."""
        return bool(self.failed) or (self.announced and not self.queue and self.part is None)

    @property
    def lacks(self) -> str:
        """Return what of the device's changes isn't in the CRM; empty where all are."""
        if not self.doubt and self.came < self.expected:
            return f"the device sent {self.came:,} of {self.expected:,} items"
        return self.doubt

    def count(self, what: str, by: int = 1) -> None:
        """Count something for the log."""
        self.counts[what] = self.counts.get(what, 0) + by


class Owed(Struct):
    """Be a command that still has to be sent; `alert` names the store it is about."""

    command: Command
    alert: str = ""


class Rest(Struct):
    """Be the rest of an answer that goes to a connector in parts: `text` from `at` on."""

    message: str
    command: str
    uri: str
    sort: str
    version: str
    text: str
    at: int = 0


class Connector(Struct):
    """Be what a connector's conversation needs beside what all have.

    `stays` says that something may follow, or come again.
    """

    stays: bool = False
    rest: Rest | None = None
    coming: Coming | None = None


class Talk(Struct, kw_only=True):
    """Be a conversation.

    `key` is the secret part of the address that later messages come to; `secret` names the device
    secret with which each message is signed, where the device does that. `connector` is there if a
    connector speaks instead of a device.
    """

    device: str
    session: str
    user: str
    key: str
    secret: str = ""
    stage: Stage = Stage.OPENING
    stores: dict[str, StoreTalk] = {}
    peer_message: int = 0
    peer_object: int = 0
    asked: bool = False
    owed: list[Owed] = []
    final_due: bool = False
    sent: dict[str, Sent] = {}
    coming: Coming | None = None
    connector: Connector | None = None

    @property
    def owes_too_much(self) -> bool:
        """Tell whether more waits to be sent than any peer that listens would let pile up."""
        return len(self.owed) > 100 and len(_ENCODER.encode(self.owed)) > _MOST_OWED

    def encode(self) -> bytes:
        """Return the conversation as bytes."""
        return _ENCODER.encode(self)


def decode(data: bytes) -> Talk:
    """Return the conversation in some bytes."""
    return _DECODER.decode(data)


_MOST_OWED = 2_000_000
_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Talk] = msgspec.msgpack.Decoder(learnt(Talk))
