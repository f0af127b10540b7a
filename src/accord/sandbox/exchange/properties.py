"""Read items: what is kept, and beside it all that Exchange works out by itself."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import lxml.html
from lxml import etree

from accord.sandbox.exchange import attachments, calendar, ids, mapi, mime, schema, series
from accord.sandbox.exchange.attachments import Attachment
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.people import distinguished
from accord.sandbox.exchange.shapes import KINDS, ShapeWanted, extended_key, select
from accord.sandbox.exchange.store import Item, Mailbox
from accord.sandbox.exchange.xml import Node, child, flag, is_true, local, moment, stamp, t, text_at

_DATES = ("StartDate", "DueDate", "CompleteDate")
_ATTENDEES = ("RequiredAttendees", "OptionalAttendees", "Resources")


def view(call: Call, item: Item, shape: ShapeWanted, *, listing: bool = False) -> Node:
    """Return an item as a request wants to see it."""
    if shape.base == "IdOnly" and not shape.paths and not shape.mime:
        return t(item.kind, item_id(item))
    known = all_of(call, item, shape.body)
    if shape.mime or any(each.name == "MimeContent" for each in shape.paths):
        known["MimeContent"] = [mime.of(call, item, known)]
    held = {extended_key(each[0]) for each in known.get("ExtendedProperty", ())}
    for at, asked in zip(shape.paths, shape.asked, strict=True):
        if at.key and at.key not in held and (found := mapi.told(item, known, asked)) is not None:
            known.setdefault("ExtendedProperty", []).append(found)
    node = select(item.kind, known, shape, listing=listing)
    return in_zone(call, item.kind, node)


def in_zone(call: Call, kind: str, node: Node) -> Node:
    """Tell moments in the zone that the request names, with their offset; otherwise in UTC."""
    if call.zone_name == "UTC":
        return node
    types = schema.children(KINDS[kind])
    for each in node:
        if types.get(str(each.tag)) == "xs:dateTime" and each.text:
            each.text = moment(each.text).astimezone(call.zone).isoformat(timespec="seconds")
    return node


def item_id(item: Item) -> Node:
    """Return the id of an item with its change key."""
    text = ids.write(ids.Id(item.mailbox, item.id, original=item.original))
    return t("ItemId", Id=text, ChangeKey=ids.write_key(item.change))


def all_of(call: Call, item: Item, body: str = "Best") -> dict[str, list[Node]]:
    """Return all properties of an item by the names of their elements."""
    owner = call.owner(item.mailbox)
    found: dict[str, list[Node]] = {}
    for each in item.content:
        found.setdefault(local(each), []).append(copy.deepcopy(each))
    hanging = attachments.of(call.store, item)
    derived = _common(call, item, owner, body, hanging)
    match item.kind:
        case "CalendarItem":
            derived += _calendar(item, owner)
            derived += [(each, True) for each in series.spread(call, item)]
        case "Task":
            derived += _task(call, item, owner, found)
        case "Message":
            derived += _message(item, owner)
        case "MeetingRequest" | "MeetingResponse" | "MeetingCancellation":
            derived += _message(item, owner) + _meeting(call, item)
        case "Contact":
            derived += _contact(item, any(each.photo for each in hanging))
    for name in _ATTENDEES:
        for each in found.get(name, ()):
            _complete(call, each)
    for node, fixed in derived:
        if fixed or local(node) not in found:
            found[local(node)] = [node]
    return found


Derived = list[tuple[Node, bool]]
"""Properties with whether they stand even where something was kept under their name."""


def _common(
    call: Call, item: Item, owner: Mailbox, body: str, hanging: list[Attachment]
) -> Derived:
    parent = ids.write(ids.Id(item.mailbox, item.folder, folder=True))
    may_change = flag(call.people.may(call.actor, item.mailbox, change=True))
    content = item.content
    found: Derived = [
        (item_id(item), True),
        (t("ParentFolderId", Id=parent, ChangeKey=ids.write_key(1)), True),
        (t("Sensitivity", "Normal"), False),
        (t("Importance", "Normal"), False),
        (t("Size", str(len(etree.tostring(content)) + sum(e.size for e in hanging))), True),
        (t("IsSubmitted", "false"), False),
        (t("IsDraft", "false"), False),
        (t("IsFromMe", "false"), False),
        (t("IsResend", "false"), False),
        (t("IsUnmodified", flag(item.updated is None)), False),
        (t("DateTimeReceived", item.made), False),
        (t("DateTimeSent", item.made), False),
        (t("DateTimeCreated", item.made), True),
        (t("LastModifiedTime", item.modified), True),
        (t("LastModifiedName", owner.name), True),
        (t("ReminderIsSet", flag(item.kind == "CalendarItem")), False),
        (t("ReminderMinutesBeforeStart", "15" if item.kind == "CalendarItem" else "0"), False),
        (t("HasAttachments", flag(any(not each.inline for each in hanging))), True),
        (t("Culture", "en-US"), False),
        (t("IsAssociated", "false"), False),
        (_rights(may_change), True),
        (_body(content, body), True),
        (t("TextBody", _text_of(child(content, "Body")), BodyType="Text"), True),
    ]
    if hanging:
        listed = [attachments.view(call.store, item.mailbox, each) for each in hanging]
        found.append((t("Attachments", *listed), True))
    if item.kind == "CalendarItem":
        found.append((t("ReminderDueBy", text_at(content, "Start") or ""), False))
    return found


def _rights(may_change: str) -> Node:
    names = ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify")
    fixed = {"CreateAssociated": "false", "CreateContents": "false", "CreateHierarchy": "false"}
    given = [t(each, fixed.get(each, may_change)) for each in names]
    return t("EffectiveRights", *given, t("Read", "true"), t("ViewPrivateItems", "true"))


def _body(content: Node, wanted: str) -> Node:
    held = child(content, "Body")
    kind = "Text" if held is None else held.get("BodyType", "Text")
    text = "" if held is None else held.text or ""
    if wanted == "Text" and kind == "HTML":
        return t("Body", _text_of(held), BodyType="Text")
    if wanted == "HTML" and kind == "Text":
        return t("Body", _html_of(text), BodyType="HTML")
    return t("Body", text, BodyType=kind)


def _text_of(body: Node | None) -> str:
    if body is None or not (body.text or "").strip():
        return ""
    if body.get("BodyType") != "HTML":
        return body.text or ""
    tree = lxml.html.fromstring(f"<div>{body.text}</div>")
    for line in tree.iter("br", "p", "div"):
        line.tail = "\r\n" + (line.tail or "")
    return str(tree.text_content()).strip()


def _html_of(text: str) -> str:
    if not text:
        return ""
    page = etree.Element("pre")
    page.text = text
    return f"<html><body>{etree.tostring(page, encoding='unicode')}</body></html>"


def _calendar(item: Item, owner: Mailbox) -> Derived:
    content = item.content
    start, end = (moment(text_at(content, each) or "") for each in ("Start", "End"))
    meeting = any(child(content, each) is not None for each in _ATTENDEES)
    zone = child(content, "StartTimeZone")
    master = child(content, "Recurrence") is not None
    found: Derived = []
    if item.original:
        original = stamp(datetime.fromtimestamp(item.original, UTC))
        found += [(t("OriginalStart", original), True), (t("RecurrenceId", original), True)]
    return [
        *found,
        (t("DateTimeStamp", item.modified), False),
        (t("IsAllDayEvent", "false"), False),
        (t("LegacyFreeBusyStatus", "Busy"), False),
        (t("IsMeeting", flag(meeting)), True),
        (t("IsCancelled", "false"), False),
        (t("IsRecurring", flag(item.form != "Single")), True),
        (t("MeetingRequestWasSent", "false"), False),
        (t("IsResponseRequested", "true"), False),
        (t("CalendarItemType", "RecurringMaster" if master else item.form), True),
        (t("MyResponseType", "Organizer" if meeting else "Unknown"), False),
        (t("Organizer", mailbox_of(owner)), False),
        (t("Duration", calendar.duration(start, end)), True),
        (t("TimeZone", "" if zone is None else zone.get("Name", "")), False),
        (t("AppointmentSequenceNumber", "0"), False),
        (t("AppointmentState", "1" if meeting else "0"), False),
        (t("ConferenceType", "0"), False),
        (t("AllowNewTimeProposal", "true"), False),
        (t("IsOnlineMeeting", "false"), False),
        (t("IsOrganizer", "true"), False),
        *([(_offered(content), True)] if meeting else []),
    ]


def _offered(content: Node) -> Node:
    """Return what can be done about a meeting."""
    if text_at(content, "IsOrganizer") == "false":
        return _answers()
    return t("ResponseObjects", t("CancelCalendarItem"))


def _complete(call: Call, people: Node) -> None:
    """Say of attendees what the address book knows."""
    for each in people:
        held = each[0]
        address = text_at(held, "EmailAddress") or ""
        known = call.people.by_address(address)
        said = {local(part): part.text or "" for part in held}
        said.setdefault("Name", address if known is None else known.name)
        said.setdefault("RoutingType", "SMTP")
        said.setdefault("MailboxType", "OneOff" if known is None else "Mailbox")
        order = ("Name", "EmailAddress", "RoutingType", "MailboxType")
        each.replace(held, t("Mailbox", *[t(name, said[name]) for name in order if name in said]))


def mailbox_of(owner: Mailbox) -> Node:
    """Return a mailbox as the schema writes people."""
    return t(
        "Mailbox",
        t("Name", owner.name),
        t("EmailAddress", owner.address),
        t("RoutingType", "SMTP"),
        t("MailboxType", "Mailbox"),
    )


def _task(call: Call, item: Item, owner: Mailbox, found: dict[str, list[Node]]) -> Derived:
    for name in _DATES:
        for each in found.get(name, ()):
            noon = datetime.fromisoformat((each.text or "")[:10])
            each.text = stamp(noon.replace(tzinfo=call.zone).astimezone(UTC))
    status = text_at(item.content, "Status")
    said = {"NotStarted": "Not Started", "InProgress": "In Progress"}
    return [
        (t("ChangeCount", str(1 + len(item.touched))), True),
        (t("DelegationState", "NoMatch"), False),
        (t("IsComplete", flag(status == "Completed")), True),
        (t("IsRecurring", flag(child(item.content, "Recurrence") is not None)), True),
        (t("IsTeamTask", "false"), False),
        (t("Owner", owner.name), False),
        (t("StatusDescription", said.get(status or "", status or "")), True),
    ]


def _message(item: Item, owner: Mailbox) -> Derived:
    content = item.content
    return [
        (t("IsReadReceiptRequested", "false"), False),
        (t("IsDeliveryReceiptRequested", "false"), False),
        (t("From", mailbox_of(owner)), False),
        (t("Sender", mailbox_of(owner)), False),
        (t("IsRead", flag(is_true(text_at(content, "IsRead")))), True),
        (t("DisplayTo", _people_in(content, "ToRecipients")), True),
        (t("DisplayCc", _people_in(content, "CcRecipients")), True),
        (t("ConversationTopic", text_at(content, "Subject") or ""), False),
    ]


def meeting_of(call: Call, mailbox: int, uid: str | None) -> Item | None:
    """Return the entry with this UID in a mailbox, unless it was thrown away."""
    gone = {
        distinguished(call.store, mailbox, role).id
        for role in ("deleteditems", "recoverableitemsdeletions")
    }
    where = "mailbox = ? AND uid = ? AND kind = 'CalendarItem' ORDER BY id"
    found = call.store.items(where, mailbox, uid)
    return next((each for each in found if each.folder not in gone), None)


def _meeting(call: Call, item: Item) -> Derived:
    content = item.content
    found: Derived = [(t("IsOutOfDate", "false"), False)]
    entry = meeting_of(call, item.mailbox, item.uid)
    if entry is not None:
        at = text_at(content, "RecurrenceId")
        if at and child(entry.content, "Recurrence") is not None:
            entry.original = int(moment(at).timestamp())
        named = item_id(entry)
        found.append((t("AssociatedCalendarItemId", **dict(named.attrib)), True))
    if item.kind == "MeetingCancellation":
        found.append((t("ResponseObjects", t("RemoveItem")), True))
    if item.kind == "MeetingRequest":
        found.append((_answers(), True))
    return found


def _answers() -> Node:
    return t("ResponseObjects", *map(t, ("AcceptItem", "TentativelyAcceptItem", "DeclineItem")))


def _people_in(content: Node, name: str) -> str:
    held = child(content, name)
    found = [] if held is None else [*held]
    return "; ".join(text_at(e, "Name") or text_at(e, "EmailAddress") or "" for e in found)


def _contact(item: Item, photo: bool) -> Derived:
    content = item.content
    names = ("GivenName", "MiddleName", "Surname", "Initials", "Generation")
    given, middle, last, initials, suffix = (text_at(content, each) for each in names)
    parts = {
        "FirstName": given,
        "MiddleName": middle,
        "LastName": last,
        "Suffix": suffix,
        "Initials": initials,
        "FullName": " ".join(filter(None, (given, middle, last))),
        "Nickname": text_at(content, "Nickname"),
    }
    name = t("CompleteName", *[t(key, value) for key, value in parts.items() if value])
    found: Derived = [(t("HasPicture", flag(photo or child(content, "Photo") is not None)), True)]
    found.append((t("PostalAddressIndex", "None"), False))
    return [*found, (name, True)] if len(name) else found
