"""Write items: what a client sends becomes what is kept, property by property."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, time, tzinfo
from email.utils import make_msgid

from accord.sandbox.exchange import calendar, mapi, schema, series
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.schema import TYPES
from accord.sandbox.exchange.shapes import KINDS, Path, extended_key, path
from accord.sandbox.exchange.store import Folder, Item
from accord.sandbox.exchange.xml import Node, child, flag, is_true, local, moment, stamp, t, text_at
from accord.sandbox.exchange.zones import zone_named

CLASSES = {
    "CalendarItem": "IPM.Appointment",
    "Contact": "IPM.Contact",
    "DistributionList": "IPM.DistList",
    "Task": "IPM.Task",
    "PostItem": "IPM.Post",
    "Item": "IPM.Note",
    "Message": "IPM.Note",
}
_READ_ONLY = frozenset(
    """
    ItemId ParentFolderId Size IsSubmitted IsDraft IsFromMe IsResend IsUnmodified
    DateTimeSent DateTimeCreated ResponseObjects ReminderNextTime DisplayCc DisplayTo
    DisplayBcc HasAttachments EffectiveRights LastModifiedName LastModifiedTime
    WebClientReadFormQueryString WebClientEditFormQueryString ConversationId UniqueBody
    NormalizedBody TextBody Preview InstanceKey RecurrenceId DateTimeStamp OriginalStart
    When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent CalendarItemType
    MyResponseType Organizer ConflictingMeetingCount AdjacentMeetingCount
    ConflictingMeetings AdjacentMeetings Duration TimeZone AppointmentReplyTime
    AppointmentSequenceNumber AppointmentState FirstOccurrence LastOccurrence
    ModifiedOccurrences DeletedOccurrences IsOrganizer IsComplete AssignedTime ChangeCount
    DelegationState Delegator IsAssignmentEditable IsTeamTask Owner StatusDescription
    CompleteName HasPicture ConversationIndex ConversationTopic
    """.split()  # noqa: SIM905 - names in a row read better
)
_APART = {"Attachments"}
"""What is changed by operations of its own."""
_NEEDED = {"ItemClass", "Start", "End", "Status", "UID", "IsRead"}
_DATES = ("StartDate", "DueDate", "CompleteDate")
_APPENDED = {
    *("ToRecipients", "CcRecipients", "BccRecipients", "ReplyTo"),
    *("RequiredAttendees", "OptionalAttendees", "Resources"),
}
_EXTENDED = f"{{{TYPES}}}ExtendedProperty"


def make(call: Call, sent: Node, folder: Folder, unpacked: Iterable[Node] = ()) -> Item:
    """Return the item that a client asks to create in a folder. Raises EwsError.

    `unpacked` are properties that count where the client says nothing of them itself.
    """
    kind = local(sent)
    if kind not in CLASSES:
        raise EwsError("ErrorInvalidRequest", f"A {kind} can't be created here.")
    content = t(kind)
    zones = _zones(call, sent)
    for each in sent:
        if local(each) in _READ_ONLY:
            raise EwsError("ErrorInvalidPropertySet")
        found = _translated(kind, each) if local(each) == "ExtendedProperty" else None
        if found is None:
            content.append(_taken(call, kind, each, zones))
        else:
            _set_in(content, found[0], _taken(call, kind, found[1]))
    _carry_replies(content, t(kind))
    given = {str(each.tag) for each in sent}
    content.extend([each for each in unpacked if str(each.tag) not in given])
    now = stamp(call.now)
    item = Item(folder.mailbox, folder.id, kind, content, now, now)
    _settle(call, item, set())
    return item


def change(call: Call, item: Item, updates: Node) -> list[str]:
    """Apply the changes of an ItemChange and return the paths they touch. Raises EwsError."""
    paths = []
    zones = _zones(call, (each[1][0] for each in updates if len(each) > 1 and len(each[1])))
    for update in updates:
        at = path(update[0])
        own = mapi.native(item.kind, at.key) if at.key else None
        paths.append((own or at).uri)
        if local(update) == "DeleteItemField":
            _delete(item, own or at)
            continue
        value = _single(item, update, at)
        if own is not None and (found := _translated(item.kind, value)) is not None:
            at, value = found
        if local(update) == "SetItemField":
            before = copy.deepcopy(item.content)
            _set(item, at, _taken(call, item.kind, value, zones))
            _carry_replies(item.content, before)
        else:
            _append(item, at, value)
    touched = {path(each[0]) for each in updates}
    owns = {mapi.native(item.kind, each.key) for each in touched if each.key}
    _settle(call, item, {each.name for each in [*touched, *owns] if each is not None})
    item.modified = stamp(call.now)
    return paths


def indexed(item: Item) -> list[tuple[str, str]]:
    """Return the extended properties of an item by which it can be found."""
    held = item.content.findall(_EXTENDED)
    return [(extended_key(e[0]), e[1].text or "") for e in held if local(e[1]) == "Value"]


def _single(item: Item, update: Node, at: Path) -> Node:
    holder = update[1]
    if len(holder) != 1:
        raise EwsError("ErrorIncorrectUpdatePropertyCount")
    if local(holder) not in (item.kind, "Item", "Message" if item.is_meeting else ""):
        raise EwsError("ErrorObjectTypeChanged")
    value = holder[0]
    key = extended_key(value[0]) if local(value) == "ExtendedProperty" else ""
    if local(value) != at.name or key != at.key:
        raise EwsError("ErrorUpdatePropertyMismatch")
    mime = at.name == "MimeContent" and item.kind != "Message"
    if mime or at.name in _READ_ONLY | _APART:
        raise EwsError("ErrorInvalidPropertySet")
    return value


def _set(item: Item, at: Path, value: Node) -> None:
    _set_in(item.content, at, value)


def _set_in(content: Node, at: Path, value: Node) -> None:
    if at.key:
        _drop_extended(content, at.key)
        content.append(value)
    elif at.index:
        held = child(content, at.name)
        if held is None:
            held = t(at.name)
            content.append(held)
        for entry in value:
            _set_entry(held, entry, at)
    else:
        calendar.put(content, value)


def _set_entry(held: Node, entry: Node, at: Path) -> None:
    old = next((each for each in held if each.get("Key") == at.index), None)
    if old is None:
        held.append(copy.deepcopy(entry))
    elif not at.part:
        held.replace(old, copy.deepcopy(entry))
    else:
        kept = {local(each): each for each in old} | {local(each): each for each in entry}
        fresh = t("Entry", Key=at.index)
        order = schema.order("t:PhysicalAddressDictionaryEntryType")
        fresh.extend(
            [copy.deepcopy(kept[n]) for tag in order if (n := tag[len(TYPES) + 2 :]) in kept]
        )
        held.replace(old, fresh)


def _delete(item: Item, at: Path) -> None:
    if at.name in _READ_ONLY | _APART | _NEEDED:
        raise EwsError("ErrorInvalidPropertyDelete")
    content = item.content
    if at.key:
        _drop_extended(content, at.key)
        return
    if not at.index:
        calendar.remove(content, f"{{{TYPES}}}{at.name}")
        return
    held = child(content, at.name)
    for entry in list(held) if held is not None else []:
        if entry.get("Key") == at.index:
            for part in [each for each in entry if at.part and local(each) == at.part]:
                entry.remove(part)
            if not at.part or not len(entry):
                held.remove(entry)  # type: ignore[union-attr]
    if held is not None and not len(held):
        content.remove(held)


def _append(item: Item, at: Path, value: Node) -> None:
    held = child(item.content, at.name)
    if at.name == "Body":
        text = ("" if held is None else held.text or "") + (value.text or "")
        kind = value if held is None else held
        calendar.put(item.content, t("Body", text, BodyType=kind.get("BodyType", "Text")))
    elif at.name not in _APPENDED:
        raise EwsError("ErrorInvalidPropertyAppend")
    elif held is None:
        item.content.append(copy.deepcopy(value))
    else:
        held.extend([copy.deepcopy(each) for each in value])


def _drop_extended(content: Node, key: str) -> None:
    for old in content.findall(_EXTENDED):
        if extended_key(old[0]) == key:
            content.remove(old)


def _zones(call: Call, named: Iterable[Node]) -> dict[str, tzinfo]:
    """Return in which zones bare times of a calendar entry are meant, by what sets them."""
    found: dict[str, tzinfo] = {}
    for each in named:
        name = local(each)
        if name in ("StartTimeZone", "EndTimeZone"):
            zone = zone_named(each.get("Id", ""))
            if zone is not None:
                found[name.removesuffix("TimeZone")] = zone
    start = found.get("Start", call.zone)
    return {"Start": start, "End": found.get("End", start)}


def _taken(call: Call, kind: str, sent: Node, zones: Mapping[str, tzinfo] = {}) -> Node:
    """Return a property as it is kept: moments in UTC, truth spelled out, dates without zones."""
    name, value = local(sent), copy.deepcopy(sent)
    value.tail = None
    if name == "ExtendedProperty":
        _judge(value)
    elif kind == "Task" and name in _DATES and value.text:
        local_day = moment(value.text, call.zone).astimezone(call.zone).date()
        value.text = f"{local_day}T00:00:00Z"
    elif value.text:
        match schema.children(KINDS[kind]).get(str(sent.tag)):
            case "xs:dateTime":
                value.text = stamp(moment(value.text, zones.get(name, call.zone)))
            case "xs:boolean":
                value.text = flag(is_true(value.text))
    return value


_FORMS = {
    "Integer": "xs:int",
    "Short": "xs:short",
    "Long": "xs:long",
    "Boolean": "xs:boolean",
    "SystemTime": "xs:dateTime",
    "Double": "xs:double",
    "Float": "xs:double",
    "Binary": "xs:base64Binary",
    "CLSID": "t:GuidType",
}


def _translated(kind: str, sent: Node) -> tuple[Path, Node] | None:
    """Return what an extended property sets under its EWS name, if it has one. Raises EwsError."""
    value = copy.deepcopy(sent)
    _judge(value)
    return mapi.translated(kind, value)


def _judge(value: Node) -> None:
    """Raise EwsError where an extended property's value is not of its type."""
    extended_key(value[0])
    kind = value[0].get("PropertyType", "")
    many = kind.endswith("Array")
    texts = [each.text or "" for each in value[1]] if many else [value[1].text or ""]
    form = _FORMS.get(kind.removesuffix("Array"))
    if (local(value[1]) == "Values") != many:
        raise EwsError("ErrorInvalidExtendedPropertyValue")
    if form is not None and not all(schema.valid(each, form) for each in texts):
        raise EwsError("ErrorInvalidExtendedPropertyValue")
    if kind == "Boolean":
        value[1].text = flag(is_true(value[1].text))
    if kind == "SystemTime":
        value[1].text = stamp(moment(value[1].text or ""))


# ---- what follows from what ----


def _settle(call: Call, item: Item, touched: set[str]) -> None:
    content = item.content
    if child(content, "ItemClass") is None:
        content.append(t("ItemClass", CLASSES[item.kind]))
    match item.kind:
        case "CalendarItem":
            if not text_at(content, "UID"):
                calendar.put(content, t("UID", _global_id()))
            item.first, item.last = calendar.settle(content, call.now, call.zone, call.zone_name)
            series.settle(item)
        case "Task":
            _settle_task(call, content, touched)
        case "Message":
            if child(content, "InternetMessageId") is None:
                address = call.owner(item.mailbox).address
                made = make_msgid(domain=address.partition("@")[2])
                content.append(t("InternetMessageId", made))
            if child(content, "IsRead") is None:
                content.append(t("IsRead", "true"))
        case "Contact":
            if not text_at(content, "DisplayName") and not text_at(content, "FileAs"):
                names = [text_at(content, each) for each in ("GivenName", "Surname")]
                content.append(t("DisplayName", " ".join(filter(None, names))))
    item.uid = text_at(content, "UID")


def _carry_replies(content: Node, before: Node) -> None:
    """Let attendees keep their replies where a client doesn't tell them.

    Whether Exchange takes those that a client tells is written nowhere; this server does.
    """
    known = {
        (text_at(each, "Mailbox", "EmailAddress") or "").lower(): each
        for each in _attendees(before)
    }
    for each in _attendees(content):
        old = known.get((text_at(each, "Mailbox", "EmailAddress") or "").lower())
        if child(each, "ResponseType") is not None:
            continue
        kept = [t("ResponseType", "Unknown")] if old is None else old[1:]
        each.extend([copy.deepcopy(part) for part in kept])


def _attendees(content: Node) -> list[Node]:
    names = ("RequiredAttendees", "OptionalAttendees", "Resources")
    lists = (child(content, name) for name in names)
    return [each for held in lists if held is not None for each in held]


def _settle_task(call: Call, content: Node, touched: set[str]) -> None:
    """Keep status, percentage and completion date in step, led by what was just written."""
    status = text_at(content, "Status")
    percent = float(text_at(content, "PercentComplete") or 0)
    done = text_at(content, "CompleteDate")
    by_percent = "PercentComplete" in touched and "Status" not in touched
    if by_percent or status is None:
        if percent >= 100 or (done and status is None):
            status = "Completed"
        elif percent > 0:
            status = "InProgress"
        else:
            status = status if status not in (None, "Completed", "InProgress") else "NotStarted"
    if "CompleteDate" in touched and done and "Status" not in touched:
        status = "Completed"
    if status == "Completed":
        percent = 100
        if not done:
            today = datetime.combine(call.now.astimezone(call.zone).date(), time())
            calendar.put(content, t("CompleteDate", f"{today.date()}T00:00:00Z"))
    else:
        calendar.remove(content, f"{{{TYPES}}}CompleteDate")
        percent = 0 if status == "NotStarted" or percent >= 100 else percent
    calendar.put(content, t("Status", status or "NotStarted"))
    calendar.put(content, t("PercentComplete", f"{percent:g}"))


def _global_id() -> str:
    """Return a new id of a calendar entry, formed as Outlook forms them."""
    return f"040000008200E00074C5B7101A82E008{'0' * 48}10000000{uuid.uuid4().hex.upper()}"
