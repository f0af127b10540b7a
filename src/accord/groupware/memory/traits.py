"""What the memory adapter can do: everything, less what its settings take away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accord.model.fields import FIELDS
from accord.model.files import file_field
from accord.model.kinds import Kind
from accord.model.traits import KindTraits, Traits

KINDS = (Kind.EVENT, Kind.TASK, Kind.CONTACT)
EXTRAS = {
    Kind.EVENT: frozenset({"ical"}),
    Kind.TASK: frozenset({"ical"}),
    Kind.CONTACT: frozenset({"vcard"}),
}


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
    omitted = {name.partition(".")[2] for name in _names(settings) if name.startswith(f"{kind}.")}
    limit = settings["title_limit"]
    title = "full_name" if kind is Kind.CONTACT else "title"
    fields = frozenset(FIELDS[kind]) - omitted
    return KindTraits(
        fields=fields,
        limits={} if limit is None else {title: int(limit)},
        extras=EXTRAS[kind],
        schedules=settings["schedules"] and kind is Kind.EVENT,
        foreign_organizer=settings["foreign_organizer"],
        trash=settings["trash"],
        restores=settings["restores"],
        seconds=settings["seconds"],
        uid_kept=settings["uid_kept"],
        files=file_field(kind) in fields,
    )


def _names(settings: Mapping[str, Any]) -> list[str]:
    return str(settings["omitted"]).replace(",", " ").split()
