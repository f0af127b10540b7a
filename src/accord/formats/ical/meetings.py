"""The link of an online meeting: CONFERENCE (RFC 7986 5.11) and what vendors write instead."""

from __future__ import annotations

from collections.abc import Mapping

from accord.formats.ical.props import NAMESPACE, Extras, Props, checksum, raw
from accord.formats.lines import clean

NAMES = (
    "CONFERENCE",
    "X-GOOGLE-CONFERENCE",
    "X-MICROSOFT-SKYPETEAMSMEETINGURL",
    "X-MICROSOFT-ONLINEMEETINGCONFLINK",
)
"""Properties that hold the link, the first one there counts."""

_KEY = NAMESPACE + "CONFERENCE"


def read_meeting(props: Props, extras: Extras) -> str:
    """Return the link to the meeting, and keep all lines that say more than this."""
    lines = [line for name in NAMES for line in props.get(name, ())]
    if not lines:
        return ""
    web = [line for line in lines if line.value.strip().lower().startswith("http")]
    link = (web or lines)[0].value.strip()
    texts = [raw(line) for line in lines]
    if texts != meeting_lines(link, {}):
        extras[_KEY] = (checksum(link), *texts)
    return link


def meeting_lines(link: str, extras: Mapping[str, object]) -> list[str]:
    """Return the content lines of a link: those it was read from while it is unchanged."""
    kept = extras.get(_KEY)
    if isinstance(kept, tuple) and kept and kept[0] == checksum(link):
        return [text for text in kept[1:] if text.startswith(NAMES)]
    return [f"CONFERENCE;VALUE=URI:{clean(link).replace(chr(10), '')}"] if link else []
