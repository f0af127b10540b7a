"""Elements from WBXML, for messages and the device information inside.

libwbxml (0.11.8) can't be trusted with foreign bytes: deep elements and broken device information
end the process, 60 kB become 400 MB, and `]]>` inside of data ends it, so that an item can pass
for commands. Here every figure is checked first, and nothing becomes XML text.
"""

from __future__ import annotations

import re

from accord.formats.syncml import tokens as t
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import Limits
from accord.formats.syncml.node import Node, place
from accord.formats.syncml.status import StatusCode

_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def parse(data: bytes, limits: Limits) -> Node:
    """Return the root of a WBXML document in UTF-8.

    Raises Malformed for what isn't one, or passes the limits once its strings are taken out.
    """
    if len(data) > limits.size:
        raise Malformed(
            f"the message has {len(data):,} bytes, more than {limits.size:,}",
            status=StatusCode.REQUEST_ENTITY_TOO_LARGE,
        )
    budget = _Budget(limits)
    document = _Document(data, budget, 0)
    try:
        return document.read()
    except Malformed as refusal:
        refusal.partial = document.root
        raise


class _Budget:
    """Count what a document and those inside of it cost together."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.elements = 0
        self.text = 0

    def element(self, depth: int) -> None:
        self.elements += 1
        too_big = StatusCode.REQUEST_ENTITY_TOO_LARGE
        if self.elements > self.limits.elements:
            reason = f"there are more than {self.limits.elements:,} elements"
            raise Malformed(reason, status=too_big)
        if depth >= self.limits.depth:
            raise Malformed(f"elements stand more than {self.limits.depth} deep", status=too_big)

    def spend(self, text: bytes) -> bytes:
        self.text += len(text)
        if self.text > self.limits.size:
            reason = f"the message has more than {self.limits.size:,} bytes of text"
            raise Malformed(reason, status=StatusCode.REQUEST_ENTITY_TOO_LARGE)
        return text


class _Document:
    """Read one document; `outer` is how deep it stands in another."""

    def __init__(self, data: bytes, budget: _Budget, outer: int) -> None:
        self.data = data
        self.budget = budget
        self.outer = outer
        self.at = 0
        self.root: Node | None = None
        self.stack: list[Node] = []
        self.texts: list[bytes] = []
        self.table = b""
        self.page = 0
        self.pages = t.SYNCML_PAGES

    def read(self) -> Node:
        self.head()
        while self.root is None or self.stack:
            try:
                self.token(self.byte())
            except Malformed as refusal:
                path = place(self.stack)
                raise refusal.inside(path) if path else refusal from None
        if self.at != len(self.data):
            raise Malformed(f"{len(self.data) - self.at:,} bytes follow the end")
        return self.root

    def head(self) -> None:
        if not 1 <= self.byte() <= 3:
            raise Malformed("no WBXML of version 1.1 to 1.3")
        public = self.number()
        name_at = self.number() if public == 0 else None
        charset = self.number()
        if charset not in (0, t.US_ASCII, t.UTF_8):
            raise Malformed(f"the charset is {charset}; SyncML is in UTF-8 (106)")
        self.table = self.take(self.number())
        name = b"" if name_at is None else self.entry(name_at)
        if public in t.DEVINF_IDS.values() or name in t.DEVINF_NAMES:
            self.pages = t.DEVINF_PAGES

    def token(self, token: int) -> None:
        match token:
            case t.SWITCH_PAGE:
                self.page = self.byte()
            case t.END:
                self.end()
            case t.STR_I:
                end = self.data.find(0, self.at)
                if end < 0:
                    raise Malformed("a string has no end")
                self.text(self.take(end - self.at))
                self.at += 1
            case t.STR_T:
                self.text(self.entry(self.number()))
            case t.OPAQUE:
                self.opaque(self.take(self.number()))
            case t.ENTITY:
                self.text(_character(self.number()))
            case _:
                self.start(token)

    def start(self, token: int) -> None:
        number = token & 0x3F
        if token in t.RESERVED or token & t.ATTRIBUTES:
            raise Malformed(f"0x{token:02X} stands for nothing in SyncML")
        space, names = self.pages.get(self.page, ("", {}))
        name = names.get(number)
        if number == t.LITERAL:
            name = self.literal()
        elif name is None:
            raise Malformed(f"0x{number:02X} is no element of code page {self.page}")
        self.budget.element(self.outer + len(self.stack))
        self.flush()
        node = Node(name or "", ns=space)
        if self.stack:
            self.stack[-1].children.append(node)
        elif self.root is not None:
            raise Malformed("there is more than one root")
        self.root = self.root or node
        if token & t.CONTENT:
            self.stack.append(node)

    def literal(self) -> str:
        name = self.budget.spend(self.entry(self.number()))
        if not _NAME.fullmatch(name):
            raise Malformed(f"{name[:40]!r} is no name of an element")
        return name.decode()

    def end(self) -> None:
        if not self.stack:
            raise Malformed("an element ends that didn't begin")
        self.flush()
        self.stack.pop()

    def text(self, text: bytes) -> None:
        if not self.stack:
            raise Malformed("there is text outside of the root")
        self.texts.append(self.budget.spend(text))

    def opaque(self, data: bytes) -> None:
        """Read data, or the device information that some of it is."""
        inner = _Document(data, self.budget, self.outer + len(self.stack))
        if self.stack and data[:1] in (b"\1", b"\2", b"\3"):
            try:
                inner.head()
            except Malformed:
                inner.pages = t.SYNCML_PAGES
        if inner.pages is t.DEVINF_PAGES:
            inner.at = 0
            self.flush()
            self.stack[-1].children.append(inner.read())
        else:
            self.text(data)

    def flush(self) -> None:
        if not self.texts:
            return
        data = b"".join(self.texts)
        self.texts.clear()
        node = self.stack[-1]
        try:
            text = data.decode()
        except UnicodeDecodeError:
            node.text = data
            return
        if node.children:
            node.children[-1].tail += text
        else:
            node.text = text

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise Malformed("the message ends in the middle")
        self.at += 1
        return self.data[self.at - 1]

    def number(self) -> int:
        value = 0
        for _ in range(5):
            byte = self.byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise Malformed("a number has more than 32 bits")

    def take(self, length: int) -> bytes:
        if length > len(self.data) - self.at:
            raise Malformed("the message ends in the middle")
        self.at += length
        return self.data[self.at - length : self.at]

    def entry(self, at: int) -> bytes:
        if at >= len(self.table):
            raise Malformed(f"{at} is no place in the string table")
        end = self.table.find(0, at)
        if end < 0:  # libsynthesis leaves the last zero out
            end = len(self.table)
        if end - at > self.budget.limits.size:
            raise Malformed("a string is longer than a message")
        return self.table[at:end]


def _character(number: int) -> bytes:
    try:
        return chr(number).encode()
    except (ValueError, OverflowError):
        raise Malformed(f"{number} is no character") from None
