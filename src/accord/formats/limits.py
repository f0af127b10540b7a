"""How much of a foreign text a codec is willing to read.

Every figure is checked before the work it bounds is done.
"""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """Bound one text: `size` and `line` are bytes, `inline` bytes of one attachment.

    `lines` counts content lines, `dates` all dates of one item's RDATE and EXDATE, `depth`
    how deep components stand in each other, `zones` the zone definitions of one text.
    """

    size: int = 10_000_000
    line: int = 3_000_000
    lines: int = 200_000
    depth: int = 8
    parts: int = 2_000
    dates: int = 10_000
    zones: int = 100
    inline: int = 2_000_000


LIMITS = Limits()
"""What one calendar object or one card may cost."""

IMPORT = Limits(size=200_000_000, lines=5_000_000, parts=200_000)
"""What a whole file of many entries may cost."""
