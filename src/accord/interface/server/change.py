"""One change that a device asks for, on its way: what is known of it, and why it was refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from accord.formats.syncml.message import Command
from accord.formats.syncml.status import StatusCode
from accord.interface.server.house import Turn
from accord.interface.server.talk import StoreTalk
from accord.model.item import Item
from accord.model.observe import Observation
from accord.ports import errors
from accord.ports.adapter import Draft, Removal, Revision, Written
from accord.ports.errors import AccordError
from accord.ports.fault import Fault, contained
from accord.state.device_items import DeviceItem
from accord.state.ids import new_id


class Op(Struct):
    """Be one change that a device asks for, and what became of it.

    `code` is its status once it is known, `ref` the item of the CRM, `row` what the device has.
    `why` tells of a refusal more than its code; `noted` one that is in the log already. `again`
    says that what was made of it before, if anything, is another item by now. `base` is what device
    and CRM last had both, where the CRM's was changed since; `agreed` what both have now.
    """

    command: Command
    luid: str
    data: str | bytes = ""
    type: str = ""
    delete: bool = False
    code: StatusCode | None = None
    why: str = ""
    noted: bool = False
    item: Item | None = None
    digest: str = ""
    row: DeviceItem | None = None
    ref: str = ""
    matched: bool = False
    again: bool = False
    now: Observation | None = None
    write: Draft | Revision | Removal | None = None
    success: StatusCode = StatusCode.OK
    resend: bool = False
    keep: DeviceItem | None = None
    base: Item | None = None
    agreed: Item | None = None


def key_of(turn: Turn, store: StoreTalk, op: Op) -> str:
    """Return under which key an item is created.

    The same until this sync is done, so that a broken one creates nothing twice; another one for
    other content, since devices give their names again.
    """
    before = store.before.own if store.before else ""
    who = turn.talk.user, turn.talk.device, store.name
    names = (*who, op.luid, before, op.digest, new_id() * op.again)
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "replace")).hexdigest()[:32]
    return f"syncml-{digest}"


def guid(ref: str) -> str:
    """Return the name under which an item is offered: short, whatever refs a CRM has."""
    if len(ref) <= 40 and ref.isascii() and ref.isprintable() and " " not in ref:
        return ref
    return "~" + hashlib.sha256(ref.encode("utf-8", "replace")).hexdigest()[:32]


@contextmanager
def keep_to(op: Op, turn: Turn, store: StoreTalk) -> Iterator[None]:
    """Keep a fault to the one item that met it: it gets 500, and the others go on."""
    try:
        yield
    except AccordError:
        raise
    except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
        refuse(op, contained(error, f"{turn.where(store)}: {op.luid} of the device"))
        op.write = op.keep = None


def refuse(op: Op, error: Written | AccordError) -> None:
    """Give a change the code for what the CRM, or a fault, said to it."""
    op.why = str(error)
    match error:
        case errors.Denied():
            op.code = StatusCode.FORBIDDEN
        case errors.Rejected():
            op.code = StatusCode.BAD_REQUEST
        case errors.Gone():
            op.code = StatusCode.NOT_FOUND
        case Fault():
            op.code = StatusCode.COMMAND_FAILED
        case _:
            op.code = StatusCode.PROCESSING_ERROR
