"""What every operation gets: the request's surroundings, and how batches are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from accord.sandbox.exchange import ids
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.faults import Faults
from accord.sandbox.exchange.limits import USUAL, Limits
from accord.sandbox.exchange.notices import Notices, Subscription
from accord.sandbox.exchange.people import People, distinguished
from accord.sandbox.exchange.store import Folder, Item, Mailbox, Store
from accord.sandbox.exchange.xml import Node, local, m, text_at


@dataclass(slots=True)
class Call:
    """One request: as whom it is made, when, and in which zone bare times are meant."""

    store: Store
    people: People
    notices: Notices
    faults: Faults
    actor: Mailbox
    operation: str
    now: datetime
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    caller: int = 0
    """Mailbox of the account that logged in, whomever it impersonates."""
    limits: Limits = USUAL
    push: Callable[[Subscription, str, int], None] = lambda *_: None
    """Lets the news of a subscription be posted to a listener, with a minutes' frequency."""

    def folder(self, named: Node, *, change: bool = False) -> Folder:
        """Return the folder that a FolderId or DistinguishedFolderId names. Raises EwsError."""
        if local(named) == "DistinguishedFolderId":
            return distinguished(self.store, self._whose(named, change), named.get("Id", ""))
        which = ids.read(named.get("Id", ""), folder=True)
        found = self.store.folders("id = ? AND mailbox = ?", which.row, which.mailbox)
        if not found or not self.people.may(self.actor, which.mailbox, change=False):
            raise EwsError("ErrorItemNotFound" if found else "ErrorFolderNotFound")
        self._reach(which.mailbox, change)
        return found[0]

    def item(self, which: ids.Id, *, change: bool = False) -> Item:
        """Return an item. Raises EwsError where it is not there or not for the caller."""
        found = self.store.item(which.mailbox, which.row)
        if found is None or not self.people.may(self.actor, which.mailbox, change=False):
            raise EwsError("ErrorItemNotFound")
        self._reach(which.mailbox, change)
        return found

    def owner(self, mailbox: int) -> Mailbox:
        """Return the mailbox of an item or a folder."""
        found = self.people.by("id = ?", mailbox)
        assert found is not None
        return found

    def _whose(self, named: Node, change: bool) -> int:
        address = text_at(named, "Mailbox", "EmailAddress")
        whose = self.actor if address is None else self.people.by_address(address)
        if whose is None:
            raise EwsError("ErrorNonExistentMailbox")
        self._reach(whose.id, change)
        return whose.id

    def _reach(self, mailbox: int, change: bool) -> None:
        if not self.people.may(self.actor, mailbox, change=change):
            raise EwsError("ErrorAccessDenied")
        self.faults.hinder(self.operation, self.owner(mailbox).address)


def batch(
    call: Call,
    things: Iterable[Node],
    work: Callable[[Node], list[Node]],
    failed: Callable[[], list[Node]] = list,
) -> Node:
    """Do the same with each thing of a request and answer one message for each.

    What one thing changed is undone if it fails; the others are not touched by that.
    `failed` makes the elements that stand in a failed message, too.
    """
    answers = []
    for thing in things:
        try:
            with call.store.writing():
                parts = work(thing)
        except EwsError as error:
            parts = [
                m("MessageText", error.text),
                m("ResponseCode", error.code),
                m("DescriptiveLinkKey", "0"),
                *failed(),
            ]
            answers.append(_message(call, "Error", parts))
        else:
            answers.append(_message(call, "Success", [m("ResponseCode", "NoError"), *parts]))
    return m(f"{call.operation}Response", m("ResponseMessages", *answers))


def _message(call: Call, outcome: str, parts: list[Node]) -> Node:
    return m(f"{call.operation}ResponseMessage", *parts, ResponseClass=outcome)
