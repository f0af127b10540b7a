"""A sync that broke off and is resumed (alert 225): what is known of it, and how it goes on.

OMA-TS-DS_Protocol-V1_2, section 6.13. A client that resumes sends only what was not answered; so
whatever it was answered must count, and what may take something away begins anew instead.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from accord.formats.syncml.message import Anchor
from accord.formats.syncml.version import Version
from accord.interface.server.house import Turn
from accord.interface.server.talk import Coming, Mode, StoreTalk, decode
from accord.state.ids import new_id


class Left(Struct, frozen=True):
    """Be a sync as it stood when it broke off; `coming` is the part of an item it had got."""

    store: StoreTalk
    coming: Coming | None = None


def understood(turn: Turn) -> bool:
    """Tell whether there is resuming at all in the version that is spoken."""
    return turn.message.header.version >= Version.V1_2


def left_off(turn: Turn, name: str) -> Left | None:
    """Return how the device's last sync of a store broke off; None where that is not known."""
    who = turn.talk.device, turn.talk.user
    with turn.house.state.read() as tx:
        data = tx.sync_sessions.latest(*who)
    talk = decode(data) if data is not None else None
    store = talk.stores.get(name) if talk is not None else None
    if talk is None or store is None or store.ended or store.failed:
        return None
    coming = talk.coming if talk.coming is not None and talk.coming.store == name else None
    return Left(store, coming)


def goes_on(left: Left | None, anchor: Anchor) -> bool:
    """Tell whether a sync of everything can be gone on with, so that nothing is sent again.

    The anchors were given up when it began: it must be the sync that the device means.
    """
    if left is None or left.store.mode is not Mode.SLOW or not left.store.heard:
        return False
    before = left.store.before
    return not anchor.last or (before is not None and anchor.last == before.client)


def go_on(turn: Turn, left: Left, anchor: Anchor, own_next: str) -> StoreTalk:
    """Return a sync of everything that goes on: with its items, its listing and its cursor."""
    if left.coming is not None:
        turn.talk.coming = left.coming
    return msgspec.structs.replace(
        left.store,
        id=new_id(),
        client_next=anchor.next,
        own_next=own_next,
        queue=None,
        part=None,
        alerted=False,
        heard=False,
        announced=False,
        counts={},
    )
