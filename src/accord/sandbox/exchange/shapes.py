"""Which properties an answer carries: base shapes, and the paths by which clients name more."""

from __future__ import annotations

from dataclasses import dataclass

from accord.sandbox.exchange import schema
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.schema import TYPES
from accord.sandbox.exchange.xml import Node, child, is_true, local, t, text_at

KINDS = {
    "Item": "t:ItemType",
    "Message": "t:MessageType",
    "CalendarItem": "t:CalendarItemType",
    "Contact": "t:ContactItemType",
    "DistributionList": "t:DistributionListType",
    "Task": "t:TaskType",
    "PostItem": "t:PostItemType",
    "MeetingRequest": "t:MeetingRequestMessageType",
    "MeetingResponse": "t:MeetingResponseMessageType",
    "MeetingCancellation": "t:MeetingCancellationMessageType",
}
"""Items that can be kept, with the type of the schema that orders their properties."""
_COMMON = "ItemId Subject Sensitivity HasAttachments"
_MESSAGE = (
    _COMMON + " Size Body Importance DateTimeSent DateTimeCreated ToRecipients CcRecipients From"
    " IsRead IsReadReceiptRequested IsDeliveryReceiptRequested References"
)
_MEETING = _MESSAGE + " AssociatedCalendarItemId IsDelegated IsOutOfDate HasBeenProcessed"
_DEFAULT = {
    "Item": _COMMON + " Size Body Importance DateTimeCreated",
    "Message": _MESSAGE,
    "CalendarItem": _COMMON + " Start End LegacyFreeBusyStatus Location IsAllDayEvent IsMeeting"
    " IsRecurring CalendarItemType Organizer RequiredAttendees OptionalAttendees Resources"
    " AdjacentMeetingCount ConflictingMeetingCount Duration Recurrence ModifiedOccurrences"
    " DeletedOccurrences Body",
    "Contact": _COMMON + " FileAs DisplayName CompleteName CompanyName EmailAddresses"
    " PhysicalAddresses PhoneNumbers ImAddresses JobTitle",
    "DistributionList": _COMMON + " DisplayName FileAs ContactSource",
    "Task": _COMMON + " DueDate PercentComplete StartDate Status Recurrence",
    "PostItem": _COMMON + " Size DateTimeCreated From IsRead",
    "MeetingRequest": _MEETING + " ResponseType MeetingRequestType IntendedFreeBusyStatus Start"
    " End IsAllDayEvent Location Organizer RequiredAttendees OptionalAttendees Resources",
    "MeetingResponse": _MEETING + " ResponseType",
    "MeetingCancellation": _MEETING,
}
_NEVER = {"MimeContent", "ExtendedProperty", "UniqueBody", "NormalizedBody", "TextBody", "Photo"}
"""Only when asked for by name."""
UNLISTED = {
    *("MimeContent", "Body", "TextBody", "UniqueBody", "NormalizedBody", "Attachments"),
    *("ToRecipients", "CcRecipients", "BccRecipients", "ReplyTo", "ResponseObjects", "Photo"),
    *("RequiredAttendees", "OptionalAttendees", "Resources", "InternetMessageHeaders", "Preview"),
    *("Recurrence", "FirstOccurrence", "LastOccurrence", "ModifiedOccurrences"),
    *("DeletedOccurrences", "ConflictingMeetings", "AdjacentMeetings", "Members"),
    *("StartTimeZone", "EndTimeZone", "MeetingTimeZone", "Companies", "Children"),
}
"""What lists of items never carry: it takes a GetItem."""
_SETS = {
    "00020329-0000-0000-c000-000000000046": "PublicStrings",
    "00020386-0000-0000-c000-000000000046": "InternetHeaders",
    "00062002-0000-0000-c000-000000000046": "Appointment",
    "00062003-0000-0000-c000-000000000046": "Task",
    "00062004-0000-0000-c000-000000000046": "Address",
    "00062008-0000-0000-c000-000000000046": "Common",
    "00062040-0000-0000-c000-000000000046": "Sharing",
    "11000e07-b51b-40d6-af21-caa85edab1d0": "CalendarAssistant",
    "4442858e-a9e3-4e80-b900-317a210cc15b": "UnifiedMessaging",
    "6ed8da90-450b-101b-98da-00aa003f1305": "Meeting",
}
"""Sets that may be named by id or by name ([MS-OXPROPS] 1.3.2)."""
_INDEXED = {
    "contacts:EmailAddress": "EmailAddresses",
    "contacts:ImAddress": "ImAddresses",
    "contacts:PhoneNumber": "PhoneNumbers",
    "contacts:PhysicalAddress": "PhysicalAddresses",
    "item:InternetMessageHeader": "InternetMessageHeaders",
}


@dataclass(frozen=True, slots=True)
class Path:
    """Name a property: `name` is its element, `index` an entry's key, `part` a part of it.

    For an extended property `name` is ExtendedProperty and `key` says which one.
    """

    name: str
    uri: str
    index: str = ""
    part: str = ""
    key: str = ""


@dataclass(slots=True)
class ShapeWanted:
    """What a request wants to see of each item."""

    base: str
    body: str
    mime: bool
    paths: list[Path]
    asked: list[Node]


def path(node: Node) -> Path:
    """Read a path to a property. Raises EwsError where it can't be one."""
    match local(node):
        case "FieldURI":
            uri = node.get("FieldURI", "")
            return Path(uri.partition(":")[2], uri)
        case "IndexedFieldURI":
            uri, index = node.get("FieldURI", ""), node.get("FieldIndex", "")
            head, _, part = uri.rpartition(":")
            if head in _INDEXED:
                return Path(_INDEXED[head], uri, index, part)
            if uri in _INDEXED:
                return Path(_INDEXED[uri], uri, index)
            raise EwsError("ErrorInvalidPropertyRequest")
        case "ExtendedFieldURI":
            return Path("ExtendedProperty", extended_key(node), key=extended_key(node))
    raise EwsError("ErrorInvalidPropertyRequest")


def extended_key(node: Node) -> str:
    """Return one text per extended property, however its parts are spelled. Raises EwsError."""
    given = node.get("PropertySetId", "").lower()
    space = node.get("DistinguishedPropertySetId") or _SETS.get(given, given)
    name, number = node.get("PropertyName"), node.get("PropertyId")
    tag = node.get("PropertyTag")
    kind = node.get("PropertyType", "")
    both = node.get("DistinguishedPropertySetId") and node.get("PropertySetId")
    if tag is not None:
        value = int(tag, 0)
        if space or name is not None or number is not None or value >= 0x8000:
            raise EwsError("ErrorInvalidExtendedProperty")
        return f"tag/{value:#06x}/{kind}"
    if not space or both or (name is None) == (number is None):
        raise EwsError("ErrorInvalidExtendedProperty")
    return f"{space}/{f'#{number}' if name is None else name}/{kind}"


def wanted(node: Node) -> ShapeWanted:
    """Read an ItemShape. Raises EwsError where a property can't be named so."""
    more = child(node, "AdditionalProperties")
    asked = [] if more is None else list(more)
    return ShapeWanted(
        text_at(node, "BaseShape") or "Default",
        text_at(node, "BodyType") or "Best",
        is_true(text_at(node, "IncludeMimeContent")),
        [path(each) for each in asked],
        asked,
    )


def select(
    kind: str, properties: dict[str, list[Node]], shape: ShapeWanted, *, listing: bool = False
) -> Node:
    """Return an item as a request wants to see it, in the order of the schema.

    `properties` maps names of elements to what stands there.
    """
    names = _names(kind, properties, shape)
    if listing:
        names -= UNLISTED
    node = t(kind)
    single = any(each.index for each in shape.paths)
    for tag in schema.order(KINDS[kind]):
        name = tag.removeprefix(f"{{{TYPES}}}")
        if name == "ExtendedProperty":
            keys = {each.key for each in shape.paths if each.key}
            found = properties.get(name, [])
            node.extend([each for each in found if extended_key(each[0]) in keys])
        elif name in names:
            node.extend(properties.get(name, ()))
        elif single:
            node.extend(_entries(properties.get(name, ()), name, shape))
    return node


def listed(names: dict[str, list[Node]], order: tuple[str, ...]) -> list[Node]:
    """Return properties in the order of the schema."""
    return [each for tag in order for each in names.get(tag.removeprefix(f"{{{TYPES}}}"), ())]


def _names(kind: str, properties: dict[str, list[Node]], shape: ShapeWanted) -> set[str]:
    names = {"ItemId"}
    if shape.base == "Default":
        names |= set(_DEFAULT[kind].split())
    elif shape.base == "AllProperties":
        names |= set(properties) - _NEVER
    names |= {each.name for each in shape.paths if not each.index and not each.key}
    if shape.mime:
        names.add("MimeContent")
    return names


def _entries(found: list[Node] | tuple[()], name: str, shape: ShapeWanted) -> list[Node]:
    """Return only the entries of a dictionary that were asked for one by one."""
    keys = {each.index: each.part for each in shape.paths if each.index and each.name == name}
    if not keys or not found:
        return []
    entries = []
    for entry in found[0]:
        index = entry.get("Key", "") or entry.get("HeaderName", "")
        if index in keys:
            entries.append(entry)
    return [t(name, *entries)] if entries else []
