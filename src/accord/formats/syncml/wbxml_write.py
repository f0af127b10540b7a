"""Elements into WBXML, for messages and the device information inside.

The other way is `wbxml_read`; `wbxml` puts both together with the meaning.
"""

from __future__ import annotations

import re

from accord.formats.syncml import tokens as t
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.node import DEVINF, Node, place, unfit
from accord.formats.syncml.version import Version

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_DEPTH = 64


def write(node: Node, version: Version) -> bytes:
    """Return an element as a WBXML document of a version of SyncML (or of its DevInf).

    Raises Malformed for a character that XML can't hold, as peers make XML of it.
    """
    return _Writer(t.DEVINF_IDS if node.ns == DEVINF else t.SYNCML_IDS, version).write(node)


class _Writer:
    def __init__(self, ids: dict[Version, int], version: Version) -> None:
        self.ids = ids
        self.version = version
        self.out = bytearray()
        self.table: dict[str, int] = {}
        self.table_size = 0
        self.page = 0
        self.path: list[Node] = []

    def write(self, node: Node) -> bytes:
        self.element(node)
        head = bytes([t.WBXML_1_2]) + _multibyte(self.ids[self.version]) + _multibyte(t.UTF_8)
        table = b"".join(name.encode() + b"\0" for name in self.table)
        return head + _multibyte(len(table)) + table + bytes(self.out)

    def element(self, node: Node) -> None:
        self.path.append(node)
        if len(self.path) > _DEPTH:
            raise Malformed(f"elements stand more than {_DEPTH} deep", prop=place(self.path[:4]))
        content = t.CONTENT if node.text or node.children else 0
        page, number = t.TAGS.get((node.ns, node.name), (self.page, t.LITERAL))
        if page != self.page:
            self.out += bytes([t.SWITCH_PAGE, page])
            self.page = page
        self.out.append(number | content)
        if number == t.LITERAL:
            self.out += _multibyte(self.literal(node.name))
        if content:
            self.text(node)
            for child in node.children:
                if child.ns == DEVINF and node.ns != DEVINF:
                    self.opaque(write(child, self.version))
                else:
                    self.element(child)
            self.out.append(t.END)
        self.path.pop()

    def literal(self, name: str) -> int:
        if not _NAME.fullmatch(name):
            raise Malformed(f"{name[:40]!r} is no name of an element", prop=place(self.path[:-1]))
        if name not in self.table:
            self.table[name] = self.table_size
            self.table_size += len(name) + 1
        return self.table[name]

    def text(self, node: Node) -> None:
        text = node.text
        if isinstance(text, bytes):
            self.opaque(text)
            return
        if reason := unfit(text):
            raise Malformed(reason, prop=place(self.path))
        if text and node.name == "Data" and self.path[-2].name == "Item":
            self.opaque(text.encode())
        elif text:
            self.out += bytes([t.STR_I]) + text.encode() + b"\0"

    def opaque(self, data: bytes) -> None:
        self.out += bytes([t.OPAQUE]) + _multibyte(len(data)) + data


def _multibyte(number: int) -> bytes:
    """Return mb_u_int32: seven bits a byte, the highest bit set in all but the last."""
    out = [number & 0x7F]
    while number := number >> 7:
        out.append(number & 0x7F | 0x80)
    return bytes(reversed(out))
