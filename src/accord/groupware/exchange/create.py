"""New items: made under a key, once, and series with all their occurrences or not at all.

`session` calls this in batches; each item answers for itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from accord.groupware.exchange import kinds, occurrences, trees
from accord.groupware.exchange.client import KEY, MARKER, UNFINISHED, own_value
from accord.groupware.exchange.desk import (
    Answer,
    Begun,
    Desk,
    Sent,
    check_writable,
    groups,
    read_back,
    sent,
    side_by_side,
    standing,
)
from accord.groupware.exchange.errors import of_folder
from accord.groupware.exchange.find import Sought, search
from accord.groupware.exchange.reading import Loaded, load, snapshots, spoiled
from accord.groupware.exchange.wire import Node, local, t
from accord.model.diff import patch
from accord.model.item import Event, Item
from accord.ports.adapter import Draft, Outcome
from accord.ports.errors import AccordError, Gone, ItemError, Rejected
from accord.ports.http import Unanswered


def create(desk: Desk, drafts: Sequence[Draft]) -> list[Outcome]:
    """Create items; a key that is there already, or twice in the batch, gives that one item."""
    once: dict[str, Draft] = {}
    for draft in drafts:
        once.setdefault(draft.key, draft)
    parts = groups(desk, list(once.values()))
    told = side_by_side(desk, parts, lambda part: _made(desk, part))
    made = {key: outcome for some in told for key, outcome in some.items()}
    return [made[draft.key] for draft in drafts]


def _made(desk: Desk, drafts: Sequence[Draft]) -> dict[str, Outcome]:
    """Make sure that there is an item under each key, and read it."""
    answers = _by_key(desk, [draft.key for draft in drafts])
    if fresh := [draft for draft in drafts if draft.key not in answers]:
        answers |= _create(desk, fresh)
    answers |= _finished(desk, drafts, answers)
    done = read_back(desk, [answers[draft.key] for draft in drafts])
    return {draft.key: outcome for draft, outcome in zip(drafts, done, strict=True)}


def _by_key(desk: Desk, keys: Sequence[str]) -> dict[str, Answer]:
    """Return what was created under these keys before."""
    if not keys:
        return {}
    try:
        hits = search(desk.shelf, desk.shelf.folder, [Sought(KEY, key) for key in keys])
    except AccordError as error:
        raise of_folder(error) from error
    refs = {sought.value: found[0] for sought, found in hits.items() if found}
    loaded = load(desk.shelf, list(refs.values()))
    read = snapshots(desk.shelf, loaded)
    answers: dict[str, Answer] = {}
    for key, ref in refs.items():
        there = loaded[ref]
        if isinstance(there, Loaded):
            answers[key] = Begun(ref) if there.unfinished else standing(there, read[ref])
        else:
            answers[key] = there or Gone(f"{ref}: it holds another kind of item now")
    return answers


def _create(desk: Desk, drafts: Sequence[Draft]) -> dict[str, Answer]:
    answers: dict[str, Answer] = {}
    nodes: dict[str, Node] = {}
    jobs: dict[str, Sequence[Any]] = {}
    for draft in drafts:
        try:
            check_writable(desk)
            jobs[draft.key] = occurrences.wanted(desk.shelf, _accepted(desk, draft.item))
            nodes[draft.key] = _new(desk, draft, unfinished=bool(jobs[draft.key]))
        except ItemError as error:
            answers[draft.key] = error
        except Exception as error:  # noqa: BLE001 (one item must not stop the others)
            answers[draft.key] = spoiled(error, f"writing one {desk.shelf.kind}")
    if not nodes:
        return answers
    # A series with changed occurrences mails once, when they are all written.
    notify = drafts[0].notify and not any(jobs.values())
    if drafts[0].notify and not notify and len(nodes) > 1:
        return answers | _alone(desk, [d for d in drafts if d.key in nodes])
    _clear(desk, [draft for draft in drafts if jobs.get(draft.key)])
    try:
        told = desk.shelf.client.create(desk.shelf.folder.place, list(nodes.values()), notify)
    except Unanswered:
        made = _by_key(desk, list(nodes))
        if len(made) < len(nodes):
            raise  # it may still be at it: who asks again later finds them
        return answers | made
    except Rejected as error:
        if len(nodes) == 1:
            return answers | dict.fromkeys(nodes, error)
        return answers | _alone(desk, [d for d in drafts if d.key in nodes])
    for key, message in zip(nodes, told, strict=True):
        answers[key] = _begun(sent(message), jobs[key])
    return answers


def _clear(desk: Desk, drafts: Sequence[Draft]) -> None:
    """Take away what an earlier create left half of the same items, under a key of its own.

    A copy that is made once more has another key where its original has changed since.
    """
    sought = [Sought(MARKER, draft.marker) for draft in drafts if draft.marker]
    hits = search(desk.shelf, desk.shelf.folder, sought, whole=False) if sought else {}
    halves = [t("ItemId", Id=ref) for refs in hits.values() for ref in refs]
    if halves:
        desk.shelf.client.delete(halves, notify=False)


def _begun(answer: Answer, changes: Sequence[Any]) -> Answer:
    return Begun(answer.ref, changes) if isinstance(answer, Sent) and changes else answer


def _finished(desk: Desk, drafts: Sequence[Draft], answers: dict[str, Answer]) -> dict[str, Answer]:
    """Write the occurrences of series that were made now, or half made by an earlier try.

    A series whose occurrences are refused is taken back: half of it would say something else.
    """
    begun = {d.key: (d, a) for d in drafts if isinstance(a := answers[d.key], Begun)}
    jobs = [
        occurrences.Job(a.ref, a.changes or occurrences.wanted(desk.shelf, d.item), d.notify)
        for d, a in begun.values()
    ]
    done = occurrences.finish(desk.shelf, jobs, desk.batch) if jobs else {}
    told: dict[str, Answer] = {}
    for key, (_, answer) in begun.items():
        end = done[answer.ref]
        if isinstance(end, ItemError):
            desk.shelf.client.delete([t("ItemId", Id=answer.ref)], notify=False)
            end = Rejected(f"an occurrence of the series is refused: {end}", code=end.code)
        told[key] = end if isinstance(end, AccordError) else Sent(answer.ref, end)
    return told


def _alone(desk: Desk, drafts: Sequence[Draft]) -> dict[str, Answer]:
    """Create one by one what was refused as a whole: one bad item must not stop the others."""
    answers: dict[str, Answer] = {}
    for draft in drafts:
        answers |= _create(desk, [draft])
    return answers


def _new(desk: Desk, draft: Draft, *, unfinished: bool) -> Node:
    kind, item = desk.shelf.kind, draft.item
    if not item.uid:
        item = patch(item, {"uid": str(uuid.uuid4())})
    values: dict[str, Any] = kinds.codec(kind).properties(item, home=desk.shelf.home)
    values |= {"accord_key": draft.key, "accord_marker": draft.marker or None}
    node = trees.created(kinds.narrowed(kind), values)
    if unfinished:
        key = next(each for each in node if local(each) == "ExtendedProperty")
        key.addnext(own_value(UNFINISHED, "1"))
    return node


def _accepted(desk: Desk, item: Item) -> Item:
    """Refuse somebody else's meeting: Exchange would make this mailbox its organizer."""
    if isinstance(item, Event) and item.attendees and item.organizer is not None:
        host = item.organizer.address.casefold()
        if host and host != desk.principal.casefold():
            raise Rejected(
                f"{item.organizer.address} organizes this meeting; Exchange would make "
                f"{desk.principal} its organizer",
                code="foreign-organizer",
            )
    return item
