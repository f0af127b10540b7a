"""People of vCalendar 1.0: ATTENDEE lines for everybody, the organizer is one of them.

A value is an address, or a name with the address behind it in angle brackets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from accord.formats.ical.people import calendar_address
from accord.formats.lines import Line, clean, unescape
from accord.formats.old import content_line, escaped
from accord.model.parts import Attendee, Person, Role

_ORGANIZERS = ("ORGANIZER", "OWNER")
_REPLIES = {
    "ACCEPTED": "ACCEPTED",
    "CONFIRMED": "ACCEPTED",
    "DECLINED": "DECLINED",
    "TENTATIVE": "TENTATIVE",
    "DELEGATED": "DELEGATED",
}
_EXPECTATIONS = {"FYI": "NON-PARTICIPANT", "REQUEST": "OPT-PARTICIPANT"}
_FLAGS = {"YES": "TRUE", "TRUE": "TRUE", "1": "TRUE"}
_EXPECTED = {Role.OPTIONAL: "REQUEST", Role.INFORMATIONAL: "FYI"}
_MODELLED = frozenset({"ROLE", "STATUS", "EXPECT", "RSVP", "TYPE", "VALUE"})


def person_lines(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield ORGANIZER and ATTENDEE lines of iCalendar.

    The organizer is who has that role, else the first owner; one who has a status attends too.
    """
    found = [line for line in lines if line.value.strip()]
    organizer = next(
        (line for role in _ORGANIZERS for line in found if line.param("ROLE").upper() == role), None
    )
    for line in found:
        address, name = _address(unescape(line.value))
        params: dict[str, tuple[str, ...]] = {"CN": (name,)} if name else {}
        if line is organizer:
            yield Line("ORGANIZER", params, address, line.number)
            if "STATUS" not in line.params:
                continue
        yield Line("ATTENDEE", {**params, **_params(line.params)}, address, line.number)


def attendee_lines(attendees: Iterable[Attendee], organizer: Person | None) -> Iterator[str]:
    """Yield the lines of 1.0; an organizer who attends has one line for both."""
    for one in attendees:
        is_organizer = organizer == Person(address=one.address, name=one.name)
        params = ["ROLE=ORGANIZER" if is_organizer else "ROLE=ATTENDEE"]
        params.append(f"STATUS={one.reply.value.upper().replace('-', ' ')}")
        if one.role in _EXPECTED:
            params.append(f"EXPECT={_EXPECTED[one.role]}")
        if one.rsvp:
            params.append("RSVP=YES")
        if is_organizer:
            organizer = None
        yield person_line(one.address, one.name, params)
    if organizer is not None:
        yield person_line(organizer.address, organizer.name, ["ROLE=ORGANIZER"])


def person_line(address: str, name: str, params: Iterable[str]) -> str:
    """Return the line of one person."""
    bare = clean(address).replace("\n", " ")
    value = bare
    if name:
        plain = name == name.strip() and not any(c in name for c in '"<>')
        shown = name if plain else f'"{name}"'
        value = f"{shown} <{bare}>"
    return content_line("ATTENDEE", params, escaped(value))


def _address(value: str) -> tuple[str, str]:
    """Return the URI of an address, and the name in front of it."""
    name, bracket, rest = value.strip().rpartition("<")
    if not bracket or not rest.endswith(">"):
        return calendar_address(value.strip()), ""
    name = name.rstrip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    return calendar_address(rest[:-1].strip()), name


def _params(params: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    found = {name: values for name, values in params.items() if name not in _MODELLED}

    def put(name: str, words: Mapping[str, str], word: str) -> None:
        if word in words:
            found[name] = (words[word],)

    first = {name: values[0].strip().upper() for name, values in params.items() if values}
    put("PARTSTAT", _REPLIES, first.get("STATUS", "").replace("-", " "))
    put("ROLE", _EXPECTATIONS, first.get("EXPECT", ""))
    put("RSVP", _FLAGS, first.get("RSVP", ""))
    return found
