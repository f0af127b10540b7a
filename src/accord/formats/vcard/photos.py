"""Photos: by reference, or inline in the two ways of 3.0 and 4.0; bytes stay out of items."""

from __future__ import annotations

import binascii
import hashlib
from urllib.parse import unquote_to_bytes

from accord.formats.errors import Refused
from accord.formats.limits import Limits
from accord.formats.vcard.kept import Entry, line_of
from accord.model.parts import Attachment

_HEADS = ((b"\x89PNG", "image/png"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))
"""How pictures begin that are none of JPEG."""


def read_photo(one: Entry, limits: Limits) -> Attachment:
    """Return what an item holds of a photo; raises Refused for one above the limit."""
    if len(one.value) * 3 // 4 > limits.inline and not _is_reference(one):
        reason = f"the picture in it is larger than {limits.inline:,} bytes"
        raise Refused(reason, prop=one.name, line=one.number)
    return _read(one)


def _read(one: Entry) -> Attachment:
    if _is_reference(one):
        return Attachment(uri=one.value.strip(), media_type=_media_type(one))
    media_type, content = _content(one)
    digest = hashlib.sha256(content).hexdigest()
    return Attachment(media_type=media_type, size=len(content), digest=digest)


def write_photo(photo: Attachment, kept: Entry | None, version: str) -> str:
    """Return the PHOTO line; empty where the bytes aren't at hand."""
    if kept is not None and _same(_read(kept), photo):
        if not _is_reference(kept) and (version == "4.0") != (kept.value[:5].lower() == "data:"):
            media_type, content = _content(kept)
            return inline(content, media_type, version, kept.group)
        return kept.raw
    if not photo.uri or photo.stored:
        return ""
    params: dict[str, tuple[str, ...]] = {}
    if version == "3.0":
        params["VALUE"] = ("uri",)
        if photo.media_type:
            params["TYPE"] = (photo.media_type.partition("/")[2].upper() or "JPEG",)
    elif photo.media_type:
        params["MEDIATYPE"] = (photo.media_type,)
    return line_of("PHOTO", params, photo.uri)


def _same(one: Attachment, other: Attachment) -> bool:
    return (one.uri, one.digest) == (other.uri, other.digest)


def _is_reference(one: Entry) -> bool:
    encoding = one.params.get("ENCODING", ("",))[0].upper()
    return encoding not in ("B", "BASE64") and one.value[:5].lower() != "data:"


def _media_type(one: Entry) -> str:
    given = one.params.get("MEDIATYPE")
    if given:
        return given[0]
    kinds = [kind for kind in one.types if kind not in ("pref", "work", "home", "uri")]
    if not kinds:
        return ""
    return kinds[0] if "/" in kinds[0] else f"image/{kinds[0]}"


def picture(one: Entry) -> tuple[str, bytes]:
    """Return media type and bytes of an inline photo; raises ValueError for a broken one."""
    if one.value[:5].lower() == "data:":
        head, _, data = one.value[5:].partition(",")
        content = unquote_to_bytes(data)
        if head.lower().endswith(";base64"):
            content = binascii.a2b_base64(content)
        return head.partition(";")[0], content
    return _media_type(one), binascii.a2b_base64(one.value)


def inline(content: bytes, media_type: str, version: str, group: str = "") -> str:
    """Return the PHOTO line that holds a picture itself, as 4.0 has it or 3.0."""
    text = binascii.b2a_base64(content, newline=False).decode()
    if not media_type.startswith("image/"):
        media_type = next((kind for head, kind in _HEADS if content.startswith(head)), "image/jpeg")
    if version == "4.0":
        return line_of("PHOTO", {}, f"data:{media_type};base64,{text}", group)
    kind = media_type.partition("/")[2].upper()
    return line_of("PHOTO", {"ENCODING": ("b",), "TYPE": (kind,)}, text, group)


def _content(one: Entry) -> tuple[str, bytes]:
    try:
        return picture(one)
    except ValueError:
        # A broken picture is no reason to refuse a person; its text stands for its content.
        return _media_type(one), one.value.encode()
