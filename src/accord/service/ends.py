"""The two ends of a link during a visit: opened sessions with what calling them needs."""

from __future__ import annotations

from msgspec import Struct

from accord.model.kinds import Kind, Side
from accord.model.observe import Snapshot
from accord.model.traits import KindTraits
from accord.ports.adapter import Session
from accord.state.records import Link


class End(Struct, frozen=True, kw_only=True):
    """Be one side of a link: session, folder and kind as that side names them."""

    side: Side
    session: Session
    folder: str
    kind: Kind
    traits: KindTraits
    batch: int


def groupware_kind(kind: Kind) -> Kind:
    """Return the kind under which the mailbox stores a CRM kind: absences are entries there."""
    return Kind.EVENT if kind is Kind.ABSENCE else kind


def place_of(link: Link, side: Side, folder: str = "") -> str:
    """Return the name of what a link reads on a side; a cursor counts there and nowhere else."""
    if side is Side.CRM:
        return f"{link.user}/{link.kind}"
    return f"{link.target}/{link.principal}/{folder}/{groupware_kind(link.kind)}"


def marker_of(instance: str, kind: Kind, ref: str) -> str:
    """Return the marker that the mailbox copy of a CRM record carries."""
    return f"{instance}/{kind}/{ref}"


def parse_marker(marker: str) -> tuple[str, str, str]:
    """Return CRM instance, kind and ref of a marker; empty texts where it isn't one of ours."""
    instance, _, rest = marker.partition("/")
    kind, _, ref = rest.partition("/")
    return (instance, kind, ref) if ref else ("", "", "")


def back_marker(link: Link, ref: str) -> str:
    """Return the marker that a CRM record carries for its mailbox item."""
    return f"{link.target}/{link.principal}/{ref}"


def belongs(link: Link, snapshot: Snapshot) -> bool:
    """Tell whether an unpaired mailbox item is one that this link looks after.

    Absences lie in calendars as entries; their marker tells them from appointments.
    """
    _, kind, _ = parse_marker(snapshot.marker)
    return (kind == Kind.ABSENCE) == (link.kind is Kind.ABSENCE)
