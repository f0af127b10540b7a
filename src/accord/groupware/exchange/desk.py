"""What all writes share: where they happen, what they answer, and reading back what was made.

`create` and `write` use it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from accord.groupware.exchange.client import id_of
from accord.groupware.exchange.reading import Loaded, Shelf, concerns_all, load, snapshots
from accord.groupware.exchange.wire import Message
from accord.model.observe import Snapshot
from accord.ports.adapter import Outcome, Written
from accord.ports.errors import AccordError, Denied, Rejected, item_error

T = TypeVar("T")
R = TypeVar("R")


class Desk(Struct, frozen=True):
    """Be where one batch is written: a shelf, whose, and how many items fit into a request."""

    shelf: Shelf
    principal: str
    batch: int


class Begun(Struct, frozen=True):
    """Be a series whose occurrences are still to be written; none means: find out which."""

    ref: str
    changes: Sequence[Any] = ()


class Sent(Struct, frozen=True):
    """Be a write that succeeded; what stands there is still to be read."""

    ref: str
    version: str


Answer = Written | Sent | Begun | AccordError


def groups(
    desk: Desk,
    things: Sequence[T],
    notify: Callable[[T], bool] = lambda each: each.notify,  # type: ignore[attr-defined]
) -> list[list[T]]:
    """Return what goes into one request each: alike in whether it mails, and not too many."""
    groups: list[list[T]] = []
    for wanted in (False, True):
        some = [each for each in things if notify(each) is wanted]
        groups += [some[at : at + desk.batch] for at in range(0, len(some), desk.batch)]
    return groups


def side_by_side(desk: Desk, parts: Sequence[T], act: Callable[[T], R]) -> list[R]:
    """Do parts at once, as far as connections go; return what each gave, in order.

    What stops the session is raised when all that had begun are over; the rest don't begin.
    """
    if len(parts) < 2:
        return [act(each) for each in parts]
    stops: list[Exception] = []

    def one(part: T) -> tuple[R, ...]:
        if stops:
            return ()
        try:
            return (act(part),)
        except Exception as error:  # noqa: BLE001 (it is raised below)
            stops.append(error)
            return ()

    told = list(desk.shelf.client.http.pool.map(one, parts))
    if stops:
        raise stops[0]
    return [each for some in told for each in some]


def check_writable(desk: Desk) -> None:
    """Raise Denied where this account may only read."""
    if not desk.shelf.folder.writable:
        raise closed(desk)


def closed(desk: Desk) -> Denied:
    """Return that this account may only read here."""
    return Denied(f"{desk.shelf.folder.name}: this account may only read here", code="read-only")


def sent(message: Message, ref: str = "") -> Answer:
    """Return what an answer to a write says of one item."""
    if message.error is not None:
        return message.error
    item = next(iter(message.all("Items", "*")), None)
    made, version = ("", "") if item is None else id_of(item)
    if not (made or ref):
        return Rejected("the server made it without telling its id", code="no-id")
    return Sent(ref or made, version)


def standing(there: Loaded, seen: Snapshot | AccordError) -> Written:
    """Return an item as it stands, as the outcome of a write that found it so."""
    snapshot = seen if isinstance(seen, Snapshot) else None
    return Written(ref=there.ref, version=there.version, snapshot=snapshot)


def read_back(desk: Desk, answers: Sequence[Answer]) -> list[Outcome]:
    """Read what the server made of what was sent, in as few requests as possible."""
    refs = [each.ref for each in answers if isinstance(each, Sent)]
    read: dict[str, Snapshot | AccordError] = {}
    try:
        loaded = load(desk.shelf, refs)
        read = snapshots(desk.shelf, loaded)
    except AccordError:  # the writes are done, whatever became of reading
        loaded = {}
    return outcomes([_completed(each, read) for each in answers])


def _completed(answer: Answer, read: dict[str, Snapshot | AccordError]) -> Answer:
    """Return a write with what was read just after it.

    Where the server didn't tell the version it made, no version read later is known to be it.
    """
    if not isinstance(answer, Sent):
        return answer
    found = read.get(answer.ref)
    snapshot = found if isinstance(found, Snapshot) else None
    return Written(ref=answer.ref, version=answer.version, snapshot=snapshot)


def outcomes(answers: Sequence[Answer]) -> list[Outcome]:
    """Return one outcome for each; what concerns the whole mailbox is raised in the end."""
    told: list[Outcome] = []
    for each in answers:
        if isinstance(each, AccordError):
            if concerns_all(each):
                raise each
            told.append(item_error(each))
        else:
            assert isinstance(each, Written)
            told.append(each)
    return told
