"""Pages of what a folder holds or what changed, each item read and accounted for.

`session.changes` yields these. The ids of a whole round are gathered first (SyncFolderItems), so
that each is told once, as it stands; the items are read page by page (GetItem), the next page
while somebody works on one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future

from msgspec import Struct

from accord.groupware.exchange.client import Changed, Client
from accord.groupware.exchange.errors import of_folder
from accord.groupware.exchange.kinds import FORMS
from accord.groupware.exchange.reading import Shelf, observe
from accord.model.observe import (
    Completeness,
    Deleted,
    Listing,
    Observation,
    Unchanged,
    Unknown,
)
from accord.ports.adapter import Known
from accord.ports.errors import AccordError, CursorExpired, Retry

SYNC = "sync:"
ROUNDS = 10_000
"""How many answers one round may have before it counts as endless."""

_OTHER = "it holds another kind of item now"


def pages(shelf: Shelf, cursor: str, known: Known) -> Iterator[Listing]:
    """Yield the pages of one pull; the last one carries the cursor to go on from.

    Raises ConfigError where the folder is missing or closed: nothing follows for its items.
    """
    if cursor and not cursor.startswith(SYNC):
        yield Listing(completeness=Completeness.LOST)
        return
    try:
        changes, state = _gather(shelf.client, shelf.folder.place, cursor.removeprefix(SYNC))
    except CursorExpired:
        yield Listing(completeness=Completeness.LOST)
        return
    except AccordError as error:
        raise of_folder(error) from error
    between = Completeness.DELTA if cursor else Completeness.PARTIAL
    final = Completeness.DELTA if cursor else Completeness.COMPLETE
    listed = list(changes.values())
    size = shelf.size
    parts = [listed[at : at + size] for at in range(0, len(listed), size)] or [[]]
    ready = _start(shelf, parts[0], known)
    for following in parts[1:]:
        page, ready = ready, _start(shelf, following, known)
        yield Listing(completeness=between, observations=_read(shelf, page))
    seen = _read(shelf, ready)
    yield Listing(completeness=final, observations=seen, cursor=SYNC + state if state else "")


def _gather(client: Client, place: str, state: str) -> tuple[dict[str, Changed], str]:
    """Return the latest change of each item since a state, and the state behind them all.

    An item named as gone and as there in one round is asked for: the answers' order isn't sure.
    """
    found: dict[str, Changed] = {}
    for _ in range(ROUNDS):
        told = client.sync(place, state)
        for each in told.changes:
            if not each.ref:
                continue
            before = found.get(each.ref)
            gone = each.what == "Delete"
            if before is not None and gone != (before.what == "Delete"):
                found[each.ref] = Changed("Ask", each.ref, "", before.element or each.element)
            elif before is None or not gone:
                found[each.ref] = each
        if told.last:
            return found, told.state
        if not told.state or told.state == state:
            raise Retry("the list of changes doesn't go on", after=60.0, code="incomplete")
        state = told.state
    raise Retry("the list of changes never ends", after=600.0, code="endless")


class _Page(Struct, frozen=True):
    """Be one page on its way: what changed, in which versions we know it, what is being read."""

    part: Sequence[Changed]
    versions: Mapping[str, str]
    reading: Future[dict[str, Observation | None]] | None


def _start(shelf: Shelf, part: Sequence[Changed], known: Known) -> _Page:
    own = FORMS[shelf.kind].element
    versions = known([each.ref for each in part]) if part else {}
    asked = [
        each.ref
        for each in part
        if each.what != "Delete"
        and each.element in ("", own)
        and (not each.version or versions.get(each.ref) != each.version)
    ]
    told = {each.ref: each.version for each in part}
    reading = shelf.client.http.pool.submit(observe, shelf, asked, told) if asked else None
    return _Page(part, versions, reading)


def _read(shelf: Shelf, page: _Page) -> tuple[Observation, ...]:
    own, versions = FORMS[shelf.kind].element, page.versions
    read = page.reading.result() if page.reading is not None else {}
    told: list[Observation] = []
    for each in page.part:
        if each.what == "Delete":
            told.append(Deleted(each.ref))
        elif each.ref in read:
            seen = read[each.ref]
            if seen is not None:
                told.append(seen)
            elif each.ref in versions:
                told.append(Unknown(each.ref, _OTHER, each.version))
        elif each.element in ("", own):
            told.append(Unchanged(each.ref))
        elif each.ref in versions:
            told.append(Unknown(each.ref, _OTHER, each.version))
    return tuple(told)
