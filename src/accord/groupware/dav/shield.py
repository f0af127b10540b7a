"""Links that servers would cut at a comma, carried through them whole.

`codec` raises the shield on what it writes and lowers it on what it reads. Radicale takes
CONFERENCE, as all properties that it doesn't know, for a list of texts and keeps the first.
"""

from __future__ import annotations

from accord.formats.limits import Limits
from accord.formats.lines import fold, format_line, parse, unfold

WHOLE = "X-ACCORD-URI"
"""The parameter that holds the link as it is; the value has its commas percent-encoded."""

_NAME = "CONFERENCE"
_LIMITS = Limits()


def raised(body: bytes) -> bytes:
    """Return a text whose links no list can be made of."""
    if b"\r\nCONFERENCE" not in body:
        return body
    lines = unfold(body, _LIMITS).lines
    return fold([_raise(line) if line.startswith(_NAME) else line for line in lines if line])


def lowered(text: str) -> str:
    """Return a text with the links as they were before the shield."""
    if WHOLE not in text.upper():
        return text
    lines = unfold(text, _LIMITS).lines
    out = [_lower(line) if line[:10].upper() == _NAME else line for line in lines if line]
    return fold(out).decode()


def _raise(text: str) -> str:
    line = parse(text, 0)
    if line.name != _NAME or not {",", ";"} & set(line.value):
        return text
    return format_line(line.name, {**line.params, WHOLE: (line.value,)}, _encoded(line.value))


def _lower(text: str) -> str:
    line = parse(text, 0)
    whole = line.param(WHOLE)
    params = {name: values for name, values in line.params.items() if name != WHOLE}
    # Whoever changed the link since left our parameter behind.
    value = whole if _encoded(whole) == line.value else line.value
    return format_line(line.name, params, value)


def _encoded(link: str) -> str:
    return link.replace(",", "%2C").replace(";", "%3B")
