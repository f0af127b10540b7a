"""What a session writes: batches in as few messages as they fit into, each item with its outcome.

An item that is larger than a message goes in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from accord.crm.syncml.errors import of_item
from accord.crm.syncml.reading import address
from accord.crm.syncml.talk import Talk, outcome_text
from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.message import Command, Item, Location, Meta
from accord.formats.syncml.status import StatusCode
from accord.model.canonical import InvalidItem
from accord.model.kinds import Kind
from accord.ports.adapter import Draft, Mark, Outcome, Removal, Revision
from accord.ports.errors import ItemError, Rejected, Retry

_ENVELOPE = 600
"""Bytes around the text and the names of an item, at most."""

Wrap: TypeAlias = Callable[[Sequence[Command]], Command]
_JSON = Meta(type=wire.TYPE)


class Op(Struct, frozen=True):
    """Be one write: its command with everything but the text."""

    command: m.Add | m.Replace | m.Delete | m.Exec
    text: str
    names: int

    @property
    def size(self) -> int:
        """Return how many bytes it takes at most."""
        return _ENVELOPE + 5 * self.names + wire.weight(self.text)

    def whole(self) -> Command:
        """Return the command with all of the text."""
        item = msgspec.structs.replace(self.command.items[0], data=self.text or None)
        return msgspec.structs.replace(self.command, items=(item,))

    def parts(self, room: int) -> Iterator[Command]:
        """Yield the command with one part of the text after the other."""
        at, total = 0, len(self.text.encode())
        while at < len(self.text):
            text = wire.piece(self.text, at, room - _ENVELOPE - 5 * self.names)
            item = self.command.items[0]
            meta = item.meta or Meta()
            if at == 0:
                meta = msgspec.structs.replace(meta, size=total)
            at += len(text)
            item = msgspec.structs.replace(
                item, meta=meta, data=text, more_data=at < len(self.text)
            )
            yield msgspec.structs.replace(self.command, items=(item,))


def create(draft: Draft) -> Op:
    """Return the write that creates an item under its key."""
    name = wire.name(draft.key)
    item = Item(source=Location(name))
    return Op(m.Add(cmd_id="1", meta=_JSON, items=(item,)), wire.new_item(draft), len(name))


def update(revision: Revision) -> Op:
    """Return the write that changes an item in the version that must stand."""
    item, names = _versioned(revision.ref, revision.version)
    return Op(m.Replace(cmd_id="1", meta=_JSON, items=(item,)), wire.edit(revision), names)


def delete(removal: Removal) -> Op:
    """Return the write that deletes an item in the version that must stand."""
    item, names = _versioned(removal.ref, removal.version)
    text = wire.wish(notify=removal.notify) or ""
    return Op(m.Delete(cmd_id="1", meta=_JSON, items=(item,)), text, names)


def mark(mark: Mark, kind: Kind, folder: str) -> Op:
    """Return the write that stores the other side's id."""
    return execute(address(kind, folder, mark.ref, do="mark"), wire.wish(marker=mark.marker) or "")


def restore(ref: str, kind: Kind, folder: str) -> Op:
    """Return the write that brings an item back."""
    return execute(address(kind, folder, ref, do="restore"), "")


def push(talk: Talk, ops: Sequence[Op], wrap: Wrap | None) -> list[Outcome]:
    """Make writes and return their outcomes in order; `wrap` puts changes into a Sync.

    Raises what concerns more than single items.
    """
    outcomes: list[Outcome] = []
    for some in _messages(talk, ops):
        if len(some) == 1 and some[0].size > talk.room:
            outcomes.append(_push_parts(talk, some[0], wrap))
            continue
        commands = [op.whole() for op in some]
        heard = talk.ask(*([wrap(commands)] if wrap else commands))
        outcomes += [_outcome(status) for status in heard.statuses]
    return outcomes


def sync(kind: Kind, folder: str) -> Wrap:
    """Return how changes of a store are wrapped up."""

    def wrap(commands: Sequence[Command]) -> Command:
        target, source = Location(address(kind, folder)), Location(f"item/{kind}")
        number = len(commands)
        return m.Sync(
            cmd_id="1",
            target=target,
            source=source,
            number_of_changes=number,
            commands=tuple(commands),
        )

    return wrap


def _messages(talk: Talk, ops: Sequence[Op]) -> Iterator[list[Op]]:
    some: list[Op] = []
    left = talk.room
    for op in ops:
        if some and op.size > left:
            yield some
            some, left = [], talk.room
        some.append(op)
        left -= op.size
    if some:
        yield some


def _push_parts(talk: Talk, op: Op, wrap: Wrap | None) -> Outcome:
    size, most = len(op.text.encode()), talk.link.biggest
    if size > most:
        why = f"its {size:,} bytes are more than CRM.interface takes ({most:,})"
        return Rejected(why, code="too-large")
    status = None
    for command in op.parts(talk.room):
        (status,) = talk.ask(wrap([command]) if wrap else command).statuses
        code = status.code if status else 0
        if code != StatusCode.CHUNKED_ITEM_ACCEPTED_AND_BUFFERED:
            break
    return _outcome(status)


def _outcome(status: m.Status | None) -> Outcome:
    if status is None:
        raise Retry("CRM.interface says nothing about a write", after=5.0, code="silent")
    text = outcome_text(status)
    if status.code < StatusCode.MULTIPLE_CHOICES:
        try:
            return wire.written(text)
        except InvalidItem as error:
            raise Retry(f"CRM.interface says what isn't understood: {error}") from error
    refused = of_item(status.code, text, "the write")
    if isinstance(refused, ItemError):
        return refused
    raise refused


def _versioned(ref: str, version: str) -> tuple[Item, int]:
    name, stands = wire.name(ref), wire.name(version)
    return Item(target=Location(name), meta=Meta(version=stands)), len(name) + len(stands)


def execute(uri: str, text: str) -> Op:
    """Return the write that does something else with the item that an address names."""
    item = Item(target=Location(uri))
    return Op(m.Exec(cmd_id="1", meta=_JSON, items=(item,)), text, len(uri))
