"""The plan of an undo, item by item: the before-image merged over now, on both sides.

What was edited since is held, and so is what would mail against the rule; what was erased or
can't be read is refused with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from accord.engine.guard import mailing
from accord.engine.merge import last
from accord.engine.plan import (
    Create,
    Delete,
    Frozen,
    Hold,
    Pairing,
    Refile,
    Skip,
    Step,
    Unpair,
    Update,
)
from accord.engine.reconcile import Case
from accord.model.diff import changes, diff, patch
from accord.model.fields import FIELDS
from accord.model.item import Item, kind_of
from accord.model.kinds import Side
from accord.model.observe import Deleted, Moved, Observation, Seen, Snapshot
from accord.model.zones import UnknownZone
from accord.rules.failure import RuleFailed, unruled
from accord.service.discreet import why_readonly
from accord.service.undo_stand import Standing
from accord.service.undo_values import carried, carries, refused, values_of
from accord.service.visit import Decided, Visit
from accord.state.records import Entry

ERASED = "the values were erased"

Writing: TypeAlias = Create | Update | Delete
Approves: TypeAlias = Callable[[Sequence[Writing | Refile]], bool]
"""Tell whether somebody has said yes to just these steps, which would be held."""


class Planned(Struct, frozen=True, kw_only=True):
    """Be what is to be done about one item.

    `copy` is made once what `decided` brings back is there, and `then` follows once all that is
    done: it is planned again by then, over what really stands. `left` says of entries, by
    number, why they are not undone.
    """

    entries: tuple[Entry, ...]
    decided: Decided
    copy: Decided | None = None
    then: Planned | None = None
    left: dict[int, str] = {}

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return all steps, as they are shown."""
        copied = self.copy.steps if self.copy is not None else ()
        return self.decided.steps + copied + (self.then.steps if self.then is not None else ())

    @property
    def refused(self) -> dict[int, str]:
        """Return why entries are not undone, by number, here and in what follows."""
        return self.left | (self.then.refused if self.then is not None else {})


def plan(visit: Visit, standing: Standing, approves: Approves) -> Planned:
    """Return the steps that bring one item back to where it stood before its oldest entry."""
    try:
        return _Planning(visit, standing, approves).plan()
    except _Refused as error:
        return refusal(standing.entries, str(error))
    except (RuleFailed, UnknownZone, OverflowError) as error:
        return refusal(standing.entries, unruled(error, standing.items))


def undo_of(entry: Entry) -> str:
    """Return why something is undone: which step is taken back."""
    return f"undo of step {entry.id}"


class _Refused(Exception):
    """An item can't be undone, for the reason given."""


class _Planning:
    """Plan the undo of one item."""

    def __init__(self, visit: Visit, standing: Standing, approves: Approves) -> None:
        self._visit, self._standing, self._approves = visit, standing, approves
        self._numbers = tuple(entry.id for entry in standing.entries)
        self._why = undo_of(standing.entries[0])

    def plan(self) -> Planned:
        standing = self._standing
        oldest = {side: standing.of(side)[-1] for side in self._sides()}
        made = [side for side, entry in oldest.items() if entry.step == "create"]
        if made:
            return self._take_back(made)
        if any(standing.before(entry) is None for entry in oldest.values()):
            raise _Refused(ERASED)
        gone = [side for side in Side if self._gone(side)]
        deleted = [s for s in gone if any(e.step == "delete" for e in standing.of(s))]
        if deleted:
            return self._bring_back(deleted[0])
        if any(entry.step == "unpair" for entry in standing.entries):
            return self._take_up(gone)
        return self._deleted_since(gone) if gone else self._put_back()

    # the three ways

    def _take_back(self, made: Sequence[Side]) -> Planned:
        """Undo a creation: delete the copy, unless somebody has worked on it since."""
        visit, standing = self._visit, self._standing
        steps: list[Delete] = []
        edits: list[str] = []
        for side in made:
            if self._gone(side):
                continue
            now = self._now(side)
            after = standing.after(standing.of(side)[0])
            edited = diff(after.item, now.item) if after is not None else None
            if edited is None:
                edits.append(f"nobody can tell whether it was edited since: {ERASED}")
            elif edited:
                edits.append(f"edited since: {', '.join(edited)}")
            steps.append(self._delete(side, now))
        others = tuple(e for e in standing.entries if e.side not in made and e.step != "unpair")
        if not steps and others:
            return plan(visit, msgspec.structs.replace(standing, entries=others), self._approves)
        if not steps:
            return self._nothing("what was created is gone already")
        then = self._alone(steps[0], others) if others else None
        together = [*steps, *writing(then)]
        held = self._hold("; ".join(edits), together) or self._silence(steps, together)
        if held:
            return self._planned(held)
        done = self._signed(steps)
        pairing = standing.pairing
        if pairing is not None and len(steps) == 1:
            done.append(_let_go(pairing, self._why))
        if others:
            rest = {entry.id for entry in others}
            mine = [number for number in self._numbers if number not in rest]
            done = [_for(step, mine) if isinstance(step, Delete) else step for step in done]
        return msgspec.structs.replace(self._planned(done), then=then)

    def _alone(self, gone: Delete, others: tuple[Entry, ...]) -> Planned:
        """Plan for the item that stands alone once its counterpart is gone: it goes back, too."""
        standing, pairing = self._standing, self._standing.pairing
        if pairing is not None:
            pairing = msgspec.structs.replace(pairing, frozen=str(Frozen.UNLINKED))
        after = msgspec.structs.replace(
            standing,
            entries=others,
            pairing=pairing,
            now={**standing.now, gone.side: Deleted(ref=gone.before.ref)},
        )
        return plan(self._visit, after, self._approves)

    def _bring_back(self, side: Side) -> Planned:
        """Undo a deletion: the item as it was, under its own ref where the side can.

        Where the counterpart is there it is paired with that again; where that is gone too, the
        record comes first and the mailbox gets its copy of what came back.
        """
        standing, entries = self._standing, self._standing.of(side)
        before = standing.before(entries[-1])
        if before is None:
            raise _Refused(ERASED)
        there = standing.seen(side.other)
        if there is None and self._record_first(side, entries[0]):
            return self._bring_both(entries[0], before)
        rest = tuple(e for e in standing.entries if e.side is not side)
        rest = rest if there is not None and standing.of(side.other) else ()
        step = Create(
            side=side,
            source=there or before,
            item=before.item,
            pairing=entries[0].pairing,
            alone=there is None,
            why=f"{self._why}: what was deleted comes back",
            undoes=tuple(e.id for e in standing.entries if e not in rest),
        )
        case = self._former(entries[0], {side: before, side.other: there or before})
        then = self._again(side, before, case, rest) if rest else None
        back = Decided(case=case, steps=(step,))
        return Planned(entries=standing.entries, decided=back, then=then)

    def _again(self, side: Side, back: Snapshot, case: Case, rest: tuple[Entry, ...]) -> Planned:
        """Plan for the pair once one item of it came back: the other one goes back, too."""
        now = {**self._standing.now, side: Seen(back)}
        after = msgspec.structs.replace(self._standing, entries=rest, pairing=case.pairing, now=now)
        return plan(self._visit, after, self._approves)

    def _record_first(self, side: Side, entry: Entry) -> bool:
        """Tell whether both items come back: the rule lets Accord make what is missing."""
        creates = self._standing.policy.program.creates
        if side is Side.CRM:
            return creates(Side.GROUPWARE)
        return bool(entry.counterpart) and creates(Side.CRM)

    def _bring_both(self, entry: Entry, before: Snapshot) -> Planned:
        """Bring back both items of a pair, of which `entry` knows one as it was `before`."""
        policy, side = self._standing.policy, entry.side
        items = {side: before.item, side.other: policy.fresh(side.other, before.item)}
        gone = msgspec.structs.replace(before, marker="")
        record = gone if side is Side.CRM else Snapshot(
            ref=entry.counterpart, version=before.version, item=items[Side.CRM]
        )  # fmt: skip
        step = Create(
            side=Side.CRM,
            source=gone,
            item=items[Side.CRM],
            pairing=entry.pairing,
            alone=True,
            why=f"{self._why}: what was deleted comes back",
            undoes=self._numbers,
        )
        case = self._former(entry, {Side.CRM: record, Side.GROUPWARE: before})
        copy = Create(
            side=Side.GROUPWARE,
            source=record,
            item=items[Side.GROUPWARE],
            why=step.why,
            undoes=self._numbers,
            in_part=True,
        )
        return Planned(
            entries=self._standing.entries,
            decided=Decided(case=case, steps=(step,)),
            copy=Decided(case=Case(), steps=(copy,)),
        )

    def _deleted_since(self, gone: Sequence[Side]) -> Planned:
        """Undo a change of what was deleted since: that waits for approval."""
        standing, pairing = self._standing, self._standing.pairing
        written = [side for side in gone if standing.of(side)]
        if pairing is not None and not pairing.frozen and len(gone) == 1:
            raise _Refused(f"it was deleted in the {gone[0].place}; synchronize first")
        if not written:
            return self._put_back()
        if pairing is not None and pairing.frozen:
            raise _Refused(f"it was deleted in the {written[0].place} and let go since")
        back = self._bring_back(written[0])
        held = self._hold("deleted since", writing(back))
        return self._planned(held, back.decided.case) if held else back

    def _take_up(self, gone: Sequence[Side]) -> Planned:
        """Undo that a pair was let go: the copy that was deleted then comes back."""
        standing, pairing = self._standing, self._standing.pairing
        if pairing is None or not pairing.frozen or Frozen(pairing.frozen).returns:
            return self._put_back() if self._sides() else self._nothing("they are a pair")
        if len(gone) != 1 or standing.seen(gone[0].other) is None:
            if self._sides():
                return self._put_back()
            return self._nothing("both items are there; nothing was deleted")
        side = gone[0]
        there = self._now(side.other)
        values = {}
        if standing.of(side.other):
            values = (values_of(standing, side.other, there) or ({},))[0]
        wanted = patch(there.item, values)
        step = Create(
            side=side,
            source=there,
            item=standing.policy.fresh(side, wanted, last(pairing, side)),
            pairing=pairing.id,
            why=f"{self._why}: the copy comes back",
            undoes=self._numbers,
        )
        steps: list[Step] = [step]
        if diff(there.item, wanted):
            steps.append(self._update(side.other, there, wanted, there, in_part=True))
        return self._planned(steps)

    def _put_back(self) -> Planned:
        """Undo changes: old values where they still stand as written, on both sides; others wait.

        A value goes back on the side where it was written and, as far as it travels there, on
        the one where it came from.
        """
        standing = self._standing
        free: dict[Side, dict[str, Any]] = {side: {} for side in Side}
        kept: dict[Side, dict[str, Any]] = {side: {} for side in Side}
        for side in self._sides():
            now = self._now(side)
            taken = free[side.other].keys() | kept[side.other].keys()
            both = values_of(standing, side, now)
            if both is None:
                raise _Refused(ERASED)
            for found, values in zip((free, kept), both, strict=True):
                found[side] = {name: v for name, v in values.items() if name not in taken}
        clash = self._merged(kept, alone=True)
        names = ", ".join(dict.fromkeys(name for values in kept.values() for name in values))
        waiting = self._hold(f"edited since: {names}", clash)
        if not waiting:
            free = {side: free[side] | kept[side] for side in Side}
        steps = self._merged(free, alone=bool(waiting))
        quiet = self._silence(steps)
        if quiet:
            return self._planned([*quiet, *waiting])
        done: list[Step] = [*self._signed(steps, in_part=bool(waiting)), *waiting]
        left = refused(standing, free)
        if left and not done:
            raise _Refused(left)
        if left:
            done.append(_note(standing.entries[0], left))
        return self._planned(done) if done else self._nothing("it stands as it did before")

    # what they are made of

    def _sides(self) -> list[Side]:
        """Return the sides that were written, the one that was written first at first."""
        written = [side for side in Side if self._standing.of(side)]
        return sorted(written, key=lambda side: self._standing.of(side)[-1].id)

    def _gone(self, side: Side) -> bool:
        """Tell whether the side says that the item is gone; raises _Refused where it is unclear."""
        observation = self._standing.now.get(side)
        match observation:
            case Deleted() | Moved(trash=True):
                return True
            case Seen() | None:
                return False
        if self._standing.pairing is not None and self._standing.pairing.frozen:
            return False
        raise _Refused(_unclear(side, observation))

    def _now(self, side: Side) -> Snapshot:
        """Return what stands on a side that is to be written; raises _Refused."""
        observation = self._standing.now.get(side)
        if not isinstance(observation, Seen):
            raise _Refused(_unclear(side, observation))
        if observation.snapshot.readonly:
            raise _Refused(why_readonly(observation.snapshot, side))
        return observation.snapshot

    def _merged(self, values: dict[Side, dict[str, Any]], *, alone: bool = False) -> list[Update]:
        """Return the updates that put these values back on both sides.

        Edits that are on their way go with them, unless they are to go `alone`. A pair that was
        let go stays apart: only the side that was written goes back.
        """
        if not any(values.values()):
            return []
        now = {side: snapshot for side in Side if (snapshot := self._standing.seen(side))}
        final = {side: patch(now[side].item, values[side]) for side in now}
        own = [side for side in now if diff(now[side].item, final[side])]
        if carries(self._standing):
            final = carried(self._standing, values, now, alone=alone)
        names = {name for some in values.values() for name in some}
        if not own and not any(diff(now[side].item, final[side], names) for side in now):
            return []
        steps = []
        for side in sorted(now, key=lambda side: not self._standing.of(side)):
            if diff(now[side].item, final[side]):
                base = now.get(side.other, now[side])
                steps.append(self._update(side, self._now(side), final[side], base))
        return steps

    def _update(
        self, side: Side, now: Snapshot, wanted: Item, base: Snapshot, *, in_part: bool = False
    ) -> Update:
        changed = changes(now.item, wanted)
        specs = FIELDS[kind_of(wanted)]
        mails: tuple[str, ...] = ()
        if side is Side.GROUPWARE and any(specs[change.field].visible for change in changed):
            mails = self._standing.policy.mails(now, wanted)
        pairing = self._standing.pairing
        return Update(
            side=side,
            pairing=pairing.id if pairing is not None else "",
            before=now,
            after=wanted,
            base=base,
            changes=changed,
            mails=mails,
            why=self._why,
            undoes=self._numbers,
            in_part=in_part,
        )

    def _delete(self, side: Side, now: Snapshot) -> Delete:
        mails = self._standing.policy.mails(now, None) if side is Side.GROUPWARE else ()
        pairing = self._standing.pairing
        return Delete(
            side=side,
            pairing=pairing.id if pairing is not None else "",
            before=now,
            mails=mails,
            why=f"{undo_of(self._standing.of(side)[-1])}: what was created is deleted",
            undoes=self._numbers,
        )

    def _former(self, entry: Entry, snapshots: dict[Side, Snapshot]) -> Case:
        """Return the pair as it was before the deletion."""
        pairing = self._standing.pairing
        former = Pairing(
            id=entry.pairing,
            crm=snapshots[Side.CRM],
            groupware=snapshots[Side.GROUPWARE],
            rule=self._visit.rule.version,
            content=pairing.content if pairing else True,
            made=pairing.made if pairing else None,
        )
        return Case(pairing=former)

    def _signed(self, steps: Sequence[Writing], *, in_part: bool = False) -> list[Step]:
        """Let each entry be undone by one step: on its own side, where there is one."""
        sides = [step.side for step in steps]
        signed: list[Step] = []
        for number, step in enumerate(steps):
            mine = tuple(
                entry.id
                for entry in self._standing.entries
                if entry.side is step.side or (number == 0 and entry.side not in sides)
            )
            whole = bool(mine) and not in_part
            signed.append(_for(step, mine or self._numbers, in_part=not whole))
        return signed

    def _silence(self, steps: Sequence[Writing], together: Sequence[Writing] = ()) -> list[Step]:
        """Return the steps held, with what goes with them, where they would mail unasked."""
        people = sorted({address for step in steps for address in step.mails})
        return self._hold(mailing(people, self._visit.rule), together or steps)

    def _hold(self, cause: str, steps: Sequence[Writing]) -> list[Step]:
        """Return the steps held for a cause; none where there is none or somebody said yes."""
        if not cause or not steps or self._approves(steps):
            return []
        held = [_for(step, self._numbers) for step in steps]
        return [Hold(held=step, cause=cause, why=step.why) for step in held]

    def _planned(self, steps: Sequence[Step], case: Case | None = None) -> Planned:
        standing = self._standing
        if case is None:
            now = standing.now
            case = Case(
                pairing=standing.pairing,
                crm=now.get(Side.CRM),
                groupware=now.get(Side.GROUPWARE),
            )
        decided = Decided(case=case, steps=tuple(steps))
        return Planned(entries=standing.entries, decided=decided)

    def _nothing(self, why: str) -> Planned:
        return self._planned([_note(self._standing.entries[0], why)])


def refusal(entries: tuple[Entry, ...], why: str) -> Planned:
    """Return the plan to do nothing about entries, and why."""
    note = (_note(entries[0], f"not undone: {why}"),)
    left = {entry.id: why for entry in entries}
    return Planned(entries=entries, decided=Decided(case=Case(), steps=note), left=left)


def writing(planned: Planned | None) -> list[Writing]:
    """Return what a plan would write, all that follows included; held steps don't."""
    steps = planned.steps if planned is not None else ()
    return [step for step in steps if isinstance(step, Create | Update | Delete)]


def _note(entry: Entry, why: str) -> Skip:
    return Skip(side=entry.side, ref=entry.ref, pairing=entry.pairing, why=f"undo: {why}")


def _let_go(pairing: Pairing, why: str) -> Unpair:
    return Unpair(
        pairing=pairing.id,
        crm=pairing.crm.ref,
        groupware=pairing.groupware.ref,
        cause=Frozen.UNLINKED,
        why=f"{why}: the other item stays and is left alone",
    )


def _unclear(side: Side, observation: Observation | None) -> str:
    place = side.place
    match observation:
        case Deleted() | Moved(trash=True) | None:
            return f"the item is gone in the {place}"
        case Moved():
            return f"it lies elsewhere in the {place} now"
        case _:
            why = getattr(observation, "why", "") or "no reason given"
            return f"it can't be read in the {place}: {why}"


def _for(step: Writing, numbers: Iterable[int], *, in_part: bool = False) -> Writing:
    return msgspec.structs.replace(step, undoes=tuple(sorted(numbers)), in_part=in_part)
