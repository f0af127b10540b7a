"""What the built-in CRM can store: every field of every kind, series as series."""

from __future__ import annotations

from accord.model.fields import FIELDS
from accord.model.kinds import Kind
from accord.model.traits import KindTraits, Traits

_TITLE = 1000
_NAME = 300

_LIMITS: dict[Kind, dict[str, int]] = {
    Kind.EVENT: {"title": _TITLE, "location": _TITLE},
    Kind.TASK: {"title": _TITLE},
    Kind.CONTACT: {
        "full_name": _TITLE,
        **dict.fromkeys(("prefix", "given", "middle", "family", "suffix", "nickname"), _NAME),
        **dict.fromkeys(("organization", "department", "job_title"), _NAME),
    },
    Kind.ABSENCE: {"title": _TITLE, "absence_kind": _NAME},
}

TRAITS = Traits(
    adapter="database",
    kinds={
        kind: KindTraits(
            fields=frozenset(FIELDS[kind]),
            limits=limits,
            extras=frozenset({"crm"}),
            restores=True,
            files=kind is not Kind.ABSENCE,
        )
        for kind, limits in _LIMITS.items()
    },
    batch=200,
    page=500,
    concurrency=16,
)
"""Own fields live under `crm:`; those of other formats are not kept."""
