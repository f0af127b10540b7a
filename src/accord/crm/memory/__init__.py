"""A CRM in this process: users, rights, sync lists, revisions, soft deletion.

`build` makes one from settings; `MemoryCrm.person` is the hand of a CRM user.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accord.crm.memory.adapter import MemoryCrm
from accord.crm.memory.person import Person
from accord.crm.memory.settings import SETTINGS
from accord.crm.memory.store import Right
from accord.crm.memory.traits import traits
from accord.ports.settings import read

__all__ = ["SETTINGS", "MemoryCrm", "Person", "Right", "build"]


def build(settings: Mapping[str, Any]) -> MemoryCrm:
    """Return an empty CRM; raises ConfigError for a setting that isn't right."""
    given = read(SETTINGS, settings, "memory")
    return MemoryCrm(traits(given), instance=given["instance"], users=given["users"])
