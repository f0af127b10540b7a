"""What became of items, and which ones carry a key, marker or uid; also outside their folder.

`session.fetch` and `session.lookup` answer from here. A tombstone is a question: what is not
in its place is looked for in the person's other folders and in Deleted Items.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from accord.groupware.exchange import wire
from accord.groupware.exchange.client import (
    KEY,
    MARKER,
    UID,
    UNFINISHED,
    Shape,
    any_of,
    equals,
    field,
    id_of,
    kept,
    own,
    tagged,
)
from accord.groupware.exchange.folders import Found, Place
from accord.groupware.exchange.kinds import FORMS
from accord.groupware.exchange.reading import (
    BY_KEY,
    SEARCH_KEY,
    Shelf,
    concerns_all,
    load,
    observe,
    snapshots,
)
from accord.groupware.exchange.wire import Node, t
from accord.model.kinds import Kind
from accord.model.observe import Deleted, Denied, Moved, Observation, Snapshot, Unknown
from accord.ports.adapter import Ask, Question
from accord.ports.errors import AccordError

TERMS = 50
"""How many values one search looks for: long restrictions are refused."""

_TOO_LONG = frozenset({"ErrorRestrictionTooLong", "ErrorRestrictionTooComplex"})

_UNSEARCHABLE = frozenset(
    {"ErrorUnsupportedPathForQuery", "ErrorInvalidRestriction", "ErrorUnsupportedQueryFilter"}
)


class Sought(Struct, frozen=True):
    """Be one thing to search for: a property's name and the value it must have."""

    name: str
    value: str


def fetch(shelf: Shelf, look: Callable[[], Place], asks: Sequence[Ask]) -> list[Observation]:
    """Say what each ref holds now, in order; what is missing is looked for elsewhere.

    `look` finds out which folders there are at this moment: it may have gone into a new one.
    """
    found: dict[str, Observation] = {}
    missing: dict[str, Ask] = {}
    for ref, seen in observe(shelf, [ask.ref for ask in asks]).items():
        found[ref] = seen or Unknown(ref, "it holds another kind of item now")
    for ask in asks:
        if isinstance(found[ask.ref], Deleted):
            missing[ask.ref] = ask
    if missing:
        found |= _missing(shelf, look, list(missing.values()))
    return [found[ask.ref] for ask in asks]


def lookup(shelf: Shelf, questions: Sequence[Question]) -> list[tuple[Snapshot, ...]]:
    """Return for each question, in order, the readable items in the folder that answer it."""
    sought = [each for question in questions for each in _of(question)]
    hits = search(shelf, shelf.folder, sought)
    refs = list(dict.fromkeys(ref for some in hits.values() for ref in some))
    read = snapshots(shelf, load(shelf, refs))
    answers: list[tuple[Snapshot, ...]] = []
    for question in questions:
        named = dict.fromkeys(ref for each in _of(question) for ref in hits[each])
        seen = [read.get(ref) for ref in named]
        answers.append(tuple(each for each in seen if isinstance(each, Snapshot)))
    return answers


def search(
    shelf: Shelf, folder: Found, sought: Iterable[Sought], *, whole: bool | None = None
) -> dict[Sought, list[str]]:
    """Return the refs of a folder's items that have each value; raises what refuses to search.

    What the server finds is looked at again: it compares without regard to capitals. With `whole`
    only those whose occurrences are all written, or only those others.
    """
    once = list(dict.fromkeys(sought))
    hits: dict[Sought, list[str]] = {each: [] for each in once}
    for start in range(0, len(once), TERMS):
        some = once[start : start + TERMS]
        for item in _found_in_parts(shelf, folder, some):
            if wire.local(item) != FORMS[shelf.kind].element:
                continue
            if whole is not None and whole is bool(kept(item, UNFINISHED)):
                continue
            held = _values(item)
            for each in some:
                if each.value in held[each.name]:
                    hits[each].append(id_of(item)[0])
    return hits


def _found_in_parts(shelf: Shelf, folder: Found, sought: Sequence[Sought]) -> list[Node]:
    """Search, in halves where the server takes no restriction as long as this."""
    try:
        return _found(shelf, folder, sought)
    except AccordError as error:
        if error.code not in _TOO_LONG or len(sought) == 1:
            raise
    middle = len(sought) // 2
    halves = (sought[:middle], sought[middle:])
    return [item for half in halves for item in _found_in_parts(shelf, folder, half)]


def _found(shelf: Shelf, folder: Found, sought: Sequence[Sought]) -> list[Node]:
    shape = Shape(_SEARCHED[shelf.kind])
    for by_uid in (True, False):
        terms = [term for each in sought for term in _terms(shelf.kind, each, by_uid=by_uid)]
        try:
            return shelf.client.find(folder.place, any_of(terms), shape)
        except AccordError as error:
            if error.code not in _UNSEARCHABLE or not by_uid:
                raise
    raise AssertionError  # the second search returns or raises


def _terms(kind: Kind, sought: Sought, *, by_uid: bool) -> list[Node]:
    if sought.name != UID:
        return [equals(own(sought.name), sought.value)]
    if kind is Kind.EVENT:
        # Some servers can't search by the first, and don't keep the second for what they import.
        direct = [equals(field("calendar:UID"), sought.value)] if by_uid else []
        ids = base64.b64encode(_global_id(sought.value)).decode()
        return [*direct, equals(_GLOBAL_ID, ids)]
    if sought.value.startswith(BY_KEY):
        return [equals(_SEARCH_KEY, sought.value.removeprefix(BY_KEY))]
    return [equals(own(UID), sought.value)]


def _values(item: Node) -> dict[str, tuple[str, ...]]:
    """Return what an item found has in each property that is searched for."""
    key = tagged(item, SEARCH_KEY)
    uids = (wire.text_at(item, "UID"), kept(item, UID), BY_KEY + key if key else "")
    return {KEY: (kept(item, KEY),), MARKER: (kept(item, MARKER),), UID: uids}


def _of(question: Question | Ask) -> list[Sought]:
    pairs = [(UID, question.uid), (MARKER, question.marker)]
    if isinstance(question, Question):
        pairs.insert(0, (KEY, question.key))
    return [Sought(name, value) for name, value in pairs if value]


def _missing(
    shelf: Shelf, look: Callable[[], Place], missing: Sequence[Ask]
) -> dict[str, Observation]:
    """Say what became of refs that aren't there; with the folder gone nothing follows."""
    (answer,) = shelf.client.get_folders([shelf.folder.place], [])
    if answer.error is not None:
        if concerns_all(answer.error) and answer.error.code != "ErrorFolderNotFound":
            raise answer.error
        return {ask.ref: Denied(ask.ref, str(answer.error)) for ask in missing}
    answers, refused = _elsewhere(shelf, look(), missing)
    for ask in missing:
        if ask.ref not in answers:
            answers[ask.ref] = Denied(ask.ref, refused) if refused else Deleted(ask.ref)
    return answers


def _elsewhere(
    shelf: Shelf, place: Place, missing: Sequence[Ask]
) -> tuple[dict[str, Observation], str]:
    """Look for items by uid and marker in all folders of their kind, the trash last.

    Returns what was found, and why not everything could be looked at.
    """
    answers: dict[str, Observation] = {}
    refused = "" if place.whole else "not all of the person's folders can be looked at"
    open_asks = {ask.ref: ask for ask in missing if ask.uid or ask.marker}
    for folder in _places(shelf, place):
        if not open_asks:
            break
        try:
            sought = [one for ask in open_asks.values() for one in _of(ask)]
            # What a create left half is nowhere yet: the create is tried again.
            hits = search(shelf, folder, sought, whole=True)
        except AccordError as error:
            if concerns_all(error) and error.code != "ErrorFolderNotFound":
                raise
            # A closed folder can't prove that the item isn't in it.
            refused = str(error)
            continue
        for ref, ask in list(open_asks.items()):
            found = [hit for one in _of(ask) for hit in hits[one] if hit != ref]
            if found:
                answers[ref] = Moved(ref, folder.ref, found[0], trash=folder.trash)
                del open_asks[ref]
    return answers, refused


def _places(shelf: Shelf, place: Place) -> list[Found]:
    """Return the folders to look in: the own one, others of the kind, all of Deleted Items."""
    live = [each for each in place.holding(shelf.kind) if not each.trash]
    live.sort(key=lambda each: each.place != shelf.folder.place)
    trash = [each for each in place.found if each.trash]
    return [*live, *trash]


def _global_id(uid: str) -> bytes:
    """Return the global object id of a uid ([MS-OXCICAL] 2.1.3.1.1.20.26, [MS-OXOCAL] 2.2.1.27)."""
    if uid.upper().startswith(_ARRAY.hex().upper()):
        try:
            return bytes.fromhex(uid)
        except ValueError:
            pass
    data = b"vCal-Uid\x01\x00\x00\x00" + uid.encode() + b"\x00"
    return _ARRAY + bytes(20) + len(data).to_bytes(4, "little") + data


_ARRAY = bytes.fromhex("040000008200E00074C5B7101A82E008")
_GLOBAL_ID = t(
    "ExtendedFieldURI", DistinguishedPropertySetId="Meeting", PropertyId="3", PropertyType="Binary"
)
_SEARCH_KEY = t("ExtendedFieldURI", PropertyTag=f"0x{SEARCH_KEY:x}", PropertyType="Binary")
_OWN = tuple(own(name) for name in (KEY, MARKER, UID))
_SEARCHED = {
    Kind.EVENT: (*_OWN, own(UNFINISHED), field("calendar:UID")),
    Kind.TASK: (*_OWN, _SEARCH_KEY),
    Kind.CONTACT: (*_OWN, _SEARCH_KEY),
}
