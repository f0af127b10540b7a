"""A SyncML message as values: header and commands, the same for XML and WBXML.

Texts stand as the peer wrote them, data to the byte. None means absent, "" an empty element.
Elements: OMA-TS-SyncML-RepPro-V1_2_2 and OMA-TS-SyncML-MetaInfo-V1_2; what a version doesn't
know can't be written in it.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from accord.formats.syncml.devinf import DevInf
from accord.formats.syncml.version import Version


class Anchor(Struct, frozen=True, tag=True):
    """Mark a sync of one side: `next` this one, `last` the one before."""

    next: str
    last: str | None = None


class Meta(Struct, frozen=True, kw_only=True):
    """Say what something is: its type, format and size, or what the peer can take.

    Sizes are bytes. `next_nonce` stands as written, in base64 where `format` says b64.
    """

    format: str | None = None
    type: str | None = None
    mark: str | None = None
    size: int | None = None
    anchor: Anchor | None = None
    version: str | None = None
    next_nonce: str | None = None
    max_msg_size: int | None = None
    max_obj_size: int | None = None
    field_level: bool = False


class Cred(Struct, frozen=True):
    """Prove who speaks: `data` in the format and of the type that `meta` names."""

    data: str
    meta: Meta | None = None


class Chal(Struct, frozen=True):
    """Ask for a proof of `meta.type`, next time with `meta.next_nonce`."""

    meta: Meta


class Location(Struct, frozen=True):
    """Be a target or a source: a URI with a name for people."""

    uri: str
    name: str | None = None
    filter: Filter | None = None


class Binary(Struct, frozen=True, tag=True):
    """Be data that is no text in UTF-8: WBXML can carry it, XML only in base64."""

    data: bytes


class Item(Struct, frozen=True, kw_only=True):
    """Be one object or a part of it (`more_data`: the rest follows)."""

    target: Location | None = None
    source: Location | None = None
    source_parent: str | None = None
    target_parent: str | None = None
    meta: Meta | None = None
    data: str | Binary | Anchor | DevInf | None = None
    more_data: bool = False


class Filter(Struct, frozen=True, kw_only=True):
    """Narrow a target down (1.2): `kind` is EXCLUSIVE or INCLUSIVE."""

    meta: Meta
    field: Item | None = None
    record: Item | None = None
    kind: str | None = None


class MapItem(Struct, frozen=True):
    """Pair the server's name of an item (target) with the client's (source)."""

    target: Location
    source: Location


class _Command(Struct, frozen=True, kw_only=True, tag=True):
    cmd_id: str


class _Request(_Command, frozen=True, kw_only=True):
    no_resp: bool = False
    cred: Cred | None = None


class _OnItems(_Request, frozen=True, kw_only=True):
    items: tuple[Item, ...] = ()
    meta: Meta | None = None


class Add(_OnItems, frozen=True, kw_only=True):
    """Ask to add items."""


class Replace(_OnItems, frozen=True, kw_only=True):
    """Ask to replace items."""


class Copy(_OnItems, frozen=True, kw_only=True):
    """Ask to copy items from source to target."""


class Move(_OnItems, frozen=True, kw_only=True):
    """Ask to move items to another parent (1.2)."""


class Delete(_OnItems, frozen=True, kw_only=True):
    """Ask to delete items: into an archive, or only from the device (`soft`)."""

    archive: bool = False
    soft: bool = False


class Put(_OnItems, frozen=True, kw_only=True):
    """Hand over something, such as device information."""

    lang: str | None = None


class Get(_OnItems, frozen=True, kw_only=True):
    """Ask for something, such as device information."""

    lang: str | None = None


class Exec(_OnItems, frozen=True, kw_only=True):
    """Ask to run a program."""

    correlator: str | None = None


class Alert(_Request, frozen=True, kw_only=True):
    """Tell or ask for something; `code` is an AlertCode or a number that we don't know."""

    code: int | None = None
    items: tuple[Item, ...] = ()
    correlator: str | None = None


class Search(_Request, frozen=True, kw_only=True):
    """Ask for items that a query finds."""

    sources: tuple[Location, ...]
    meta: Meta
    data: str
    target: Location | None = None
    lang: str | None = None
    no_results: bool = False


class Map(_Request, frozen=True, kw_only=True):
    """Tell the client's names of items that the server added."""

    target: Location
    source: Location
    items: tuple[MapItem, ...] = ()
    meta: Meta | None = None


class Atomic(_Request, frozen=True, kw_only=True):
    """Ask to do all commands or none."""

    commands: tuple[Command, ...] = ()
    meta: Meta | None = None


class Sequence(_Request, frozen=True, kw_only=True):
    """Ask to do commands in this order."""

    commands: tuple[Command, ...] = ()
    meta: Meta | None = None


class Sync(_Request, frozen=True, kw_only=True):
    """Bring one store's changes; `number_of_changes` of all messages together (1.1)."""

    target: Location | None = None
    source: Location | None = None
    meta: Meta | None = None
    number_of_changes: int | None = None
    commands: tuple[Command, ...] = ()


class Status(_Command, frozen=True, kw_only=True):
    """Answer a command; `code` is a StatusCode or a number that we don't know."""

    msg_ref: str
    cmd_ref: str
    cmd: str
    code: int
    target_refs: tuple[str, ...] = ()
    source_refs: tuple[str, ...] = ()
    cred: Cred | None = None
    chal: Chal | None = None
    items: tuple[Item, ...] = ()


class Results(_Command, frozen=True, kw_only=True):
    """Bring what a Get or Search asked for."""

    cmd_ref: str
    msg_ref: str | None = None
    meta: Meta | None = None
    target_ref: str | None = None
    source_ref: str | None = None
    items: tuple[Item, ...] = ()


class Unknown(_Command, frozen=True, kw_only=True):
    """Stand for a command that we don't know, so that 501 can be answered."""

    name: str
    no_resp: bool = False


Command: TypeAlias = (
    Status
    | Alert
    | Sync
    | Add
    | Replace
    | Delete
    | Copy
    | Move
    | Atomic
    | Sequence
    | Exec
    | Search
    | Map
    | Put
    | Get
    | Results
    | Unknown
)


class Header(Struct, frozen=True, kw_only=True):
    """Name the session, the message in it, and the two sides; `resp_uri` is where to answer.

    `meta` may hold MaxMsgSize and MaxObjSize of the sender.
    """

    version: Version
    session_id: str
    msg_id: str
    target: Location
    source: Location
    resp_uri: str | None = None
    no_resp: bool = False
    cred: Cred | None = None
    meta: Meta | None = None


class Message(Struct, frozen=True, kw_only=True):
    """Be one message; `final` closes the sender's package."""

    header: Header
    body: tuple[Command, ...] = ()
    final: bool = False
