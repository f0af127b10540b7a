"""What became of items, and which ones carry a key, marker or UID; also outside their folder.

`session.fetch` and `session.lookup` answer from here. A tombstone is a question: what is not
in its place is looked for in the person's other collections before it counts as deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from accord.groupware.dav import codec, wire
from accord.groupware.dav.client import Client, Loaded, folder_answer, loaded_names
from accord.groupware.dav.discovery import Collection, Place
from accord.groupware.dav.listing import report
from accord.groupware.dav.sync import Shelf, observe, snapshot_of
from accord.model.kinds import Kind
from accord.model.observe import Deleted, Denied, Moved, Observation, Snapshot, Unknown
from accord.ports.adapter import Ask, Question
from accord.ports.errors import ConfigError

FEW = 8
"""Up to so many items are searched one by one; more make reading the whole folder cheaper."""

_COMPONENT = {Kind.EVENT: "VEVENT", Kind.TASK: "VTODO", Kind.CONTACT: ""}


class Sought(Struct, frozen=True):
    """Be one thing to search for: a property and the value it must have."""

    prop: str
    value: str


def fetch(
    client: Client, place: Place, shelf: Shelf, asks: Sequence[Ask], size: int
) -> list[Observation]:
    """Say what each ref holds now, in order; what is missing is looked for elsewhere."""
    loaded = load(client, shelf, [ask.ref for ask in asks], size)
    found: dict[str, Observation] = {}
    missing: list[Ask] = []
    for ask in asks:
        version = loaded[ask.ref].version
        seen = observe(shelf, loaded[ask.ref], version)
        if isinstance(seen, Deleted):
            missing.append(ask)
        found[ask.ref] = seen or Unknown(ask.ref, "it holds another kind of item now", version)
    if missing:
        found |= _missing(client, place, shelf, missing)
    return [found[ask.ref] for ask in asks]


def lookup(
    client: Client, place: Place, shelf: Shelf, questions: Sequence[Question], size: int
) -> list[tuple[Snapshot, ...]]:
    """Return for each question, in order, the readable items that answer it."""
    by_key = {
        question.key: shelf.folder + codec.resource_name(shelf.kind, question.key)
        for question in questions
        if question.key
    }
    keyed = load(client, shelf, list(by_key.values()), size)
    sought = [each for question in questions for each in _sought(question)]
    found = search(client, _here(place, shelf), shelf.kind, list(dict.fromkeys(sought)), size)
    answers: list[tuple[Snapshot, ...]] = []
    for question in questions:
        texts: list[Loaded | None] = [each for one in _sought(question) for each in found[one]]
        if question.key:
            texts.append(_by_key(keyed[by_key[question.key]], question.key))
        answers.append(tuple(_readable(shelf, texts)))
    return answers


def load(client: Client, shelf: Shelf, refs: Sequence[str], size: int) -> dict[str, Loaded]:
    """Return each ref's text, asked for in answers of at most `size` items."""
    loaded: dict[str, Loaded] = {}
    once = list(dict.fromkeys(refs))
    for start in range(0, len(once), size):
        loaded |= client.load(shelf.folder, shelf.letter, once[start : start + size])
    return loaded


def search(
    client: Client, collection: Collection, kind: Kind, sought: Sequence[Sought], size: int
) -> dict[Sought, list[Loaded]]:
    """Return the items of a collection that have each property value.

    What the server finds is looked at again: some ignore a filter, some compare loosely.
    """
    if len(sought) > FEW:
        return _scan(client, collection, kind, sought, size)
    found: dict[Sought, list[Loaded]] = {}
    for each in sought:
        items = client.query(collection.ref, collection.report, _query(collection, kind, each))
        found[each] = [item for item in items if _has(item, kind, each)]
    return found


def _here(place: Place, shelf: Shelf) -> Collection:
    known = place.collection(shelf.folder)
    if known is not None:
        return known
    kinds = frozenset({shelf.kind})
    return Collection(ref=shelf.folder, name="", kinds=kinds, writable=True, reports=frozenset())


def _sought(question: Question) -> list[Sought]:
    pairs = ((codec.MARKER, question.marker), ("UID", question.uid))
    return [Sought(prop, value) for prop, value in pairs if value]


def _by_key(loaded: Loaded, key: str) -> Loaded | None:
    """Return the item if it was made under the key; its name alone says so too."""
    if loaded.error is not None:
        return None
    own = codec.value_of(loaded.text, codec.KEY)
    return loaded if own in ("", key) else None


def _readable(shelf: Shelf, texts: Sequence[Loaded | None]) -> Iterator[Snapshot]:
    seen: set[str] = set()
    for each in texts:
        if each is None or each.ref in seen:
            continue
        seen.add(each.ref)
        try:
            yield snapshot_of(shelf, each)
        except codec.Unreadable:
            continue


def _missing(
    client: Client, place: Place, shelf: Shelf, missing: Sequence[Ask]
) -> dict[str, Observation]:
    """Say what became of refs that aren't there; with the folder gone nothing follows."""
    try:
        folder_answer(client.propfind(shelf.folder, (wire.ETAG,), depth=0), shelf.folder)
    except ConfigError as error:
        return {ask.ref: Denied(ask.ref, str(error)) for ask in missing}
    return _elsewhere(client, place, shelf, missing)


def _elsewhere(
    client: Client, place: Place, shelf: Shelf, missing: Sequence[Ask]
) -> dict[str, Observation]:
    """Look for items by UID, then by marker, in all collections of their kind, own folder first."""
    places = sorted(place.holding(shelf.kind), key=lambda each: each.ref != shelf.folder)
    open_asks = {ask.ref: ask for ask in missing}
    answers: dict[str, Observation] = {ask.ref: Deleted(ask.ref) for ask in missing}
    for collection in places or [_here(place, shelf)]:
        wanted = {
            ref: _sought(Question(uid=a.uid, marker=a.marker)) for ref, a in open_asks.items()
        }
        sought = list(dict.fromkeys(each for pair in wanted.values() for each in reversed(pair)))
        if not sought:
            break
        try:
            found = search(client, collection, shelf.kind, sought, 200)
        except ConfigError as error:
            # A closed collection can't prove that the item isn't in it.
            answers |= {ref: Denied(ref, str(error)) for ref in open_asks}
            continue
        for ref, pair in wanted.items():
            # Under its own ref it can only be in another folder than the one that was asked.
            away = collection.ref != shelf.folder
            hits = [hit for each in reversed(pair) for hit in found[each] if away or hit.ref != ref]
            if hits:
                answers[ref] = Moved(ref, collection.ref, hits[0].ref)
                del open_asks[ref]
    return answers


def _query(collection: Collection, kind: Kind, sought: Sought) -> bytes:
    names = loaded_names(collection.report)
    if collection.report == "A":
        return wire.addressbook_query(names, sought.prop, sought.value)
    return wire.calendar_query(names, _COMPONENT[kind], sought.prop, sought.value)


def _has(item: Loaded, kind: Kind, sought: Sought) -> bool:
    return codec.holds(kind, item.text) and codec.value_of(item.text, sought.prop) == sought.value


def _scan(
    client: Client, collection: Collection, kind: Kind, sought: Sequence[Sought], size: int
) -> dict[Sought, list[Loaded]]:
    found: dict[Sought, list[Loaded]] = {each: [] for each in sought}
    members = report(client, collection.ref, "", collection.syncs).members
    refs = [each.ref for each in members if each.may_be(kind)]
    props = {each.prop for each in sought}
    for start in range(0, len(refs), size):
        some = client.load(collection.ref, collection.report, refs[start : start + size])
        for item in some.values():
            if item.error is not None or not codec.holds(kind, item.text):
                continue
            for prop in props:
                hits = found.get(Sought(prop, codec.value_of(item.text, prop)))
                if hits is not None:
                    hits.append(item)
    return found
