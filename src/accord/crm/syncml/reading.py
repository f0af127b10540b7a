"""What a session reads: pulls page by page, single items, and what the CRM is and can do.

Versions that are known aren't read again: of a page that says only versions the rest is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode

from accord.crm.syncml.errors import of_session
from accord.crm.syncml.talk import Answer, Heard, Talk, outcome_text, ref_of, told_of
from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.alerts import AlertCode
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.formats.syncml.status import StatusCode
from accord.formats.wire import Told
from accord.model.canonical import InvalidItem
from accord.model.kinds import Kind
from accord.model.observe import (
    Completeness,
    Deleted,
    Listing,
    Observation,
    Snapshot,
    Unchanged,
    Unknown,
)
from accord.ports.adapter import Ask, Known, Question
from accord.ports.errors import AccordError, ConfigError, CursorExpired, Retry

T = TypeVar("T")
_TOGETHER = 200
"""How many items one question is about, at most."""


def pages(talk: Talk, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
    """Yield the pages of a pull as they come."""
    brief, at = False, cursor
    while True:
        heard = talk.ask(_alert(folder, kind, at, brief=brief))
        try:
            _require(heard, f"the pull of {kind}")
        except CursorExpired:
            if at != cursor:
                raise Retry("the listing changed while it was read: begin again") from None
            yield Listing(completeness=Completeness.LOST)
            return
        page, told, more = _page(heard)
        seen, have = _known(talk, folder, kind, told, known)
        # Where most is known already, the contents of the next page needn't come along.
        brief = not cursor and 2 * have > len(told) > 0
        yield Listing(completeness=page.completeness, observations=tuple(seen), cursor=page.cursor)
        if not more:
            return
        at = page.cursor


def fetch(talk: Talk, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
    """Return what became of each ref, in order."""
    uris = [
        address(kind, folder, ask.ref, **_given(uid=ask.uid, marker=ask.marker)) for ask in asks
    ]
    answers = get(talk, uris)
    return [_observation(ask.ref, answer.told) for ask, answer in zip(asks, answers, strict=True)]


def lookup(
    talk: Talk, folder: str, kind: Kind, questions: Sequence[Question]
) -> list[tuple[Snapshot, ...]]:
    """Return all items that match each question, in order."""
    found: list[tuple[Snapshot, ...]] = []
    while len(found) < len(questions):
        some = _fitting(
            questions[len(found) :], lambda q: len(q.key + q.uid + q.marker) + 60, talk.room
        )
        heard = talk.ask(
            m.Search(
                cmd_id="1",
                sources=(Location(address(kind, folder)),),
                meta=Meta(type=wire.TYPE),
                data=wire.encode(some),
            )
        )
        _require(heard, f"the search for {kind}")
        answers = heard.answers()[: len(some)]
        if not answers:
            raise Retry("CRM.interface doesn't answer a search", code="silent")
        found += [_decoded(one.told, tuple[Snapshot, ...]) for one in answers]
    return found


def read(talk: Talk, uri: str, type_: type[T]) -> T:
    """Return what a resource holds."""
    return _decoded(get(talk, [uri])[0].told, type_)


def get(talk: Talk, uris: Sequence[str]) -> list[Answer]:
    """Return what is told of each address, in order, asking on until all are answered."""
    found: list[Answer] = []
    while len(found) < len(uris):
        some = _fitting(uris[len(found) :], lambda uri: 5 * len(uri) + 60, talk.room)
        items = tuple(Item(target=Location(uri)) for uri in some)
        heard = talk.ask(m.Get(cmd_id="1", meta=Meta(type=wire.TYPE), items=items))
        _require(heard, some[0].partition("?")[0][:60])
        answers = heard.answers()[: len(some)]
        if not answers:
            raise Retry("CRM.interface doesn't answer a question", code="silent")
        found += answers
    return found


def address(kind: Kind, folder: str, ref: str = "", **more: str) -> str:
    """Return the address of a store, or of an item in it."""
    item = f"/{wire.name(ref)}" if ref else ""
    query = urlencode(_given(folder=folder, **more), quote_via=quote)
    return f"item/{kind}{item}?{query}" if query else f"item/{kind}{item}"


def _alert(folder: str, kind: Kind, cursor: str, *, brief: bool) -> m.Alert:
    code = AlertCode.ONE_WAY_FROM_SERVER if cursor else AlertCode.REFRESH_FROM_SERVER
    anchor = Anchor(next="-", last=wire.name(cursor) if cursor else None)
    target = Location(address(kind, folder, **_given(brief="1" if brief else "")))
    item = Item(target=target, source=Location(f"item/{kind}"), meta=Meta(anchor=anchor))
    return m.Alert(cmd_id="1", code=code, items=(item,))


def _page(heard: Heard) -> tuple[Listing, list[tuple[str, Told]], bool]:
    """Return a page, still without its items, what was told of each, and whether more follows."""
    told = [(one.ref, one.told) for one in heard.answers()]
    if len(heard.syncs) != 1:
        raise Retry("the end of a page didn't arrive", code="silent")
    sync = heard.syncs[0]
    for command in sync.commands:
        for item in command.items if isinstance(command, m.Replace | m.Delete) else ():
            ref = _valid(lambda item=item: ref_of(item))  # type: ignore[misc]
            gone = isinstance(command, m.Delete)
            one = wire.tell(Deleted(ref)) if gone else _valid(lambda item=item: told_of(item))  # type: ignore[misc]
            told.append((ref, one))
    meta = sync.meta or Meta()
    if sync.number_of_changes != len(told):
        raise Retry("a page didn't arrive whole", code="size")
    mark, more, _ = (meta.mark or "").partition("+")
    try:
        completeness = Completeness(mark)
    except ValueError as error:
        raise _other_version(str(error)) from error
    at = meta.anchor.next if meta.anchor else "."
    cursor = _valid(lambda: wire.unname(at))
    if more and not cursor:
        raise _other_version("a page that isn't the last has no cursor")
    return Listing(completeness=completeness, cursor=cursor), told, bool(more)


def _known(
    talk: Talk, folder: str, kind: Kind, told: Sequence[tuple[str, Told]], known: Known
) -> tuple[list[Observation], int]:
    """Return the observations of a page, and how many of its items were known."""
    there = [ref for ref, one in told if one.sort == wire.SEEN]
    versions = known(there) if there else {}
    missing, have = [], 0
    for ref, one in told:
        if one.sort == wire.SEEN:
            if versions.get(ref) == one.version:
                have += 1
            elif one.text is None:
                missing.append(ref)
    read_ = iter(fetch(talk, folder, kind, [Ask(ref=ref) for ref in missing]))
    seen: list[Observation] = []
    for ref, one in told:
        if one.sort == wire.SEEN and versions.get(ref) == one.version:
            seen.append(Unchanged(ref))
        elif one.sort == wire.SEEN and one.text is None:
            seen.append(next(read_))
        else:
            seen.append(_observation(ref, one))
    return seen, have


def _observation(ref: str, told: Told) -> Observation:
    try:
        return wire.hear(ref, told)
    except InvalidItem as error:
        why = f"CRM.interface sends what isn't understood: {error}"
        return Unknown(ref, why=why, version=told.version)


def _require(heard: Heard, what: str) -> None:
    """Raise the error that a question was answered with."""
    status = heard.statuses[0]
    if status is None:
        raise Retry(f"{what}: CRM.interface doesn't answer", code="silent")
    if status.code >= StatusCode.MULTIPLE_CHOICES:
        raise of_session(status.code, outcome_text(status), what)


def _fitting(given: Sequence[T], size: Callable[[T], int], room: int) -> list[T]:
    """Return as many as fit into a message and are asked for together; at least one."""
    some: list[T] = []
    for one in given[:_TOGETHER]:
        room -= size(one)
        if room < 0 and some:
            break
        some.append(one)
    return some


def _decoded(told: Told, type_: type[T]) -> T:
    return _valid(lambda: wire.decode(told.text or "", type_))


def _valid(read: Callable[[], T]) -> T:
    try:
        return read()
    except InvalidItem as error:
        raise _other_version(str(error)) from error


def _other_version(why: str) -> AccordError:
    hint = "let both machines have the same version of Accord"
    return ConfigError(f"CRM.interface says what isn't understood: {why}", hint=hint)


def _given(**more: str) -> dict[str, str]:
    return {name: text for name, text in more.items() if text}
