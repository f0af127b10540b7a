"""A pull: one page of what changed per request, as much of it with contents as the message holds.

Of the rest only versions are told, and the connector asks for what it doesn't have. A page begins
where the cursor of the last one stands, so that any process can answer the next request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.message import Anchor, Command, Item, Location, Meta
from accord.formats.syncml.status import StatusCode
from accord.formats.wire import Told
from accord.interface.connector import room
from accord.interface.connector.places import Place, find
from accord.interface.connector.refusing import refuse, status_of
from accord.interface.server.house import Turn
from accord.model.canonical import InvalidItem
from accord.model.observe import Completeness, Deleted, Listing, Observation, Seen
from accord.ports.errors import AccordError, Rejected
from accord.ports.token import CONNECTOR

_AT = "accord:page:"
"""Begins the cursor of a page of a full pull where the CRM has none of its own."""

_SLICE = 50


def pull(turn: Turn, command: m.Alert) -> None:
    """Answer with the page that follows the cursor which the alert names as its last anchor."""
    wanted = command.items[0] if command.items else Item()
    uri = wanted.target.uri if wanted.target else ""
    try:
        place = find(uri, turn.house.crm.traits)
        if place is None or turn.talk.user == CONNECTOR:
            status_of(turn, command.cmd_id, "Alert", StatusCode.NOT_FOUND)
            return
        last = wanted.meta.anchor.last if wanted.meta and wanted.meta.anchor else None
        page, more = next_page(turn, place, wire.unname(last) if last else "")
    except InvalidItem as error:
        refuse(turn, command.cmd_id, "Alert", Rejected(str(error)), uri[:100])
        return
    except AccordError as error:
        refuse(turn, command.cmd_id, "Alert", error, uri[:100])
        return
    lost = page.completeness is Completeness.LOST
    code = StatusCode.REFRESH_REQUIRED if lost else StatusCode.OK
    status_of(turn, command.cmd_id, "Alert", code)
    if not lost:
        sync = _tell(turn, place, page, command.cmd_id, brief="brief" in place.more)
        assert turn.talk.connector is not None
        turn.talk.connector.stays = more
        # The mark says, too, that the connector should ask for what follows.
        mark = f"{page.completeness}+" if more else str(page.completeness)
        meta = Meta(mark=mark, anchor=Anchor(next=wire.name(page.cursor)))
        turn.reply.owe(msgspec.structs.replace(sync, meta=meta))


def next_page(turn: Turn, place: Place, cursor: str) -> tuple[Listing, bool]:
    """Return the page behind a cursor, and whether another may follow, which has a cursor then.

    A CRM that gives the pages of a full pull no cursor is read again from the beginning, as long
    as what was sent of it still stands; otherwise the pull is lost.
    """
    number, digest = _position(cursor)
    pages = turn.crm.changes(place.folder, place.kind, "" if number else cursor, lambda _: {})
    chain = hashlib.sha256()
    for page in islice(pages, number):
        _link(chain, page.observations)
    first = next(pages, None)
    if first is None or (number and chain.hexdigest() != digest):
        return Listing(completeness=Completeness.LOST), False
    if first.completeness is Completeness.PARTIAL and not first.cursor:
        _link(chain, first.observations)
        at = f"{_AT}{number + 1}:{chain.hexdigest()}"
        return msgspec.structs.replace(first, cursor=at), True
    return _joined(first, pages, turn.house.crm.traits.page)


def _joined(page: Listing, pages: Iterator[Listing], most: int) -> tuple[Listing, bool]:
    """Return a page with the small ones that follow, and whether more may follow."""
    while page.completeness in (Completeness.DELTA, Completeness.PARTIAL):
        if len(page.observations) >= most:
            return page, True
        following = next(pages, None)
        if following is None:
            return page, False
        if len(page.observations) + len(following.observations) > most or not following.cursor:
            return page, True
        # What changed between two pages moved to the later one.
        again = {one.ref for one in following.observations}
        before = tuple(one for one in page.observations if one.ref not in again)
        page = msgspec.structs.replace(following, observations=before + following.observations)
    return page, False


def _position(cursor: str) -> tuple[int, str]:
    if not cursor.startswith(_AT):
        return 0, ""
    number, _, digest = cursor.removeprefix(_AT).partition(":")
    return (int(number), digest) if number.isascii() and number.isdigit() else (0, "")


def _link(chain: hashlib._Hash, seen: Sequence[Observation]) -> None:
    for one in seen:
        chain.update(wire.encode([one.ref, wire.tell(one, brief=True).version]).encode())


def _tell(turn: Turn, place: Place, page: Listing, alert: str, *, brief: bool) -> m.Sync:
    """Say in Results what of a page is no content; return the Sync that ends it."""
    reply = turn.reply
    room_for_deleted = reply.limit // 2
    others: list[Observation] = []
    deleted: list[Deleted] = []
    seen: list[Seen] = []
    for one in page.observations:
        match one:
            case Seen():
                seen.append(one)
            case Deleted(erased=False) if len(deleted) < 2 * _SLICE and room_for_deleted > 0:
                room_for_deleted -= room.cost(one.ref, wire.tell(one))
                deleted.append(one)
            case _:
                others.append(one)
    fitted = reply.settle()
    left = reply.left if fitted else 0
    whole, bare = _fit(seen, others, deleted, left, brief=brief)
    short = [(one.ref, wire.tell(one)) for one in others]
    short += [(one.ref, wire.tell(one, brief=True)) for one in bare]
    for some in _slices(short, reply.limit // 2):
        reply.owe(
            m.Results(
                cmd_id="1",
                msg_ref=turn.message.header.msg_id,
                cmd_ref=alert,
                source_ref=place.store,
                items=tuple(room.item(ref, told) for ref, told in some),
            )
        )
    return _sync(place, page, whole, deleted)


def _slices(short: Sequence[tuple[str, Told]], most: int) -> Iterator[list[tuple[str, Told]]]:
    """Divide what is told so that each part fits into a message of its own."""
    some: list[tuple[str, Told]] = []
    taken = 0
    for one in short:
        cost = room.cost(*one)
        if some and (taken + cost > most or len(some) == _SLICE):
            yield some
            some, taken = [], 0
        some.append(one)
        taken += cost
    if some:
        yield some


def _fit(
    seen: Sequence[Seen],
    others: Sequence[Observation],
    deleted: Sequence[Deleted],
    left: int,
    *,
    brief: bool,
) -> tuple[list[Seen], list[Seen]]:
    """Return which items go with their contents, and of which only the version is told."""
    if brief:
        return [], list(seen)
    costs = [room.cost(one.ref, wire.tell(one, brief=True)) for one in seen]
    taken = sum(costs) + room.COMMAND * (3 + len(seen) // _SLICE + len(others) // _SLICE)
    taken += sum(room.cost(one.ref, wire.tell(one)) for one in (*others, *deleted))
    whole: list[Seen] = []
    for one, cost in zip(seen, costs, strict=True):
        more = room.cost(one.ref, wire.tell(one)) - cost
        if taken + more > left:
            break
        taken += more
        whole.append(one)
    return whole, list(seen[len(whole) :])


def _sync(place: Place, page: Listing, whole: Sequence[Seen], deleted: Sequence[Deleted]) -> m.Sync:
    commands: list[Command] = []
    if whole:
        items = tuple(room.item(one.ref, wire.tell(one)) for one in whole)
        commands.append(m.Replace(cmd_id="1", no_resp=True, meta=Meta(type=wire.TYPE), items=items))
    if deleted:
        gone = tuple(Item(source=Location(wire.name(one.ref))) for one in deleted)
        commands.append(m.Delete(cmd_id="2", no_resp=True, items=gone))
    return m.Sync(
        cmd_id="1",
        no_resp=True,
        target=Location(place.store),
        source=Location(place.store),
        number_of_changes=len(page.observations),
        commands=tuple(commands),
    )
