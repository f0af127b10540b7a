"""Mail that leaves a mailbox: counted, so that a test can say that none did."""

from __future__ import annotations

import copy

from accord.sandbox.exchange import attachments, calendar, content, mime
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.people import distinguished
from accord.sandbox.exchange.properties import mailbox_of
from accord.sandbox.exchange.schema import TYPES
from accord.sandbox.exchange.store import Item, Mailbox
from accord.sandbox.exchange.xml import Node, child, stamp, t, text_at

_RECIPIENTS = ("ToRecipients", "CcRecipients", "BccRecipients")


def post(call: Call, item: Item) -> None:
    """Send a message to all its recipients. Raises EwsError where it has none."""
    people = addresses(item.content, _RECIPIENTS, "EmailAddress")
    if not people:
        raise EwsError("ErrorInvalidRecipients", "At least one recipient isn't valid.")
    _count(call, item, people, "message")
    for address in sorted(people):
        if (to := call.people.by_address(address)) is not None:
            _deliver(call, item, to)


def receipt(call: Call, item: Item) -> None:
    """Tell the sender of a message that it was read, or thrown away unread, if that was asked."""
    if text_at(item.content, "IsReadReceiptRequested") != "true":
        return
    calendar.put(item.content, t("IsReadReceiptRequested", "false"))
    sender = text_at(item.content, "From", "Mailbox", "EmailAddress")
    if sender:
        _count(call, item, {sender.lower()}, "receipt")


def addresses(held: Node, lists: tuple[str, ...], *path: str) -> set[str]:
    """Return the addresses in some lists of people; `path` leads to one from an entry."""
    found = (child(held, name) for name in lists)
    people = (text_at(each, *path) for one in found if one is not None for each in one)
    return {address.lower() for address in people if address}


def _deliver(call: Call, item: Item, to: Mailbox) -> None:
    """Put a message into an inbox, unread and without its blind copies."""
    sender = call.owner(item.mailbox)
    made = copy.copy(item)
    made.content = copy.deepcopy(item.content)
    made.mailbox, made.folder = to.id, distinguished(call.store, to.id, "inbox").id
    made.made = made.modified = stamp(call.now)
    calendar.remove(made.content, f"{{{TYPES}}}BccRecipients")
    mime.without_blind_copies(made.content)
    calendar.put(made.content, t("IsRead", "false"))
    for name in ("Sender", "From"):
        if child(made.content, name) is None:
            calendar.put(made.content, t(name, mailbox_of(sender)))
    call.store.add_item(made, content.indexed(made))
    attachments.pass_on(call.store, item, made)
    call.store.tell_item("NewMailEvent", made)


def _count(call: Call, item: Item, people: set[str], kind: str) -> None:
    owner = call.owner(item.mailbox)
    subject = text_at(item.content, "Subject") or ""
    for address in sorted(people - {owner.address}):
        call.store.send(owner, address, kind, subject, stamp(call.now))
