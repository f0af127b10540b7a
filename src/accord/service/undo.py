"""Undo: the before-image merged over what stands now, as a plan like any other.

Fields edited since are held, deleted records are restored rather than recreated where the side
can, and nothing brought back ever mails. `undo_plan` decides, item by item; here it is carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec
from msgspec import Struct

from accord.engine.plan import Create, Frozen, Hold, Plan
from accord.model.kinds import Side
from accord.model.observe import Seen, Snapshot
from accord.ports.adapter import Ask, Question
from accord.ports.errors import ConfigError
from accord.service.accord import Accord
from accord.service.apply import apply, create_keys
from accord.service.begin import attend
from accord.service.files_journal import FILE_STEPS
from accord.service.opening import Options
from accord.service.pull import confirm
from accord.service.replies import STEPS, undo_replies
from accord.service.report import Report
from accord.service.sync import ROUNDS
from accord.service.undo_files import FilesPlanned, cover, plan_files
from accord.service.undo_plan import Approves, Planned, plan
from accord.service.undo_shown import MOVING, Shown
from accord.service.undo_stand import by_item, stand
from accord.service.visit import Decided, Visit
from accord.state.records import Entry, Link
from accord.state.state import Tx

_MOST = 100_000
_UNDOABLE = ("create", "update", "delete", "clash", *STEPS, *FILE_STEPS)


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

    Raises ConfigError where nothing fits, where all was undone before, or where a title fits
    several items.
    """
    with accord.state.read() as tx:
        if text.lstrip("#").isdigit():
            entry = tx.journal.get(int(text.lstrip("#")))
            return _chosen(tx, What.STEP, text, [entry, *_beside(tx, entry)] if entry else [])
        if tx.runs.get(text) is not None:
            return _chosen(tx, What.RUN, text, tx.journal.query(run=text, limit=_MOST))
        if tx.links.by_user(text):
            return _chosen(tx, What.USER, text, tx.journal.query(user=text, limit=_MOST))
        refs = {text} | {decision.ref for decision in tx.decisions.find(text)}
        by_ref = {ref: tx.journal.query(ref=ref, limit=_MOST) for ref in sorted(refs)}
        entries = {entry.id: entry for found in by_ref.values() for entry in found}
        pairs = {entry.pairing for entry in entries.values() if entry.pairing}
        if len(pairs) > 1 and len({one for e in entries.values() if (one := _item(e))}) > 1:
            raise ConfigError(
                f"{text!r} fits {len(pairs)} items",
                field="item",
                hint="name the item by its ref; `accord journal` shows it",
            )
        return _chosen(tx, What.ITEM, text, sorted(entries.values(), key=lambda e: -e.id))


def undo(
    accord: Accord,
    selection: Selection,
    *,
    dry: bool = False,
    approved: bool = False,
) -> list[Report]:
    """Undo the selected entries on both sides, link by link, and return one report each.

    `approved` carries out what would otherwise be held because fields were edited since or
    attendees would get mail. With `dry` the reports only carry the plans. What a report says is
    `left` was not undone.
    """
    return undo_entries(accord, selection.entries, lambda _: approved, dry=dry)


def undo_entries(
    accord: Accord, entries: Sequence[Entry], approves: Approves, *, dry: bool = False
) -> list[Report]:
    """Undo entries, link by link, and return one report each; `approves` releases what is held."""
    by_link: dict[str, list[Entry]] = {}
    for entry in entries:
        by_link.setdefault(entry.link, []).append(entry)
    with accord.state.read() as tx:
        links = {name: tx.links.get(name) for name in by_link}
    reports = []
    for name, some in by_link.items():
        link = links[name]
        if link is None:
            reports.append(Report(link=name, error="the link no longer exists", action="configure"))
            continue
        reports.append(_undo_link(accord, link, some, approves, dry=dry))
    return reports


def _chosen(tx: Tx, what: What, text: str, entries: Sequence[Entry]) -> Selection:
    resting = _resting(tx, entries)
    able = [
        entry
        for entry in entries
        if not entry.error
        and (entry.step in _UNDOABLE or (entry.step == "unpair" and entry.pairing in resting))
    ]
    fitting = tuple(entry for entry in able if entry.undone_by is None)
    if not fitting and able:
        by = max(entry.undone_by or 0 for entry in able)
        raise ConfigError(
            f"{what} {text.lstrip('#')} was undone before, by step {by}",
            field="selector",
            hint=f"`accord undo {by}` takes that back",
        )
    if not fitting:
        raise ConfigError(
            f"there is nothing to undo for {text!r}",
            field="selector",
            hint="`accord journal` lists what was done, with numbers, runs and users",
        )
    return Selection(what=what, text=text, entries=fitting)


def _resting(tx: Tx, entries: Sequence[Entry]) -> set[str]:
    """Return the pairings that were let go for good, so that only an undo takes them up again."""
    pairings = tx.pairings.get_many({e.pairing for e in entries if e.step == "unpair"})
    return {key for key, one in pairings.items() if one.frozen and not Frozen(one.frozen).returns}


def _beside(tx: Tx, entry: Entry) -> list[Entry]:
    """Return what belongs to a step: with a reply that declined, that the pair was let go."""
    if entry.step != "update" or not entry.pairing:
        return []
    found = tx.journal.query(run=entry.run, pairing=entry.pairing, step="unpair")
    return [one for one in found if one.pairing in _resting(tx, found)]


def _item(entry: Entry) -> str:
    return entry.counterpart if entry.side is Side.GROUPWARE else entry.ref


def _undo_link(
    accord: Accord, link: Link, entries: Sequence[Entry], approves: Approves, *, dry: bool
) -> Report:
    answers = [entry for entry in entries if entry.step in STEPS]
    filed = [entry for entry in entries if entry.step in FILE_STEPS]
    entries = [entry for entry in entries if entry.step not in (*STEPS, *FILE_STEPS)]

    def decide(visit: Visit, report: Report) -> _Both:
        items = _plans(visit, entries if dry else _open(visit, entries), approves)
        items, rest = cover(items, filed if dry else _open(visit, filed))
        both = _Both(items, rest, plan_files(visit, rest, approves, report))
        steps = [step for one in both.items for step in one.steps]
        steps += [step for each in both.files for step in each.steps]
        report.plan = Plan(link=link.id, steps=tuple(steps))
        refused = [one.refused for one in both.items] + [one.left for one in both.files]
        report.left = _told({n: why for some in refused for n, why in some.items()})
        if dry:
            undo_replies(visit, answers, report)
        return both

    def carry_out(visit: Visit, both: _Both, report: Report) -> None:
        # Files go first: what is let go of with its item takes none any more.
        done = plan_files(visit, both.filed, approves, report, both.files)
        left = {n: why for one in done for n, why in one.left.items()}
        _carry_out(visit, both.items, approves, report, filed, left)
        undo_replies(visit, _open(visit, answers), report)

    options = Options(dry=dry, cause="undo", stays=True)
    return attend(accord, link, options, decide, carry_out)


class _Both(NamedTuple):
    """Be what an undo does about items and, from the entries in `filed`, about files."""

    items: list[Planned]
    filed: list[Entry]
    files: list[FilesPlanned]


def _plans(visit: Visit, entries: Sequence[Entry], approves: Approves) -> list[Planned]:
    return [plan(visit, standing, approves) for standing in stand(visit, by_item(entries))]


def _carry_out(
    visit: Visit,
    planned: Sequence[Planned],
    approves: Approves,
    report: Report,
    filed: Sequence[Entry],
    left: dict[int, str],
) -> None:
    """Write, and plan again what had changed meanwhile; say what is left in the end.

    Only what was written is marked as undone, by the step that wrote it. What a later round
    would write otherwise than it was shown is left. `filed` are entries about files,
    and `left` says what is left of those.
    """
    shown = Shown(planned)
    entries: list[Entry] = []
    for number in range(ROUNDS + 1):
        if number:
            planned, _ = cover(_plans(visit, entries, approves), _open(visit, filed))
            planned = [shown.only(one) for one in planned]
        entries = _write(visit, planned, report)
        for one in planned:
            left |= one.left
        if not entries:
            break
    left |= {entry.id: MOVING for entry in _open(visit, entries)}
    report.left = _told(left)


def _open(visit: Visit, entries: Sequence[Entry]) -> list[Entry]:
    """Return those of the entries that nobody has undone meanwhile."""
    with visit.state.read() as tx:
        found = [tx.journal.get(entry.id) for entry in entries]
    return [entry for entry in found if entry is not None and entry.undone_by is None]


def _write(visit: Visit, planned: Sequence[Planned], report: Report) -> list[Entry]:
    """Write what is planned, copies of what comes back last; return what is to be planned again.

    Where something had changed meanwhile those are all entries about the item: one side may have
    been written already.
    """
    busy = [(one, _written(one.decided)) for one in planned]
    stale = _apply(visit, busy, report)
    copies = [
        (one, _over(visit, one.copy, one.decided))
        for one in planned
        if one.copy is not None and id(one) not in stale
    ]
    _apply(visit, copies, report)
    again: list[Entry] = []
    for one in planned:
        still = _open(visit, one.entries) if one.then is not None else []
        if id(one) in stale:
            again += one.entries
        elif len(still) < len(one.entries):
            again += still
    return again


def _apply(visit: Visit, some: Sequence[tuple[Planned, Decided]], report: Report) -> set[int]:
    """Carry out what has steps; return of which items something had changed meanwhile, by id()."""
    stale = {id(one) for one in apply(visit, [d for _, d in some if d.steps], report)}
    return {id(one) for one, decided in some if id(decided) in stale}


def _written(decided: Decided) -> Decided:
    """Return a case with the steps that do something; the others are only shown."""
    steps = tuple(step for step in decided.steps if step.name != "skip")
    return msgspec.structs.replace(decided, steps=steps)


def _over(visit: Visit, one: Decided, back: Decided) -> Decided:
    """Return the copy's step over the item that has just come back; nothing if it didn't."""
    (step,), (made, *_) = one.steps, back.steps
    if isinstance(made, Hold) or not isinstance(step, Create) or not isinstance(made, Create):
        return msgspec.structs.replace(one, steps=())
    source = _came_back(visit, made, back)
    if source is None:
        return msgspec.structs.replace(one, steps=())
    return Decided(case=one.case, steps=(msgspec.structs.replace(step, source=source),))


def _came_back(visit: Visit, made: Create, back: Decided) -> Snapshot | None:
    end, pairing = visit.end(made.side), back.case.pairing
    ref = pairing.side(made.side).ref if pairing is not None else made.source.ref
    found = confirm(end, [Ask(ref=ref)])[ref]
    if isinstance(found, Seen):
        return found.snapshot
    questions = [Question(key=key) for key in create_keys(visit.link.id, made)]
    answers = [s for many in end.session.lookup(end.folder, end.kind, questions) for s in many]
    return answers[-1] if answers else None


def _told(left: dict[int, str]) -> list[str]:
    """Return a line for each reason why something isn't undone."""
    reasons: dict[str, list[int]] = {}
    for number, why in sorted(left.items()):
        reasons.setdefault(why, []).append(number)
    lines = []
    for why, numbers in reasons.items():
        some = ", ".join(str(number) for number in numbers[:10])
        more = f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
        word = "step" if len(numbers) == 1 else "steps"
        lines.append(f"{word} {some}{more} not undone: {why}")
    return lines
