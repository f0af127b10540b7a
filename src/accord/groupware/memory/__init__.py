"""A groupware server in this process: the adapter to read first and to copy from.

`build` makes one from settings; `MemoryGroupware.person` is the hand of the mailbox's owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accord.groupware.memory.adapter import MemoryGroupware
from accord.groupware.memory.person import Person
from accord.groupware.memory.settings import SETTINGS
from accord.groupware.memory.store import TRASH, Mail
from accord.groupware.memory.traits import traits
from accord.ports.settings import read

__all__ = ["SETTINGS", "TRASH", "Mail", "MemoryGroupware", "Person", "build"]


def build(settings: Mapping[str, Any], *, where: str = "memory") -> MemoryGroupware:
    """Return an empty server; raises ConfigError for a setting that isn't right."""
    given = read(SETTINGS, settings, where)
    made = MemoryGroupware(traits(given), instance=given["instance"], people=given["principals"])
    made.store.adopt = given["adopt"] or ""
    return made
