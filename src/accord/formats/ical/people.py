"""Organizer, attendees and named people (RFC 5545 3.8.4, RFC 7986 6).

Parameters that the model doesn't know (SCHEDULE-AGENT, SENT-BY, X-…) are kept per address in
extras, as a content line that holds only them, and come back with their address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from accord.formats.errors import Refused
from accord.formats.ical.props import NAMESPACE, Extras, Props
from accord.formats.limits import Limits
from accord.formats.lines import Line, format_line, parse, unfold
from accord.model.parts import Attendee, AttendeeKind, Person, Reply, Role

PERSON = "X-ACCORD-PERSON"
"""Names somebody who has to do with an entry but isn't invited."""

Stated: TypeAlias = Mapping[str, frozenset[str]]
"""Which parameters an attendee has in a text, by casefolded address."""

NOTHING_STATED: Stated = MappingProxyType({})
_ATTENDEE = re.compile("ATTENDEE[;:]", re.IGNORECASE)
_USUAL = frozenset({"ROLE", "PARTSTAT"})
"""What is written of new attendees, defaults or not: some clients ask for it."""

_ROLES = {
    "CHAIR": Role.CHAIR,
    "REQ-PARTICIPANT": Role.REQUIRED,
    "OPT-PARTICIPANT": Role.OPTIONAL,
    "NON-PARTICIPANT": Role.INFORMATIONAL,
}
_REPLIES = {reply.value.upper(): reply for reply in Reply}
_KINDS = {kind.value.upper(): kind for kind in AttendeeKind}
_ROLE_NAMES = {role: name for name, role in _ROLES.items()}
_FLAGS = {"TRUE": True, "FALSE": False}


def read_attendees(props: Props, extras: Extras) -> tuple[Attendee, ...]:
    """Return the attendees, and keep what else their lines say."""
    lines = props.get("ATTENDEE")
    if not lines:
        return ()
    kept: list[str] = []
    found = tuple(_attendee(line, kept) for line in lines)
    if kept:
        extras[NAMESPACE + "ATTENDEE"] = tuple(kept)
    return found


def read_person(line: Line | None, extras: Extras) -> Person | None:
    """Return the organizer (or another single person), and keep what else the line says."""
    if line is None:
        return None
    kept: list[str] = []
    person = _person(line, kept)
    if kept:
        extras[NAMESPACE + line.name] = tuple(kept)
    return person


def read_people(props: Props) -> tuple[Person, ...]:
    """Return the people who are named, never invited."""
    return tuple(_person(line, []) for line in props.get(PERSON, ()))


def stated(before: bytes) -> Stated:
    """Return which parameters each attendee of a calendar's text has, by address.

    A default that was left out there is left out again, so that a text changes only where the
    item does. Nothing is said of a text that can't be taken apart.
    """
    found: dict[str, frozenset[str]] = {}
    if b"ATTENDEE" not in before.upper():
        return found
    try:
        for text in unfold(before, Limits()).lines:
            if _ATTENDEE.match(text):
                line = parse(text, 0)
                address = address_of(line).casefold()
                found[address] = found.get(address, frozenset()) | line.params.keys()
    except Refused:
        return {}
    return found


def attendee_lines(
    attendees: Iterable[Attendee],
    kept: Sequence[str],
    silent: bool,
    stated: Stated = NOTHING_STATED,
) -> list[str]:
    """Return ATTENDEE lines; `silent` gives SCHEDULE-AGENT=NONE to those that have no agent.

    Of attendees who are `stated`, defaults are written only where they were before.
    """
    known = _by_address(kept)
    return [
        _attendee_line(one, known, silent, stated.get(one.address.casefold())) for one in attendees
    ]


def person_line(name: str, person: Person, kept: Sequence[str] = ()) -> str:
    """Return the line of one person."""
    known = _by_address(kept).get(person.address.casefold()) if kept else None
    params = dict(known.params) if known else {}
    if person.name:
        params["CN"] = (person.name,)
    return format_line(name, params, known.value if known else calendar_address(person.address))


def silenced(extras: Mapping[str, object], attendees: Sequence[Attendee]) -> bool:
    """Tell whether every attendee is one the server must not write to (RFC 6638 7.1)."""
    kept = extras.get(NAMESPACE + "ATTENDEE")
    known = _by_address(kept) if isinstance(kept, tuple) else {}
    return bool(attendees) and all(
        (line := known.get(one.address.casefold())) is not None
        and line.param("SCHEDULE-AGENT").upper() in ("NONE", "CLIENT")
        for one in attendees
    )


def address_of(line: Line) -> str:
    """Return the bare address of a calendar user; other URIs stay as they are."""
    value = line.value.strip()
    if value[:7].lower() == "mailto:":
        return value[7:].strip()
    return line.param("EMAIL").strip() or value


def calendar_address(address: str) -> str:
    """Return the URI of an address."""
    return address if ":" in address else f"mailto:{address}"


def _attendee(line: Line, kept: list[str]) -> Attendee:
    params = line.params
    rest = {key: value for key, value in params.items() if key not in _MODELLED}
    role = _known(_ROLES, params, "ROLE", Role.REQUIRED, rest)
    reply = _known(_REPLIES, params, "PARTSTAT", Reply.NEEDS_ACTION, rest)
    kind = _known(_KINDS, params, "CUTYPE", AttendeeKind.INDIVIDUAL, rest)
    rsvp = _known(_FLAGS, params, "RSVP", False, rest)
    address = address_of(line)
    _keep(line, address, rest, kept)
    return Attendee(
        address=address,
        name=line.param("CN"),
        role=role,
        reply=reply,
        attendee_kind=kind,
        rsvp=rsvp,
    )


_MODELLED = frozenset({"CN", "ROLE", "PARTSTAT", "CUTYPE", "RSVP"})


_T = TypeVar("_T")


def _known(
    table: Mapping[str, _T],
    params: Mapping[str, tuple[str, ...]],
    name: str,
    default: _T,
    rest: dict[str, tuple[str, ...]],
) -> _T:
    values = params.get(name)
    if not values:
        return default
    found = table.get(values[0].upper())
    if found is None:
        rest[name] = values
        return default
    return found


def _person(line: Line, kept: list[str]) -> Person:
    rest = {key: value for key, value in line.params.items() if key != "CN"}
    address = address_of(line)
    _keep(line, address, rest, kept)
    return Person(address=address, name=line.param("CN"))


def _keep(line: Line, address: str, rest: dict[str, tuple[str, ...]], kept: list[str]) -> None:
    value = line.value.strip()
    plain = calendar_address(address)
    if rest or (value != plain and value.lower() != plain.lower()):
        kept.append(format_line(line.name, rest, value))


def _by_address(kept: Sequence[str]) -> dict[str, Line]:
    lines = [parse(text, 0) for text in kept]
    return {address_of(line).casefold(): line for line in lines}


def _attendee_line(
    one: Attendee, known: Mapping[str, Line], silent: bool, stated: frozenset[str] | None
) -> str:
    said = _USUAL if stated is None else stated
    line = known.get(one.address.casefold())
    params: dict[str, tuple[str, ...]] = {} if line is None else dict(line.params)
    if one.name:
        params["CN"] = (one.name,)
    kind = one.attendee_kind
    for name, value, default in (
        ("ROLE", _ROLE_NAMES[one.role], one.role is Role.REQUIRED),
        ("PARTSTAT", one.reply.value.upper(), one.reply is Reply.NEEDS_ACTION),
        ("CUTYPE", kind.value.upper(), kind is AttendeeKind.INDIVIDUAL),
        ("RSVP", "TRUE" if one.rsvp else "FALSE", not one.rsvp),
    ):
        # A value that the model doesn't know was read as the default and stays as it was.
        if not default or (name in said and name not in params):
            params[name] = (value,)
    if silent and "SCHEDULE-AGENT" not in params:
        params["SCHEDULE-AGENT"] = ("NONE",)
    return format_line(
        "ATTENDEE", params, calendar_address(one.address) if line is None else line.value
    )
