"""Subscribe, Unsubscribe, GetEvents, and how GetStreamingEvents begins."""

from __future__ import annotations

from accord.sandbox.exchange import events
from accord.sandbox.exchange.call import Call, batch
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.notices import Subscription
from accord.sandbox.exchange.xml import Node, child, flag, is_true, local, m, t, text_at

_MOST = 100
CONNECTED = 200
"""Subscriptions that one connection may listen to."""


def subscribe(call: Call, request: Node) -> Node:
    """Begin a subscription to pull, push or streaming notifications."""

    def work(sent: Node) -> list[Node]:
        push = local(sent) == "PushSubscriptionRequest"
        url = text_at(sent, "URL") or ""
        if push and not url.startswith(("http://", "https://")):
            raise EwsError("ErrorInvalidPushSubscriptionUrl", "The URL is not valid.")
        wanted = _filter(call, sent)
        mark = text_at(sent, "Watermark")
        position = events.latest(call.store)
        if mark is not None:
            position = events.read(call.store, mark, wanted.mailbox)
        pull = local(sent) == "PullSubscriptionRequest"
        minutes = int(text_at(sent, "Timeout") or 0) if pull else None
        if push:
            minutes = int(text_at(sent, "StatusFrequency") or 30)
        whose = (call.caller, call.actor.id)
        made = call.notices.add(whose, wanted, position, call.now, minutes, pushed=push)
        parts = [m("SubscriptionId", call.notices.name(made))]
        if push:
            call.push(made, url, minutes or 30)
        if pull or push:
            parts.append(m("Watermark", events.write(wanted.mailbox, position)))
        return parts

    return batch(call, request, work)


def unsubscribe(call: Call, request: Node) -> Node:
    """End a subscription."""

    def work(named: Node) -> list[Node]:
        held = call.notices.get(named.text or "", call.caller, call.now)
        if held.pushed:
            raise EwsError("ErrorInvalidSubscription", "Its listener ends a push subscription.")
        call.notices.remove(held)
        return []

    return batch(call, request, work)


def get_events(call: Call, request: Node) -> Node:
    """Answer what happened behind a watermark, or how far all is known."""

    def work(_: Node) -> list[Node]:
        held = listener(call, request[0].text or "")
        if held.streaming or held.pushed:
            raise EwsError("ErrorInvalidPullSubscriptionId")
        mailbox = held.wanted.mailbox
        if call.faults.take("expired", call.operation, call.owner(mailbox).address) is not None:
            raise EwsError("ErrorInvalidWatermark")
        mark = request[1].text or ""
        position = events.read(call.store, mark, mailbox)
        found, end = events.since(call.store, held.wanted, position, _MOST)
        told = [events.view(each, marked=True) for each in found]
        more = bool(events.since(call.store, held.wanted, end, 1)[0])
        status = t("StatusEvent", t("Watermark", events.write(mailbox, end)))
        named = t("SubscriptionId", call.notices.name(held))
        head = (t("PreviousWatermark", mark), t("MoreEvents", flag(more)))
        return [m("Notification", named, *head, *(told or [status]))]

    return batch(call, [request], work)


def listeners(call: Call, request: Node) -> tuple[list[Subscription], dict[str, list[str]]]:
    """Return the subscriptions that a GetStreamingEvents names, and by their codes the bad ids."""
    named = list(dict.fromkeys(each.text or "" for each in request[0]))
    if len(named) > CONNECTED:
        return [], {"ErrorInvalidRequest": named}
    found, bad = [], dict[str, list[str]]()
    for each in named:
        try:
            held = listener(call, each)
            if not held.streaming:
                raise EwsError("ErrorInvalidSubscription")
        except EwsError as error:
            bad.setdefault(error.code, []).append(each)
        else:
            found.append(held)
    return found, bad


def listener(call: Call, text: str) -> Subscription:
    """Return a subscription, if the caller may still hear of that mailbox. Raises EwsError."""
    held = call.notices.get(text, call.caller, call.now)
    mailbox = held.wanted.mailbox
    if not call.people.may(call.owner(held.actor), mailbox, change=False):
        raise EwsError("ErrorSubscriptionAccessDenied")
    address = call.owner(mailbox).address
    if call.faults.take("forgotten", call.operation, address) is not None:
        call.notices.remove(held)
        raise EwsError("ErrorSubscriptionNotFound")
    call.faults.hinder(call.operation, address)
    return held


def _filter(call: Call, sent: Node) -> events.Filter:
    named, kinds = child(sent, "FolderIds"), child(sent, "EventTypes")
    assert kinds is not None
    heard = frozenset(each.text or "" for each in kinds)
    if is_true(sent.get("SubscribeToAllFolders")):
        if named is not None:
            raise EwsError("ErrorInvalidSubscriptionRequest")
        return events.Filter(call.actor.id, heard, None)
    if named is None:
        raise EwsError("ErrorInvalidSubscriptionRequest")
    folders = [call.folder(each) for each in named]
    mailboxes = {each.mailbox for each in folders}
    if len(mailboxes) > 1:
        raise EwsError("ErrorInvalidSubscriptionRequest")
    return events.Filter(mailboxes.pop(), heard, frozenset(each.id for each in folders))
