"""People's own programs at their mailboxes: plain EWS by the standard library.

Nothing of Accord's groupware code is in it. One connection per thread serves all people.
"""

from __future__ import annotations

import base64
import http.client
import re
import threading
from html import escape
from urllib.parse import urlsplit

from accord.model.kinds import Kind

PASSWORD = "secret"

_HEAD = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
    ' xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header>'
    '<t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body>'
)
_TAIL = "</s:Body></s:Envelope>"
FOLDERS = {Kind.EVENT: "calendar", Kind.TASK: "tasks", Kind.CONTACT: "CRM contacts"}
_ELEMENTS = {Kind.EVENT: "CalendarItem", Kind.TASK: "Task", Kind.CONTACT: "Contact"}
_FIELDS = {
    Kind.EVENT: ("calendar:Location", "<t:Location>{0}</t:Location>"),
    Kind.TASK: ("item:Body", '<t:Body BodyType="Text">{0}</t:Body>'),
    Kind.CONTACT: ("contacts:CompanyName", "<t:CompanyName>{0}</t:CompanyName>"),
}
"""What people write in their mailboxes; in the CRM they write other fields."""

_NEW = {
    Kind.EVENT: (
        "<t:Subject>{name}</t:Subject><t:Start>{day}T09:00:00Z</t:Start>"
        "<t:End>{day}T09:30:00Z</t:End>{field}"
    ),
    Kind.TASK: "<t:Subject>{name}</t:Subject>{field}",
    Kind.CONTACT: ("<t:DisplayName>{name}</t:DisplayName><t:GivenName>{name}</t:GivenName>{field}"),
}
_FIND = (
    '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>Default</t:BaseShape>'
    '</m:FolderShape><m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/>'
    "</m:ParentFolderIds></m:FindFolder>"
)
_CONTACTS = re.compile(
    rb'<t:FolderId Id="([^"]+)"(?:(?!<t:FolderId ).)*?<t:DisplayName>CRM contacts<', re.DOTALL
)
_ID = re.compile(rb'ItemId [^>]*?\bId="([^"]+)"')


class Refused(RuntimeError):
    """The server didn't do what a person asked for."""


class Hands:
    """Be everybody at their mailboxes; safe to share between threads."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._path = parts.netloc, parts.path
        self._own = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._contacts: dict[str, str] = {}

    def close(self) -> None:
        """Put all programs away."""
        for each in self._open:
            each.close()

    def create(self, address: str, kind: Kind, name: str, text: str, day: str) -> str:
        """Make an item and return its id."""
        field = _FIELDS[kind][1].format(escape(text))
        inner = _NEW[kind].format(name=name, day=day, field=field)
        answer = self._ask(
            address,
            '<m:CreateItem MessageDisposition="SaveOnly" SendMeetingInvitations="SendToNone">'
            f"<m:SavedItemFolderId>{self._place(address, kind)}</m:SavedItemFolderId>"
            f"<m:Items><t:{_ELEMENTS[kind]}>{inner}</t:{_ELEMENTS[kind]}></m:Items></m:CreateItem>",
        )
        found = _ID.search(answer)
        if found is None:
            raise Refused(answer[:2000].decode())
        return found.group(1).decode()

    def write(self, address: str, kind: Kind, ref: str, text: str) -> None:
        """Write the one field that people write here, whatever else was changed meanwhile."""
        uri, element = _FIELDS[kind]
        inner = f"<t:{_ELEMENTS[kind]}>{element.format(escape(text))}</t:{_ELEMENTS[kind]}>"
        self._ask(
            address,
            '<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"'
            ' SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange>'
            f'<t:ItemId Id="{escape(ref)}"/><t:Updates><t:SetItemField>'
            f'<t:FieldURI FieldURI="{uri}"/>{inner}</t:SetItemField></t:Updates></t:ItemChange>'
            "</m:ItemChanges></m:UpdateItem>",
        )

    def delete(self, address: str, ref: str) -> None:
        """Delete an item, as people do: it goes to Deleted Items."""
        self._ask(
            address,
            '<m:DeleteItem DeleteType="MoveToDeletedItems" SendMeetingCancellations="SendToNone"'
            ' AffectedTaskOccurrences="AllOccurrences"><m:ItemIds>'
            f'<t:ItemId Id="{escape(ref)}"/></m:ItemIds></m:DeleteItem>',
        )

    def _place(self, address: str, kind: Kind) -> str:
        """Return the folder that people use; the one for contacts is made with the first."""
        if kind is not Kind.CONTACT:
            return f'<t:DistinguishedFolderId Id="{FOLDERS[kind]}"/>'
        if address not in self._contacts:
            answer = self._ask(address, _FIND)
            found = _CONTACTS.search(answer)
            if found is None:
                raise Refused(f"{address} has no folder {FOLDERS[kind]!r}")
            self._contacts[address] = found.group(1).decode()
        return f'<t:FolderId Id="{escape(self._contacts[address])}"/>'

    def _ask(self, address: str, request: str) -> bytes:
        login = base64.b64encode(f"{address}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "text/xml; charset=utf-8"}
        text = (_HEAD + request + _TAIL).encode()
        connection = self._connection()
        try:
            connection.request("POST", self._path, text, headers)
            answer = connection.getresponse().read()
        except (http.client.HTTPException, OSError):
            connection.close()  # the next request opens it anew
            raise
        if b'ResponseClass="Success"' not in answer:
            raise Refused(answer[:2000].decode())
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if found is None:
            found = self._own.connection = http.client.HTTPConnection(self._host, timeout=120)
            self._open.append(found)
        return found
