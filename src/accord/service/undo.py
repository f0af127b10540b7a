"""Undo: the before-image merged over what stands now, as a plan like any other.

Fields edited since are held, deleted records are restored rather than recreated where the side
can, and nothing brought back ever mails.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum

import msgspec
from msgspec import Struct

from accord.engine.plan import (
    Create,
    Delete,
    Frozen,
    Hold,
    Pairing,
    Plan,
    Skip,
    Step,
    Unpair,
    Update,
)
from accord.engine.reconcile import Case
from accord.model.diff import changes, diff, patch
from accord.model.fields import same
from accord.model.item import Item, kind_of
from accord.model.kinds import Side
from accord.model.observe import Observation, Seen, Snapshot
from accord.ports.adapter import Ask, Question
from accord.ports.errors import AccordError, ConfigError
from accord.rules.rule import Invitations
from accord.service.accord import Accord
from accord.service.apply import apply, create_keys
from accord.service.opening import Options, opened
from accord.service.pull import confirm
from accord.service.report import Report
from accord.service.sync import fail
from accord.service.visit import Decided, Visit
from accord.state.records import Entry, Link

_MOST = 100_000
_UNDOABLE = ("create", "update", "delete", "clash")


class What(StrEnum):
    """Name what a selector chooses."""

    STEP = "step"
    RUN = "run"
    USER = "user"
    ITEM = "item"


class Selection(Struct, frozen=True, kw_only=True):
    """Be the journal entries that a selector chose, newest first."""

    what: What
    text: str
    entries: tuple[Entry, ...]


def select(accord: Accord, text: str) -> Selection:
    """Return the entries to undo: a step's number, a run, a user, or an item's ref, uid or title.

    Raises ConfigError where nothing fits, or where a title fits several items.
    """
    with accord.state.read() as tx:
        if text.lstrip("#").isdigit():
            entry = tx.journal.get(int(text.lstrip("#")))
            return _chosen(What.STEP, text, [entry] if entry else [])
        if tx.runs.get(text) is not None:
            return _chosen(What.RUN, text, tx.journal.query(run=text, limit=_MOST))
        if tx.links.by_user(text):
            return _chosen(What.USER, text, tx.journal.query(user=text, limit=_MOST))
        refs = {text} | {decision.ref for decision in tx.decisions.find(text)}
        by_ref = {ref: tx.journal.query(ref=ref, limit=_MOST) for ref in sorted(refs)}
    entries = {entry.id: entry for found in by_ref.values() for entry in found}
    pairs = {entry.pairing for entry in entries.values() if entry.pairing}
    if len(pairs) > 1:
        raise ConfigError(
            f"{text!r} fits {len(pairs)} items",
            field="item",
            hint="name the item by its ref; `accord journal` shows it",
        )
    return _chosen(What.ITEM, text, sorted(entries.values(), key=lambda e: -e.id))


def undo(
    accord: Accord, selection: Selection, *, dry: bool = False, approved: bool = False
) -> list[Report]:
    """Undo the selected entries on both sides, link by link, and return one report each.

    `approved` carries out what would otherwise be held because fields were edited since or
    attendees would get mail. With `dry` the reports only carry the plans.
    """
    by_link: dict[str, list[Entry]] = {}
    for entry in selection.entries:
        by_link.setdefault(entry.link, []).append(entry)
    with accord.state.read() as tx:
        links = {name: tx.links.get(name) for name in by_link}
    reports = []
    for name, entries in by_link.items():
        link = links[name]
        if link is None:
            reports.append(Report(link=name, error="the link no longer exists", action="configure"))
            continue
        reports.append(_undo_link(accord, link, entries, dry=dry, approved=approved))
    return reports


def _chosen(what: What, text: str, entries: Sequence[Entry]) -> Selection:
    fitting = tuple(
        entry
        for entry in entries
        if entry.step in _UNDOABLE and not entry.error and entry.undone_by is None
    )
    if not fitting:
        raise ConfigError(
            f"there is nothing to undo for {text!r}",
            field="selector",
            hint="`accord journal` lists what was done, with numbers, runs and users",
        )
    return Selection(what=what, text=text, entries=fitting)


def _undo_link(
    accord: Accord, link: Link, entries: Sequence[Entry], *, dry: bool, approved: bool
) -> Report:
    report = Report(link=link.id, name=link.name)
    started = time.monotonic()
    try:
        before = _requests(accord, link)
        with opened(accord, link, Options(dry=dry, cause="undo")) as visit:
            report.run = visit.run
            decided = [one for group in _by_item(entries) for one in _plan(visit, group, approved)]
            report.plan = Plan(link=link.id, steps=tuple(s for d in decided for s in d.steps))
            if visit.lease is None:
                report.count_planned(report.plan)
                return report
            _carry_out(visit, decided, report)
            _note_undone(visit, entries, decided)
            report.seconds = time.monotonic() - started
            report.requests = _requests(accord, link) - before
            with visit.state.begin() as tx:
                tx.runs.finish(visit.run, report.as_json(), "")
    except AccordError as error:
        fail(report, error)
    return report


def _requests(accord: Accord, link: Link) -> int:
    return accord.adapter(link.target).requests + accord.crm.requests


def _carry_out(visit: Visit, decided: Sequence[Decided], report: Report) -> None:
    """Apply an undo; a copy of what comes back is made from it as it then stands."""
    for index, one in enumerate(decided):
        former = decided[index - 1].steps if index else ()
        if former and isinstance(former[0], Create) and former[0].alone:
            one = _over(visit, one, former[0])
        apply(visit, [one], report)


def _over(visit: Visit, one: Decided, made: Create) -> Decided:
    """Return the copy's step over the item that has just come back; nothing if it didn't."""
    (step,) = one.steps
    if not isinstance(step, Create) or step.source != made.source:
        return one
    found = _now(visit, made.side, made.source.ref, None)
    if not isinstance(found, Seen):
        end = visit.end(made.side)
        questions = [Question(key=key) for key in create_keys(visit.link.id, made)]
        answers = [s for many in end.session.lookup(end.folder, end.kind, questions) for s in many]
        if not answers:
            return Decided(case=one.case, steps=())
        found = Seen(answers[-1])
    return Decided(case=one.case, steps=(msgspec.structs.replace(step, source=found.snapshot),))


def _by_item(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Group entries by side and item; each group newest first."""
    groups: dict[tuple[Side, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.side, entry.ref), []).append(entry)
    return list(groups.values())


def _plan(visit: Visit, entries: Sequence[Entry], approved: bool) -> list[Decided]:
    """Return the steps that bring one item back to where it stood before its oldest entry."""
    newest, oldest = entries[0], entries[-1]
    with visit.state.read() as tx:
        before = tx.blobs.get_item(oldest.before) if oldest.before else None
        after = tx.blobs.get_item(newest.after) if newest.after else None
        pairing = tx.pairings.by_refs(visit.link.id, newest.side, [newest.ref]).get(newest.ref)
    now = _now(visit, newest.side, newest.ref, pairing)
    case = _case(visit, pairing, newest.side, now)
    if any(entry.step == "clash" for entry in entries):
        steps = _return_value(visit, entries, before, pairing, case)
    elif before is None:
        steps = _take_back(visit, newest, after, now, pairing)
    elif isinstance(now, Seen):
        steps = _put_back(visit, newest, before, after, now.snapshot, pairing, case)
    else:
        return _bring_back(visit, newest, before, pairing, case)
    return [Decided(case=case, steps=_guarded(visit, steps, approved))]


def _take_back(
    visit: Visit,
    entry: Entry,
    after: Snapshot | None,
    now: Observation,
    pairing: Pairing | None,
) -> tuple[Step, ...]:
    """Undo a creation: delete the copy, unless somebody has worked on it since."""
    if not isinstance(now, Seen):
        return (_nothing(entry, "what was created is gone already"),)
    snapshot = now.snapshot
    mails = visit.policy.mails(snapshot, None) if entry.side is Side.GROUPWARE else ()
    gone = Delete(
        side=entry.side,
        pairing=entry.pairing,
        before=snapshot,
        mails=mails,
        why=f"undo of step {entry.id}: what was created is deleted",
    )
    edited = after is not None and diff(after.item, snapshot.item)
    if edited:
        return (_hold(gone, f"edited since: {', '.join(edited)}"),)
    if pairing is None:
        return (gone,)
    return (gone, _let_go(pairing, f"undo of step {entry.id}"))


def _put_back(
    visit: Visit,
    entry: Entry,
    before: Snapshot,
    after: Snapshot | None,
    now: Snapshot,
    pairing: Pairing | None,
    case: Case,
) -> tuple[Step, ...]:
    """Undo a change: the old values where they still stand as written, the rest is held."""
    kind = kind_of(now.item)
    written = after.item if after is not None else now.item
    fields = diff(before.item, written)
    free = [f for f in fields if same(kind, f, getattr(now.item, f), getattr(written, f))]
    clashing = [f for f in fields if f not in free]
    steps: list[Step] = []
    for names, cause in ((free, ""), (clashing, "edited since")):
        values = {name: getattr(before.item, name) for name in names}
        wanted = patch(now.item, values)
        if not diff(now.item, wanted):
            continue
        update = _update(visit, entry, now, wanted, pairing, case)
        steps.append(_hold(update, f"{cause}: {', '.join(names)}") if cause else update)
    return tuple(steps) or (_nothing(entry, "it stands as it did before"),)


def _bring_back(
    visit: Visit, entry: Entry, before: Snapshot, pairing: Pairing | None, case: Case
) -> list[Decided]:
    """Undo a deletion: the item as it was, under its own ref where the side can.

    Where the counterpart is there it is paired with that again; where that is gone too, the
    counterpart is made anew from what came back.
    """
    why = f"undo of step {entry.id}: what was deleted comes back"
    there = _counterpart(visit, entry, pairing, case)
    source = there or before
    step = Create(
        side=entry.side,
        source=source,
        item=before.item,
        pairing=entry.pairing,
        alone=there is None,
        why=why,
    )
    snapshots = {entry.side: before, entry.side.other: source}
    standing = Pairing(
        id=entry.pairing,
        crm=snapshots[Side.CRM],
        groupware=snapshots[Side.GROUPWARE],
        rule=visit.rule.version,
        content=pairing.content if pairing else True,
        made=pairing.made if pairing else None,
    )
    back = Decided(case=Case(pairing=standing), steps=(step,))
    if there is not None or not visit.policy.program.creates(entry.side.other):
        return [back]
    item = visit.policy.carried(entry.side.other, before.item)
    copy = Create(side=entry.side.other, source=before, item=item, why=why)
    return [back, Decided(case=Case(), steps=(copy,))]


def _counterpart(
    visit: Visit, entry: Entry, pairing: Pairing | None, case: Case
) -> Snapshot | None:
    """Return the item on the other side that the deleted one belonged to, if it is there."""
    if pairing is not None:
        return _snapshot(case, entry.side.other)
    if not entry.counterpart:
        return None
    found = _now(visit, entry.side.other, entry.counterpart, None)
    return found.snapshot if isinstance(found, Seen) else None


def _return_value(
    visit: Visit,
    entries: Sequence[Entry],
    before: Snapshot | None,
    pairing: Pairing | None,
    case: Case,
) -> tuple[Step, ...]:
    """Undo a clash: the losing value returns, on both sides."""
    entry = entries[-1]
    if before is None or pairing is None:
        return (_nothing(entry, "the pair no longer exists"),)
    now = _snapshot(case, entry.side)
    other = _snapshot(case, entry.side.other)
    if now is None or other is None:
        return (_nothing(entry, "one of the two items is gone"),)
    fields = [change.field for e in entries if e.step == "clash" for change in e.fields]
    wanted = patch(now.item, {name: getattr(before.item, name) for name in fields})
    carried = visit.policy.carried(entry.side.other, wanted)
    there = patch(other.item, {name: getattr(carried, name) for name in fields})
    steps: list[Step] = []
    if diff(now.item, wanted):
        steps.append(_update(visit, entry, now, wanted, pairing, case))
    if diff(other.item, there):
        mirrored = msgspec.structs.replace(entry, side=entry.side.other)
        steps.append(_update(visit, mirrored, other, there, pairing, case))
    return tuple(steps) or (_nothing(entry, "the value already stands"),)


def _update(
    visit: Visit, entry: Entry, now: Snapshot, wanted: Item, pairing: Pairing | None, case: Case
) -> Update:
    base = _snapshot(case, entry.side.other) or now
    mails = visit.policy.mails(now, wanted) if entry.side is Side.GROUPWARE else ()
    return Update(
        side=entry.side,
        pairing=pairing.id if pairing else entry.pairing,
        before=now,
        after=wanted,
        base=base,
        changes=changes(now.item, wanted),
        mails=mails,
        why=f"undo of step {entry.id}",
    )


def _guarded(visit: Visit, steps: Sequence[Step], approved: bool) -> tuple[Step, ...]:
    """Hold what would mail against the rule; release holds that were approved."""
    never = visit.rule.invitations is Invitations.NEVER
    result: list[Step] = []
    for step in steps:
        if isinstance(step, Hold) and approved:
            result.append(step.held)
        elif isinstance(step, Update | Delete) and step.mails and never and not approved:
            people = ", ".join(step.mails)
            result.append(_hold(step, f"mail: the server would write to {people}"))
        else:
            result.append(step)
    if any(isinstance(step, Hold) for step in result):
        result = [step for step in result if not isinstance(step, Unpair)]
    return tuple(result)


def _note_undone(visit: Visit, entries: Sequence[Entry], decided: Sequence[Decided]) -> None:
    held = {
        (step.held.side, step.held.before.ref)
        for one in decided
        for step in one.steps
        if isinstance(step, Hold) and isinstance(step.held, Update | Delete)
    }
    with visit.state.begin() as tx:
        latest = tx.journal.query(run=visit.run, limit=1)
        done = [entry.id for entry in entries if (entry.side, entry.ref) not in held]
        if latest and done:
            tx.journal.mark_undone(done, latest[0].id)


def _now(visit: Visit, side: Side, ref: str, pairing: Pairing | None) -> Observation:
    base = pairing.side(side) if pairing is not None else None
    ask = Ask(ref=ref, uid=base.item.uid if base else "", marker=base.marker if base else "")
    return confirm(visit.end(side), [ask])[ref]


def _case(visit: Visit, pairing: Pairing | None, side: Side, now: Observation) -> Case:
    if pairing is None:
        seen = now if isinstance(now, Seen) else None
        return Case(
            crm=seen if side is Side.CRM else None,
            groupware=seen if side is Side.GROUPWARE else None,
        )
    there = _now(visit, side.other, pairing.side(side.other).ref, pairing)
    crm, groupware = (now, there) if side is Side.CRM else (there, now)
    return Case(pairing=pairing, crm=crm, groupware=groupware)


def _snapshot(case: Case, side: Side) -> Snapshot | None:
    observation = case.crm if side is Side.CRM else case.groupware
    return observation.snapshot if isinstance(observation, Seen) else None


def _hold(step: Create | Update | Delete, cause: str) -> Hold:
    return Hold(held=step, cause=cause, why=step.why)


def _nothing(entry: Entry, why: str) -> Skip:
    return Skip(side=entry.side, ref=entry.ref, pairing=entry.pairing, why=f"undo: {why}")


def _let_go(pairing: Pairing, why: str) -> Unpair:
    return Unpair(
        pairing=pairing.id,
        crm=pairing.crm.ref,
        groupware=pairing.groupware.ref,
        cause=Frozen.UNLINKED,
        why=f"{why}: the other item stays and is left alone",
    )
