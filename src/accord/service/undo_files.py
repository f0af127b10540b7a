"""Undo what was done about files: what a run hung on is taken off, what it took off comes back.

Planned over what hangs on both items now, pair by pair; `undo` shows the steps and carries them
out. A file that nobody keeps any more can't come back, and that is said.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from accord.engine.files import File, Sums, file_of, steps_of
from accord.engine.guard import fingerprint
from accord.engine.plan import Delete, Hold, Hung, Pairing, Refile, Skip, Step
from accord.model.kinds import Side
from accord.model.learning import learnt
from accord.ports.errors import ItemError
from accord.service.files_pair import PairFiles
from accord.service.redaction import label_of
from accord.service.report import Report
from accord.service.undo_plan import ERASED, Approves, Planned
from accord.service.undone import waiting_undo
from accord.service.visit import Visit
from accord.state.codec import encode_step
from accord.state.files import FilesOf
from accord.state.ids import new_id
from accord.state.records import Cause, Entry, Pending

UNKEPT = "its bytes are kept nowhere any more"
_Ids = dict[tuple[Side, File], set[int]]


class FilesPlanned(Struct, frozen=True, kw_only=True):
    """Be what is to be done about the files of one pair; `left` says why entries stay."""

    steps: tuple[Step, ...]
    left: dict[int, str]


def cover(planned: Sequence[Planned], filed: Sequence[Entry]) -> tuple[list[Planned], list[Entry]]:
    """Let what deletes an item undo what was done about its files; return the other entries."""
    rest = list(filed)
    covered = []
    for one in planned:
        steps = []
        for step in one.decided.steps:
            effect = step.held if isinstance(step, Hold) else step
            done: Step = step
            if isinstance(effect, Delete):
                mine = [e for e in rest if (e.side, e.ref) == (effect.side, effect.before.ref)]
                rest = [e for e in rest if e not in mine]
                numbers = tuple(sorted({*effect.undoes, *(e.id for e in mine)}))
                effect = msgspec.structs.replace(effect, undoes=numbers)
                done = effect
                if isinstance(step, Hold):
                    done = msgspec.structs.replace(step, held=effect)
            steps.append(done)
        decided = msgspec.structs.replace(one.decided, steps=tuple(steps))
        covered.append(msgspec.structs.replace(one, decided=decided))
    return covered, rest


def plan_files(
    visit: Visit,
    entries: Sequence[Entry],
    approves: Approves,
    report: Report,
    shown: Sequence[FilesPlanned] | None = None,
) -> list[FilesPlanned]:
    """Return what undoing these entries, newest first, does about files.

    With `shown` it is done, as far as it was shown.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.pairing, []).append(entry)
    marks = None
    if shown is not None:
        steps = [step for one in shown for step in one.steps if isinstance(step, Refile)]
        marks = {fingerprint(step) for step in steps}
    return [_work(visit, key, some, approves, report, marks) for key, some in groups.items()]


def _work(
    visit: Visit,
    key: str,
    entries: Sequence[Entry],
    approves: Approves,
    report: Report,
    marks: set[str] | None,
) -> FilesPlanned:
    with visit.state.read() as tx:
        pairing, known = tx.pairings.get(key), tx.files.get(key) or FilesOf()
    if pairing is None or pairing.frozen:
        return _all_left(entries, "the item is no longer synchronized")
    pair = PairFiles(visit, report, pairing, known)
    try:
        with pair.looking() as held:
            undoing = _Undoing(pair, pairing, entries, held, approves)
            planned = undoing.plan()
            if marks is not None:
                left = _carry_out(visit, pair, pairing, undoing, planned, report, marks)
                planned = msgspec.structs.replace(planned, left=planned.left | left)
            return planned
    except ItemError as error:
        return _all_left(entries, str(error))


def _carry_out(
    visit: Visit,
    pair: PairFiles,
    pairing: Pairing,
    undoing: _Undoing,
    planned: FilesPlanned,
    report: Report,
    marks: set[str],
) -> dict[int, str]:
    """Do the steps that were shown, and let wait what is held; return what isn't undone."""
    steps = [step for step in planned.steps if isinstance(step, Refile)]
    if any(fingerprint(step) not in marks for step in steps):
        return dict.fromkeys(undoing.numbers, "it keeps changing meanwhile; undo it again")
    holds = [step for step in planned.steps if isinstance(step, Hold)]
    if holds:
        report.held += len(holds)
        with visit.state.begin() as tx:
            tx.pending.put_many([_pending(visit, pairing, one) for one in holds])
    failed = pair.perform(steps) if steps else {}
    return {number: why for step, why in failed.items() for number in steps[step].undoes}


class _Undoing:
    """Plan the undo of what was done about the files of one pair."""

    def __init__(
        self,
        pair: PairFiles,
        pairing: Pairing,
        entries: Sequence[Entry],
        held: dict[Side, list[Hung]],
        approves: Approves,
    ) -> None:
        self._pair, self._pairing, self._approves = pair, pairing, approves
        self._entries, self._held = entries, held
        self.numbers = tuple(sorted(entry.id for entry in entries))
        self._now = {side: {file_of(each) for each in held[side]} for side in Side}
        self._wanted = {side: set(self._now[side]) for side in Side}
        self._brought: dict[File, Hung] = {}
        self._ids: _Ids = {}
        self._left: dict[int, str] = {}

    def plan(self) -> FilesPlanned:
        notes: list[Skip] = []
        for entry in self._entries:
            why = self._take_back(entry)
            if why:
                self._left[entry.id] = why
                notes.append(_note(entry, f"not undone: {why}"))
        steps = self._steps()
        others = self._since(steps)
        if others and not self._approves(steps):
            cause = f"edited since: another {', '.join(others)} hangs there"
            held = [msgspec.structs.replace(s, undoes=self.numbers, in_part=False) for s in steps]
            steps_now: tuple[Step, ...] = tuple(
                Hold(held=step, cause=cause, why=step.why) for step in held
            )
        else:
            steps_now = tuple(self._signed(steps))
        if not steps_now and not notes:
            notes.append(_note(self._entries[0], "it stands as it did before"))
        return FilesPlanned(steps=(*steps_now, *notes), left=self._left)

    def _take_back(self, entry: Entry) -> str:
        """Let one entry be undone in what is wanted; return why it can't be."""
        changed = next((one for one in entry.fields if one.field == "file"), None)
        if changed is None:
            return ERASED
        before, after = _hung(changed.before), _hung(changed.after)
        sides = [entry.side] if before is None else list(Side)
        here = [side for side in sides if side in self._pair.open_to]
        if entry.side not in here:
            return f"nothing may be done about files in the {entry.side.place}"
        if before is not None:
            there = any(file_of(before) in self._now[side] for side in Side)
            if not there and not self._pair.bring(before):
                return UNKEPT
            self._brought[file_of(before)] = before
        for side in here:
            if before is not None:
                self._want(side, file_of(before), entry, there=True)
            for file in self._pair.forms(after) if after is not None else ():
                self._want(side, file, entry, there=False)
        return ""

    def _want(self, side: Side, file: File, entry: Entry, *, there: bool) -> None:
        wanted = self._wanted[side]
        if there and self._pair.photos:
            for other in wanted:  # it takes the place of what is there
                self._ids.setdefault((side, other), set()).add(entry.id)
            wanted.clear()
        (wanted.add if there else wanted.discard)(file)
        self._ids.setdefault((side, file), set()).add(entry.id)

    def _steps(self) -> list[Refile]:
        """Return the steps from what hangs there to what is wanted."""
        sums = Sums(
            lacks={side: frozenset(self._wanted[side] - self._now[side]) for side in Side},
            loses={side: frozenset(self._now[side] - self._wanted[side]) for side in Side},
            agreed=frozenset(),
        )
        brought = list(self._brought.values())
        held = {side: [*self._held[side], *brought] for side in Side}
        why = f"undo of step {self._entries[0].id}"
        found = steps_of(sums, held, self._pairing, label_of(self._pairing.crm.item))
        return [msgspec.structs.replace(step, why=why) for step in found]

    def _since(self, steps: Sequence[Refile]) -> list[str]:
        """Return the names under which others hang now where files are to come back."""
        if self._pair.photos:
            return ["photo"] if any(self._is_newer(step) for step in steps) else []
        return sorted(
            {
                step.after.name
                for step in steps
                if step.after is not None
                for file in self._now[step.side] & self._wanted[step.side]
                if file.name == step.after.name
            }
        )

    def _is_newer(self, step: Refile) -> bool:
        """Tell whether a photo would go that none of the entries put there."""
        if step.before is None:
            return False
        changed = [one for entry in self._entries for one in entry.fields if one.field == "file"]
        put = [after for one in changed if (after := _hung(one.after)) is not None]
        return all(file_of(step.before) not in self._pair.forms(each) for each in put)

    def _signed(self, steps: Sequence[Refile]) -> list[Refile]:
        """Let each entry be undone by one step: on its own side, where there is one."""
        about = [self._about(step) for step in steps]
        mine: list[set[int]] = [set() for _ in steps]
        for entry in self._entries:
            places = [place for place, ids in enumerate(about) if entry.id in ids]
            own = [place for place in places if steps[place].side is entry.side]
            if places:
                mine[(own or places)[0]].add(entry.id)
        return [
            msgspec.structs.replace(step, undoes=tuple(sorted(ids or every)), in_part=not ids)
            for step, ids, every in zip(steps, mine, about, strict=True)
        ]

    def _about(self, step: Refile) -> set[int]:
        files = [file_of(one) for one in (step.before, step.after) if one is not None]
        return {number for file in files for number in self._ids.get((step.side, file), ())}


def _hung(value: object) -> Hung | None:
    return None if value is None else msgspec.convert(value, learnt(Hung))


def _note(entry: Entry, why: str) -> Skip:
    return Skip(side=entry.side, ref=entry.ref, pairing=entry.pairing, why=f"undo: {why}")


def _all_left(entries: Sequence[Entry], why: str) -> FilesPlanned:
    return FilesPlanned(
        steps=(_note(entries[0], f"not undone: {why}"),),
        left={entry.id: why for entry in entries},
    )


def _pending(visit: Visit, pairing: Pairing, step: Hold) -> Pending:
    pending = Pending(
        id=new_id(),
        link=visit.link.id,
        ref_crm=pairing.crm.ref,
        ref_groupware=pairing.groupware.ref,
        cause=Cause.UNDO,
        step=encode_step(step),
        why=step.cause,
        fingerprint=fingerprint(step),
        run=visit.run,
        at=visit.now,
    )
    return waiting_undo(pending, step)
