"""Writes: changed in one version only, deleted into Deleted Items, marked where nobody looks.

`session` calls these in batches; each item answers for itself. Nothing mails unless it says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from accord.groupware.exchange import kinds, occurrences, resume, trees
from accord.groupware.exchange.client import KEY, MARKER, UNFINISHED, Shape, id_of, own
from accord.groupware.exchange.desk import (
    Answer,
    Desk,
    Sent,
    check_writable,
    closed,
    groups,
    outcomes,
    read_back,
    sent,
    side_by_side,
    standing,
)
from accord.groupware.exchange.meanwhile import honest
from accord.groupware.exchange.reading import Loaded, load, snapshots, spoiled
from accord.groupware.exchange.wire import Message, Node, t
from accord.model.diff import changes
from accord.model.observe import Snapshot
from accord.ports.adapter import Mark, Outcome, Removal, Revision, Written
from accord.ports.errors import AccordError, Gone, ItemError, Rejected, Stale
from accord.ports.http import Unanswered


def update(desk: Desk, revisions: Sequence[Revision]) -> list[Outcome]:
    """Change items, each only in the version given and only the fields that changed.

    Where an earlier try was cut off halfway, the rest of it is done.
    """
    answers: dict[int, Answer] = {
        number: resume.complete(desk, each) for number, each in enumerate(revisions) if each.half
    }
    whole = [(number, each) for number, each in enumerate(revisions) if not each.half]
    parts = groups(desk, whole, lambda each: each[1].notify)
    for told in side_by_side(desk, parts, lambda part: _update(desk, part)):
        answers |= told
    outcomes_ = read_back(desk, [answers[number] for number in range(len(revisions))])
    return [honest(each, told) for each, told in zip(revisions, outcomes_, strict=True)]


def delete(desk: Desk, removals: Sequence[Removal]) -> list[Outcome]:
    """Move items into Deleted Items, each only in the version given."""
    answers: dict[int, Answer] = {}
    parts = groups(desk, list(enumerate(removals)), lambda each: each[1].notify)
    for told in side_by_side(desk, parts, lambda part: _delete(desk, part)):
        answers |= told
    return outcomes([answers[number] for number in range(len(removals))])


def mark(desk: Desk, marks: Sequence[Mark]) -> list[Outcome]:
    """Store markers, which people don't see; an empty one takes the key off with it.

    What a person has changed meanwhile is left and told as it stands.
    """
    loaded = load(desk.shelf, [each.ref for each in marks])
    read = snapshots(desk.shelf, loaded)
    answers: dict[int, Answer] = {}
    asked: list[tuple[int, str, Node]] = []
    for number, each in enumerate(marks):
        there = loaded[each.ref]
        if not isinstance(there, Loaded):
            answers[number] = there or Gone(f"{each.ref}: it holds another kind of item now")
        elif not desk.shelf.folder.writable or _marked(there, each.marker):
            answers[number] = standing(there, read[each.ref])
        else:
            asked.append(
                (number, each.ref, _change(each.ref, there.version, _marking(desk, each, there)))
            )
    parts = [asked[at : at + desk.batch] for at in range(0, len(asked), desk.batch)]
    for told in side_by_side(desk, parts, lambda part: _changed(desk, part, notify=False)):
        answers |= told
    return read_back(desk, [answers[number] for number in range(len(marks))])


# ---- update ----


def _update(desk: Desk, group: Sequence[tuple[int, Revision]]) -> dict[int, Answer]:
    answers: dict[int, Answer] = {}
    asked: list[tuple[int, str, Node]] = []
    idle: list[tuple[int, Revision]] = []
    jobs: dict[int, occurrences.Job] = {}
    rewritten: set[int] = set()
    for number, revision in group:
        try:
            check_writable(desk)
            if not revision.version:
                raise Stale(f"{revision.ref}: the version to change is not known", code="version")
            updates, anew = _revised(desk, revision)
            changes_ = occurrences.wanted(desk.shelf, revision.after, revision.before)
        except ItemError as error:
            answers[number] = error
            continue
        except Exception as error:  # noqa: BLE001 (one item must not stop the others)
            answers[number] = spoiled(error, f"writing one {desk.shelf.kind}")
            continue
        if changes_:
            jobs[number] = occurrences.Job(revision.ref, changes_, revision.notify)
            # Something is written to the series itself in any case: that is where a version
            # that no longer stands is found out.
            updates = updates or [trees.clear_path(own(UNFINISHED))]
            if anew:
                updates.append(occurrences.unfinished())
                rewritten.add(number)
        if updates:
            asked.append((number, revision.ref, _change(revision.ref, revision.version, updates)))
        else:
            idle.append((number, revision))
    answers |= _unchanged(desk, idle)
    try:
        quiet = [each for each in asked if each[0] in jobs]
        answers |= _changed(desk, [e for e in asked if e not in quiet], notify=group[0][1].notify)
        answers |= _changed(desk, quiet, notify=False)
        return answers | _occurred(desk, jobs, answers, dict(group), rewritten)
    except Unanswered as unsure:
        settled = {number: each for number, each in answers.items() if number not in jobs}
        return settled | _decided(desk, group, settled, unsure)


def _occurred(
    desk: Desk,
    jobs: dict[int, occurrences.Job],
    answers: dict[int, Answer],
    revisions: Mapping[int, Revision],
    rewritten: Collection[int],
) -> dict[int, Answer]:
    """Write the occurrences of the series that could be changed themselves.

    A series that was `rewritten` for it is taken back if one of them is refused. What a person has
    made of one since is not overwritten.
    """
    ready: dict[int, occurrences.Job] = {}
    for number, job in jobs.items():
        answer = answers[number]
        if isinstance(answer, Sent):
            ready[number] = replace(job, version=answer.version)
    done = occurrences.finish(desk.shelf, list(ready.values()), desk.batch)
    told: dict[int, Answer] = {}
    for number, job in ready.items():
        revision, end = revisions[number], done[job.ref]
        if isinstance(end, Stale):
            told[number] = resume.go_on(desk, revision, job, rewritten=number in rewritten)
        elif number in rewritten and isinstance(end, Gone):
            # Somebody has deleted an occurrence, or the series: what stands of it tells.
            told[number] = resume.complete(desk, revision)
        elif number in rewritten and isinstance(end, ItemError):
            told[number] = resume.take_back(desk, revision, end)
        else:
            told[number] = end if isinstance(end, AccordError) else Sent(job.ref, end)
    return told


def _revised(desk: Desk, revision: Revision) -> tuple[list[Node], bool]:
    """Return the changes of one revision, its marker's too, and whether a series is rewritten."""
    kind = desk.shelf.kind
    values: dict[str, Any] = kinds.codec(kind).properties(
        revision.after, revision.before, revision.changed, home=desk.shelf.home
    )
    if revision.marker:
        values |= {"accord_marker": revision.marker}
    updates = trees.updates(kinds.model(kind), values) if values else []
    return updates, values.get("recurrence") is not None


def _unchanged(desk: Desk, idle: Sequence[tuple[int, Revision]]) -> dict[int, Answer]:
    """Answer revisions that come to nothing on Exchange: the version must stand all the same."""
    there = _versions(desk, [revision.ref for _, revision in idle])
    answers: dict[int, Answer] = {}
    for number, revision in idle:
        held = there[revision.ref]
        if isinstance(held, AccordError):
            answers[number] = held
        elif held != revision.version:
            answers[number] = Stale(f"{revision.ref}: it is in another version by now")
        else:
            answers[number] = Sent(revision.ref, held)
    return answers


def _decided(
    desk: Desk,
    group: Sequence[tuple[int, Revision]],
    answers: dict[int, Answer],
    unsure: Unanswered,
) -> dict[int, Answer]:
    """Tell by looking which changes were made although no answer came."""
    rest = [(number, revision) for number, revision in group if number not in answers]
    loaded = load(desk.shelf, [revision.ref for _, revision in rest])
    read = snapshots(desk.shelf, loaded)
    decided: dict[int, Answer] = {}
    for number, revision in rest:
        there, seen = loaded[revision.ref], read.get(revision.ref)
        if not isinstance(there, Loaded):
            decided[number] = there or Gone(f"{revision.ref}: it holds another kind of item now")
        elif there.version == revision.version or there.unfinished:
            raise unsure
        elif isinstance(seen, Snapshot) and not changes(
            revision.after, seen.item, revision.changed
        ):
            decided[number] = standing(there, seen)
        else:
            decided[number] = Stale(f"{revision.ref}: it is in another version by now")
    return decided


def _changed(
    desk: Desk, asked: Sequence[tuple[int, str, Node]], *, notify: bool
) -> dict[int, Answer]:
    if not asked:
        return {}
    try:
        told = desk.shelf.client.update([node for _, _, node in asked], notify)
    except Rejected as error:
        if len(asked) == 1:
            return {asked[0][0]: error}
        answers: dict[int, Answer] = {}
        for each in asked:
            answers |= _changed(desk, [each], notify=notify)
        return answers
    return {
        number: sent(message, ref) for (number, ref, _), message in zip(asked, told, strict=True)
    }


def _change(ref: str, version: str, updates: Sequence[Node]) -> Node:
    return t("ItemChange", t("ItemId", Id=ref, ChangeKey=version), t("Updates", *updates))


def _marked(there: Loaded, marker: str) -> bool:
    key_too = bool(marker) or not there.item.accord_key
    return key_too and (there.item.accord_marker or "") == marker


def _marking(desk: Desk, mark: Mark, there: Loaded) -> list[Node]:
    model = kinds.model(desk.shelf.kind)
    if mark.marker:
        return trees.updates(model, {"accord_marker": mark.marker})
    held = ((MARKER, there.item.accord_marker), (KEY, there.item.accord_key))
    return [trees.clear_path(own(name)) for name, value in held if value]


# ---- delete ----


def _delete(desk: Desk, group: Sequence[tuple[int, Removal]]) -> dict[int, Answer]:
    answers: dict[int, Answer] = {}
    there = _versions(desk, [removal.ref for _, removal in group])
    asked: list[tuple[int, str]] = []
    for number, removal in group:
        held = there[removal.ref]
        if isinstance(held, AccordError):
            answers[number] = held
        elif not desk.shelf.folder.writable:
            answers[number] = closed(desk)
        elif held != removal.version:
            answers[number] = Stale(f"{removal.ref}: it is in another version by now")
        else:
            asked.append((number, removal.ref))
    if not asked:
        return answers
    try:
        named = [t("ItemId", Id=ref) for _, ref in asked]
        told = desk.shelf.client.delete(named, group[0][1].notify)
    except Unanswered:
        left = _versions(desk, [ref for _, ref in asked])
        if not all(isinstance(left[ref], Gone) for _, ref in asked):
            raise
        return answers | {number: Written(ref=ref) for number, ref in asked}
    for (number, ref), message in zip(asked, told, strict=True):
        answers[number] = message.error or Written(ref=ref)
    return answers


def _versions(desk: Desk, refs: Sequence[str]) -> dict[str, str | AccordError]:
    """Return the version of each item that stands, or why there is none."""
    once = list(dict.fromkeys(refs))
    found: dict[str, str | AccordError] = {}
    for start in range(0, len(once), desk.shelf.size):
        some = once[start : start + desk.shelf.size]
        for ref, message in zip(some, desk.shelf.client.get(some, Shape(())), strict=True):
            found[ref] = message.error or _version(message, ref)
    return found


def _version(message: Message, ref: str) -> str | AccordError:
    item = next(iter(message.all("Items", "*")), None)
    return Gone(f"{ref}: the answer holds no item") if item is None else id_of(item)[1]
