"""Content lines: the common ground of iCalendar and vCard (RFC 5545 3.1, RFC 6350 3.3).

Unfolds bytes, takes a line apart into name, parameters and value, and puts it together again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from accord.formats.errors import Refused
from accord.formats.limits import Limits

NO_PARAMS: Mapping[str, tuple[str, ...]] = {}

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL_BYTES = bytes(b for b in (*range(32), 127) if b not in (9, 10))
_CONTROL_TEXT = {c: None for c in (*range(32), 127) if c not in (9, 10)}
_NAME = re.compile(r"[A-Za-z0-9_.-]+\Z")
_CARET = re.compile(r"\^[n^']")
_CARETS = {"^n": "\n", "^^": "^", "^'": '"'}
_MOST_PARAMS = 500
_LAST_BACKSLASH = re.compile(r"\\ *\Z")
_PLAIN_PARAM = re.compile(r'[^",:;^\\\n]*\Z')


class Line(NamedTuple):
    """Be one content line: upper-case name and parameter names, undecoded value.

    `number` counts unfolded lines from 1; `Text.physical` turns it into a line of the text.
    """

    name: str
    params: Mapping[str, tuple[str, ...]]
    value: str
    number: int

    def param(self, name: str, default: str = "") -> str:
        """Return the first value of a parameter."""
        values = self.params.get(name)
        return values[0] if values else default


class Text:
    """Be an unfolded text; `lines` are its content lines without their ends."""

    __slots__ = ("_data", "_sparse", "lines")

    def __init__(self, data: bytes, lines: list[str], sparse: bool = False) -> None:
        """Keep the lines, and the bytes for telling where an error stands.

        `sparse` says that `lines` leaves empty lines out.
        """
        self._data = data
        self._sparse = sparse
        self.lines = lines

    def physical(self, number: int) -> int:
        """Return the line an editor shows for the unfolded line `number`."""
        seen = 0
        for physical, line in enumerate(self._data.split(b"\n"), 1):
            if physical == 1 or (line[:1] not in (b" ", b"\t") and (line or not self._sparse)):
                seen += 1
            if seen == number:
                return physical
        return 0

    def placed(self, error: Refused) -> Refused:
        """Return a refusal with the line that an editor shows."""
        line = self.physical(error.line) if error.line else 0
        return Refused(error.reason, prop=error.prop, line=line, uid=error.uid)


def unfold(
    data: bytes | str,
    limits: Limits,
    *,
    fallback: str = "",
    refold: Callable[[bytes], bytes] | None = None,
) -> Text:
    """Return the content lines of a text.

    Takes any line ends, a byte order mark and UTF-16; control characters are left out.
    `fallback` is the encoding of what isn't UTF-8, `refold` makes the folds of another format
    those of this one. Raises Refused where the text is too large or isn't in a known encoding.
    """
    raw = _bytes(data, limits)
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n")
        # Old Mac files end lines with CR alone; elsewhere a lone CR is dirt.
        raw = raw.replace(b"\r", b"" if b"\n" in raw else b"\n")
    if raw.count(b"\n") > limits.lines:
        raise Refused(f"the text has more than {limits.lines:,} lines")
    if _CONTROL.search(raw):
        raw = raw.translate(None, _CONTROL_BYTES)
    if refold is not None:
        raw = refold(raw)
    sparse = b"\n\n " in raw or b"\n\n\t" in raw
    joined = _without_empty_lines(raw) if sparse else raw
    # Unfolding bytes before decoding heals writers that fold inside a character.
    if b"\n " in joined or b"\n\t" in joined:
        joined = joined.replace(b"\n ", b"").replace(b"\n\t", b"")
    text = Text(raw, [], sparse)
    text.lines = _decode(joined, text, fallback).split("\n")
    longest = max(map(len, text.lines))
    if longest > limits.line:
        raise Refused(f"a line has {longest:,} characters, more than {limits.line:,}")
    return text


def _without_empty_lines(raw: bytes) -> bytes:
    while b"\n\n" in raw:
        raw = raw.replace(b"\n\n", b"\n")
    return raw


def parse(text: str, number: int, *, bare: bool = False) -> Line:
    """Take one content line apart.

    With `bare`, a parameter without a value (vCard 2.1 `TEL;HOME:`) counts as a TYPE.
    Raises Refused with the unfolded line number.
    """
    head, colon, value = text.partition(":")
    if '"' in head:
        return _quoted(text, number, bare)
    if not colon:
        raise Refused(f"{text[:40]!r} is no property: it has no colon", line=number)
    if ";" not in head:
        return Line(_name(head, number), NO_PARAMS, value, number)
    name, *fields = head.split(";")
    params: dict[str, tuple[str, ...]] = {}
    for field in fields:
        key, equals, content = field.partition("=")
        _add(params, key, content.split(",") if equals else None, number, bare)
    return Line(_name(name, number), params, value, number)


def format_line(name: str, params: Mapping[str, Iterable[str]], value: str) -> str:
    """Return a content line, unfolded; parameters stand in alphabetical order."""
    if not params:
        return f"{name}:{value}"
    return (
        f"{name}{''.join(f';{format_param(key, params[key])}' for key in sorted(params))}:{value}"
    )


def format_param(name: str, values: Iterable[str]) -> str:
    """Return `NAME=value,value` with quotes and carets where needed (RFC 6868)."""
    return f"{name}={','.join(map(param_value, values))}"


def param_value(value: str) -> str:
    """Return a parameter value as it stands in a line."""
    if _PLAIN_PARAM.match(value) and value.isprintable():
        return value
    value = clean(value)
    if "^" in value or "\n" in value or '"' in value:
        value = value.replace("^", "^^").replace("\n", "^n").replace('"', "^'")
    # A backslash means nothing here, but some readers take it for an escape, and lose the end
    # of a value that ends with one, with all parameters behind it.
    if _LAST_BACKSLASH.search(value):
        value += " "
    return f'"{value}"' if any(c in value for c in ",:;\\") else value


def clean(text: str) -> str:
    """Return the text without control characters, its line ends all LF."""
    if text.isprintable():
        return text
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.translate(_CONTROL_TEXT)


def fold(lines: Sequence[str]) -> bytes:
    """Return content lines as bytes, none longer than 75 octets (RFC 5545 3.1).

    A line end inside a line becomes an escaped one, so that no value breaks out of its line.
    """
    text = "\n".join(lines)
    if text.count("\n") != len(lines) - 1 or "\r" in text:
        lines = [one_line(line) for line in lines]
    out = [line if len(line) <= 75 and line.isascii() else _folded(line) for line in lines]
    out.append("")
    return "\r\n".join(out).encode("utf-8", "replace")


def one_line(text: str) -> str:
    """Return a raw text on one line."""
    return clean(text).replace("\n", "\\n")


def escape(text: str) -> str:
    """Return a TEXT value with backslash, comma, semicolon and line ends escaped."""
    text = clean(text)
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "," in text:
        text = text.replace(",", "\\,")
    if ";" in text:
        text = text.replace(";", "\\;")
    return text.replace("\n", "\\n") if "\n" in text else text


def unescape(value: str) -> str:
    """Return the text of a TEXT value; a backslash that escapes nothing stays."""
    if "\\" not in value:
        return value
    return _ESCAPE.sub(_unescaped, value)


def split(value: str, separator: str) -> list[str]:
    """Cut a value at separators that aren't escaped; the parts are still escaped."""
    if "\\" not in value:
        return value.split(separator)
    parts: list[str] = []
    current: list[str] = []
    for piece in value.split(separator):
        current.append(piece)
        # An odd number of backslashes at the end escapes the separator.
        if (len(piece) - len(piece.rstrip("\\"))) % 2 == 0:
            parts.append(separator.join(current))
            current = []
    if current:
        parts.append(separator.join(current))
    return parts


_ESCAPE = re.compile(r"\\[\\,;nN]")


def _unescaped(match: re.Match[str]) -> str:
    char = match[0][1]
    return "\n" if char in "nN" else char


def _bytes(data: bytes | str, limits: Limits) -> bytes:
    if len(data) > limits.size:
        raise Refused(f"the text has {len(data):,} bytes, more than {limits.size:,}")
    if isinstance(data, str):
        return data.removeprefix("\ufeff").encode("utf-8", "replace")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16").encode("utf-8", "replace")
        except UnicodeDecodeError as error:
            raise Refused(f"the text starts like UTF-16 but isn't: {error.reason}") from error
    return data.removeprefix(b"\xef\xbb\xbf")


def _decode(joined: bytes, text: Text, fallback: str) -> str:
    try:
        return joined.decode("utf-8")
    except UnicodeDecodeError as error:
        if fallback:
            return joined.decode(fallback, "replace")
        line = text.physical(joined.count(b"\n", 0, error.start) + 1)
        raise Refused("a byte isn't UTF-8, which the standard asks for", line=line) from error


def _name(name: str, number: int) -> str:
    if not _NAME.match(name):
        raise Refused(f"{name[:40]!r} is no name of a property or parameter", line=number)
    return name.upper()


def _add(
    params: dict[str, tuple[str, ...]], key: str, values: list[str] | None, number: int, bare: bool
) -> None:
    if len(params) >= _MOST_PARAMS:
        raise Refused(f"it has more than {_MOST_PARAMS} parameters", line=number)
    if values is None:
        if not bare:
            raise Refused(f"the parameter {key[:40]!r} has no value", line=number)
        key, values = "TYPE", [key]
    key = _name(key, number)
    decoded = tuple(_CARET.sub(_uncaret, v) if "^" in v else v for v in values)
    if any("\\ " in v for v in values):
        decoded = tuple(
            v[:-1] if v[-1:] == " " and _LAST_BACKSLASH.search(v) else v for v in decoded
        )
    params[key] = _more(params[key], decoded, number) if key in params else decoded


def _more(one: tuple[str, ...], other: tuple[str, ...], number: int) -> tuple[str, ...]:
    if len(one) > _MOST_PARAMS:
        raise Refused(f"a parameter has more than {_MOST_PARAMS} values", line=number)
    return one + other


def _uncaret(match: re.Match[str]) -> str:
    return _CARETS[match[0]]


def _quoted(text: str, number: int, bare: bool) -> Line:
    """Take apart a line with quoted parameter values, in one pass."""
    name_end = min(i for i in (text.find(";"), text.find(":"), text.find('"')) if i >= 0)
    name = _name(text[:name_end], number)
    params: dict[str, tuple[str, ...]] = {}
    at = name_end
    while at < len(text) and text[at] == ";":
        match = _PARAM_NAME.match(text, at + 1)
        if match is None:
            raise Refused(f"a parameter of {name} has no name", prop=name, line=number)
        key, at = match[0], match.end()
        if at >= len(text) or text[at] != "=":
            _add(params, key, None, number, bare)
            continue
        values: list[str] = []
        while at < len(text) and text[at] in "=,":
            match = _PARAM_VALUE.match(text, at + 1)
            assert match is not None  # the pattern matches the empty text too
            values.append(match[1] if match[1] is not None else match[0])
            at = match.end()
        _add(params, key, values, number, bare)
    if at >= len(text) or text[at] != ":":
        raise Refused("the quotes of its parameters don't close", prop=name, line=number)
    return Line(name, params, text[at + 1 :], number)


_PARAM_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_PARAM_VALUE = re.compile(r'"([^"]*)"|[^",:;]*')


def _folded(line: str) -> str:
    data = line.encode("utf-8", "replace")
    if len(data) <= 75:
        return line
    pieces: list[bytes] = []
    start, room = 0, 75
    while start < len(data):
        end = min(start + room, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(data[start:end])
        start, room = end, 74
    return b"\r\n ".join(pieces).decode()
