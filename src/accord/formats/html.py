"""HTML to plain text, for the plain twin of an HTML body; one pass, no parser to choke.

Not a sanitizer: nothing here makes foreign HTML safe to show.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

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
_HIDDEN = ("script", "style", "head", "title")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_LINES = re.compile(r"[ \t]*\n[ \t]*")
_WORD = re.compile(r"\w+")
_TAG = re.compile(r"/?\s*([a-zA-Z][a-zA-Z0-9]*)")


def to_text(html: str) -> str:
    """Return the text that a reader of the HTML sees, with line ends where blocks end."""
    pieces: list[str] = []
    for is_tag, piece in _pieces(html):
        if not is_tag:
            pieces.append(_SPACE.sub(" ", unescape(piece)))
            continue
        match = _TAG.match(piece)
        if match and match[1].lower() in _BREAKS:
            pieces.append("\n")
        elif match and match[1].lower() in ("td", "th"):
            pieces.append(" ")
    text = "".join(pieces).replace("\xa0", " ")
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


def _attributes(html: str) -> str:
    return " ".join(piece for is_tag, piece in _pieces(html) if is_tag)


def _pieces(html: str) -> Iterator[tuple[bool, str]]:
    """Yield (is a tag, content) in order, leaving comments and hidden elements out."""
    at, size = 0, len(html)
    while at < size:
        start = html.find("<", at)
        if start < 0:
            yield False, html[at:]
            return
        if start > at:
            yield False, html[at:start]
        if html.startswith("<!--", start):
            end = html.find("-->", start)
            if end < 0:
                return
            at = end + 3
            continue
        end = html.find(">", start)
        if end < 0:
            return
        tag = html[start + 1 : end]
        yield True, tag
        at = end + 1
        match = _TAG.match(tag)
        if match and not tag.startswith("/") and match[1].lower() in _HIDDEN:
            at = _closing(html, at, match[1])


def _closing(html: str, at: int, name: str) -> int:
    found = re.compile(rf"</{name}\b", re.IGNORECASE).search(html, at)
    return found.start() if found else len(html)
