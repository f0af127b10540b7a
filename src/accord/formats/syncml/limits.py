"""How much of a foreign message the SyncML codecs are willing to read.

Every figure is checked before the work it bounds is done.
"""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """Bound one message: `size` is bytes, also of all its text when taken out of WBXML.

    `elements` counts elements, `commands` all commands, those inside Sync, Atomic and Sequence
    too, `items` items and map items, `depth` how deep elements stand in each other, `word`
    characters of anything but data.
    """

    size: int = 4_000_000
    depth: int = 32
    elements: int = 200_000
    commands: int = 50_000
    items: int = 50_000
    word: int = 8_000


LIMITS = Limits()
"""What one message may cost: more than any size that we announce as MaxMsgSize."""
