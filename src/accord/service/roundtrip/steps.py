"""The steps of one item's round trip: created, read, found by its key, changed, listed, deleted.

`mailbox` runs them; what comes back is compared with what was sent, as far as the traits promise.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from accord.model.diff import changes, diff, normalise, patch
from accord.model.fields import FIELDS
from accord.model.files import files_of
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.observe import Observation, Seen, Snapshot
from accord.model.parts import Attachment
from accord.model.traits import KindTraits
from accord.ports.adapter import Ask, Draft, Outcome, Question, Removal, Revision, Session, Written
from accord.ports.attachments import Attachments
from accord.ports.errors import AccordError, Denied, ItemError
from accord.service.check import Checked
from accord.service.roundtrip.things import Thing

_CONTENT = bytes(range(256)) * 100
_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one point: a server may look whether it is one."""

_LONGEST = 60
"""Characters of a value that are shown."""


class Off(Exception):
    """Something didn't come back as it should; the text says what, `hint` how to mend it."""

    def __init__(self, detail: str, hint: str = "", *, ends: bool = True) -> None:
        """Say whether that `ends` the trip of this item."""
        super().__init__(detail)
        self.hint = hint
        self.ends = ends


class Trip:
    """Be one item on its way: what was sent, and what stands there now."""

    def __init__(
        self, session: Session, folder: str, thing: Thing, key: str, traits: KindTraits, own: bool
    ) -> None:
        """Work in `folder`; `own` says that nothing else is in it."""
        self.session = session
        self.folder = folder
        self.thing = thing
        self.key = key
        self.traits = traits
        self.own = own
        self.writable = traits.fields - traits.readonly
        self.cursor = ""
        self.ref = ""
        self.stands: Snapshot | None = None

    def stored(self, item: Item) -> Item:
        """Return what the traits promise to keep of an item."""
        return normalise(item, msgspec.structs.replace(self.traits, fields=self.writable))

    def read(self) -> Snapshot:
        """Return what is there now."""
        kind = self.thing.kind
        (found,) = self.session.fetch(self.folder, kind, [Ask(ref=self.ref)])
        if not isinstance(found, Seen):
            raise Off(f"it isn't there any more: {_said(found)}")
        return found.snapshot


def steps(trip: Trip, area: str) -> Iterator[Checked]:
    """Yield the steps of one item; one without which the others make no sense is the last.

    Raises what concerns the whole mailbox.
    """
    for name, step in _STEPS.items():
        if not _fits(trip, step):
            continue
        shown = "photo" if step is _attach and trip.thing.kind is Kind.CONTACT else name
        subject = f"{trip.thing.label}: {shown}"
        try:
            detail = step(trip)
        except Off as off:
            yield Checked(area=area, subject=subject, ok=False, detail=str(off), hint=off.hint)
            if off.ends:
                return
        except ItemError as error:
            hint = _RIGHTS if isinstance(error, Denied) else ""
            yield Checked(area=area, subject=subject, ok=False, detail=str(error), hint=hint)
            return
        else:
            yield Checked(area=area, subject=subject, ok=True, detail=detail)


def unseen(area: str, subject: str, error: ItemError, hint: str) -> Checked:
    """Return what is said of a part of the mailbox that can't be looked at.

    Where an account may not, it is no fault: most need no more than the rest.
    """
    closed = isinstance(error, Denied)
    detail = f"not open to this account: {error}" if closed else str(error)
    return Checked(
        area=area, subject=subject, ok=closed, detail=detail, hint=hint if closed else ""
    )


def _fits(trip: Trip, step: Callable[[Trip], str]) -> bool:
    """Tell whether a step can be tried: where others have items, changes are not listed."""
    if step is _attach:
        session = trip.session
        return trip.traits.files and isinstance(session, Attachments) and session.room > 0
    return step is not _listed or trip.own


def _create(trip: Trip) -> str:
    """Create the item, twice under one key."""
    if trip.own:
        trip.cursor = _pull(trip, "")[0]
    draft = Draft(item=trip.thing.item, key=trip.key)
    trip.ref = _done(trip.session.create(trip.folder, trip.thing.kind, [draft])).ref
    again = _done(trip.session.create(trip.folder, trip.thing.kind, [draft])).ref
    if again != trip.ref:
        raise Off("the same create, sent again, made a second one")
    return "made once, although sent twice"


def _read(trip: Trip) -> str:
    trip.stands = trip.read()
    wanted = trip.stored(trip.thing.item)
    return _compared(wanted, trip.stands.item, trip.writable)


def _look_up(trip: Trip) -> str:
    question = Question(key=trip.key)
    (found,) = trip.session.lookup(trip.folder, trip.thing.kind, [question])
    refs = [each.ref for each in found]
    if refs != [trip.ref]:
        told = f"{len(refs)} items carry it" if refs else "it isn't found by it"
        hint = "without it an interrupted write may be done twice; see the server's search index"
        raise Off(told, hint, ends=False)
    return ""


def _change(trip: Trip) -> str:
    assert trip.stands is not None
    before = trip.stands
    after = patch(before.item, _within(trip))
    changed = diff(before.item, after, trip.writable)
    revision = Revision(
        ref=before.ref, version=before.version, before=before.item, after=after, changed=changed
    )
    _done(trip.session.update(trip.folder, trip.thing.kind, [revision]))
    trip.stands = trip.read()
    return _compared(after, trip.stands.item, trip.writable)


def _attach(trip: Trip) -> str:
    """Hang a file on the item, or give a contact a photo; read it, and take it off again."""
    photo = trip.thing.kind is Kind.CONTACT
    content = _PICTURE if photo else _CONTENT
    session, place = trip.session, (trip.folder, trip.thing.kind, trip.ref)
    assert isinstance(session, Attachments)
    file = Attachment(
        name="photo" if photo else "Größe & Maß.txt",
        media_type="image/png" if photo else "text/plain",
        size=len(content),
        digest=hashlib.sha256(content).hexdigest(),
    )
    session.attach(*place, file, io.BytesIO(content))
    held = files_of(trip.read().item)
    if len(held) != 1 or not (photo or held[0].name == file.name):
        raise Off(f"it isn't there: {', '.join(each.name for each in held) or 'no file'}")
    if b"".join(session.open_file(*place, held[0].uri)) != content:
        raise Off("its content came back otherwise")
    session.detach(*place, held[0].uri)
    trip.stands = trip.read()
    if files_of(trip.stands.item):
        raise Off("it can't be taken off again", ends=False)
    return "hung on, read and taken off"


def _listed(trip: Trip) -> str:
    """Find the item among the changes since before it was made."""
    _, seen = _pull(trip, trip.cursor)
    if trip.ref not in seen:
        hint = "changes that people make would be found by complete visits only"
        raise Off("the folder doesn't name it among its changes", hint, ends=False)
    return ""


def _delete(trip: Trip) -> str:
    assert trip.stands is not None
    removal = Removal(ref=trip.ref, version=trip.stands.version)
    _done(trip.session.delete(trip.folder, trip.thing.kind, [removal]))
    (found,) = trip.session.fetch(trip.folder, trip.thing.kind, [Ask(ref=trip.ref)])
    if isinstance(found, Seen):
        raise Off("it is still there")
    return "it lies in the trash" if trip.traits.trash else ""


_STEPS: dict[str, Callable[[Trip], str]] = {
    "create": _create,
    "read back": _read,
    "look up by key": _look_up,
    "change": _change,
    "attachment": _attach,
    "list changes": _listed,
    "delete": _delete,
}
_RIGHTS = "give the account the right to write into this mailbox"
_KEPT = (
    "the server keeps these otherwise: leave them out of the rules for this target, "
    "or write to the makers"
)


def _within(trip: Trip) -> dict[str, Any]:
    """Return what is changed, as far as it can be written."""
    return {name: each for name, each in trip.thing.changed.items() if name in trip.writable}


def _pull(trip: Trip, cursor: str) -> tuple[str, set[str]]:
    """Return where the folder's changes end, and the refs that were seen on the way."""
    seen: set[str] = set()
    for page in trip.session.changes(trip.folder, trip.thing.kind, cursor, lambda _refs: {}):
        seen |= {each.ref for each in page.observations if isinstance(each, Seen)}
        cursor = page.cursor
    return cursor, seen


def _compared(wanted: Item, found: Item, fields: frozenset[str]) -> str:
    differences = changes(wanted, found, fields)
    if differences:
        table = FIELDS[kind_of(wanted)]
        told = [
            f"{table[each.field].label}: sent {_short(each.before)}, there is {_short(each.after)}"
            for each in differences
        ]
        raise Off("; ".join(told), _KEPT, ends=False)
    return f"all {len(fields)} fields as sent"


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _done(outcomes: list[Outcome]) -> Written:
    (outcome,) = outcomes
    if isinstance(outcome, AccordError):
        raise outcome
    return outcome


def _said(found: Observation) -> str:
    return getattr(found, "why", "") or type(found).__name__.casefold()
