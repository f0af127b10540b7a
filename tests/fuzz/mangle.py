"""SyncML messages spoilt on purpose: elements moved, numbers swollen, bytes cut, bombs put in.

A mangler takes a whole message and a random generator; the same two give the same ruin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from accord.formats.errors import Refused
from accord.formats.syncml import wbxml_read, wbxml_write, xmltree
from accord.formats.syncml.limits import LIMITS
from accord.formats.syncml.media import Media
from accord.formats.syncml.node import METINF, Node
from accord.formats.syncml.version import Version

NUMBERS = ["0", "1", "2", "-1", "+5", "1e9", "NaN", "0x10", "9" * 18, "9" * 40, "٣", " 7 "]
CODES = [str(code) for code in (*range(200, 226), 100, 390001, 401, 404, 420, 500, 512, 777)]
STORES = ["addressbook", "./calendar", "todo", "absence", "mail", "nosuch", "./", "../../etc", "?"]
PEOPLE = ["anna", "mallory", "nobody", "phone-1", "rogue-1", "accord", "'; DROP TABLE x; --"]
WORDS = [
    "1.0",
    "1.1",
    "1.2",
    "2.0",
    "SyncML/1.1",
    "syncml:auth-basic",
    "syncml:auth-md5",
    "syncml:auth-MAC",
    "accord:token",
    "b64",
    "bin",
    "chr",
    "text/x-vcard",
    "text/vcard",
    "text/calendar",
    "message/rfc822",
    "application/vnd.syncml-devinf+xml",
    "./devinf12",
    "http://elsewhere.example/?s=1",
]
ODD = ["", " ", "a\tb", "\u202eabc", "é\u0301", "🙂" * 40, "x" * 300, "x" * 9000, "]]>", "\r\n"]
POOLS: list[list[str]] = [NUMBERS, CODES, STORES, PEOPLE, WORDS, ODD]
NAMES = [
    "Add",
    "Replace",
    "Delete",
    "Copy",
    "Move",
    "Exec",
    "Search",
    "Atomic",
    "Sequence",
    "Sync",
    "Map",
    "Alert",
    "Status",
    "Results",
    "Put",
    "Get",
    "Item",
    "Meta",
    "Data",
    "Target",
    "Source",
    "SyncHdr",
    "SyncBody",
    "Final",
    "Nonsense",
]
SIGNS = ["NoResp", "MoreData", "Final", "SftDel", "Archive", "NoResults", "FieldLevel"]

_MOST = 6_000
"""More elements than this are not made more."""

_BOMB = (
    b'<!DOCTYPE SyncML [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>'
)
_OUTSIDE = b'<!DOCTYPE SyncML [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
_PIECES = [
    b"&f;",
    b"&d;",
    b"&#0;",
    b"&#xD800;",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"<?x",
    b"</SyncML>",
    b"<SyncBody>",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\x81" * 9,
    b"\x03" + b"A" * 30,
    b"\xc3\xff\xff\xff\x7f",
    b"\x00\x01",
    b"\x00\x07",
    b"\x04\xff\xff\x7f",
    b"\x83\x7f",
]


class Mangler:
    """Spoil messages; `donors` are messages whose parts may turn up in others."""

    def __init__(self, rng: Random, donors: Sequence[Node] = ()) -> None:
        self.rng = rng
        self.donors = donors

    def mangle(self, data: bytes, media: Media) -> bytes:
        """Return a message that isn't what it was (or, rarely, is)."""
        if self.rng.random() < 0.85:
            data = self._by_tree(data, media)
        if self.rng.random() < 0.25:
            data = self._by_bytes(data)
        return data

    def _by_tree(self, data: bytes, media: Media) -> bytes:
        try:
            root = parse(data, media)
            for _ in range(self.rng.choice([1, 1, 2, 2, 3, 8])):
                parents = [one for one in _all(root) if one.children]
                if not parents or len(parents) > _MOST:
                    break
                parent = self.rng.choice(parents)
                self.rng.choice(TREE)(self, root, parent, self.rng.randrange(len(parent.children)))
            return write(root, media)
        except Refused:
            return data

    def _by_bytes(self, data: bytes) -> bytes:
        for _ in range(self.rng.choice([1, 1, 2, 5])):
            data = self.rng.choice(BYTES)(self, data)
        return data

    def text(self) -> str:
        return self.rng.choice(self.rng.choice(POOLS))

    # ---- elements ----

    def drop(self, root: Node, parent: Node, at: int) -> None:
        del parent.children[at]

    def double(self, root: Node, parent: Node, at: int) -> None:
        parent.children.insert(at, parent.children[at])

    def many(self, root: Node, parent: Node, at: int) -> None:
        times = self.rng.choice([3, 30, 300])
        if times * len(_all(parent.children[at])) < _MOST:
            parent.children[at:at] = [parent.children[at]] * times

    def shuffle(self, root: Node, parent: Node, at: int) -> None:
        self.rng.shuffle(parent.children)

    def rename(self, root: Node, parent: Node, at: int) -> None:
        child = parent.children[at]
        parent.children[at] = made = Node(self.rng.choice(NAMES), child.text, ns=child.ns)
        made.children = list(child.children)

    def say(self, root: Node, parent: Node, at: int) -> None:
        """Let a leaf say something else."""
        leaves = [one for one in _all(parent.children[at]) if not one.children]
        self.rng.choice(leaves).text = self.text()

    def swap(self, root: Node, parent: Node, at: int) -> None:
        """Let one leaf say what another says."""
        leaves = [one for one in _all(root) if not one.children]
        one, two = self.rng.choice(leaves), self.rng.choice(leaves)
        one.text, two.text = two.text, one.text

    def move(self, root: Node, parent: Node, at: int) -> None:
        child = parent.children[at]
        others = [one for one in _all(root) if one not in set(_all(child))]
        if others:
            parent.children.remove(child)
            self.rng.choice(others).children.append(child)

    def graft(self, root: Node, parent: Node, at: int) -> None:
        """Put in a part of another message."""
        if self.donors:
            parts = [one for one in _all(self.rng.choice(self.donors)) if one.name != "Cred"]
            parent.children.insert(at, copy(self.rng.choice(parts)))

    def wrap(self, root: Node, parent: Node, at: int) -> None:
        """Bury an element."""
        name = self.rng.choice(NAMES)
        for _ in range(self.rng.choice([1, 2, 40])):
            parent.children[at] = Node(name, "", parent.children[at])

    def hollow(self, root: Node, parent: Node, at: int) -> None:
        parent.children[at].children = []

    def sign(self, root: Node, parent: Node, at: int) -> None:
        parent.children.insert(at, Node(self.rng.choice(SIGNS)))

    def size(self, root: Node, parent: Node, at: int) -> None:
        name = self.rng.choice(["Size", "MaxMsgSize", "MaxObjSize", "NextNonce", "Type"])
        inner = Node(name, self.rng.choice([*NUMBERS, "5000", "100"]), ns=METINF)
        found = [one for one in _all(root) if one.name in ("Item", "SyncHdr", "Add", "Sync")]
        self.rng.choice(found or [parent]).children.insert(0, Node("Meta", "", inner))

    def same_numbers(self, root: Node, parent: Node, at: int) -> None:
        for one in _all(root):
            if one.name == "CmdID":
                one.text = "1"

    # ---- bytes ----

    def cut(self, data: bytes) -> bytes:
        return data[: self.rng.randrange(len(data) + 1)]

    def flip(self, data: bytes) -> bytes:
        made = bytearray(data)
        for _ in range(self.rng.choice([1, 3, 20]) if made else 0):
            made[self.rng.randrange(len(made))] ^= 1 << self.rng.randrange(8)
        return bytes(made)

    def remove(self, data: bytes) -> bytes:
        at = self.rng.randrange(len(data) + 1)
        return data[:at] + data[at + self.rng.choice([1, 4, 100]) :]

    def insert(self, data: bytes) -> bytes:
        at = self.rng.randrange(len(data) + 1)
        return data[:at] + self.rng.choice(_PIECES) + data[at:]

    def repeat(self, data: bytes) -> bytes:
        at = self.rng.randrange(len(data) + 1)
        piece = data[at : at + self.rng.choice([8, 60, 400])]
        return data[:at] + piece * self.rng.choice([2, 50]) + data[at:]

    def bomb(self, data: bytes) -> bytes:
        start = max(data.find(b"<SyncML"), 0)
        at = self.rng.randrange(start, len(data) + 1)
        inner = data[start:at] + self.rng.choice([b"&d;", b"&f;", b""]) + data[at:]
        return data[:start] + self.rng.choice([_BOMB, _OUTSIDE]) + inner

    def recode(self, data: bytes) -> bytes:
        text = data.decode("latin-1")
        return text.encode(self.rng.choice(["utf-16", "utf-32", "utf-7", "utf-8"]))

    def swell(self, data: bytes) -> bytes:
        """Rarely be more than any message may be."""
        if self.rng.random() < 0.9:
            return data + b" " * 1000
        return data + b" " * 1_000_001


TREE: list[Callable[[Mangler, Node, Node, int], None]] = [
    Mangler.drop,
    Mangler.double,
    Mangler.many,
    Mangler.shuffle,
    Mangler.rename,
    Mangler.say,
    Mangler.say,
    Mangler.say,
    Mangler.swap,
    Mangler.move,
    Mangler.graft,
    Mangler.wrap,
    Mangler.hollow,
    Mangler.sign,
    Mangler.size,
    Mangler.same_numbers,
]
BYTES: list[Callable[[Mangler, bytes], bytes]] = [
    Mangler.cut,
    Mangler.flip,
    Mangler.flip,
    Mangler.remove,
    Mangler.insert,
    Mangler.repeat,
    Mangler.bomb,
    Mangler.recode,
    Mangler.swell,
]


def parse(data: bytes, media: Media) -> Node:
    """Return the root of a message, in no name space of its own; raises Refused."""
    if media is Media.XML:
        root = xmltree.parse(data, LIMITS)
    else:
        root = wbxml_read.parse(data, LIMITS)
    for one in _all(root):
        if one.ns.startswith("SYNCML:"):
            one.ns = ""
    return root


def write(root: Node, media: Media) -> bytes:
    """Return a message's bytes; raises Refused for what can't be written at all."""
    if media is Media.WBXML:
        return wbxml_write.write(root, Version.V1_2)
    return xmltree.write(root, Version.V1_2.namespace)


def copy(node: Node) -> Node:
    made = Node(node.name, node.text, *map(copy, node.children), ns=node.ns)
    made.attrs, made.tail = node.attrs, node.tail
    return made


def _all(root: Node) -> list[Node]:
    """Return an element and all in it, as often as they stand there."""
    found = [root]
    for one in found:
        found += one.children
    return found
