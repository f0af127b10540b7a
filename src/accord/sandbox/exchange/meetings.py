"""Meetings: what goes from organizer to attendees and back, and how each calendar follows.

Between the server's own mailboxes all of it arrives; what goes elsewhere is only counted.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from email.utils import make_msgid

from accord.sandbox.exchange import attachments, calendar, content, mail, schema, series
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.people import distinguished
from accord.sandbox.exchange.properties import mailbox_of, meeting_of
from accord.sandbox.exchange.schema import TYPES
from accord.sandbox.exchange.shapes import KINDS
from accord.sandbox.exchange.store import Folder, Item, Mailbox, Occurrence
from accord.sandbox.exchange.xml import Node, child, is_true, local, moment, stamp, t, text_at

ATTENDEES = ("RequiredAttendees", "OptionalAttendees", "Resources")
_ABOUT = ("Subject", "Sensitivity", "Body", "Importance")
_TRAVELS = (
    *_ABOUT,
    *("UID", "Start", "End", "IsAllDayEvent", "Location", "EnhancedLocation", *ATTENDEES),
    *("Recurrence", "StartTimeZone", "EndTimeZone", "ConferenceType", "AllowNewTimeProposal"),
    *("IsOnlineMeeting", "MeetingWorkspaceUrl", "NetShowUrl", "JoinOnlineMeetingUrl"),
    *("IsResponseRequested", "DoNotForwardMeeting", "AppointmentSequenceNumber"),
)
"""What attendees learn of a meeting; the organizer's own marks stay with the organizer."""
_ELEMENTS = {"request": "MeetingRequest", "update": "MeetingRequest"}
_CLASSES = {
    "MeetingRequest": "IPM.Schedule.Meeting.Request",
    "MeetingCancellation": "IPM.Schedule.Meeting.Canceled",
}
_CANCELLED = {
    "IsCancelled": "true",
    "AppointmentState": "7",
    "LegacyFreeBusyStatus": "Free",
}
_RECEIVED = {
    "MyResponseType": "NoResponseReceived",
    "LegacyFreeBusyStatus": "Tentative",
}


def attendees(held: Node) -> set[str]:
    """Return the addresses of those who are invited to a calendar entry of this content."""
    return mail.addresses(held, ATTENDEES, "Mailbox", "EmailAddress")


def is_organizer(item: Item) -> bool:
    """Tell whether a calendar entry is the organizer's own, not an attendee's copy."""
    return text_at(item.content, "IsOrganizer") != "false"


def prepare(item: Item, before: Node | None, notices: str) -> set[str]:
    """Note in an entry that is about to be written what sending it will mean.

    `before` is its content before the change. Returns the names of what was noted.
    """
    if notices == "SendToNone" or not is_organizer(item) or not attendees(item.content):
        return set()
    noted = {"MeetingRequestWasSent": "true"}
    sent = before is not None and is_true(text_at(before, "MeetingRequestWasSent"))
    if sent and before is not None and _moved(item.content, before):
        number = int(text_at(before, "AppointmentSequenceNumber") or 0)
        noted["AppointmentSequenceNumber"] = str(number + 1)
        for each in _people(item.content):
            _reply(each, "Unknown", None)
    for name, value in noted.items():
        calendar.put(item.content, t(name, value))
    return {*noted, *ATTENDEES} if len(noted) > 1 else {*noted}


def invite(call: Call, item: Item, notices: str) -> None:
    """Send the invitations to a new meeting, if the request wants them sent."""
    if notices != "SendToNone":
        people = attendees(item.content)
        _send(call, item, people, "request", "NewMeetingRequest")
        _save(call, item, people, "request", notices)


def update(call: Call, item: Item, before: Node, notices: str) -> None:
    """Send what a changed meeting calls for, to all or to those added and removed."""
    if notices == "SendToNone" or not is_organizer(item):
        return
    now, past = attendees(item.content), attendees(before)
    if not is_true(text_at(before, "MeetingRequestWasSent")):
        past &= now
        fresh = now
    else:
        fresh = now - past
    _send(call, item, fresh, "request", "NewMeetingRequest")
    if "Changed" not in notices or now == past:
        way = "FullUpdate" if _moved(item.content, before) else "InformationalUpdate"
        _send(call, item, now - fresh, "update", way)
    _send(call, item, past - now, "cancellation")
    _save(call, item, now, "update", notices)


def cancel(call: Call, item: Item, notices: str) -> None:
    """Send the cancellations of a meeting that is about to be deleted."""
    if notices != "SendToNone" and is_organizer(item):
        people = attendees(item.content)
        _send(call, item, people, "cancellation")
        _save(call, item, people, "cancellation", notices)


def answer(call: Call, own: Item, reply: str, message: Item) -> None:
    """Send an attendee's reply to the organizer, whose entry then tells it."""
    organizer = text_at(own.content, "Organizer", "Mailbox", "EmailAddress") or ""
    sender = call.owner(own.mailbox)
    subject = text_at(message.content, "Subject") or ""
    call.store.send(sender, organizer.lower(), "response", subject, stamp(call.now))
    to = call.people.by_address(organizer)
    if to is None or to.id == sender.id:
        return
    _receive(call, to, message)
    held = meeting_of(call, to.id, own.uid)
    if held is None:
        return
    at = _recurrence_id(own)
    item = held
    if at is not None and _is_series(held):
        item = _same(call, held, int(moment(at).timestamp()))
    for each in _people(item.content):
        known = call.people.by_address(text_at(each, "Mailbox", "EmailAddress") or "")
        if known is not None and known.id == sender.id:
            _reply(each, reply, stamp(call.now))
    write(call, held, item, set(ATTENDEES))


def message(call: Call, item: Item, element: str, **more: str) -> Item:
    """Return a meeting message about an entry, from whose mailbox it is, for an inbox.

    `more` are the values of further elements.
    """
    owner, held = call.owner(item.mailbox), item.content
    allowed = schema.children(KINDS[element])
    parts = {local(each): each for each in held if local(each) in _TRAVELS}
    if element != "MeetingRequest":
        parts = {name: parts[name] for name in parts if name not in ATTENDEES}
    made = t(element)
    made.extend(
        [copy.deepcopy(each) for each in parts.values() if str(each.tag) in allowed]
        + [t(name, value) for name, value in more.items()]
        + [t("From", mailbox_of(owner)), t("Sender", mailbox_of(call.actor))]
        + [t("IsRead", "false")]
        + [t("InternetMessageId", make_msgid(domain=owner.address.partition("@")[2]))]
        + [t("DateTimeStamp", stamp(call.now)), t("IsDelegated", "false")]
        + [t("HasBeenProcessed", "true"), t("IsOrganizer", "false")]
    )
    if (at := _recurrence_id(item)) is not None:
        made.append(t("RecurrenceId", at))
    now = stamp(call.now)
    return Item(item.mailbox, 0, element, made, now, now, uid=item.uid)


def keep(call: Call, made: Item, role: str, folder: Folder | None = None) -> Item:
    """Keep a copy of a message in its sender's folder of this role, or in another one."""
    place = folder or distinguished(call.store, made.mailbox, role)
    made.mailbox, made.folder = place.mailbox, place.id
    calendar.put(made.content, t("IsRead", "true"))
    return call.store.add_item(made, [])


def write(call: Call, held: Item, own: Item, names: set[str]) -> None:
    """Write an entry or an occurrence of it back in which something of these names is new."""
    held.modified = stamp(call.now)
    if own is held:
        call.store.change_item(held, _paths(names), content.indexed(held))
        return
    found = series.of(call.store, held)
    assert found is not None
    series.keep(call.store, found, own, names, anywhere=True)
    call.store.change_item(
        found.master, ["calendar:ModifiedOccurrences"], content.indexed(found.master)
    )


# ---- sending ----


def _send(call: Call, item: Item, people: set[str], kind: str, way: str = "") -> None:
    owner = call.owner(item.mailbox)
    subject = text_at(item.content, "Subject") or ""
    for address in sorted(people):
        to = call.people.by_address(address)
        if to is not None and to.id == owner.id:
            continue
        call.store.send(owner, address, kind, subject, stamp(call.now))
        if to is not None:
            _outdate(call, to, item)
            if kind == "cancellation":
                _strike(call, item, to)
            else:
                _book(call, item, to, way)
            _receive(call, to, _notice(call, item, kind, way), item)


def _save(call: Call, item: Item, people: set[str], kind: str, notices: str) -> None:
    if people and notices.endswith("AndSaveCopy"):
        keep(call, _notice(call, item, kind, "NewMeetingRequest"), "sentitems")


def _notice(call: Call, item: Item, kind: str, way: str) -> Item:
    element = _ELEMENTS.get(kind, "MeetingCancellation")
    more = {"ItemClass": _CLASSES[element], "IsOutOfDate": "false"}
    if element == "MeetingRequest":
        status = text_at(item.content, "LegacyFreeBusyStatus") or "Busy"
        start, end = (moment(text_at(item.content, each) or "") for each in ("Start", "End"))
        more |= {"MeetingRequestType": way, "IntendedFreeBusyStatus": status, "IsMeeting": "true"}
        more |= {"ResponseType": "NoResponseReceived", "LegacyFreeBusyStatus": "Tentative"}
        more |= {"MeetingRequestWasSent": "true", "MyResponseType": "NoResponseReceived"}
        more |= {"AppointmentState": "3", "Duration": calendar.duration(start, end)}
        more["CalendarItemType"] = "RecurringMaster" if _is_series(item) else item.form
        more["IsRecurring"] = "true" if _is_series(item) or item.original else "false"
    made = message(call, item, element, **more)
    if element == "MeetingRequest":
        made.content.append(t("Organizer", mailbox_of(call.owner(item.mailbox))))
    else:
        subject = text_at(made.content, "Subject") or ""
        calendar.put(made.content, t("Subject", f"Canceled: {subject}"))
    for name, lists in (("ToRecipients", ATTENDEES[:1]), ("CcRecipients", ATTENDEES[1:])):
        held = [child(item.content, each) for each in lists]
        people = [child(one, "Mailbox") for each in held if each is not None for one in each]
        if people:
            made.content.append(t(name, *[copy.deepcopy(each) for each in people]))
    return made


def _receive(call: Call, to: Mailbox, made: Item, item: Item | None = None) -> None:
    """Put a message into an inbox, with what hangs on the entry that it is about."""
    found = copy.copy(made)
    found.content = copy.deepcopy(made.content)
    found.mailbox, found.folder = to.id, distinguished(call.store, to.id, "inbox").id
    call.store.add_item(found, [])
    if item is not None:
        attachments.pass_on(call.store, item, found)
    call.store.tell_item("NewMailEvent", found)


def _outdate(call: Call, to: Mailbox, item: Item) -> None:
    """Mark the earlier messages about an entry as such."""
    for each in call.store.items(
        "mailbox = ? AND uid = ? AND kind = 'MeetingRequest'", to.id, item.uid
    ):
        same = text_at(each.content, "RecurrenceId") == _recurrence_id(item)
        if same and text_at(each.content, "IsOutOfDate") != "true":
            calendar.put(each.content, t("IsOutOfDate", "true"))
            calendar.put(each.content, t("MeetingRequestType", "Outdated"))
            call.store.change_item(each, ["meeting:IsOutOfDate"], content.indexed(each))


# ---- the attendees' calendars ----


def _book(call: Call, item: Item, to: Mailbox, way: str) -> None:
    """Let an attendee's calendar show a meeting as its organizer has it."""
    held = meeting_of(call, to.id, item.uid)
    if held is not None and item.original and _is_series(held):
        _book_one(call, item, held, way)
        return
    fresh = held is None
    if held is None:
        folder = distinguished(call.store, to.id, "calendar")
        now = stamp(call.now)
        held = Item(to.id, folder.id, "CalendarItem", t("CalendarItem"), now, now)
        held.content.append(t("ItemClass", content.CLASSES["CalendarItem"]))
    for name in _TRAVELS:
        _pass_on(item, held, name)
    if (at := _recurrence_id(item)) is not None:
        calendar.put(held.content, t("RecurrenceId", at))
    _receive_as(call, item, held, anew=way != "InformationalUpdate")
    held.uid, held.first, held.last = item.uid, item.first, item.last
    held.modified = stamp(call.now)
    if fresh:
        call.store.add_item(held, [])
    else:
        call.store.change_item(held, _paths(_TRAVELS), content.indexed(held))
    attachments.pass_on(call.store, item, held)
    if (fresh or way == "FullUpdate") and not item.original:
        call.store.drop_occurrences(held.id)
        for each in call.store.occurrences(item.id).values():
            call.store.put_occurrence(held.id, _passed_on(each))


def _book_one(call: Call, item: Item, held: Item, way: str) -> None:
    own = _same(call, held, item.original)
    kept = call.store.occurrences(item.id).get(item.original)
    names = set(_TRAVELS) & set(() if kept is None else kept.names)
    for name in names:
        _pass_on(item, own, name)
    anew = way != "InformationalUpdate"
    _receive_as(call, item, own, anew=anew)
    own.first, own.last = item.first, item.last
    write(call, held, own, names | (set(_RECEIVED) if anew else set()))


def _strike(call: Call, item: Item, to: Mailbox) -> None:
    """Let an attendee's calendar show that a meeting is cancelled."""
    held = meeting_of(call, to.id, item.uid)
    if held is None:
        return
    own = held
    if item.original and _is_series(held):
        own = _same(call, held, item.original)
    if text_at(own.content, "IsCancelled") == "true":
        return
    subject = text_at(own.content, "Subject") or ""
    calendar.put(own.content, t("Subject", f"Canceled: {subject}"))
    for name, value in _CANCELLED.items():
        calendar.put(own.content, t(name, value))
    write(call, held, own, {"Subject", *_CANCELLED})


def _same(call: Call, held: Item, original: int) -> Item:
    """Return an occurrence of somebody's series, even one that was deleted there."""
    found = series.of(call.store, held)
    assert found is not None
    try:
        return found.occurrence(original)
    except EwsError:
        found.changed.pop(original, None)
        return found.occurrence(original)


def _receive_as(call: Call, item: Item, own: Item, *, anew: bool) -> None:
    status = text_at(item.content, "LegacyFreeBusyStatus") or "Busy"
    values = {"IsOrganizer": "false", "AppointmentState": "3", "IntendedFreeBusyStatus": status}
    values |= {"MeetingRequestWasSent": "true", "IsCancelled": "false"}
    if anew:
        values |= _RECEIVED
        calendar.remove(own.content, f"{{{TYPES}}}AppointmentReplyTime")
    for name, value in values.items():
        calendar.put(own.content, t(name, value))
    calendar.put(own.content, t("Organizer", mailbox_of(call.owner(item.mailbox))))


def _pass_on(item: Item, own: Item, name: str) -> None:
    calendar.remove(own.content, f"{{{TYPES}}}{name}")
    found = child(item.content, name)
    if found is not None:
        passed = copy.deepcopy(found)
        if name in ATTENDEES:
            for each in passed:
                _reply(each, "Unknown", None)
        own.content.append(passed)


def _passed_on(changed: Occurrence) -> Occurrence:
    if changed.content is None:
        return changed
    held = copy.deepcopy(changed.content)
    for each in _people(held):
        _reply(each, "Unknown", None)
    names = tuple(each for each in changed.names if each in _TRAVELS)
    return Occurrence(changed.original, held, names)


# ---- parts of meetings ----


def _people(held: Node) -> list[Node]:
    lists = (child(held, each) for each in ATTENDEES)
    return [one for each in lists if each is not None for one in each]


def _reply(attendee: Node, reply: str, when: str | None) -> None:
    """Set an attendee's reply."""
    for each in [each for each in attendee if local(each) != "Mailbox"]:
        attendee.remove(each)
    attendee.append(t("ResponseType", reply))
    if when is not None:
        attendee.append(t("LastResponseTime", when))


def _moved(now: Node, before: Node) -> bool:
    """Tell whether a change is one of time, after which everybody has to reply anew."""
    names = ("Start", "End", "IsAllDayEvent", "Recurrence")
    return any(_plain(child(now, each)) != _plain(child(before, each)) for each in names)


def _plain(node: Node | None) -> list[tuple[str, str]]:
    return [] if node is None else [(local(each), each.text or "") for each in node.iter()]


def _is_series(item: Item) -> bool:
    return child(item.content, "Recurrence") is not None


def _recurrence_id(item: Item) -> str | None:
    """Return the original start of an occurrence, also of one that stands without its series."""
    if item.original:
        return stamp(datetime.fromtimestamp(item.original, UTC))
    return text_at(item.content, "RecurrenceId")


def _paths(names: tuple[str, ...] | set[str]) -> list[str]:
    return [f"{'item' if each in _ABOUT else 'calendar'}:{each}" for each in sorted(names)]
