"""Properties by their MAPI names: most are another spelling of what EWS names itself.

Clients of many years' standing read and write these; see [MS-OXPROPS] for the numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from accord.sandbox.exchange.shapes import Path, extended_key
from accord.sandbox.exchange.store import Folder, Item
from accord.sandbox.exchange.xml import Node, flag, is_true, local, stamp, t, text_at

_PLAIN = {
    "tag/0x001a/String": "ItemClass",
    "tag/0x0037/String": "Subject",
    "tag/0x1000/String": "Body",
    "PublicStrings/Keywords/StringArray": "Categories",
}
_CONTACT = {
    "tag/0x3001/String": "DisplayName",
    "tag/0x3a05/String": "Generation",
    "tag/0x3a06/String": "GivenName",
    "tag/0x3a0a/String": "Initials",
    "tag/0x3a11/String": "Surname",
    "tag/0x3a16/String": "CompanyName",
    "tag/0x3a17/String": "JobTitle",
    "tag/0x3a18/String": "Department",
    "tag/0x3a19/String": "OfficeLocation",
    "tag/0x3a30/String": "AssistantName",
    "tag/0x3a41/SystemTime": "WeddingAnniversary",
    "tag/0x3a42/SystemTime": "Birthday",
    "tag/0x3a44/String": "MiddleName",
    "tag/0x3a46/String": "Profession",
    "tag/0x3a48/String": "SpouseName",
    "tag/0x3a4e/String": "Manager",
    "tag/0x3a4f/String": "Nickname",
    "tag/0x3a51/String": "BusinessHomePage",
    "PublicStrings/urn:schemas:contacts:fileas/String": "FileAs",
}
_PHONES = {
    "tag/0x3a08/String": "BusinessPhone",
    "tag/0x3a09/String": "HomePhone",
    "tag/0x3a1c/String": "MobilePhone",
    "tag/0x3a1e/String": "CarPhone",
    "tag/0x3a21/String": "Pager",
    "tag/0x3a24/String": "BusinessFax",
}
_PARTS = ("Street", "City", "State", "PostalCode", "CountryOrRegion")
_PLACES = {
    f"Address/#{number}/String": ("Business", part)
    for number, part in zip(range(0x8045, 0x804A), _PARTS, strict=True)
}
_PLACES |= {
    f"tag/{number:#06x}/String": ("Home", part)
    for number, part in zip((0x3A5D, 0x3A59, 0x3A5C, 0x3A5B, 0x3A5A), _PARTS, strict=True)
}
_PLACES |= {
    f"tag/{number:#06x}/String": ("Other", part)
    for number, part in zip((0x3A63, 0x3A5F, 0x3A62, 0x3A61, 0x3A60), _PARTS, strict=True)
}
_MAILS = {
    f"Address/#{number + shift}/String": f"EmailAddress{at}"
    for at, number in enumerate((0x8083, 0x8093, 0x80A3), 1)
    for shift in (0, 1)
}
_BY_KIND: dict[str, dict[str, str]] = {
    "Contact": _CONTACT,
    "CalendarItem": {"PublicStrings/urn:schemas:calendar:uid/String": "UID"},
    "Task": {
        "Task/#33028/SystemTime": "StartDate",
        "Task/#33029/SystemTime": "DueDate",
        "Task/#33039/SystemTime": "CompleteDate",
    },
}
_SENSITIVITY = ("Normal", "Personal", "Private", "Confidential")
_IMPORTANCE = ("Low", "Normal", "High")
_CHOICES = {
    "tag/0x0036/Integer": ("Sensitivity", _SENSITIVITY),
    "tag/0x0017/Integer": ("Importance", _IMPORTANCE),
}
_BUSY = ("Free", "Tentative", "Busy", "OOF", "WorkingElsewhere")
_CALENDAR = {"Appointment/#33285/Integer": ("LegacyFreeBusyStatus", _BUSY)}
_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


def native(kind: str, key: str) -> Path | None:
    """Return the property that EWS has a name of its own for, if that is one."""
    plain = _PLAIN | _BY_KIND.get(kind, {})
    if key in plain:
        return Path(plain[key], f"own:{plain[key]}")
    choices = _CHOICES | (_CALENDAR if kind == "CalendarItem" else {})
    if key in choices:
        return Path(choices[key][0], f"own:{choices[key][0]}")
    if kind != "Contact":
        return None
    if key in _PHONES:
        return Path("PhoneNumbers", "contacts:PhoneNumber", _PHONES[key])
    if key in _MAILS:
        return Path("EmailAddresses", "contacts:EmailAddress", _MAILS[key])
    if key in _PLACES:
        index, part = _PLACES[key]
        return Path("PhysicalAddresses", f"contacts:PhysicalAddress:{part}", index, part)
    return None


def translated(kind: str, sent: Node) -> tuple[Path, Node] | None:
    """Return what an ExtendedProperty sets under its EWS name, if it has one."""
    key = extended_key(sent[0])
    at = native(kind, key)
    if at is None:
        return None
    values = [each.text or "" for each in sent[1]] if local(sent[1]) == "Values" else []
    text = sent[1].text or ""
    if at.name == "Categories":
        return at, t("Categories", *[t("String", each) for each in values])
    if at.name == "Body":
        return at, t("Body", text, BodyType="Text")
    choices = (_CHOICES | _CALENDAR).get(key)
    if choices is not None:
        number = int(text) if text.isdecimal() else 0
        return at, t(at.name, choices[1][min(number, len(choices[1]) - 1)])
    if not at.index:
        return at, t(at.name, text)
    inner: Node | str = t(at.part, text) if at.part else text
    return at, t(at.name, t("Entry", inner, Key=at.index))


def told(item: Item, known: Mapping[str, list[Node]], asked: Node) -> Node | None:
    """Return an extended property that is asked for, out of what is known of an item."""
    values = values_of(item, known, extended_key(asked))
    if not values:
        return None
    uri = copy.deepcopy(asked)
    uri.tail = None
    if asked.get("PropertyType", "").endswith("Array"):
        return t("ExtendedProperty", uri, t("Values", *[t("Value", each) for each in values]))
    return t("ExtendedProperty", uri, t("Value", values[0]))


def values_of(item: Item, known: Mapping[str, list[Node]], key: str) -> list[str]:
    """Return the values of a MAPI property that another one stands for, or that is worked out."""
    at = native(item.kind, key)
    if at is None:
        value = _derived(item, known, key)
        return [] if value is None else [value]
    held = known.get("TextBody" if at.name == "Body" else at.name)
    if not held:
        return []
    choices = (_CHOICES | _CALENDAR).get(key)
    if choices is not None:
        return [str(choices[1].index(held[0].text or ""))]
    if at.name == "Categories":
        return [each.text or "" for each in held[0]]
    if at.name == "Body":
        return [held[0].text] if held[0].text else []
    if not at.index:
        return [held[0].text or ""]
    for entry in held[0]:
        if entry.get("Key") == at.index:
            found = text_at(entry, at.part) if at.part else entry.text
            return [found] if found else []
    return []


def is_known(kind: str, key: str) -> bool:
    """Tell whether a MAPI property is not one that clients keep as their own."""
    return native(kind, key) is not None or key in _WORKED_OUT


_WORKED_OUT = {
    "tag/0x0e06/SystemTime": "DateTimeReceived",
    "tag/0x0e08/Integer": "Size",
    "tag/0x3008/SystemTime": "LastModifiedTime",
    "tag/0x3007/SystemTime": "DateTimeCreated",
    "tag/0x0e1b/Boolean": "HasAttachments",
    "tag/0x0e07/Integer": "",
    "tag/0x0e23/Integer": "",
    "PublicStrings/urn:schemas:calendar:instancetype/Integer": "",
    "Appointment/#33303/Integer": "AppointmentState",
    "Appointment/#33315/Boolean": "IsRecurring",
    "Common/#34054/Boolean": "",
}


def _derived(item: Item, known: Mapping[str, list[Node]], key: str) -> str | None:
    def text(name: str) -> str:
        held = known.get(name)
        return held[0].text or "" if held else ""

    if (name := _WORKED_OUT.get(key)) is None:
        return None
    if name:
        return text(name) or None
    match key:
        case "tag/0x0e23/Integer":
            return str(item.id)
        case "tag/0x0e07/Integer":
            return str(is_true(text("IsRead")) + 8 * is_true(text("IsDraft")))
        case "Common/#34054/Boolean":
            return flag(text("Sensitivity") == "Private")
    if item.kind != "CalendarItem":
        return None
    forms = {"Single": "0", "RecurringMaster": "1", "Occurrence": "2", "Exception": "3"}
    return forms.get(text("CalendarItemType"))


def of_folder(
    folder: Folder, counts: tuple[int, int, int], last: int, kept: str, asked: Node
) -> Node | None:
    """Return an extended property of a folder; `kept` is what somebody gave it as that.

    `counts` are its items, those unread and its folders; `last` is its latest change's number,
    which stands for the time of it, as each must be told from the one before.
    """
    items, unread, below = counts
    values = {
        "tag/0x3001/String": folder.name,
        "tag/0x3008/SystemTime": _time(folder.change),
        "tag/0x3602/Integer": str(items),
        "tag/0x3603/Integer": str(unread),
        "tag/0x360a/Boolean": flag(below > 0),
        "tag/0x3613/String": folder.kind or "",
        "tag/0x670a/SystemTime": _time(last),
    }
    value = values.get(extended_key(asked)) or kept
    if not value:
        return None
    uri = copy.deepcopy(asked)
    uri.tail = None
    return t("ExtendedProperty", uri, t("Value", value))


def _time(change: int) -> str:
    return stamp(_BEGIN + timedelta(seconds=change))
