"""What adapter authors get: contract suites that prove an adapter, and a hostile one to fear.

`GroupwareContract`, `CrmContract` and `QueueContract` are test classes for pytest;
`accord.testing.hostile` needs no test tool.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accord.testing.crm import CrmContract
    from accord.testing.groupware import GroupwareContract
    from accord.testing.hostile import Hostile, Hostility, Trick
    from accord.testing.queue import QueueContract

_HOMES = {
    "CrmContract": "accord.testing.crm",
    "GroupwareContract": "accord.testing.groupware",
    "Hostile": "accord.testing.hostile",
    "Hostility": "accord.testing.hostile",
    "QueueContract": "accord.testing.queue",
    "Trick": "accord.testing.hostile",
}

_CASES = ("writing", "listing", "people", "files", "photos", "groupware", "crm", "queue")

__all__ = [
    "CrmContract",
    "GroupwareContract",
    "Hostile",
    "Hostility",
    "QueueContract",
    "Trick",
]

if "pytest" in sys.modules:  # failing cases then show the values compared
    import pytest

    pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _CASES))


def __getattr__(name: str) -> Any:
    """Load what is asked for, so that the hostile adapter works where pytest is missing."""
    if name not in _HOMES:
        raise AttributeError(f"{__name__} has no {name!r}")
    return getattr(import_module(_HOMES[name]), name)
