"""What clients ask about people: ConvertId, ResolveNames, settings and automatic replies."""

from __future__ import annotations

import base64
import copy
from urllib.parse import quote, unquote

from lxml import etree

from accord.sandbox.exchange import ids, xml
from accord.sandbox.exchange.call import Call, batch
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.properties import mailbox_of
from accord.sandbox.exchange.store import Mailbox
from accord.sandbox.exchange.xml import Node, child, m, moment, t, text_at

_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_MOST = 100


def convert_id(call: Call, request: Node) -> Node:
    """Answer ids in another spelling, each with the first address of its mailbox."""
    wanted = request.get("DestinationFormat", "EwsId")

    def work(named: Node) -> list[Node]:
        text = _spelled(named.get("Id", ""), named.get("Format", ""))
        which = _any(text)
        owner = call.people.by("id = ?", which.mailbox)
        if owner is None or not call.people.may(call.actor, owner.id, change=False):
            raise EwsError("ErrorItemNotFound")
        answer = m("AlternateId", Format=wanted, Id=_respelled(text, wanted), Mailbox=owner.address)
        answer.set(_TYPE, "t:AlternateIdType")
        return [answer]

    return batch(call, request[0], work)


def resolve_names(call: Call, request: Node) -> Node:
    """Answer whose address, account or name begins so."""

    def work(_: Node) -> list[Node]:
        text = (text_at(request, "UnresolvedEntry") or "").lower().removeprefix("smtp:")
        found = call.people.beginning(text, _MOST)
        if not found:
            raise EwsError("ErrorNameResolutionNoResults", "No results were found.")
        every = [t("Resolution", mailbox_of(each)) for each in found]
        last = {"TotalItemsInView": str(len(every)), "IncludesLastItemInRange": "true"}
        return [m("ResolutionSet", *every, **last)]

    return batch(call, [request], work)


def get_user_configuration(call: Call, request: Node) -> Node:
    """Answer that a folder holds no configuration of this name: nothing here writes any."""

    def work(named: Node) -> list[Node]:
        call.folder(named)
        raise EwsError("ErrorItemNotFound")

    return batch(call, request[0], work)


def get_user_oof_settings(call: Call, request: Node) -> Node:
    """Answer a person's automatic replies."""
    name = "GetUserOofSettingsResponse"
    try:
        person = _person(call, request)
    except EwsError as error:
        return m(name, _said(error))
    rows = call.store.rows("SELECT content FROM oof WHERE mailbox = ?", person.id)
    settings = t("OofSettings", t("OofState", "Disabled"), t("ExternalAudience", "None"))
    if rows:
        kept = xml.parse(rows[0][0])  # type: ignore[arg-type]
        settings = t("OofSettings", *[copy.deepcopy(each) for each in kept])
    return m(name, _said(None), settings, m("AllowExternalOof", "All"))


def set_user_oof_settings(call: Call, request: Node) -> Node:
    """Set a person's automatic replies. A scheduled time must end after it begins."""
    name = "SetUserOofSettingsResponse"
    settings = child(request, "UserOofSettings")
    assert settings is not None
    try:
        person = _person(call, request)
        _check_time(call, settings)
    except EwsError as error:
        return m(name, _said(error))
    with call.store.writing():
        content = etree.tostring(settings)
        call.store.run("REPLACE INTO oof (mailbox, content) VALUES (?, ?)", person.id, content)
    return m(name, _said(None))


def _person(call: Call, request: Node) -> Mailbox:
    found = call.people.by_address(text_at(request, "Mailbox", "Address") or "")
    if found is None:
        raise EwsError("ErrorNonExistentMailbox")
    if found.id != call.actor.id:
        raise EwsError("ErrorAccessDenied")
    call.faults.hinder(call.operation, found.address)
    return found


def _check_time(call: Call, settings: Node) -> None:
    span = child(settings, "Duration")
    if text_at(settings, "OofState") != "Scheduled" and span is None:
        return
    if span is None:
        raise EwsError("ErrorInvalidScheduledOofDuration", "A scheduled time is missing.")
    for each in span:
        each.text = xml.stamp(moment(each.text or "", call.zone))
    start, end = (text_at(span, name) or "" for name in ("StartTime", "EndTime"))
    if moment(end) <= moment(start):
        raise EwsError("ErrorInvalidScheduledOofDuration", "It ends before it begins.")


def _said(error: EwsError | None) -> Node:
    if error is None:
        return m("ResponseMessage", m("ResponseCode", "NoError"), ResponseClass="Success")
    parts = (m("MessageText", error.text), m("ResponseCode", error.code))
    return m("ResponseMessage", *parts, m("DescriptiveLinkKey", "0"), ResponseClass="Error")


def _any(text: str) -> ids.Id:
    try:
        return ids.read(text)
    except EwsError:
        return ids.read(text, folder=True)


def _spelled(text: str, form: str) -> str:
    """Return an id as EWS spells it."""
    if form == "HexEntryId":
        try:
            return base64.b64encode(bytes.fromhex(text)).decode()
        except ValueError:
            raise EwsError("ErrorInvalidIdMalformed") from None
    return unquote(text) if form == "OwaId" else text


def _respelled(text: str, form: str) -> str:
    if form == "HexEntryId":
        return base64.b64decode(text).hex().upper()
    return quote(text, safe="") if form == "OwaId" else text
