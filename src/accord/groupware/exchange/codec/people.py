"""Attendees: three lists in Exchange, roles and kinds in ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from exchangelib.properties import Attendee as LibraryAttendee
from exchangelib.properties import Mailbox
from exchangelib.util import safe_xml_value
from msgspec.structs import replace

from accord.groupware.exchange.codec import parts
from accord.model.parts import Attendee, AttendeeKind, Person, Reply, Role

_REPLIES = {
    "Unknown": Reply.NEEDS_ACTION,
    "NoResponseReceived": Reply.NEEDS_ACTION,
    "Organizer": Reply.ACCEPTED,
    "Accept": Reply.ACCEPTED,
    "Tentative": Reply.TENTATIVE,
    "Decline": Reply.DECLINED,
}
_ANSWERS = {
    Reply.NEEDS_ACTION: "Unknown",
    Reply.DELEGATED: "Unknown",
    Reply.ACCEPTED: "Accept",
    Reply.TENTATIVE: "Tentative",
    Reply.DECLINED: "Decline",
}
_GROUPS = ("PublicDL", "PrivateDL", "GroupMailbox")
_THINGS = (AttendeeKind.ROOM, AttendeeKind.RESOURCE)


def attendees_of(item: Any, own: str = "") -> tuple[Attendee, ...]:
    """Return who is invited, each once; `own` is whose answer stands apart on an invitation."""
    found: dict[str, Attendee] = {}
    for role, listed in (
        (Role.REQUIRED, item.required_attendees),
        (Role.OPTIONAL, item.optional_attendees),
        (None, item.resources),
    ):
        for each in listed or ():
            one = _attendee(each, role)
            if one is not None:
                found.setdefault((one.address or one.name).casefold(), one)
    mine = found.get(own.casefold()) if own else None
    answered = _REPLIES.get(item.my_response_type or "", Reply.NEEDS_ACTION)
    if mine is not None and item.my_response_type in ("Accept", "Tentative", "Decline"):
        found[own.casefold()] = replace(mine, reply=answered)
    return tuple(found.values())


def organizer_of(item: Any, attendees: tuple[Attendee, ...]) -> Person | None:
    """Return who organizes a meeting; of a plain entry Exchange names the owner, we nobody."""
    invited = item.my_response_type not in (None, "", "Unknown", "Organizer")
    if not (item.is_meeting or attendees or invited):
        return None
    found = parts.person_of(item.organizer)
    return None if found == Person() else found


def sent_attendees(attendees: Iterable[Attendee]) -> dict[str, Any]:
    """Return the three lists; None for an empty one."""
    lists: dict[str, list[Any]] = {
        "required_attendees": [],
        "optional_attendees": [],
        "resources": [],
    }
    for each in attendees:
        lists[_list_of(each)].append(_sent_attendee(each))
    return {name: listed or None for name, listed in lists.items()}


def _attendee(each: Any, role: Role | None) -> Attendee | None:
    mailbox = each.mailbox
    if mailbox is None or not (mailbox.email_address or mailbox.name):
        return None
    kind = AttendeeKind.GROUP if mailbox.mailbox_type in _GROUPS else AttendeeKind.INDIVIDUAL
    return Attendee(
        address=str(mailbox.email_address or ""),
        name=str(mailbox.name or ""),
        role=role or Role.REQUIRED,
        reply=_REPLIES.get(each.response_type or "", Reply.NEEDS_ACTION),
        attendee_kind=kind if role is not None else AttendeeKind.ROOM,
    )


def _list_of(attendee: Attendee) -> str:
    if attendee.attendee_kind in _THINGS:
        return "resources"
    optional = attendee.role in (Role.OPTIONAL, Role.INFORMATIONAL)
    return "optional_attendees" if optional else "required_attendees"


def _sent_attendee(attendee: Attendee) -> Any:
    kind = "PublicDL" if attendee.attendee_kind is AttendeeKind.GROUP else "Mailbox"
    directory = parts.is_directory(attendee.address)
    mailbox = Mailbox(
        name=safe_xml_value(attendee.name) or None,
        email_address=safe_xml_value(attendee.address) or None,
        routing_type="EX" if directory else "SMTP",
        mailbox_type=kind if attendee.address else "OneOff",
    )
    return LibraryAttendee(mailbox=mailbox, response_type=_ANSWERS[attendee.reply])
