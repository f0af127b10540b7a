"""Response objects in a CreateItem: replies to meetings, cancellations and their removal."""

from __future__ import annotations

import copy

from accord.sandbox.exchange import attachments, calendar, content, ids, meetings, series
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.handling import named, throw_away
from accord.sandbox.exchange.properties import item_id, meeting_of
from accord.sandbox.exchange.schema import TYPES
from accord.sandbox.exchange.store import Item, Occurrence
from accord.sandbox.exchange.xml import Node, child, local, m, moment, stamp, t, text_at

_REPLIES = {
    "AcceptItem": ("Accept", "Accepted", "Pos", "Accept"),
    "TentativelyAcceptItem": ("Tentative", "Tentative", "Tent", "Tentative"),
    "DeclineItem": ("Decline", "Declined", "Neg", "Decline"),
}
"""What a reply is called: as a type, in a subject, in a class and in an error."""


def respond(call: Call, sent: Node, disposition: str | None, target: Node | None) -> list[Node]:
    """Do what a response object says and return what came of it."""
    kind = local(sent)
    reference = child(sent, "ReferenceItemId")
    if reference is None:
        raise EwsError("ErrorInvalidRequest", "A ReferenceItemId is needed.")
    about = named(call, reference, change=True)
    if kind != "RemoveItem" and disposition is None:
        raise EwsError("ErrorMessageDispositionRequired")
    match kind:
        case "RemoveItem":
            found = _remove(call, about)
        case "CancelCalendarItem":
            found = _cancel(call, about, child(sent, "NewBodyContent"), disposition or "")
        case _ if kind in _REPLIES:
            found = _reply(call, about, sent, disposition or "", target)
        case _:
            raise EwsError("ErrorInvalidRequest", f"A {kind} can't be created here.")
    return [m("Items", *[t(each.kind, item_id(each)) for each in found])]


def is_response(kind: str) -> bool:
    """Tell whether an element of a CreateItem is a response object that is known here."""
    return kind in _REPLIES or kind in ("CancelCalendarItem", "RemoveItem")


def _reply(
    call: Call, about: Item, sent: Node, disposition: str, target: Node | None
) -> list[Item]:
    reply, _, _, error = _REPLIES[local(sent)]
    request = about if about.kind == "MeetingRequest" else None
    own = about if request is None else _entry(call, request)
    if own.kind != "CalendarItem":
        raise EwsError("ErrorInvalidOperation")
    if meetings.is_organizer(own):
        raise EwsError(f"ErrorCalendarIsOrganizerFor{error}")
    if text_at(own.content, "IsCancelled") == "true":
        raise EwsError(f"ErrorCalendarIsCancelledFor{error}")
    message = _message(call, own, sent)
    found = [*_settle(call, own, reply)]
    if request is not None and (gone := throw_away(call, request)) is not None:
        found.append(gone)
    if disposition != "SaveOnly":
        meetings.answer(call, own, reply, message)
    if disposition != "SendOnly":
        role = "drafts" if disposition == "SaveOnly" else "sentitems"
        folder = call.folder(target[0], change=True) if target is not None else None
        found.append(meetings.keep(call, message, role, folder))
    return found


def _entry(call: Call, request: Item) -> Item:
    """Return what an invitation stands for in the calendar."""
    held = meeting_of(call, request.mailbox, request.uid)
    if held is None:
        raise EwsError("ErrorItemNotFound")
    at = text_at(request.content, "RecurrenceId")
    found = series.of(call.store, held)
    if at and found is not None:
        return found.occurrence(int(moment(at).timestamp()))
    return held


def _settle(call: Call, own: Item, reply: str) -> list[Item]:
    """Let the attendee's calendar show a reply; an entry that is not declined is made anew."""
    if reply == "Decline":
        if not own.original:
            gone = throw_away(call, own)
            return [] if gone is None else [gone]
        _occurrence_gone(call, own)
        return []
    status = text_at(own.content, "IntendedFreeBusyStatus") or "Busy"
    values = {
        "MyResponseType": reply,
        "LegacyFreeBusyStatus": status if reply == "Accept" else "Tentative",
        "AppointmentReplyTime": stamp(call.now),
    }
    for name, value in values.items():
        calendar.put(own.content, t(name, value))
    own.modified = stamp(call.now)
    if own.original:
        meetings.write(call, _master(call, own), own, set(values))
        return [own]
    kept = call.store.occurrences(own.id)
    fresh = copy.copy(own)
    fresh = call.store.add_item(fresh, content.indexed(fresh))
    attachments.pass_on(call.store, own, fresh)
    call.store.remove_item(own)
    for each in kept.values():
        call.store.put_occurrence(fresh.id, each)
    return [fresh]


def _message(call: Call, own: Item, sent: Node) -> Item:
    reply, word, ending, _ = _REPLIES[local(sent)]
    more = {"ItemClass": f"IPM.Schedule.Meeting.Resp.{ending}", "ResponseType": reply}
    made = meetings.message(call, own, "MeetingResponse", **more)
    subject = text_at(own.content, "Subject") or ""
    calendar.put(made.content, t("Subject", f"{word}: {subject}"))
    calendar.remove(made.content, f"{{{TYPES}}}Body")
    for name in ("Body", "Sensitivity", "ProposedStart", "ProposedEnd"):
        if (given := child(sent, name)) is not None:
            calendar.put(made.content, copy.deepcopy(given))
    organizer = child(own.content, "Organizer", "Mailbox")
    if organizer is not None:
        made.content.append(t("ToRecipients", copy.deepcopy(organizer)))
    return made


def _cancel(call: Call, item: Item, said: Node | None, disposition: str) -> list[Item]:
    if item.kind != "CalendarItem":
        raise EwsError("ErrorInvalidOperation")
    if not meetings.is_organizer(item):
        raise EwsError("ErrorCalendarIsNotOrganizer")
    notices = {"SendOnly": "SendOnlyToAll", "SendAndSaveCopy": "SendToAllAndSaveCopy"}
    told = copy.copy(item)
    told.content = copy.deepcopy(item.content)
    if said is not None:
        body = t("Body", said.text or "", BodyType=said.get("BodyType", "Text"))
        calendar.put(told.content, body)
    meetings.cancel(call, told, notices.get(disposition, "SendToNone"))
    if item.original:
        _occurrence_gone(call, item)
        return []
    gone = throw_away(call, item)
    return [] if gone is None else [gone]


def _remove(call: Call, message: Item) -> list[Item]:
    if message.kind != "MeetingCancellation":
        raise EwsError("ErrorInvalidOperation")
    held = meeting_of(call, message.mailbox, message.uid)
    found = []
    if held is not None:
        at = text_at(message.content, "RecurrenceId")
        known = series.of(call.store, held)
        if at and known is not None:
            _occurrence_gone(call, known.occurrence(int(moment(at).timestamp())))
        elif text_at(held.content, "IsCancelled") == "true":
            found.append(throw_away(call, held))
    found.append(throw_away(call, message))
    return [each for each in found if each is not None]


def _occurrence_gone(call: Call, item: Item) -> None:
    call.store.put_occurrence(item.id, Occurrence(item.original))
    master = _master(call, item)
    paths = ["calendar:DeletedOccurrences"]
    call.store.change_item(master, paths, content.indexed(master))


def _master(call: Call, item: Item) -> Item:
    return call.item(ids.Id(item.mailbox, item.id), change=True)
