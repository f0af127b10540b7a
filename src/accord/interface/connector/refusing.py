"""How errors of the port are told to a connector, and what of it the log of syncs keeps."""

from __future__ import annotations

import logging

from accord.formats import wire
from accord.formats.syncml.message import Item, Location, Meta
from accord.formats.syncml.status import StatusCode
from accord.interface.server.house import Turn
from accord.ports import errors
from accord.state.sync_sessions import SyncNote

_log = logging.getLogger("accord.interface")

_DEVICE = "connector"

CODES: tuple[tuple[type[errors.AccordError], StatusCode], ...] = (
    (errors.Stale, StatusCode.CONFLICT),
    (errors.Gone, StatusCode.GONE),
    (errors.Denied, StatusCode.FORBIDDEN),
    (errors.ItemError, StatusCode.PROCESSING_ERROR),
    (errors.Retry, StatusCode.RETRY_LATER),
    (errors.AuthFailed, StatusCode.PERMISSION_DENIED),
    (errors.CursorExpired, StatusCode.REFRESH_REQUIRED),
    (errors.AccordError, StatusCode.DATA_STORE_FAILURE),
)
"""The status that stands for each error; its text comes with it."""


def code_of(error: errors.AccordError) -> StatusCode:
    """Return the status that stands for an error."""
    return next(code for made, code in CODES if isinstance(error, made))


def status_of(
    turn: Turn,
    to: str,
    name: str,
    code: StatusCode,
    *,
    ref: str = "",
    version: str = "",
    text: str | None = None,
) -> None:
    """Answer a command, with an outcome where there is one."""
    items: tuple[Item, ...] = ()
    if text is not None:
        source = Location(wire.name(ref)) if ref else None
        meta = Meta(type=wire.TYPE, version=wire.name(version) if version else None)
        items = (Item(source=source, meta=meta, data=text),)
    turn.reply.status(to, name, code, items=items)


def refuse(turn: Turn, to: str, name: str, error: errors.AccordError, where: str) -> None:
    """Answer that a command as a whole can't be done, and keep in the log what was refused."""
    status_of(turn, to, name, code_of(error), text=wire.outcome(error))
    if isinstance(error, errors.ItemError | errors.AuthFailed | errors.ConfigError):
        note(turn, where, "refused", str(error))


def note(turn: Turn, store: str, what: str, why: str, *, ref: str = "", luid: str = "") -> None:
    """Put into the log of syncs that something was refused."""
    _log.info("interface.refused", extra={"user": turn.talk.user, "store": store, "ref": ref})
    line = count(turn, store, {what: 1})
    kept = SyncNote(what=what, ref=ref[:200], luid=luid, why=why)
    turn.house.state.run(lambda tx: tx.sync_log.note([(line, kept)]))


def count(turn: Turn, store: str, counts: dict[str, int]) -> str:
    """Add to the line of the log that a store of this user has today; return its id.

    A connector comes all day long: a line for each conversation would bury those of devices.
    """
    return turn.daily(store, counts, device=_DEVICE, mode="connector", end="done")
