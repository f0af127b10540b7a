"""Elements from XML and into XML, for messages and for what stands inside their data.

lxml parses without entities, document types or network, and only what fits the limits; writing
is done here, because peers want CR and every other character as itself, never as a reference.
Peers cut large items between bytes, so that a part may begin or end inside of a character.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lxml import etree

from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import Limits
from accord.formats.syncml.node import Node, place, unfit
from accord.formats.syncml.status import StatusCode

_CHUNK = 1 << 16
_DEPTH = 64
_BOM = b"\xef\xbb\xbf"
_DECLARATION = re.compile(rb"\s*+<\?xml\s([^?>]*+)\?>")
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([^\"']*)[\"']")
_MISC = re.compile(rb"(?:\s++|<!--(?>.*?-->)|<\?(?>.*?\?>))*+", re.DOTALL)
_DOCTYPE = re.compile(rb"<!DOCTYPE(?:[^\[\]<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+>")
_NAME = re.compile(r"[^\W\d][\w.-]*")
_OWN_DOCTYPE = "the document type isn't a plain one: no declarations, no entities"
_NO_UTF_8 = "the text isn't UTF-8"
_PLACE = re.compile(r", line \d+, column \d+")
_STAND_INS = [chr(0xF800 + number).encode() for number in range(16)]
_BYTES = [range(first, first + 128) for first in range(0xF0000, 0xF0800, 128)]
_LOST = range(0xDC80, 0xDD00)  # what Python makes of a byte from 80 to FF that is no UTF-8


def parse(data: bytes, limits: Limits) -> Node:
    """Return the root of an XML text in UTF-8, with every CR that stood there.

    XML parsers turn CR LF into LF, but sizes and parts of large objects count the CR; so it
    passes the parser as a character that isn't otherwise there. So do bytes that are no UTF-8: an
    element's text that has some is bytes.
    Raises Malformed, which names the header of a truncated message if that was complete.
    """
    if len(data) > limits.size:
        raise Malformed(
            f"the message has {len(data):,} bytes, more than {limits.size:,}",
            status=StatusCode.REQUEST_ENTITY_TOO_LARGE,
        )
    data, lost = _as_text(data)
    start = _start(data)
    lines = data.count(b"\n", 0, start)
    stand_in = next((each for each in _STAND_INS if each not in data), None)
    if stand_in is not None and data.find(b"\r", start) >= 0:
        try:
            text = data[start:].replace(b"\r", stand_in)
            return _parse(text, limits, lines, stand_in.decode(), lost)
        except _NoXml:
            pass  # a CR inside of a tag: those, unlike that of data, can't be kept
    try:
        return _parse(data[start:], limits, lines, "", lost)
    except _NoXml as refusal:
        raise refusal.malformed from None


def write(node: Node, default: str = "", outer: str = "") -> bytes:
    """Return an element as XML in UTF-8.

    `default` is the name space that "" stands for, `outer` that of what the element goes into.
    Raises Malformed for a character that XML can't hold, and for elements too deep.
    """
    pieces: list[str] = []
    _write(node, default, outer, [], pieces.append)
    return "".join(pieces).encode()


class _NoXml(Exception):
    def __init__(self, malformed: Malformed) -> None:
        self.malformed = malformed


class _Target:
    """Build nodes while the parser reads, and stop it at the limits."""

    def __init__(self, limits: Limits, stand_in: str, lost: dict[int, int]) -> None:
        self.limits = limits
        self.stand_in = stand_in
        self.lost = lost
        self.stack: list[Node] = []
        self.texts: list[str] = []
        self.root: Node | None = None
        self.count = 0

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        self.count += 1
        too_big = StatusCode.REQUEST_ENTITY_TOO_LARGE
        if self.count > self.limits.elements:
            reason = f"there are more than {self.limits.elements:,} elements"
            raise Malformed(reason, status=too_big)
        if len(self.stack) >= self.limits.depth:
            raise Malformed(f"elements stand more than {self.limits.depth} deep", status=too_big)
        self._flush()
        space, _, name = tag.rpartition("}")
        node = Node(name.rpartition(":")[2], ns=space[1:])
        if attrs:
            if isinstance(self._text("".join(attrs.values())), bytes):
                raise Malformed(_NO_UTF_8)
            node.attrs = dict(attrs)
        if self.stack:
            self.stack[-1].children.append(node)
        else:
            self.root = node
        self.stack.append(node)

    def data(self, text: str) -> None:
        self.texts.append(text)

    def end(self, tag: str) -> None:
        self._flush()
        self.stack.pop()

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise Malformed(_OWN_DOCTYPE)  # none gets here: `_start` cuts off the plain ones

    def close(self) -> None:
        """Do nothing: `root` has it all."""

    def _flush(self) -> None:
        if not self.texts:
            return
        text = self._text("".join(self.texts))
        self.texts.clear()
        node = self.stack[-1]
        if not node.children:
            node.text = text
        elif isinstance(text, bytes):
            raise Malformed(_NO_UTF_8)
        else:
            node.children[-1].tail += text

    def _text(self, text: str) -> str | bytes:
        if self.stand_in:
            text = text.replace(self.stand_in, "\r")
        if self.lost:
            found = text.translate(self.lost)
            if found != text:
                return found.encode("utf-8", "surrogateescape")
        return text


def _as_text(data: bytes) -> tuple[bytes, dict[int, int]]:
    """Return UTF-8, with what stands in it for bytes that weren't, as `str.translate` takes it."""
    if (nul := data.find(0)) >= 0:
        raise Malformed("there is a NUL; SyncML is in UTF-8", line=data.count(b"\n", 0, nul) + 1)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", "surrogateescape")
        for free in _BYTES:
            if not re.search(f"[{chr(free[0])}-{chr(free[-1])}]", text):
                text = text.translate(dict(zip(_LOST, free, strict=True)))
                return text.encode(), dict(zip(free, _LOST, strict=True))
        raise Malformed(_NO_UTF_8, line=data.count(b"\n", 0, error.start) + 1) from None
    return data, {}


def _start(data: bytes) -> int:
    """Return where the root begins, after a document type that says nothing of its own."""
    begin = len(_BOM) if data.startswith(_BOM) else 0
    if declaration := _DECLARATION.match(data, begin):
        begin = declaration.end()
        encoding = _ENCODING.search(declaration[1])
        if encoding and encoding[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
            name = encoding[1][:40].decode("ascii", "replace")
            raise Malformed(f"the message says it is in {name!r}; SyncML is in UTF-8", line=1)
    begin = _end(_MISC, data, begin)
    if doctype := _DOCTYPE.match(data, begin):
        begin = _end(_MISC, data, doctype.end())
    if data.startswith(b"<!DOCTYPE", begin):
        raise Malformed(_OWN_DOCTYPE, line=data.count(b"\n", 0, begin) + 1)
    return begin


def _end(pattern: re.Pattern[bytes], data: bytes, begin: int) -> int:
    found = pattern.match(data, begin)
    return found.end() if found else begin


def _parse(data: bytes, limits: Limits, lines: int, stand_in: str, lost: dict[int, int]) -> Node:
    target = _Target(limits, stand_in, lost)
    parser = etree.XMLParser(  # type: ignore[call-overload]  # the stub asks for every method
        target=target,
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
    )
    try:
        for begin in range(0, len(data), _CHUNK):
            parser.feed(data[begin : begin + _CHUNK])
        parser.close()
    except etree.XMLSyntaxError as error:
        line = (error.lineno or 1) + lines
        reason = f"no well-formed XML: {_PLACE.sub('', error.msg or 'it is empty')[:200]}"
        malformed = Malformed(reason, line=line, prop=place(target.stack))
        malformed.partial = target.root
        raise _NoXml(malformed) from None
    except Malformed as malformed:
        malformed.prop = place(target.stack)
        malformed.partial = target.root
        raise
    if target.root is None or target.stack:
        raise _NoXml(Malformed("no well-formed XML: it is empty", line=1))
    return target.root


def _write(
    node: Node, default: str, outer: str, path: list[Node], put: Callable[[str], None]
) -> None:
    path.append(node)
    if len(path) > _DEPTH:
        raise Malformed(f"elements stand more than {_DEPTH} deep", prop=place(path[:4]))
    if not _NAME.fullmatch(node.name):
        raise Malformed(f"{node.name[:40]!r} is no name of an element", prop=place(path[:-1]))
    space = node.ns or default
    start = f"<{node.name}" if space == outer else f'<{node.name} xmlns="{_quote(space, path)}"'
    for name, value in (node.attrs or {}).items():
        if "}" not in name:  # SyncML has none; those of other name spaces can't matter here
            start += f' {name}="{_quote(value, path)}"'
    if node.text or node.children:
        put(f"{start}>{_escape(node.text, path)}")
        for child in node.children:
            _write(child, default, space, path, put)
        put(f"</{node.name}>")
    else:
        put(f"{start}/>")
    path.pop()
    if node.tail:
        put(_escape(node.tail, path))


def _escape(text: str | bytes, path: list[Node]) -> str:
    if isinstance(text, bytes):
        raise Malformed("the data isn't text; XML needs it in base64", prop=place(path))
    if reason := unfit(text):
        raise Malformed(reason, prop=place(path))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quote(text: str, path: list[Node]) -> str:
    return _escape(text, path).replace('"', "&quot;")
