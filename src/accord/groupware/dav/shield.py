"""Values that servers would cut or split at a comma, carried through them whole.

`codec` raises the shield on what it writes and lowers it on what it reads. Radicale takes a
property it doesn't know (CONFERENCE, a card's URL) for a list of texts and keeps the first;
Cyrus forgets that a comma inside a category was escaped, and, in a parameter, that a caret was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote

from accord.formats.limits import LIMITS, Limits
from accord.formats.lines import (
    Line,
    escape,
    fold,
    format_line,
    parse,
    split,
    unescape,
    unfold,
)

WHOLE = "X-ACCORD-WHOLE"
"""The parameter that holds a value as it is, beside one that survives the way."""

_LINKS = ("CONFERENCE", "URL", "PHOTO")
_LISTS = ("CATEGORIES",)
_NAMES = re.compile(rf"(?:[\w-]+\.)?(?:{'|'.join((*_LINKS, *_LISTS))})[;:]", re.IGNORECASE)
_AT_RISK = re.compile(rb"^(?:[\w-]+\.)?(?:CONFERENCE|URL|PHOTO|CATEGORIES)[;:]", re.MULTILINE)
_TURNED = re.compile(r'[%^"\\\n]')
_INLINE = ("BASE64", "B")
_LIMITS = Limits(line=LIMITS.size)


def raised(body: bytes, *, card: bool) -> bytes:
    """Return a text in which no comma or semicolon can do harm; `card` says it is a vCard."""
    if not _AT_RISK.search(body):
        return body
    out: list[str] = []
    harm = False
    for text in unfold(body, _LIMITS).lines:
        lines = list(_raise(text, card)) if _NAMES.match(text) else [text]
        harm = harm or lines != [text]
        out.extend(line for line in lines if line)
    return fold(out) if harm else body


def lowered(text: str) -> str:
    """Return a text with the values as they were before the shield."""
    if WHOLE not in text.upper():
        return text
    out: list[str] = []
    whole: set[str] = set()
    for line in unfold(text, _LIMITS).lines:
        if line[:6].upper() == "BEGIN:":
            whole.clear()
        lowered_line = _lower(line, whole) if _NAMES.match(line) else line
        if lowered_line:
            out.append(lowered_line)
    return fold(out).decode()


def _raise(text: str, card: bool) -> Iterator[str]:
    line = parse(text, 0)
    name = line.name.rpartition(".")[2]
    if name in _LISTS and not card and "\\," in line.value:
        yield from _raise_list(line)
    elif name in (_LINKS if card else ("CONFERENCE",)) and _cuttable(line):
        yield format_line(
            line.name, {**line.params, WHOLE: (_kept(line.value),)}, _encoded(line.value)
        )
    else:
        yield text


def _raise_list(line: Line) -> Iterator[str]:
    """Yield the values with a comma each on a line of its own, the others together."""
    values = split(line.value, ",")
    plain = [value for value in values if "," not in value]
    if plain:
        yield format_line(line.name, line.params, ",".join(plain))
    for value in values:
        if "," in value:
            yield format_line(line.name, {**line.params, WHOLE: (_kept(unescape(value)),)}, value)


def _lower(text: str, whole: set[str]) -> str:
    """Return a line without the shield; empty where a server made several of one value."""
    line = parse(text, 0)
    held = line.param(WHOLE)
    if not held:
        return text
    value = unquote(held)
    params = {name: values for name, values in line.params.items() if name != WHOLE}
    if line.name.rpartition(".")[2] in _LISTS:
        if value in whole:
            return ""
        whole.add(value)
        return format_line(line.name, params, escape(value))
    # Whoever changed the link since left our parameter behind; it once held links as they are.
    link = next((each for each in (held, value) if _encoded(each) == line.value), line.value)
    return format_line(line.name, params, link)


def _cuttable(line: Line) -> bool:
    inline = line.param("ENCODING").upper() in _INLINE or line.value[:5].lower() == "data:"
    return not inline and bool({",", ";"} & set(line.value))


def _kept(value: str) -> str:
    """Return a value as the parameter holds it: nothing in it needs RFC 6868's carets."""
    return _TURNED.sub(lambda found: quote(found[0]), value)


def _encoded(link: str) -> str:
    return link.replace(",", "%2C").replace(";", "%3B")
