"""Lines of the older formats, vCard 2.1 and vCalendar 1.0: how phones fold and encode them.

Reading turns a line into what the newer formats would say, so that their readers serve both;
writing gives quoted-printable with soft breaks, and never folds otherwise.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterable, Sequence

from accord.formats import lines
from accord.formats.limits import Limits
from accord.formats.lines import Line, Text, clean, escape, split, unescape

_QP = b"QUOTED-PRINTABLE"
_BASE64 = b"BASE64"
_MARKS = (_QP, _BASE64, b"VERSION:2.1", b"VERSION:1.0")
_OLD = re.compile(rb"VERSION:(?:2\.1|1\.0)\s*\Z", re.IGNORECASE)
_FRAME = re.compile(rb"(?:BEGIN|END):V(?:CARD|CALENDAR)\s*\Z", re.IGNORECASE)
_PICTURE = re.compile(rb"[A-Za-z0-9+/=]+\Z")
_ENCODINGS = {"utf-8": "utf-8", "us-ascii": "cp1252", "windows-1252": "cp1252"}
_BARE = {"QUOTED-PRINTABLE": "QUOTED-PRINTABLE", "BASE64": "b", "8BIT": "", "7BIT": ""}
_WIDTH = 75
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def unfold(data: bytes | str, limits: Limits) -> Text:
    """Return the content lines of a text of either age; see `lines.unfold`."""
    return lines.unfold(data, limits, fallback="cp1252", refold=_refold)


def decoded(line: Line) -> Line:
    """Return a line with its value in plain text, line ends as `\\n` (vCard 2.1 section 2.1).

    ENCODING and CHARSET are gone then, but for base64, which stays as in vCard 3.0.
    """
    if not line.params:
        return line
    params = dict(line.params)
    encoding = line.param("ENCODING").upper()
    bare = [kind for kind in params.get("TYPE", ()) if kind.upper() in _BARE]
    if bare:
        encoding = encoding or _BARE[bare[0].upper()]
        params["TYPE"] = tuple(kind for kind in params["TYPE"] if kind not in bare)
        if not params["TYPE"]:
            del params["TYPE"]
    charset = params.pop("CHARSET", ("utf-8",))[0]
    if encoding.upper() in ("B", "BASE64"):
        params["ENCODING"] = ("b",)
        return line._replace(params=params, value="".join(line.value.split()))
    if encoding != "QUOTED-PRINTABLE":
        if encoding in ("8BIT", "7BIT"):
            params.pop("ENCODING", None)
        return line._replace(params=params)
    params.pop("ENCODING", None)
    value = quopri.decodestring(line.value.encode("utf-8", "replace"))
    text = clean(_text(value, charset.lower()))
    return line._replace(value=text.replace("\n", "\\n"), params=params)


def modern(value: str, separator: str = "") -> str:
    """Return a value as newer formats escape it; only `separator` divides it."""
    pieces = split(value, separator) if separator else [value]
    return separator.join(escape(unescape(piece)) for piece in pieces)


def plain(value: str, separators: str = "") -> str:
    """Return an escaped value as old formats write it: line ends real, escapes only where needed.

    `separators` are the characters that divide this value, and are escaped inside its parts.
    """
    if "\\" not in value:
        return value

    def one(match: re.Match[str]) -> str:
        char = match[1]
        if char in "nN":
            return "\n"
        return match[0] if char == "\\" or char in separators else char

    return _ESCAPED.sub(one, value)


def escaped(text: str, separators: str = "") -> str:
    """Return a text as part of a value that `separators` divide."""
    text = clean(text).replace("\\", "\\\\")
    for separator in separators:
        text = text.replace(separator, f"\\{separator}")
    return text


def content_line(name: str, params: Iterable[str], value: str) -> str:
    """Return a content line, in quoted-printable where the value needs it.

    `params` are whole parameters, `HOME` or `ROLE=OWNER`; `value` may have line ends.
    """
    head = ";".join((name, *params))
    fits = len(head) + len(value) < _WIDTH or " " not in value
    if fits and value.isascii() and value.isprintable() and value == value.strip(" "):
        return f"{head}:{value}"
    charset = "" if value.isascii() else ";CHARSET=UTF-8"
    head = f"{head}{charset};ENCODING=QUOTED-PRINTABLE:"
    return head + _quoted(value, len(head))


def binary_line(name: str, params: Iterable[str], base64: str) -> str:
    """Return a line of base64, each piece on a line of its own, with the empty line at its end."""
    head = ";".join((name, *params, "ENCODING=BASE64"))
    pieces = (base64[at : at + 72] for at in range(0, len(base64), 72))
    return "\r\n ".join((f"{head}:", *pieces)) + "\r\n"


def text_of(content_lines: Sequence[str]) -> bytes:
    """Return content lines as bytes."""
    return "\r\n".join((*content_lines, "")).encode("utf-8", "replace")


def _refold(raw: bytes) -> bytes:
    """Return a text with every continued line folded as the newer formats do it.

    A soft break ends in `=`; a fold keeps its white space; base64 may go on without any.
    """
    upper = raw.upper()
    if not any(mark in upper for mark in _MARKS):
        return raw
    out: list[bytes] = []
    old = soft = False
    encoding = b""
    for line in raw.split(b"\n"):
        if soft:
            out.append(b" " + line)
        elif line[:1] in (b" ", b"\t"):
            out.append(b" " + line if old and encoding != _BASE64 else line)
        elif encoding == _BASE64 and _PICTURE.match(line):
            out.append(b" " + line)
        else:
            out.append(line)
            encoding = _encoding(line)
            old = bool(_OLD.match(line)) or (old and not _FRAME.match(line))
        soft = encoding == _QP and line.rstrip().endswith(b"=")
        if soft:
            out[-1] = out[-1].rstrip()[:-1]
    return b"\n".join(out)


def _encoding(line: bytes) -> bytes:
    head = line[:400].partition(b":")[0].upper()
    return next((one for one in (_QP, _BASE64) if one in head), b"")


def _text(value: bytes, charset: str) -> str:
    for name in (_ENCODINGS.get(charset, charset), "utf-8"):
        try:
            return value.decode(name)
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return value.decode("cp1252", "replace")


def _quoted(value: str, width: int) -> str:
    """Return a value in quoted-printable, broken softly before a line gets too long."""
    out: list[str] = []
    data = value.replace("\n", "\r\n").encode("utf-8", "replace")
    last = len(data) - 1
    for at, byte in enumerate(data):
        whole = 33 <= byte <= 126 and byte != 61
        piece = chr(byte) if whole or (byte == 32 and at != last) else f"={byte:02X}"
        if width + len(piece) > _WIDTH:
            out.append("=\r\n")
            width = 0
            # A line that begins with a space would look folded.
            piece = "=20" if piece == " " else piece
        out.append(piece)
        width += len(piece)
    return "".join(out)
