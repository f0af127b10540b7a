"""Elements between bytes and message: the one tree that both codecs read and write.

`read` and `write` give it meaning; `xml` and `wbxml` know only names, texts and name spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from accord.formats.syncml.errors import Malformed

METINF = "syncml:metinf"
DEVINF = "syncml:devinf"
SPACE = " \t\r\n"

_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NUMBER = re.compile("[0-9]{1,18}", re.ASCII)


class Node:
    """Be one element: its name without prefix, its name space, its text or its children.

    `ns` is "" for the name space of the message, on reading whatever stood there. `text` is
    bytes only where there was data that is no UTF-8. `attrs`, and the `tail` of text after
    the element, matter to foreign data only.
    """

    __slots__ = ("attrs", "children", "name", "ns", "tail", "text")

    def __init__(
        self, name: str, text: str | bytes = "", *children: Node | None, ns: str = ""
    ) -> None:
        """Make an element; children that are None are left out."""
        self.name = name
        self.ns = ns
        self.text = text
        self.children = [child for child in children if child is not None]
        self.attrs: dict[str, str] | None = None
        self.tail = ""

    def find(self, name: str) -> Node | None:
        """Return the first child of that name."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def all(self, name: str) -> Iterator[Node]:
        """Yield the children of that name."""
        return (child for child in self.children if child.name == name)

    def has(self, name: str) -> bool:
        """Say whether an (empty) element stands here as a sign."""
        return self.find(name) is not None


class Words:
    """Take short texts out of elements, each no longer than `limit` characters."""

    def __init__(self, limit: int) -> None:
        """Keep the limit."""
        self.limit = limit

    def own(self, node: Node) -> str:
        """Return an element's own text without space around it."""
        text = node.text
        if isinstance(text, bytes):
            raise Malformed("the text isn't UTF-8", prop=node.name)
        text = text.strip(SPACE)
        if len(text) > self.limit:
            reason = f"the text has {len(text):,} characters, more than {self.limit:,}"
            raise Malformed(reason, prop=node.name)
        if reason := unfit(text):
            raise Malformed(reason, prop=node.name)
        return text

    def get(self, node: Node, name: str) -> str | None:
        """Return a child's text, None where there is no such child."""
        child = node.find(name)
        return None if child is None else self.own(child)

    def need(self, node: Node, name: str) -> str:
        """Return a child's text; raise Malformed where it is missing or empty."""
        text = self.get(node, name)
        if not text:
            raise Malformed("is missing", prop=name)
        return text

    def number(self, node: Node, name: str) -> int | None:
        """Return a child's text as a whole number, None where there is no such child."""
        child = node.find(name)
        return None if child is None else self.whole(child)

    def whole(self, node: Node) -> int:
        """Return an element's text as a number from 0 up; raise Malformed for anything else."""
        text = self.own(node)
        if not _NUMBER.fullmatch(text):
            raise Malformed(f"{text[:40]!r} is no number", prop=node.name)
        return int(text)


def leaf(name: str, text: str | int | None, ns: str = "") -> Node | None:
    """Return an element with a text, None where there is nothing to say."""
    return None if text is None else Node(name, str(text), ns=ns)


def sign(name: str, there: bool, ns: str = "") -> Node | None:
    """Return an empty element that says yes, None for no."""
    return Node(name, ns=ns) if there else None


def unfit(text: str) -> str:
    """Return why XML can't hold a text, "" if it can (XML 1.0, section 2.2)."""
    found = _UNFIT.search(text)
    return f"the text has U+{ord(found[0]):04X}, which XML can't hold" if found else ""


def clean(text: str) -> tuple[str, str]:
    """Return a text without the characters that XML can't hold, and why it changed.

    The reason is "" for a text that may stay as it is.
    """
    found = sorted(set(_UNFIT.findall(text)))
    if not found:
        return text, ""
    names = ", ".join(f"U+{ord(character):04X}" for character in found[:5])
    more = ", …" if len(found) > 5 else ""
    return _UNFIT.sub("", text), f"left out what XML can't hold: {names}{more}"


def label(node: Node) -> str:
    """Return the name of an element with its CmdID."""
    number = node.find("CmdID")
    if number is None or not isinstance(number.text, str):
        return node.name[:40]
    return f"{node.name[:40]} {number.text.strip(SPACE)[:20]}".rstrip()


def place(path: Iterable[Node]) -> str:
    """Return where an element stands, outermost first."""
    return "/".join(label(node) for node in path)
