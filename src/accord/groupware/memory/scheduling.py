"""What the server mails when a meeting is written, and the copies that arrive (RFC 6638, 5546).

`adapter` and `person` call it after they changed the organizer's copy.
"""

from __future__ import annotations

import msgspec

from accord.groupware.memory.store import DEFAULTS, TRASH, Entry, Mail, Mailbox, Store
from accord.model.diff import diff
from accord.model.fields import FIELDS
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.parts import Person, Reply
from accord.model.recurrence import EventStatus

VISIBLE = frozenset(name for name, spec in FIELDS[Kind.EVENT].items() if spec.visible)


def organizes(box: Mailbox, item: object) -> bool:
    """Tell whether the item is a meeting that this mailbox organizes."""
    if not isinstance(item, Event) or not item.attendees:
        return False
    return item.organizer is None or item.organizer.address.casefold() == box.principal.casefold()


def speaks(store: Store, silent: bool, notify: bool) -> bool:
    """Tell whether a write by Accord mails: by itself, or only where it was asked to."""
    return not silent if store.traits.kinds[Kind.EVENT].schedules else notify


def announce(store: Store, box: Mailbox, before: Entry | None, after: Entry | None) -> None:
    """Mail everybody whom a change of an organizer's copy concerns, and deliver their copies."""
    if before and after is None and before.kind is Kind.EVENT and not organizes(box, before.item):
        _decline(store, box, before)
        return
    was = before.item if before and organizes(box, before.item) else None
    now = after.item if after and organizes(box, after.item) else None
    if was is not None and now is not None and not diff(was, now, VISIBLE):
        return
    old, new = _addresses(box, was), _addresses(box, now)
    for address in old - new:
        _send(store, box, address, "cancel", was)
        _cancel(store, address, was)
    for address in sorted(new):
        _send(store, box, address, "request", now)
        _deliver(store, box, address, now)


def answer(store: Store, box: Mailbox, entry: Entry, reply: Reply) -> Entry:
    """Record a person's reply in their own copy and, by mail, in the organizer's."""
    mine = store.put(box, _replied(entry, box.principal, reply), box.principal)
    item = mine.item
    if isinstance(item, Event) and item.organizer and not organizes(box, item):
        host = store.mailboxes.get(item.organizer.address.casefold())
        _send(store, box, item.organizer.address, "reply", item)
        for copy in [e for e in (host.entries.values() if host else ()) if _is(e, item.uid)]:
            assert host is not None
            store.put(host, _replied(copy, box.principal, reply), box.principal)
    return mine


def _decline(store: Store, box: Mailbox, entry: Entry) -> None:
    """Tell the organizer that an invited person deleted their copy (RFC 6638 section 3.2.2.3)."""
    item = _of(entry)
    invited = {attendee.address.casefold() for attendee in item.attendees}
    if item.organizer and box.principal.casefold() in invited:
        _send(store, box, item.organizer.address, "reply", item)


def _addresses(box: Mailbox, item: object) -> frozenset[str]:
    if not isinstance(item, Event):
        return frozenset()
    named = {attendee.address.casefold() for attendee in item.attendees if attendee.address}
    return frozenset(named - {box.principal.casefold()})


def _send(store: Store, box: Mailbox, to: str, method: str, item: object) -> None:
    assert isinstance(item, Event)
    store.outbox.append(
        Mail(sender=box.principal, to=to, method=method, uid=item.uid, title=item.title)
    )


def _deliver(store: Store, box: Mailbox, address: str, item: object) -> None:
    guest = store.mailboxes.get(address)
    if guest is None or not isinstance(item, Event):
        return
    copy = msgspec.structs.replace(
        item,
        organizer=item.organizer or Person(address=box.principal, name=box.name),
        reminders=(),
        categories=(),
        extras={},
    )
    for entry in [e for e in guest.entries.values() if _is(e, item.uid)]:
        kept = msgspec.structs.replace(
            copy, reminders=_of(entry).reminders, categories=_of(entry).categories
        )
        store.put(guest, msgspec.structs.replace(entry, item=kept), box.principal)
        return
    store.add(guest, DEFAULTS[Kind.EVENT], copy, box.principal)


def _cancel(store: Store, address: str, item: object) -> None:
    guest = store.mailboxes.get(address)
    if guest is None or not isinstance(item, Event):
        return
    for entry in [e for e in guest.entries.values() if _is(e, item.uid)]:
        off = msgspec.structs.replace(_of(entry), status=EventStatus.CANCELLED)
        store.put(guest, msgspec.structs.replace(entry, item=off), "")


def _replied(entry: Entry, address: str, reply: Reply) -> Entry:
    item = _of(entry)
    attendees = tuple(
        msgspec.structs.replace(a, reply=reply) if a.address.casefold() == address.casefold() else a
        for a in item.attendees
    )
    return msgspec.structs.replace(entry, item=msgspec.structs.replace(item, attendees=attendees))


def _is(entry: Entry, uid: str) -> bool:
    return entry.item.uid == uid and entry.folder != TRASH and entry.kind is Kind.EVENT


def _of(entry: Entry) -> Event:
    assert isinstance(entry.item, Event)
    return entry.item
