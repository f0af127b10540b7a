"""What a batch changes in state, gathered in memory and written in one transaction.

Pairing, journal entry with before-image and the intent's end go together or not at all.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET

from accord.engine.guard import fingerprint
from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
    Frozen,
    Hold,
    Pair,
    Pairing,
    Skip,
    Step,
    Unpair,
    Unread,
    Update,
    Writing,
)
from accord.engine.policy import pairing_id
from accord.engine.reconcile import Case, Said, said
from accord.model.diff import FieldChange
from accord.model.kinds import Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.rules.program import RuleFailed
from accord.service.conflicts import contested, keep_conflicts
from accord.service.files_due import expect_files
from accord.service.meetings import ask_others, pass_on_all
from accord.service.redaction import Redaction, label_of
from accord.service.report import Report
from accord.service.undone import mark_undone, undoes, waiting_undo
from accord.service.visit import Visit
from accord.service.waiting import RETRY, patient, settle
from accord.state.codec import encode_step
from accord.state.ids import new_id
from accord.state.records import Cause, Decision, Entry, Intent, Pending
from accord.state.state import Tx


class Ledger:
    """Gather one batch's changes; `flush` writes them."""

    def __init__(self, visit: Visit, report: Report) -> None:
        """Write for `visit` and count in `report`."""
        self._visit = visit
        self._report = report
        self._pairings: dict[str, Pairing] = {}
        self._seen: dict[str, Pairing] = {}
        self._removed: set[str] = set()
        self._decisions: dict[tuple[Side, str], Decision] = {}
        self._entries: list[tuple[Entry, Snapshot | None, Snapshot | None]] = []
        self._pending: list[Pending] = []
        self._settled: dict[Side, set[str]] = {Side.CRM: set(), Side.GROUPWARE: set()}
        self._intents: list[str] = []
        self._doubted: dict[Side, set[str]] = {Side.CRM: set(), Side.GROUPWARE: set()}
        self._uncertain: dict[str, Update] = {}
        self._left: list[Pairing] = []
        self._ended: list[Pairing] = []
        self._undone: dict[int, tuple[int, ...]] = {}
        self._refs: dict[str, str] = {}
        self._redaction = Redaction(visit)
        self._denied: list[Case] = []
        self._moments: dict[Side, dict[str, datetime]] = {Side.CRM: {}, Side.GROUPWARE: {}}

    def see(self, case: Case) -> None:
        """Note what a case tells, whatever becomes of it: what is private leaves no words."""
        self._redaction.see(case)
        if case.pairing is not None:
            self._seen[case.pairing.id] = case.pairing

    def close_intent(self, intent: str) -> None:
        """Note that a write's outcome is known."""
        self._intents.append(intent)

    def reopen(self, intent: str, step: Update) -> None:
        """Note that a write whose outcome isn't known yet stands on other bases now."""
        self._uncertain[intent] = step

    def pair(self, pairing: Pairing) -> None:
        """Keep a pairing, in place of any other that has one of its refs."""
        self._pairings[pairing.id] = pairing
        self._redaction.see_pair(pairing)
        self._removed.discard(pairing.id)

    def entered(self, pairing: str) -> Pairing | None:
        """Return a pairing as this batch has left it so far, if it has touched it."""
        return self._pairings.get(pairing)

    def advance(self, pairing: Pairing, rule: str) -> None:
        """Let a pairing stand under another rule version, unless it has gone."""
        if pairing.id not in self._removed:
            standing = self._pairings.get(pairing.id, pairing)
            self.pair(msgspec.structs.replace(standing, rule=rule))

    def forget(self, pairing: str) -> None:
        """Let go of a pairing's row."""
        self._pairings.pop(pairing, None)
        self._removed.add(pairing)

    def freeze(self, crm: str, groupware: str, cause: Frozen) -> None:
        """Let go of a pair that has just been entered, until it returns."""
        key = pairing_id(self._visit.link.id, crm, groupware)
        self.pair(msgspec.structs.replace(self._pairings[key], frozen=str(cause)))

    def end(self, pairing: Pairing) -> None:
        """Let go of a pairing whose record is gone, and of what was open about it."""
        self.forget(pairing.id)
        self._ended.append(pairing)

    def leave(self, pairing: Pairing) -> None:
        """Note that a pair is no more, or not at present, though its record lives on."""
        self._left.append(pairing)

    def claim_ref(self, uid: str, ref: str) -> None:
        """Note which CRM record a claimed meeting became."""
        self._refs[uid] = ref

    def doubt(self, side: Side, ref: str) -> None:
        """Have an item looked at anew, in whatever version it is: something still has to travel."""
        self._doubted[side].add(ref)

    def settle(self, crm: str, groupware: str) -> None:
        """Note that nothing is pending about these refs any more."""
        for side, ref in ((Side.CRM, crm), (Side.GROUPWARE, groupware)):
            if ref:
                self._settled[side].add(ref)

    def watch(self, side: Side, snapshot: Snapshot) -> None:
        """Index when the passing of time alone will change the decision about an item."""
        window = self._visit.rule.window
        if window.past is None and window.future is None:
            return
        try:
            enters, leaves = self._visit.policy.program.window_times(snapshot.item)
        except RuleFailed:
            return
        coming = [m for m in (enters, leaves) if m is not None and m > self._visit.now]
        if coming:
            self._moments[side][snapshot.ref] = min(coming)

    def wrote(
        self,
        step: Create | Update | Delete,
        ref: str,
        before: Snapshot | None,
        after: Snapshot | None,
        counterpart: str,
        pairing: str,
    ) -> None:
        """Enter a write in the journal, with what stood there before."""
        counts = self._report.side(step.side)
        match step:
            case Create():
                counts.created += 1
            case Update():
                counts.updated += 1
            case Delete():
                counts.deleted += 1
        fields = step.changes if isinstance(step, Update) else ()
        self._enter(
            step,
            step.side,
            ref,
            counterpart,
            pairing=pairing,
            fields=fields,
            before=before,
            after=after,
        )
        if step.undoes and not step.in_part:
            self._undone[len(self._entries) - 1] = step.undoes
        subject = after or before
        if subject is not None:
            self._decide(step.side, ref, subject, step, after.version if after else "")

    def failed(self, step: Writing, case: Case, error: str, cause: Cause) -> None:
        """Park a write that its side refused, and say why."""
        side = step.side
        self._report.side(side).failed += 1
        if not undoes(step):  # What an undo couldn't do is said at once, and stays undoable.
            self._park(step, case, cause, error)
            self._not_made(step, step, error)
        self._enter(step, side, _ref(case, side), _ref(case, side.other), error=error)

    def denied(self, step: Writing, case: Case, error: str) -> None:
        """Park a write for which this user has no right; of a meeting another may have it."""
        self.failed(step, case, error, Cause.RETRY)
        if isinstance(step, Update) and step.side is Side.CRM and not undoes(step):
            self._denied.append(case)

    def note(self, step: Step, case: Case) -> None:
        """Record a step that writes nothing on either side."""
        match step:
            case Skip():
                self._skip(step, case)
            case Pair():
                self._pair(step, case)
            case Unpair():
                self._unpair(step, case)
            case Conflict():
                self._conflict(step, case)
            case Hold():
                self._report.count_held(step)
                self._park(step, case, Cause.HELD, step.cause)
                if not undoes(step):
                    self._not_made(step.held, step, step.cause)

    def flush(self, tx: Tx) -> None:
        """Write everything gathered, in `tx`."""
        visit = self._visit
        if visit.lease is not None:
            tx.leases.check(visit.lease)
        link = visit.link.id
        self._remove_rivals(tx)
        gone = tx.pairings.get_many(self._removed)
        self._redaction.look_back(tx, self._removed)
        tx.pairings.remove_many(self._removed)
        self._weigh(tx)
        sealed = self._redaction.seal(tx, self._pairings)
        tx.pairings.put_many(link, sealed)
        expect_files(tx, link, sealed, self._removed)
        ask_others(tx, visit, self._denied)
        known = {k: p for k, p in self._seen.items() if k not in self._removed} | self._pairings
        settle(tx, visit, self._settled, known.values())
        self._end(tx)
        pending = patient(tx, visit, self._pending)
        pending = keep_conflicts(tx, visit, self._pairings, gone, pending)
        self._redaction.forget_pending(tx)
        tx.pending.put_many(pending)
        tx.decisions.put_many(self._redaction.silence(self._decisions))
        for side, refs in self._doubted.items():
            tx.decisions.remove(link, side, refs)
        self._journal(tx)
        self._redaction.erase(tx)
        self._index_windows(tx)
        tx.claims.set_refs(visit.instance, self._refs)
        tx.intents.close_many([*self._intents, *self._uncertain])
        tx.intents.open_many([self._intent(key, step) for key, step in self._uncertain.items()])

    def _intent(self, key: str, step: Update) -> Intent:
        visit = self._visit
        return Intent(
            id=key,
            link=visit.link.id,
            run=visit.run,
            side=step.side,
            ref=step.before.ref,
            pairing=step.pairing,
            step=encode_step(step),
            at=visit.now,
        )

    def _remove_rivals(self, tx: Tx) -> None:
        """Drop older pairings that hold a ref which now belongs to another pair."""
        link = self._visit.link.id
        for side in Side:
            refs = [pairing.side(side).ref for pairing in self._pairings.values()]
            rivals = tx.pairings.by_refs(link, side, refs).values()
            self._removed |= {other.id for other in rivals} - self._pairings.keys()

    def _weigh(self, tx: Tx) -> None:
        """Note which fields of each pair are still in conflict, and whose copy gives content."""
        passed = pass_on_all(tx, self._visit, self._left)
        for key, pairing in self._pairings.items():
            if pairing.contested:
                left = contested(self._visit, pairing)
                pairing = msgspec.structs.replace(pairing, contested=left)
            if key in passed:
                pairing = msgspec.structs.replace(pairing, content=False)
            self._pairings[key] = pairing

    def _end(self, tx: Tx) -> None:
        link, visit = self._visit.link.id, self._visit
        tx.pending.settle(link, Side.CRM, {p.crm.ref for p in self._ended})
        tx.pending.settle(link, Side.GROUPWARE, {p.groupware.ref for p in self._ended})
        if visit.link.kind is Kind.EVENT:
            uids = {p.side(side).item.uid for p in self._ended for side in Side}
            tx.claims.release_many(visit.instance, uids, link)

    def _journal(self, tx: Tx) -> None:
        snapshots = [s for _, before, after in self._entries for s in (before, after) if s]
        digests = iter(tx.blobs.put_items(snapshots))
        entries = []
        for entry, before, after in self._entries:
            entries.append(
                msgspec.structs.replace(
                    entry,
                    before=next(digests) if before else None,
                    after=next(digests) if after else None,
                )
            )
        tx.journal.append_many(entries)
        mark_undone(tx, self._visit, len(entries), self._undone)

    def _index_windows(self, tx: Tx) -> None:
        for pairing in self._pairings.values():
            self.watch(Side.CRM, pairing.crm)
        for side, moments in self._moments.items():
            if moments:
                tx.windows.put_many(self._visit.link.id, side, moments)

    def _skip(self, step: Skip, case: Case) -> None:
        self._report.count_skip(step)
        subject = _snapshot(case, step.side)
        self._decide(step.side, step.ref, subject, step, step.version)
        if not step.parked and case.pairing is None:
            self._settled[step.side].add(step.ref)
        if step.parked:
            self._park(step, case, Cause(step.parked), step.why)
            if step.side is Side.CRM and subject is not None and subject.readonly:
                self._denied.append(case)
        if subject is not None:
            self.watch(step.side, subject)

    def _pair(self, step: Pair, case: Case) -> None:
        old = case.pairing
        pairing = Pairing(
            id=step.pairing,
            crm=step.crm,
            groupware=step.groupware,
            rule=old.rule if old is not None else self._visit.rule.version,
            content=step.content,
            made=old.made if old is not None else None,
            contested=step.contested,
            refused=old is not None and old.refused and old.crm.version == step.crm.version,
        )
        self.pair(pairing)
        if old is None:
            self._report.count_both("paired")
            self._enter(step, Side.CRM, step.crm.ref, step.groupware.ref, pairing=pairing.id)
            self._decide(Side.CRM, step.crm.ref, step.crm, step, step.crm.version)
            self._decide(
                Side.GROUPWARE, step.groupware.ref, step.groupware, step, step.groupware.version
            )
        self.settle(step.crm.ref, step.groupware.ref)

    def _unpair(self, step: Unpair, case: Case) -> None:
        self._report.count_both("unpaired")
        if case.pairing is None:
            self.forget(step.pairing)
        elif step.forget:
            self.end(case.pairing)
        else:
            standing = self._pairings.get(step.pairing)
            if standing is None:
                standing = case.pairing
                if not step.cause.returns:
                    standing = msgspec.structs.replace(
                        standing,
                        crm=_snapshot(case, Side.CRM) or standing.crm,
                        groupware=_snapshot(case, Side.GROUPWARE) or standing.groupware,
                    )
            frozen = msgspec.structs.replace(standing, frozen=str(step.cause))
            self.pair(frozen)
            if lives_on(case):
                self.leave(frozen)
        self._enter(step, Side.CRM, step.crm, step.groupware, pairing=step.pairing)
        for side, ref in ((Side.CRM, step.crm), (Side.GROUPWARE, step.groupware)):
            self._decide(side, ref, _snapshot(case, side), step, "")
        self.settle(step.crm, step.groupware)

    def _conflict(self, step: Conflict, case: Case) -> None:
        self._report.count_conflict(step)
        side = (step.winner or Side.CRM).other
        refs = {Side.CRM: step.crm.ref, Side.GROUPWARE: step.groupware.ref}
        if step.winner is None:
            self._park(step, case, Cause.CONFLICT, step.why)
            for each in Side:  # without a version, for it is to be decided again
                snapshot = step.crm if each is Side.CRM else step.groupware
                self._decide(each, refs[each], snapshot, step, "")
        self._enter(
            step,
            side,
            refs[side],
            refs[side.other],
            pairing=step.pairing,
            fields=step.fields,
            before=step.crm if side is Side.CRM else step.groupware,
        )

    def _not_made(self, held: Step, step: Step, why: str) -> None:
        """Let an item be found that has no copy yet; without a version, for it isn't settled."""
        if isinstance(held, Create) and not held.alone:
            told = msgspec.structs.replace(step, why=why)
            self._decide(held.side.other, held.source.ref, held.source, told, "")

    def _park(self, step: Step, case: Case, cause: Cause, why: str) -> None:
        crm, groupware = _refs(case, step)
        pending = Pending(
            id=new_id(),
            link=self._visit.link.id,
            ref_crm=crm,
            ref_groupware=groupware,
            cause=cause,
            step=encode_step(step),
            why=why,
            fingerprint=fingerprint(step),
            run=self._visit.run,
            at=self._visit.now,
            due=self._visit.now + RETRY if cause is Cause.RETRY else None,
            tries=1,
        )
        self._pending.append(waiting_undo(pending, step))

    def _decide(
        self, side: Side, ref: str, snapshot: Snapshot | None, step: Step, version: str
    ) -> None:
        item = snapshot.item if snapshot is not None else None
        self._decisions[side, ref] = Decision(
            link=self._visit.link.id,
            side=side,
            ref=ref,
            version=version,
            uid=item.uid if item is not None else _unread(step).uid,
            label=label_of(item) if item is not None else _unread(step).label,
            step=step.name,
            why=step.why,
            rule=self._visit.rule.version,
            run=self._visit.run,
            at=self._visit.now,
        )

    def _enter(
        self,
        step: Step,
        side: Side,
        ref: str,
        counterpart: str,
        *,
        pairing: str = "",
        fields: tuple[FieldChange, ...] = (),
        before: Snapshot | None = None,
        after: Snapshot | None = None,
        error: str = "",
    ) -> None:
        visit = self._visit
        source = getattr(step, "base", None) or getattr(step, "source", None)
        entry = Entry(
            at=visit.now,
            run=visit.run,
            link=visit.link.id,
            user=visit.link.user,
            side=side,
            kind=visit.link.kind,
            ref=ref,
            counterpart=counterpart,
            pairing=pairing,
            step=step.name,
            why=step.why,
            actor=source.by if source is not None else "",
            rule=visit.rule.version,
            version=after.version if after else "",
            error=error,
            fields=fields,
            mails=len(getattr(step, "mails", ())),
        )
        self._entries.append((entry, before, after))


def lives_on(case: Case) -> bool:
    """Tell whether a pair's record is still there, in this user's scope or not."""
    return case.pairing is not None and said(case.pairing.crm, case.crm) is not Said.GONE


def _unread(step: Step) -> Unread:
    unread = step.unread if isinstance(step, Skip) else UNSET
    return Unread() if unread is UNSET else unread


def _snapshot(case: Case, side: Side) -> Snapshot | None:
    observation = case.crm if side is Side.CRM else case.groupware
    if isinstance(observation, Seen):
        return observation.snapshot
    return case.pairing.side(side) if case.pairing is not None else None


def _ref(case: Case, side: Side) -> str:
    snapshot = _snapshot(case, side)
    return snapshot.ref if snapshot is not None else ""


def _refs(case: Case, step: Step) -> tuple[str, str]:
    """Return the CRM and groupware refs a step is about; empty where there is none yet."""
    refs = {side: _ref(case, side) for side in Side}
    if isinstance(step, Skip) and not refs[step.side]:
        refs[step.side] = step.ref
    return refs[Side.CRM], refs[Side.GROUPWARE]
