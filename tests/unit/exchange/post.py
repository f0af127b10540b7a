"""Carry exchangelib's items as XML, as to a server and back, judged by Microsoft's schema."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import exchangelib
from exchangelib.util import to_xml
from lxml import etree

from tests.unit.sandbox.ews import M, T, official

ALICE = "alice@example.com"
VERSION = exchangelib.Version(exchangelib.version.EXCHANGE_2016)
HOME = "Europe/Zurich"


@cache
def account(home: str = HOME) -> Any:
    """Return Alice's mailbox, somewhere; nothing is asked of any server."""
    return exchangelib.Account(
        ALICE,
        config=exchangelib.Configuration(
            service_endpoint="https://exchange.example.com/EWS/Exchange.asmx",
            credentials=exchangelib.Credentials(ALICE, "secret"),
            auth_type=exchangelib.BASIC,
            version=VERSION,
        ),
        autodiscover=False,
        access_type=exchangelib.DELEGATE,
        default_timezone=exchangelib.EWSTimeZone(home),
    )


def written(cls: Any, properties: dict[str, Any], home: str = HOME) -> str:
    """Return what exchangelib sends to create an item, once the schema finds it valid."""
    item = cls(account=account(home), **properties)
    element = etree.tostring(item.to_xml(version=VERSION), encoding="unicode")
    request = (
        f'<m:CreateItem xmlns:m="{M}" xmlns:t="{T}" SendMeetingInvitations="SendToNone">'
        f"<m:Items>{element}</m:Items></m:CreateItem>"
    )
    _assert_valid(request)
    return element


def updated(cls: Any, properties: dict[str, Any], home: str = HOME) -> str:
    """Return what exchangelib sends to change an item, once the schema finds it valid."""
    service = exchangelib.services.UpdateItem(account=account(home))
    item = cls(account=account(home), **properties)
    item._id = exchangelib.properties.ItemId("AAA=", "BBB=")
    payload = service.get_payload(
        items=[(item, list(properties))],
        conflict_resolution="NeverOverwrite",
        message_disposition="SaveOnly",
        send_meeting_invitations_or_cancellations="SendToNone",
        suppress_read_receipts=True,
    )
    request = etree.tostring(payload, encoding="unicode")
    _assert_valid(request)
    return request


def parsed(cls: Any, text: str, home: str = HOME) -> Any:
    """Return the item of an XML text, which may stand bare or be without namespaces."""
    if "xmlns" not in text:
        inner = re.sub(r"<(/?)(?=\w)", r"<\1t:", text)
        text = inner.replace(f"<t:{cls.ELEMENT_NAME}", f'<t:{cls.ELEMENT_NAME} xmlns:t="{T}"', 1)
    return cls.from_xml(elem=to_xml(text.encode()).getroot(), account=account(home))


def fields_of(request: str) -> list[tuple[str, str]]:
    """Return what a change sets and deletes, in order: (SetItemField, item:Subject)."""
    root = etree.fromstring(request)
    found = []
    for each in root.iter(f"{{{T}}}SetItemField", f"{{{T}}}DeleteItemField"):
        at = each[0]
        name = at.get("FieldURI") or at.get("PropertyName") or at.get("PropertyTag") or ""
        index = f":{at.get('FieldIndex')}" if at.get("FieldIndex") else ""
        found.append((etree.QName(each).localname, name + index))
    return found


def _assert_valid(request: str) -> None:
    schema = official()
    if schema is not None:
        schema.assertValid(etree.fromstring(request))
