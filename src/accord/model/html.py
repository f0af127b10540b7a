"""What a reader sees of an HTML body: its text and its lines; one pass, no parser to choke.

Not a sanitizer: nothing here makes foreign HTML safe to show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

_BREAKS = frozenset(
    [
        "address",
        "article",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "title",
        "tr",
        "ul",
    ]
)
_BOUNDS = _BREAKS | {"aside", "body", "center", "html", "nav", "td", "th"}
_HIDDEN = ("script", "style", "head", "title")
_BLANK = " \t\r\n\f"
_SPACE = re.compile(r"[ \t\r\n\f]+")
_LINES = re.compile(r"[ \t]*\n[ \t]*")
_WORD = re.compile(r"\w+")
_TAG = re.compile(r"(/?)\s*([a-zA-Z][a-zA-Z0-9]*)")


class Piece(NamedTuple):
    """Be a tag, or what stands between two; `name` is the tag's, with `/` where it closes."""

    start: int
    end: int
    is_tag: bool
    name: str = ""


class Line(NamedTuple):
    """Be one line that a reader sees, and where in the HTML it begins and ends."""

    text: str
    start: int
    end: int


def to_text(html: str) -> str:
    """Return the text that a reader of the HTML sees, with line ends where blocks end."""
    found: list[str] = []
    for start, end, is_tag, name in pieces(html):
        if not is_tag:
            found.append(_SPACE.sub(" ", unescape(html[start:end])))
        elif name.strip("/") in _BREAKS:
            found.append("\n")
        elif name.strip("/") in ("td", "th"):
            found.append(" ")
    text = "".join(found).replace("\xa0", " ")
    return re.sub(r"\n{3,}", "\n\n", _LINES.sub("\n", text)).strip()


def says_the_same(text: str, html: str) -> bool:
    """Tell whether a plain text is the twin of an HTML text.

    Words are compared, and a plain twin may also spell out links and list numbers.
    """
    shown = _WORD.findall(to_text(html).casefold())
    plain = _WORD.findall(text.casefold())
    if shown == plain:
        return True
    extra = list(plain)
    counts: dict[str, int] = {}
    for word in extra:
        counts[word] = counts.get(word, 0) + 1
    for word in shown:
        counts[word] = counts.get(word, 0) - 1
    if any(count < 0 for count in counts.values()):
        return False
    left = {word for word, count in counts.items() if count > 0 and not word.isdigit()}
    return not left or left <= set(_WORD.findall(unescape(_attributes(html)).casefold()))


def lines(html: str) -> list[Line]:
    """Return the lines that a reader sees, as a browser breaks them: an empty block is none."""
    found: list[Line] = []
    texts: list[str] = []
    first = last = -1
    for start, end, is_tag, name in [*pieces(html), Piece(len(html), len(html), True, "div")]:
        if not is_tag:
            shown = html[start:end]
            texts.append(unescape(shown))
            if shown.strip(_BLANK):
                first = end - len(shown.lstrip(_BLANK)) if first < 0 else first
                last = start + len(shown.rstrip(_BLANK))
        elif name.strip("/") in _BOUNDS:
            text = _SPACE.sub(" ", "".join(texts)).strip(_BLANK)
            if text or name == "br":
                found.append(Line(text.replace("\xa0", " "), first, last))
            texts, first, last = [], -1, -1
    return found


def pieces(html: str) -> Iterator[Piece]:
    """Yield tags and what stands between them, leaving comments and hidden elements out."""
    at, size = 0, len(html)
    while at < size:
        start = html.find("<", at)
        if start < 0:
            yield Piece(at, size, is_tag=False)
            return
        if start > at:
            yield Piece(at, start, is_tag=False)
        if html.startswith("<!--", start):
            end = html.find("-->", start)
            if end < 0:
                return
            at = end + 3
            continue
        end = html.find(">", start)
        if end < 0:
            return
        match = _TAG.match(html, start + 1, end)
        name = (match[1] + match[2].lower()) if match else ""
        at = end + 1
        yield Piece(start, at, is_tag=True, name=name)
        if name in _HIDDEN:
            at = _closing(html, at, name)


def _attributes(html: str) -> str:
    return " ".join(html[one.start + 1 : one.end - 1] for one in pieces(html) if one.is_tag)


def _closing(html: str, at: int, name: str) -> int:
    found = re.compile(rf"</{name}\b", re.IGNORECASE).search(html, at)
    return found.start() if found else len(html)
