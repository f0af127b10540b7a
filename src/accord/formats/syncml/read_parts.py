"""Parts that many SyncML commands share: places, meta information, credentials, items.

`read` builds commands out of them.
"""

from __future__ import annotations

import base64
import re

import msgspec

from accord.formats.syncml import xmltree
from accord.formats.syncml.devinf import DevInf
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import Limits
from accord.formats.syncml.message import (
    Anchor,
    Binary,
    Chal,
    Cred,
    Filter,
    Item,
    Location,
    MapItem,
    Meta,
)
from accord.formats.syncml.node import Node, Words
from accord.formats.syncml.read_devinf import read_devinf
from accord.formats.syncml.status import StatusCode

_DIGEST = 16  # bytes of MD5
_HIDDEN = re.compile(r"\s*+(?:<[?!][^>]*>\s*+)*+<(?:\w+:)?DevInf[\s>]")


class Parts:
    """Read parts of one message, counting its items against the limits."""

    def __init__(self, limits: Limits) -> None:
        """Begin a message."""
        self.limits = limits
        self.words = Words(limits.word)
        self.count = 0

    def location(self, node: Node, name: str) -> Location | None:
        """Return the target or source of something."""
        child = node.find(name)
        return None if child is None else self._location(child)

    def place(self, node: Node, name: str) -> Location:
        """Return the target or source of something that must have one."""
        return self._location(_need(node, name))

    def places(self, node: Node, name: str) -> tuple[Location, ...]:
        """Return all targets or sources."""
        return tuple(self._location(child) for child in node.all(name))

    def meta(self, node: Node) -> Meta | None:
        """Return the Meta of something; its names count, not their name space."""
        outer = node.find("Meta")
        if outer is None:
            return None
        inner = outer.find("MetInf") or outer
        words, anchor = self.words, inner.find("Anchor")
        try:
            return Meta(
                format=words.get(inner, "Format"),
                type=words.get(inner, "Type"),
                mark=words.get(inner, "Mark"),
                size=words.number(inner, "Size"),
                anchor=None if anchor is None else self._anchor(anchor),
                version=words.get(inner, "Version"),
                next_nonce=words.get(inner, "NextNonce"),
                max_msg_size=words.number(inner, "MaxMsgSize"),
                max_obj_size=words.number(inner, "MaxObjSize"),
                field_level=inner.has("FieldLevel"),
            )
        except Malformed as refusal:
            raise refusal.inside("Meta") from None

    def cred(self, node: Node) -> Cred | None:
        """Return the credentials that come with something."""
        child = node.find("Cred")
        if child is None:
            return None
        meta = self.meta(child)
        digest = _bare_digest(child) if meta and meta.type == "syncml:auth-md5" else b""
        if meta and digest:
            data = base64.b64encode(digest).decode()
            return Cred(data, msgspec.structs.replace(meta, format="b64"))
        return Cred(self.words.get(child, "Data") or "", meta)

    def chal(self, node: Node) -> Chal | None:
        """Return a challenge."""
        child = node.find("Chal")
        return None if child is None else Chal(self.meta(child) or Meta())

    def handed_over(self, node: Node) -> tuple[Item, ...]:
        """Return the items of a Put or of Results; some peers hide a DevInf as text in them."""
        items = self.items(node)
        return tuple(
            msgspec.structs.replace(item, data=self._hidden(item.data))
            if isinstance(item.data, str) and _HIDDEN.match(item.data)
            else item
            for item in items
        )

    def items(self, node: Node) -> tuple[Item, ...]:
        """Return the items of a command."""
        return tuple(self.item(child) for child in node.all("Item"))

    def map_items(self, node: Node) -> tuple[MapItem, ...]:
        """Return the pairs of a Map."""
        return tuple(self._map_item(child) for child in node.all("MapItem"))

    def item(self, node: Node) -> Item:
        """Return one item."""
        self._count()
        try:
            return Item(
                target=self.location(node, "Target"),
                source=self.location(node, "Source"),
                source_parent=self._parent(node, "SourceParent"),
                target_parent=self._parent(node, "TargetParent"),
                meta=self.meta(node),
                data=self._data(node.find("Data")),
                more_data=node.has("MoreData"),
            )
        except Malformed as refusal:
            raise refusal.inside("Item") from None

    def _location(self, node: Node) -> Location:
        uri = self.words.get(node, "LocURI")
        if uri is None:
            raise Malformed("is missing", prop=f"{node.name}/LocURI")
        narrow = node.find("Filter")
        return Location(
            uri,
            self.words.get(node, "LocName"),
            None if narrow is None else self._filter(narrow),
        )

    def _filter(self, node: Node) -> Filter:
        field, record = (self._inside(node, name) for name in ("Field", "Record"))
        kind = self.words.get(node, "FilterType")
        return Filter(meta=self.meta(node) or Meta(), field=field, record=record, kind=kind)

    def _inside(self, node: Node, name: str) -> Item | None:
        outer = node.find(name)
        return None if outer is None else self.item(_need(outer, "Item"))

    def _map_item(self, node: Node) -> MapItem:
        self._count()
        return MapItem(self.place(node, "Target"), self.place(node, "Source"))

    def _parent(self, node: Node, name: str) -> str | None:
        child = node.find(name)
        return None if child is None else self._location(child).uri

    def _anchor(self, node: Node) -> Anchor:
        following = self.words.get(node, "Next")
        if following is None:
            raise Malformed("is missing", prop="Anchor/Next")
        return Anchor(following, self.words.get(node, "Last"))

    def _data(self, node: Node | None) -> str | Binary | Anchor | DevInf | None:
        if node is None:
            return None
        if not node.children:
            return Binary(node.text) if isinstance(node.text, bytes) else node.text
        for child in node.children:
            if child.name == "DevInf":
                try:
                    return read_devinf(child, self.words)
                except Malformed as refusal:
                    raise refusal.inside("Data/DevInf") from None
            if child.name == "Anchor":
                return self._anchor(child)
        return "".join([_text(node), *(xmltree.write(c).decode() for c in node.children)])

    def _hidden(self, data: str) -> DevInf:
        root = xmltree.parse(data.encode(), self.limits)
        try:
            return read_devinf(root, self.words)
        except Malformed as refusal:
            raise refusal.inside("Item/Data/DevInf") from None

    def _count(self) -> None:
        self.count += 1
        if self.count > self.limits.items:
            raise Malformed(
                f"the message has more than {self.limits.items:,} items",
                status=StatusCode.REQUEST_ENTITY_TOO_LARGE,
            )


def _need(node: Node, name: str) -> Node:
    child = node.find(name)
    if child is None:
        raise Malformed("is missing", prop=name)
    return child


def _text(node: Node) -> str:
    if isinstance(node.text, bytes):
        raise Malformed("the text isn't UTF-8", prop=node.name)
    return node.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _bare_digest(cred: Node) -> bytes:
    """Return a digest that stands there as it is, as SyncML 1.0 does in WBXML; empty if none."""
    data = cred.find("Data")
    text = b"" if data is None else data.text
    digest = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return digest if len(digest) == _DIGEST else b""
