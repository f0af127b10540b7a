"""What the CRM in memory can do: everything, less what its settings take away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accord.model.fields import FIELDS
from accord.model.files import file_field
from accord.model.kinds import Kind
from accord.model.traits import KindTraits, Traits

KINDS = (Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE)


def traits(settings: Mapping[str, Any]) -> Traits:
    """Return the traits that the settings (with defaults filled in) describe."""
    return Traits(
        adapter="memory",
        kinds={kind: _kind(kind, settings) for kind in KINDS},
        batch=int(settings["batch"]),
        page=int(settings["page"]),
        concurrency=16,
    )


def _kind(kind: Kind, settings: Mapping[str, Any]) -> KindTraits:
    names = str(settings["omitted"]).replace(",", " ").split()
    omitted = {name.partition(".")[2] for name in names if name.startswith(f"{kind}.")}
    limit = settings["title_limit"]
    title = "full_name" if kind is Kind.CONTACT else "title"
    fields = frozenset(FIELDS[kind]) - omitted
    return KindTraits(
        fields=fields,
        limits={} if limit is None else {title: int(limit)},
        extras=frozenset({"crm"}),
        restores=bool(settings["restores"]),
        files=file_field(kind) in fields,
    )
