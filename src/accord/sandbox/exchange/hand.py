"""A person's own program at an Exchange mailbox: the hands of tests and of the demo.

It speaks plain EWS and edits single properties, as Outlook does; it asks Accord nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from types import TracebackType
from typing import Self

import httpx2
from lxml import etree
from msgspec import Struct

from accord.sandbox.process import no_tls

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_T = "http://schemas.microsoft.com/exchange/services/2006/types"
_M = "http://schemas.microsoft.com/exchange/services/2006/messages"
_SPACES = {"t": _T, "m": _M}
_MOST = 1000
_ITEMS = {"calendar": "CalendarItem", "tasks": "Task", "contacts": "Contact", "inbox": "Message"}
_ROOMS = {
    **dict.fromkeys(("Subject", "Body", "Sensitivity", "Importance", "Categories"), "item"),
    **dict.fromkeys(("Start", "End", "Location", "IsAllDayEvent", "Recurrence"), "calendar"),
    **dict.fromkeys(("RequiredAttendees", "LegacyFreeBusyStatus"), "calendar"),
    **dict.fromkeys(("PercentComplete", "Status", "DueDate"), "task"),
    **dict.fromkeys(("DisplayName", "GivenName", "Surname", "CompanyName", "JobTitle"), "contacts"),
}
SILENT, LOUD = "SendToNone", "SendToAllAndSaveCopy"
"""Whether a meeting's attendees are told of what is done."""


class Refused(Exception):
    """The server answered with an error; `code` is its name."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(f"{code} {text}".strip())
        self.code = code


class Missing(LookupError):
    """There is nothing of that name, or more than one."""


class Thing(Struct, frozen=True):
    """Be one item as the server tells it."""

    ref: str
    key: str
    node: etree._Element

    def text(self, path: str) -> str:
        """Return the text at a path of names, empty where there is none."""
        return (self.node.findtext(_path(path), namespaces=_SPACES) or "").strip()

    def all(self, path: str) -> list[str]:
        """Return the texts of all elements at a path of names."""
        found = self.node.findall(_path(path), namespaces=_SPACES)
        return [each.text or "" for each in found]

    @property
    def title(self) -> str:
        """Return what it is called."""
        return self.text("Subject") or self.text("DisplayName")

    @property
    def start(self) -> datetime:
        """Return when it begins, in UTC."""
        return datetime.fromisoformat(self.text("Start")).astimezone(UTC)


class Hand:
    """Be one person with a mail program; folders go by their role or by their name."""

    def __init__(self, url: str, address: str, password: str) -> None:
        """Sign in to the services at `url`."""
        self.address = address
        self._url = url
        self._web = httpx2.Client(
            auth=(address, password), timeout=60, verify=no_tls(), trust_env=False
        )
        self._named: dict[str, str] = {}

    def close(self) -> None:
        """Put the program away."""
        self._web.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    # ---- reading ----

    def things(self, folder: str = "calendar") -> list[Thing]:
        """Return all items of a folder with all that is known of them; a series is one."""
        refs = [each.ref for each in self.found(folder)]
        found: list[Thing] = []
        for at in range(0, len(refs), 100):
            found += self.got(refs[at : at + 100])
        return found

    def found(self, folder: str = "calendar") -> list[Thing]:
        """Return all items of a folder with what a list shows of them; a series is one."""
        found: list[Thing] = []
        while True:
            view = (
                f'<m:IndexedPageItemView MaxEntriesReturned="{_MOST}" Offset="{len(found)}" '
                'BasePoint="Beginning"/>'
            )
            answer = self._find(folder, view)
            found += _things(answer)
            root = answer.find(".//m:RootFolder", _SPACES)
            if root is None or root.get("IncludesLastItemInRange") != "false":
                return found

    def view(self, start: datetime, end: datetime, folder: str = "calendar") -> list[Thing]:
        """Return what a calendar shows between two moments: each occurrence by itself."""
        window = f'<m:CalendarView StartDate="{_utc(start)}" EndDate="{_utc(end)}"/>'
        return _things(self._find(folder, window))

    def got(self, refs: Sequence[str]) -> list[Thing]:
        """Return items with all that is known of them; what is gone is left out."""
        if not refs:
            return []
        ids = "".join(f'<t:ItemId Id="{escape(ref)}"/>' for ref in refs)
        return _things(
            self.ask(
                "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape>"
                "<t:BodyType>Text</t:BodyType></m:ItemShape>"
                f"<m:ItemIds>{ids}</m:ItemIds></m:GetItem>",
                gone=True,
            )
        )

    def titles(self, folder: str = "calendar") -> list[str]:
        """Return what all items of a folder are called, in order."""
        return sorted(each.title for each in self.found(folder))

    def find(self, title: str, folder: str = "calendar") -> Thing:
        """Return the one item with a title; raises Missing."""
        refs = [each.ref for each in self.found(folder) if each.title == title]
        if len(refs) != 1:
            raise Missing(f"{self.address} has {len(refs)} items called {title!r} in {folder}")
        (thing,) = self.got(refs)
        return thing

    def has(self, title: str, folder: str = "calendar") -> bool:
        """Tell whether an item with that title is there."""
        return title in self.titles(folder)

    def folders(self) -> dict[str, str]:
        """Return the ids of all folders by their names."""
        answer = self.ask(
            '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>Default</t:BaseShape>'
            '</m:FolderShape><m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/>'
            "</m:ParentFolderIds></m:FindFolder>"
        )
        return {
            each.findtext("t:DisplayName", "", _SPACES): _id(each, "FolderId").get("Id", "")
            for each in answer.iterfind(".//t:Folders/*", _SPACES)
        }

    # ---- writing ----

    def add(self, item: str, folder: str = "calendar", *, notices: str = SILENT) -> str:
        """Make an item, given as an element, and return its id."""
        return self.add_many([item], folder, notices=notices)[0]

    def add_many(
        self, items: Sequence[str], folder: str = "calendar", *, notices: str = SILENT
    ) -> list[str]:
        """Make many items, a hundred with each request, and return their ids."""
        refs: list[str] = []
        for at in range(0, len(items), 100):
            answer = self.ask(
                f'<m:CreateItem MessageDisposition="SaveOnly" SendMeetingInvitations="{notices}">'
                f"<m:SavedItemFolderId>{self._place(folder)}</m:SavedItemFolderId>"
                f"<m:Items>{''.join(items[at : at + 100])}</m:Items></m:CreateItem>"
            )
            refs += [each.ref for each in _things(answer)]
        return refs

    def set(
        self, title: str, folder: str = "calendar", /, *, notices: str = SILENT, **values: str
    ) -> None:
        """Write properties of the item with a title, unless somebody was faster.

        A value is a text, or XML where it begins with an element.
        """
        thing = self.find(title, folder)
        named = f'<t:ItemId Id="{escape(thing.ref)}" ChangeKey="{escape(thing.key)}"/>'
        self._update(named, _local(thing.node), values, notices, "Never")

    def set_ref(self, ref: str, /, **values: str) -> None:
        """Write properties of an item, whatever its version."""
        (thing,) = self.got([ref])
        named = f'<t:ItemId Id="{escape(ref)}"/>'
        self._update(named, _local(thing.node), values, SILENT, "Always")

    def html(self, ref: str) -> str:
        """Return the body of an item as it is stored."""
        (thing,) = _things(
            self.ask(
                "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
                "<t:BodyType>HTML</t:BodyType><t:AdditionalProperties>"
                '<t:FieldURI FieldURI="item:Body"/></t:AdditionalProperties></m:ItemShape>'
                f'<m:ItemIds><t:ItemId Id="{escape(ref)}"/></m:ItemIds></m:GetItem>'
            )
        )
        return thing.text("Body")

    def set_html(self, ref: str, html: str) -> None:
        """Write a body in HTML."""
        body = f'<t:Body BodyType="HTML">{escape(html)}</t:Body>'
        self.ask(
            '<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"'
            f' SendMeetingInvitationsOrCancellations="{SILENT}"><m:ItemChanges><t:ItemChange>'
            f'<t:ItemId Id="{escape(ref)}"/><t:Updates><t:SetItemField>'
            '<t:FieldURI FieldURI="item:Body"/><t:CalendarItem>'
            f"{body}</t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange>"
            "</m:ItemChanges></m:UpdateItem>"
        )

    def copy(self, thing: Thing, folder: str = "calendar") -> list[str]:
        """Copy an item, with all that programs keep on it, and return the copy's id."""
        answer = self.ask(
            f"<m:CopyItem><m:ToFolderId>{self._place(folder)}</m:ToFolderId><m:ItemIds>"
            f'<t:ItemId Id="{escape(thing.ref)}"/></m:ItemIds></m:CopyItem>'
        )
        return [each.ref for each in _things(answer)]

    def set_occurrence(self, title: str, number: int, /, **values: str) -> None:
        """Write properties of one occurrence of a series, counted from 1."""
        named = self._occurrence(title, number)
        self._update(named, "CalendarItem", values, SILENT, "Always")

    def delete(self, title: str, folder: str = "calendar", *, notices: str = SILENT) -> None:
        """Delete the item with a title, as people do: it goes to Deleted Items."""
        self.delete_refs([self.find(title, folder).ref], notices=notices)

    def delete_occurrence(self, title: str, number: int) -> None:
        """Delete one occurrence of a series."""
        self._delete(self._occurrence(title, number), SILENT)

    def delete_refs(self, refs: Iterable[str], *, notices: str = SILENT) -> None:
        """Delete items by their ids."""
        self._delete("".join(f'<t:ItemId Id="{escape(ref)}"/>' for ref in refs), notices)

    def respond(self, title: str, answer: str = "AcceptItem") -> None:
        """Answer the invitation with a title that lies in the inbox, and tell the organizer."""
        thing = self.find(title, "inbox")
        named = f'<t:ReferenceItemId Id="{escape(thing.ref)}" ChangeKey="{escape(thing.key)}"/>'
        self.ask(
            '<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items>'
            f"<t:{answer}>{named}</t:{answer}></m:Items></m:CreateItem>"
        )

    # ---- requests ----

    def ask(self, request: str, *, gone: bool = False) -> etree._Element:
        """Send a request and return the answer; raises Refused.

        With `gone` it is no error that something isn't there.
        """
        envelope = (
            f'<s:Envelope xmlns:s="{_SOAP}" xmlns:t="{_T}" xmlns:m="{_M}"><s:Header>'
            '<t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header>'
            f"<s:Body>{request}</s:Body></s:Envelope>"
        )
        kind = {"Content-Type": "text/xml; charset=utf-8"}
        reply = self._web.post(self._url, content=envelope.encode(), headers=kind)
        if not reply.content.lstrip().startswith(b"<"):
            raise Refused(f"HTTP {reply.status_code}")
        root = etree.fromstring(reply.content, _PARSER)
        fault = root.findtext(f".//{{{_SOAP}}}Fault/faultcode")
        if fault is not None:
            raise Refused(fault.rpartition(":")[2], root.findtext(".//faultstring") or "")
        for each in root.iterfind(".//m:ResponseCode", _SPACES):
            if each.text != "NoError" and not (gone and each.text == "ErrorItemNotFound"):
                raise Refused(each.text or "")
        return root

    def _find(self, folder: str, view: str) -> etree._Element:
        return self.ask(
            '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>Default</t:BaseShape>'
            f"</m:ItemShape>{view}<m:ParentFolderIds>{self._place(folder)}</m:ParentFolderIds>"
            "</m:FindItem>"
        )

    def _update(
        self, named: str, element: str, values: dict[str, str], notices: str, which: str
    ) -> None:
        sets = "".join(
            f'<t:SetItemField><t:FieldURI FieldURI="{_ROOMS[name]}:{name}"/><t:{element}>'
            f"{_element(name, value)}</t:{element}></t:SetItemField>"
            for name, value in values.items()
        )
        self.ask(
            f'<m:UpdateItem ConflictResolution="{which}Overwrite" MessageDisposition="SaveOnly"'
            f' SendMeetingInvitationsOrCancellations="{notices}"><m:ItemChanges><t:ItemChange>'
            f"{named}<t:Updates>{sets}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
        )

    def _delete(self, named: str, notices: str) -> None:
        self.ask(
            f'<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="{notices}"'
            f' AffectedTaskOccurrences="AllOccurrences"><m:ItemIds>{named}</m:ItemIds>'
            "</m:DeleteItem>"
        )

    def _occurrence(self, title: str, number: int) -> str:
        master = escape(self.find(title).ref)
        return f'<t:OccurrenceItemId RecurringMasterId="{master}" InstanceIndex="{number}"/>'

    def _place(self, folder: str) -> str:
        if folder in _ITEMS:
            return f'<t:DistinguishedFolderId Id="{folder}"/>'
        if folder not in self._named:
            self._named = self.folders()
        if folder not in self._named:
            raise Missing(f"{self.address} has no folder {folder!r}")
        return f'<t:FolderId Id="{escape(self._named[folder])}"/>'


def entry(
    title: str,
    start: datetime,
    end: datetime,
    *,
    location: str = "",
    categories: Sequence[str] = (),
    body: str = "",
    private: bool = False,
    all_day: bool = False,
    attendees: Sequence[str] = (),
    recurrence: str = "",
    zone: str = "",
) -> str:
    """Return a calendar entry; `start` and `end` with their zones, `zone` by Windows' name."""
    parts = [
        _element("Subject", title),
        "<t:Sensitivity>Private</t:Sensitivity>" if private else "",
        f'<t:Body BodyType="Text">{escape(body)}</t:Body>' if body else "",
        _element("Categories", strings(categories)) if categories else "",
        _element("Start", _utc(start)),
        _element("End", _utc(end)),
        "<t:IsAllDayEvent>true</t:IsAllDayEvent>" if all_day else "",
        _element("Location", location) if location else "",
        _element("RequiredAttendees", people(attendees)) if attendees else "",
        f"<t:Recurrence>{recurrence}</t:Recurrence>" if recurrence else "",
        f'<t:StartTimeZone Id="{zone}"/><t:EndTimeZone Id="{zone}"/>' if zone else "",
    ]
    return f"<t:CalendarItem>{''.join(parts)}</t:CalendarItem>"


def weekly(day: str, first: datetime, count: int = 0, every: int = 1) -> str:
    """Return the recurrence of a series on one day of the week; without a count it is endless."""
    days = f"<t:Interval>{every}</t:Interval><t:DaysOfWeek>{day}</t:DaysOfWeek>"
    return recurring(f"<t:WeeklyRecurrence>{days}</t:WeeklyRecurrence>", first, count)


def recurring(pattern: str, first: datetime, count: int = 0) -> str:
    """Return the recurrence of a series that follows a pattern; without a count it is endless."""
    since = f"<t:StartDate>{first:%Y-%m-%d}</t:StartDate>"
    span = "NoEndRecurrence" if not count else "NumberedRecurrence"
    most = f"<t:NumberOfOccurrences>{count}</t:NumberOfOccurrences>" if count else ""
    return f"{pattern}<t:{span}>{since}{most}</t:{span}>"


def strings(values: Iterable[str]) -> str:
    """Return texts as categories are written."""
    return "".join(f"<t:String>{escape(each)}</t:String>" for each in values)


def people(addresses: Iterable[str]) -> str:
    """Return addresses as attendees are written."""
    return "".join(
        f"<t:Attendee><t:Mailbox><t:EmailAddress>{escape(each)}</t:EmailAddress></t:Mailbox>"
        "</t:Attendee>"
        for each in addresses
    )


def moment(when: datetime) -> str:
    """Return a moment as properties hold it."""
    return _utc(when)


_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)


def _things(answer: etree._Element) -> list[Thing]:
    found = []
    for node in answer.iterfind(".//m:Items/*", _SPACES):
        named = _id(node, "ItemId")
        found.append(Thing(named.get("Id", ""), named.get("ChangeKey", ""), node))
    for node in answer.iterfind(".//t:Items/*", _SPACES):
        named = _id(node, "ItemId")
        found.append(Thing(named.get("Id", ""), named.get("ChangeKey", ""), node))
    return found


def _id(node: etree._Element, name: str) -> etree._Element:
    found = node.find(f"t:{name}", _SPACES)
    if found is None:
        raise Refused("an item has no id")
    return found


def _path(path: str) -> str:
    return "/".join(f"t:{name}" for name in path.split("/"))


def _local(node: etree._Element) -> str:
    return etree.QName(node).localname


def _element(name: str, value: str) -> str:
    content = value if value.startswith("<t:") else escape(value)
    return f"<t:{name}>{content}</t:{name}>"


def _utc(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
