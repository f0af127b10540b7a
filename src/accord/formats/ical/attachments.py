"""Attachments: ATTACH by reference or inline (RFC 5545 3.8.1.1, RFC 8607).

Bytes never enter an item: of an inline attachment it holds digest, size and name, and the
line itself is kept in extras. What else a line says comes back with its URI or digest.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from accord.formats.ical.props import NAMESPACE, Extras, Props, raw
from accord.formats.ical.values import refuse
from accord.formats.limits import Limits
from accord.formats.lines import Line, clean, format_line, parse
from accord.model.parts import Attachment

_ATTACH = NAMESPACE + "ATTACH"


def read_attachments(props: Props, extras: Extras, limits: Limits) -> tuple[Attachment, ...]:
    """Return the attachments; raises Refused for an inline one above the limit."""
    lines = props.get("ATTACH")
    if not lines:
        return ()
    found: list[Attachment] = []
    kept: list[str] = []
    for line in lines:
        one = _attachment(line, limits)
        found.append(one)
        if raw(line) != _line(one):
            kept.append(raw(line))
    if kept:
        extras[_ATTACH] = tuple(kept)
    return tuple(found)


def attachment_lines(attachments: Iterable[Attachment], extras: Mapping[str, object]) -> list[str]:
    """Return the ATTACH lines of those attachments whose content can be told: URI or kept."""
    kept = extras.get(_ATTACH)
    known: dict[str, str] = {}
    for text in kept if isinstance(kept, tuple) else ():
        one = _attachment(parse(text, 0), _UNLIMITED)
        known[one.uri or one.digest] = text
    lines = []
    for one in attachments:
        text = known.get(one.uri or one.digest)
        if text is not None:
            lines.append(text)
        elif one.uri:
            lines.append(_line(one))
    return lines


_UNLIMITED = Limits(inline=1 << 40)


def _attachment(line: Line, limits: Limits) -> Attachment:
    fields: dict[str, Any] = {"media_type": line.param("FMTTYPE"), "name": _name(line)}
    inline = line.param("ENCODING").upper() == "BASE64" or line.param("VALUE").upper() == "BINARY"
    if not inline:
        size = line.param("SIZE")
        if size.isascii() and size.isdigit() and len(size) < 16:
            fields["size"] = int(size)
        return Attachment(uri=line.value.strip(), **fields)
    if len(line.value) * 3 // 4 > limits.inline:
        raise refuse(line, f"the attachment in it is larger than {limits.inline:,} bytes")
    try:
        content = binascii.a2b_base64(line.value)
    except binascii.Error as error:
        raise refuse(line, "the attachment in it isn't in base64") from error
    digest = hashlib.sha256(content).hexdigest()
    return Attachment(size=len(content), digest=digest, **fields)


def _name(line: Line) -> str:
    for name in ("FILENAME", "X-FILENAME", "LABEL", "X-LABEL", "X-APPLE-FILENAME"):
        if line.param(name):
            return line.param(name)
    return ""


def _line(one: Attachment) -> str:
    params: dict[str, tuple[str, ...]] = {}
    if one.media_type:
        params["FMTTYPE"] = (one.media_type,)
    if one.name:
        params["FILENAME"] = (one.name,)
    if one.size is not None:
        params["SIZE"] = (str(one.size),)
    return format_line("ATTACH", params, clean(one.uri).replace("\n", ""))
