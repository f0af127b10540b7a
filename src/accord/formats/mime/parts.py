"""E-mails taken apart at bounded cost: header fields in words, addresses, and the text among parts.

Used by `mail`. The parser of the standard library looks at headers alone: parts nested by the
thousand, and what it makes of addresses, take minutes or more calls than there is room for.
"""

from __future__ import annotations

import binascii
import codecs
import encodings
import pkgutil
import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses
from encodings.aliases import aliases

from accord.formats.errors import Refused
from accord.model.parts import Body, BodyType, Person

MOST_HEADER = 256_000
MOST_FIELD = 100_000
"""How many bytes a header and one of its fields may have."""

MOST_GROUPS = 20_000
"""How long all fields of a name may be with groups of addresses among them.

`getaddresses` copies a group once for each of its members.
"""

MOST_DESCRIPTION = 4_000
"""How long the description of a part may be: a long name of a file has room."""

MOST_FIELDS = 1_000
MOST_PARAMETERS = 100
MOST_PARTS = 500
"""How many fields a header may have, parameters the description of a part, and parts a mail."""

DEEPEST = 20
NESTED = 50
"""How deep parts of a mail may be nested, and comments in an address."""

_PARSER = BytesHeaderParser(policy=compat32)
_BLANK = re.compile(rb"\A\r?\n|\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n(?![ \t])")
_WORDS = re.compile(r"=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=(?:\s+=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=)*")
_ASIDE = re.compile(r"\\.|[^()]", re.DOTALL)
# Only these are asked for: whatever name is, `encodings` remembers for ever. The two that are
# left out encode names, and take the square of a text's length.
_MODULES = {found.name for found in pkgutil.iter_modules(encodings.__path__)}
_CHARSETS = frozenset(aliases) | _MODULES - {"punycode", "idna"}


def line(text: str) -> str:
    """Return a text in one line of characters that can be seen, and sent."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


class Parts:
    """Be a mail, or a part of one: its header and what follows it."""

    def __init__(self, raw: bytes) -> None:
        """Read the header; raises Refused where it is larger than mails have it."""
        end = _BLANK.search(raw)
        top, self.rest = (raw, b"") if end is None else (raw[: end.start()], raw[end.end() :])
        fields = _FOLD.split(top) if len(top) <= MOST_HEADER else ()
        if not 0 < len(fields) <= MOST_FIELDS or max(map(len, fields)) > MOST_FIELD:
            raise Refused("its header is too large")
        self.head: Message = _PARSER.parsebytes(top)
        kind = self.field("Content-Type")
        if len(kind) > MOST_DESCRIPTION or kind.count(";") > MOST_PARAMETERS:
            raise Refused("the description of a part is too long")

    def field(self, name: str) -> str:
        """Return the first field of a name as it stands, in one line."""
        return next(iter(self._fields(name)), "")

    def words(self, name: str) -> str:
        """Return the first field of a name, decoded."""
        return _decoded(self.field(name))

    def people(self, name: str) -> tuple[Person, ...]:
        """Return whom the fields of a name tell; raises Refused where nobody can read it."""
        values = self._fields(name)
        if any(_depth(value) > NESTED for value in values):
            raise Refused(f"{name} is nested too deep", prop=name)
        # What of it is quoted the parser alone can tell: any colon may begin a group.
        if any(":" in value for value in values) and sum(map(len, values)) > MOST_GROUPS:
            raise Refused(f"{name} is too long for groups of addresses", prop=name)
        try:
            found = getaddresses(values)
        except RecursionError as error:
            raise Refused(f"{name} is nested too deep", prop=name) from error
        return tuple(Person(address=a, name=_decoded(n)) for n, a in found if a)

    def parameter(self, name: str) -> str:
        """Return a parameter of the Content-Type; raises Refused where its number is none.

        One in a charset of its own (RFC 2231) stays as it is: what is asked for here is ASCII.
        """
        try:
            found = self.head.get_param(name, "")
        except (ValueError, TypeError) as error:
            raise Refused("the description of a part has a mad number", prop=name) from error
        return found[2] if isinstance(found, tuple) else found

    def text(self) -> Body | None:
        """Return the text: plain where there is some; raises Refused for parts beyond number."""
        first: Body | None = None
        for body in _texts(self, [MOST_PARTS], 0):
            if body.type is BodyType.TEXT:
                return body
            first = first or body
        return first

    def files(self) -> tuple[str, ...]:
        """Return the names of what hangs on it, but for pictures in the text and signatures.

        Raises Refused for parts beyond number.
        """
        return tuple(_files(self, [MOST_PARTS], 0))

    def _fields(self, name: str) -> list[str]:
        found = [value for key, value in self.head.raw_items() if key.lower() == name.lower()]
        return [line(_whole(value)) for value in found]


_PLACE = "Content-Disposition"
_FILENAME = re.compile(r'\bfilename="?([^";]{1,200})', re.IGNORECASE)
_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature")


def _texts(part: Parts, left: list[int], depth: int) -> Iterator[Body]:
    if _hangs_on(part):
        return
    kind = part.head.get_content_type()
    if kind in tuple(BodyType):
        yield Body(text=_content(part), type=BodyType(kind))
    if kind == "multipart/digest":
        return
    for inner in _inside(part, kind, left, depth):
        yield from _texts(inner, left, depth + 1)
        if kind == "multipart/related":
            return


def _files(part: Parts, left: list[int], depth: int) -> Iterator[str]:
    kind = part.head.get_content_type()
    if _hangs_on(part) or (kind not in tuple(BodyType) and not kind.startswith("multipart/")):
        if kind not in _SIGNATURES:
            # As it stands: to decode a parameter can cost more, or meet a mad number.
            named = _FILENAME.search(part.field(_PLACE))
            yield _decoded(named[1]) if named else kind
        return
    for inner in _inside(part, kind, left, depth):
        yield from _files(inner, left, depth + 1)
        if kind == "multipart/related":
            return


def _hangs_on(part: Parts) -> bool:
    return part.field(_PLACE).partition(";")[0].strip().lower() == "attachment"


def _inside(part: Parts, kind: str, left: list[int], depth: int) -> Iterator[Parts]:
    """Yield the parts of a part; raises Refused for parts beyond number."""
    boundary = part.parameter("boundary").rstrip() if kind.startswith("multipart/") else ""
    if not boundary:
        return
    for piece in _pieces(part.rest, boundary.encode("utf-8", "surrogateescape")):
        left[0] -= 1
        if left[0] < 0 or depth == DEEPEST:
            raise Refused("it has too many parts, or too deep ones")
        yield Parts(piece)


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """Yield what stands between the lines that part a body (RFC 2046, section 5.1.1)."""
    line = rb"^--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)"
    start: int | None = None
    for mark in re.finditer(line, body, re.MULTILINE):
        if start is not None:
            yield body[start : mark.start()].removesuffix(b"\n").removesuffix(b"\r")
        start = mark.end()
        if mark[1]:
            return
    if start is not None:
        yield body[start:]


def _content(part: Parts) -> str:
    head = part.head
    head.set_payload(part.rest.decode("ascii", "surrogateescape"))
    payload = head.get_payload(decode=True)
    assert isinstance(payload, bytes)
    text = _characters(payload, part.parameter("charset"))
    # What nothing shows databases don't take.
    return text.replace("\r\n", "\n").replace("\0", "")


def _decoded(text: str) -> str:
    """Return a text with its encoded words decoded (RFC 2047); what is none stays as it is."""

    def read(found: re.Match[str]) -> str:
        try:
            pieces = decode_header(found[0])
        except (HeaderParseError, binascii.Error):
            return found[0]
        return "".join(
            piece if isinstance(piece, str) else _characters(piece, charset)
            for piece, charset in pieces
        )

    return line(_WORDS.sub(read, text))


def _characters(data: bytes, charset: str | None) -> str:
    name = encodings.normalize_encoding((charset or "").lower()).replace(".", "_")
    try:
        return data.decode(codecs.lookup(name).name if name in _CHARSETS else "utf-8", "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def _whole(value: str) -> str:
    """Return a field's bytes as text: in UTF-8 where they aren't ASCII (RFC 6532)."""
    return value.encode("ascii", "surrogateescape").decode("utf-8", "replace")


def _depth(text: str) -> int:
    """Return how deep comments in addresses are nested, at most."""
    depth = deepest = 0
    for sign in _ASIDE.sub("", text):
        depth = depth + 1 if sign == "(" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest
