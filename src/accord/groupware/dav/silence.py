"""Who would get mail from a scheduling server, and how a write stays silent (RFC 6638).

`codec` sets SCHEDULE-AGENT by line here, `write` asks before it sends; what can't be silent
is refused, for the engine holds such writes and nothing may slip past it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from accord.formats.ical.people import address_of
from accord.formats.limits import Limits
from accord.formats.lines import Line, fold, format_line, parse, unfold
from accord.groupware.dav.discovery import Place
from accord.model.item import Event, Item
from accord.ports.adapter import Revision
from accord.ports.errors import Rejected

Choice: TypeAlias = Callable[[str, str], str]
"""Name the SCHEDULE-AGENT of ATTENDEE or ORGANIZER by that name and the address; empty for none."""

AGENT = "SCHEDULE-AGENT"
NONE = "NONE"
_SERVER_STATE = (AGENT, "SCHEDULE-STATUS", "SCHEDULE-FORCE-SEND")
_PEOPLE = re.compile(r"^(?:ATTENDEE|ORGANIZER)[;:]", re.MULTILINE | re.IGNORECASE)
_WIDE = Limits()


class Agents:
    """Know which attendees of a stored object the server mails by itself."""

    def __init__(self, text: str) -> None:
        """Read the people of an iCalendar text."""
        self.by_person: dict[tuple[str, str], str] = {}
        self.organizer = ""
        self.attendees: set[str] = set()
        for line in _people(text) if _PEOPLE.search(text) else ():
            address = address_of(line).casefold()
            self.by_person[line.name, address] = line.param(AGENT).upper()
            if line.name == "ORGANIZER":
                self.organizer = self.organizer or address
            else:
                self.attendees.add(address)

    @property
    def served(self) -> frozenset[str]:
        """Return the attendees whom the server mails."""
        return frozenset(a for a in self.attendees - {self.organizer} if self.serves(a))

    def serves(self, attendee: str) -> bool:
        """Tell whether the server mails an attendee; it does so unless told otherwise."""
        return self.by_person.get(("ATTENDEE", attendee), "") in ("", "SERVER")


def without_server_state(text: str) -> str:
    """Return an iCalendar text without the server's notes on delivery, which are no content."""
    if "SCHEDULE-" not in text.upper():
        return text
    return _rewritten(text, lambda name, address: "")


def with_agents(text: str, choose: Choice) -> str:
    """Return an iCalendar text whose people carry the agent that `choose` names."""
    if not _PEOPLE.search(text):
        return text
    return _rewritten(text, choose)


def nobody(own: frozenset[str]) -> Choice:
    """Choose that the server mails nobody; `own` are the addresses of the person.

    Replies of an attendee go to the organizer, so a foreign one is named too (RFC 6638 7.1).
    """
    return lambda name, address: "" if name == "ORGANIZER" and address in own else NONE


def as_before(stored: str) -> Choice:
    """Choose for everybody what stands in the text that is replaced."""
    agents = Agents(stored).by_person
    return lambda name, address: agents.get((name, address), "")


def is_silent(text: str, *, made_here: bool) -> bool:
    """Tell whether the server mails nobody about a stored object, whatever is done to it."""
    if not _PEOPLE.search(text):
        return made_here
    agents = Agents(text)
    return not agents.served if agents.attendees else made_here


def only_replies(revision: Revision) -> bool:
    """Tell whether a revision changes nothing but what attendees answered."""
    one, other = revision.before, revision.after
    if revision.changed != ("attendees",):
        return False
    if not isinstance(one, Event) or not isinstance(other, Event):
        return False
    unreplied = [
        [(a.address.casefold(), a.role, a.attendee_kind, a.name) for a in event.attendees]
        for event in (one, other)
    ]
    return unreplied[0] == unreplied[1]


def refuse_to_mail(place: Place, text: str, kept_silent: bool, revision: Revision) -> None:
    """Raise Rejected where the server would tell attendees about this change by itself.

    `kept_silent` says that Accord made the item, and keeps each attendee from the server.
    """
    after = revision.after
    if kept_silent or not place.schedules or not isinstance(after, Event):
        return
    agents = Agents(text)
    if not _organizes(place, agents, after):
        return
    named = {a.address.casefold() for a in after.attendees} | agents.attendees
    told = {address for address in named if agents.serves(address)} - place.addresses
    told.discard(agents.organizer)
    if told and not _QUIET.issuperset(revision.changed):
        raise _would_mail(revision.ref, told)


def refuse_to_cancel(place: Place, text: str, ref: str) -> None:
    """Raise Rejected where the server would send cancellations for a deletion."""
    agents = Agents(text)
    if not _organizes(place, agents, None):
        return
    told = agents.served - place.addresses
    if told:
        raise _would_mail(ref, told)


# Cyrus tells attendees about any other change, of the text too.
_QUIET = frozenset({"categories", "privacy", "busy", "reminders", "extras"})


def _organizes(place: Place, agents: Agents, after: Item | None) -> bool:
    """Tell whether this person is the organizer; a server that names no addresses may think so."""
    organizer = agents.organizer
    if not organizer and isinstance(after, Event) and after.organizer is not None:
        organizer = after.organizer.address.casefold()
    return bool(organizer) and (not place.addresses or organizer in place.addresses)


def _would_mail(ref: str, told: set[str] | frozenset[str]) -> Rejected:
    many = "attendee" if len(told) == 1 else "attendees"
    return Rejected(
        f"{ref}: the server would mail {len(told)} {many}, and this write may not",
        code="would-mail",
    )


def _people(text: str) -> list[Line]:
    lines = unfold(text, _WIDE).lines
    return [parse(each, number) for number, each in enumerate(lines, 1) if _PEOPLE.match(each)]


def _rewritten(text: str, choose: Choice) -> str:
    lines = unfold(text, _WIDE).lines
    out = [
        _with_agent(parse(each, number), choose) if _PEOPLE.match(each) else each
        for number, each in enumerate(lines, 1)
        if each
    ]
    return fold(out).decode()


def _with_agent(line: Line, choose: Choice) -> str:
    params: Mapping[str, tuple[str, ...]] = {
        key: value for key, value in line.params.items() if key not in _SERVER_STATE
    }
    agent = choose(line.name, address_of(line).casefold())
    if agent:
        params = {**params, AGENT: (agent,)}
    return format_line(line.name, params, line.value)
