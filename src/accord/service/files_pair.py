"""The files of one pair: what hangs on both items, what follows from it, and doing that.

`files` goes through the pairs; nothing is taken off before the guard's verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from accord.engine.files import File, Sums, compare, file_of, steps_of
from accord.engine.guard import fingerprint
from accord.engine.plan import Hung, Pairing, Refile, Step
from accord.engine.policy import Policy
from accord.model.diff import diff
from accord.model.files import file_field, files_of
from accord.model.kinds import Side
from accord.model.observe import Seen, Snapshot
from accord.model.parts import STORED
from accord.ports.adapter import Ask
from accord.ports.errors import Gone, ItemError, Rejected
from accord.service.files_bytes import Bytes, Read, is_file, keeps
from accord.service.files_due import files_on, of_occurrences
from accord.service.files_guard import Losing, is_judged, keep_held, put_to_guard
from accord.service.files_journal import enter
from accord.service.files_photo import (
    agreed_after_undo,
    compare_photos,
    forms_of,
    settled,
    unsettled,
    with_reasons,
)
from accord.service.ledger import Ledger
from accord.service.opening import LEASE_SECONDS, load_policies
from accord.service.pausing import require_going
from accord.service.redaction import label_of
from accord.service.report import Report
from accord.service.visit import Visit
from accord.state.files import FilesOf, Hanging


class PairFiles:
    """Be one pair at work: what hangs on its items, and what was left out."""

    def __init__(
        self,
        visit: Visit,
        report: Report,
        pairing: Pairing,
        known: FilesOf,
        verdict: Mapping[str, Step] | None = None,
    ) -> None:
        """Work on `pairing`, of whose files `known` is known; `verdict` is the guard's."""
        load_policies(visit, [pairing.rule])
        self._visit = visit
        self._report = report
        self._pairing = pairing
        self._known = known
        self._verdict = verdict
        self._left: list[str] = []
        self._whole: set[Side] = set(Side)
        self._waits: dict[str, Step] = {}
        self._done: list[Refile] = []
        self.open_to: set[Side] = set()
        self._unjudged = False
        self._now: dict[Side, Snapshot] = {}
        self._bytes = Bytes(visit, pairing)
        self._field = file_field(visit.end(Side.CRM).kind)

    @property
    def photos(self) -> bool:
        """Tell whether it is contacts' photos, of which each side has one at most."""
        return self._bytes.photos

    def refuse(self, side: Side) -> None:
        """Say what would be carried to a side that keeps no files."""
        now = {one: self._pairing.side(one) for one in Side}
        may = side in self._open_to(now) and not self._hidden(now[Side.GROUPWARE])
        where = f"in the {side.other.place}: none can be kept in the {side.place}"
        held = files_on(self._pairing, side.other) if may else ()
        left = tuple(f"{self._bytes.called(each.name)} {where}" for each in held)
        self._keep(msgspec.structs.replace(self._known, left=left))

    def settle(self) -> Losing | None:
        """Carry what is to be carried, and keep what agrees now.

        Where something would be lost of which there is no verdict, it is returned instead.
        """
        now = self._now = {side: self._fetch(side) for side in Side}
        if self._hidden(now[Side.GROUPWARE]):
            self._keep(self._withdrawn(now), private=True)
            return None
        open_to = self._open_to(now)
        if not open_to or not self._bytes.room:
            self._keep(self._known)
            return None
        with self._bytes.stack:
            held = self._bytes.held = {side: self._told(side, now[side]) for side in Side}
            self._done += self._made_good(held)
            sums, steps = self._planned(now, held, open_to)
            if self._verdict is None and any(self._is_judged(step) for step in steps):
                shown = put_to_guard(self._visit, self._pairing, steps)
                return Losing(steps=shown, known=self._learned(held, and_before=True))
            chosen = [step for step in steps if self._allowed(step)]
            self._begin(chosen)
            done = self._carry(chosen, held)
        after = dict(now)
        for side in {step.side for step in done}:
            after[side] = self._fetch(side)
        self._finish(sums, steps, done, after)
        return None

    def _planned(
        self, now: dict[Side, Snapshot], held: dict[Side, list[Read]], open_to: set[Side]
    ) -> tuple[Sums, tuple[Refile, ...]]:
        """Return what is to be done on each side, and its steps."""
        agreed = [File(*each) for each in self._known.agreed]
        here = {side: [each.file for each in held[side]] for side in Side}
        label = label_of(self._pairing.crm.item)
        hung = {side: [self._hung(side, one) for one in held[side]] for side in Side}
        if not self.photos:
            apart = [File(*each) for each in self._known.apart]
            sums = compare(agreed, here, whole=self._whole, open_to=open_to, apart=apart)
            return sums, steps_of(sums, hung, self._pairing, label)
        if self._whole != set(Side):
            nothing = dict.fromkeys(Side, frozenset[File]())
            return Sums(lacks=nothing, loses=nothing, agreed=frozenset(agreed)), ()
        sums, left = compare_photos(now, self._known, here, open_to, self._policy)
        self._left += left
        steps = steps_of(sums, hung, self._pairing, label)
        return sums, with_reasons(steps, here, agreed)

    @contextmanager
    def looking(self) -> Iterator[dict[Side, list[Hung]]]:
        """Look at the files on both sides, for an undo; raises Gone, or Rejected where it may not.

        While that lasts, `open_to` tells where files may be hung on and taken off.
        """
        for side in Side:
            if not keeps(self._visit, side):
                raise Rejected(f"no files can be kept in the {side.place}")
        self._now = {side: self._fetch(side) for side in Side}
        if self._hidden(self._now[Side.GROUPWARE]):
            raise Rejected("the entry is private: its files are its owner's alone")
        self.open_to = self._open_to(self._now)
        with self._bytes.stack:
            self._bytes.held = {side: self._told(side, self._now[side]) for side in Side}
            if self._whole != set(Side):
                raise Rejected("; ".join(self._left))
            yield {side: [self._hung(side, one) for one in self._bytes.held[side]] for side in Side}

    def perform(self, steps: Sequence[Refile]) -> dict[int, str]:
        """Carry out the steps of an undo; return why some were not done, by their places.

        What is then on one side alone stays so, unless a step failed: the next visit carries that.
        """
        failed = {}
        for place, step in enumerate(steps):
            if step.after is not None and not self._bytes.bring(step.after):
                failed[place] = "its bytes can't be read any more"
        chosen = [step for place, step in enumerate(steps) if place not in failed]
        self._done += self._made_good(self._bytes.held)
        self._begin(chosen)
        done = self._carry(chosen, self._bytes.held)
        marks = {fingerprint(step) for step in done}
        why = "; ".join(self._left)
        failed |= {
            place: why
            for place, step in enumerate(steps)
            if place not in failed and fingerprint(step) not in marks
        }
        self._done += done
        after = {side: self._fetch(side) for side in Side}
        files_now = {side: {one.file for one in self._bytes.held[side]} for side in Side}
        for step in done:
            if step.before is not None:
                files_now[step.side].discard(file_of(step.before))
            if step.after is not None:
                files_now[step.side].add(file_of(step.after))
        named = [one for step in done for one in (step.before, step.after) if one is not None]
        touched = {file_of(one) for one in named}
        both = files_now[Side.CRM] & files_now[Side.GROUPWARE]
        before = {File(*each) for each in self._known.agreed}
        agreed = frozenset((before - touched) | (touched & both))
        if self.photos:
            agreed = agreed_after_undo(files_now, before, failed=bool(failed))
        unsettled = {
            file_of(one)
            for place in failed
            for one in (steps[place].before, steps[place].after)
            if one is not None
        }
        apart = ({File(*each) for each in self._known.apart} | touched) - unsettled
        known = self._after(after)
        known = msgspec.structs.replace(
            known,
            agreed=_told(agreed),
            apart=_told(apart & (files_now[Side.CRM] ^ files_now[Side.GROUPWARE])),
        )
        self._keep(known, after, judged=False)
        return failed

    def forms(self, hung: Hung) -> frozenset[File]:
        """Return a file in each form that the sides keep it in; only photos have others."""
        file = file_of(hung)
        return forms_of(file, self._known.agreed) if self.photos else frozenset({file})

    def bring(self, hung: Hung) -> bool:
        """Tell whether the bytes of a file can be had."""
        return self._bytes.bring(hung)

    def _after(self, after: dict[Side, Snapshot]) -> FilesOf:
        """Return what is known once steps are done, whatever agrees now."""
        learned = self._learned(self._bytes.held)
        return msgspec.structs.replace(
            learned,
            crm=(*learned.crm, *self._hung_now(Side.CRM, after)),
            groupware=(*learned.groupware, *self._hung_now(Side.GROUPWARE, after)),
            doing=(),
        )

    def _allowed(self, step: Refile) -> bool:
        """Tell whether a step may be done; note it where it waits, or nobody has judged it."""
        if not self._is_judged(step):
            return True
        mark = fingerprint(step)
        judged = (self._verdict or {}).get(mark)
        if judged is None:
            self._unjudged = True
        elif not isinstance(judged, Refile):
            self._waits[mark] = judged
        return isinstance(judged, Refile)

    def _is_judged(self, step: Refile) -> bool:
        return is_judged(self._visit, self._pairing, step)

    def _begin(self, steps: Sequence[Refile]) -> None:
        """Note what is about to be done: whoever comes after a kill enters what was done of it."""
        if not steps:
            return
        doing = msgspec.structs.replace(self._known, doing=(*self._done, *steps))
        with self._visit.state.begin() as tx:
            if self._visit.lease is not None:
                tx.leases.check(self._visit.lease)
            tx.files.put(self._visit.link.id, self._pairing.id, doing, due=True)

    def _made_good(self, held: dict[Side, list[Read]]) -> list[Refile]:
        """Return what was done of the steps that an earlier visit began and didn't enter."""
        now = {side: {one.file for one in held[side]} for side in Side}
        done = []
        for step in self._known.doing:
            there = now[step.side]
            before = None if step.before and file_of(step.before) in there else step.before
            after = step.after if step.after and file_of(step.after) in there else None
            if before is not None or after is not None:
                done.append(msgspec.structs.replace(step, before=before, after=after))
        return done

    def _fetch(self, side: Side) -> Snapshot:
        end, ref = self._visit.end(side), self._pairing.side(side).ref
        (found,) = end.session.fetch(end.folder, end.kind, [Ask(ref=ref)])
        if not isinstance(found, Seen):
            raise Gone(f"{ref} can't be looked at")
        return found.snapshot

    def _hidden(self, mailbox: Snapshot) -> bool:
        """Tell whether an entry is private, so that its files are its owner's alone."""
        policy = self._policy
        return policy.discreet(mailbox) or policy.program.hides(mailbox.item, policy.facts)

    def _withdrawn(self, now: dict[Side, Snapshot]) -> FilesOf:
        """Take out of the CRM what came with an entry that has turned private since.

        A photo that goes out of the CRM only has not come from there.
        """
        end, agreed = self._visit.end(Side.CRM), set(self._known.agreed)
        record, mailbox = now[Side.CRM], now[Side.GROUPWARE]
        if self.photos and self._field not in self._policy.flows(Side.CRM):
            held = files_of(mailbox.item) or files_of(record.item)
            left = ("the photo: the contact in the mailbox is private",) if held else ()
            return msgspec.structs.replace(self._known, left=left)
        what = "contact" if self.photos else "entry"
        for each in files_of(record.item):
            if self._bytes.file(each.name, each.digest) not in agreed:
                continue
            self._bytes.side(Side.CRM).detach(
                end.folder, end.kind, record.ref, each.uri, forget=True
            )
            step = Refile(
                side=Side.CRM,
                pairing=self._pairing.id,
                ref=record.ref,
                counterpart=self._pairing.groupware.ref,
                before=Hung(name="", digest=""),
                why=f"the {what} turned private: its files are its owner's alone",
            )
            self._done.append(step)
        held = files_of(mailbox.item) if self.photos else ()
        return FilesOf(left=("the photo in the mailbox: its contact is private",) if held else ())

    @property
    def _policy(self) -> Policy:
        return self._visit.policy_under(self._pairing.rule)

    def _open_to(self, now: dict[Side, Snapshot]) -> set[Side]:
        """Return the sides that files may be hung on, by rule and by whose meeting it is."""
        pairing, mailbox = self._pairing, now[Side.GROUPWARE]
        policy = self._policy
        program, facts = policy.program, policy.facts
        if pairing.frozen or not pairing.content:
            return set()
        found = {Side.CRM} if self._field in policy.flows(Side.CRM) else set()
        withheld = program.withheld(Side.GROUPWARE, now[Side.CRM].item, facts)
        carried = self._field in program.fields(Side.GROUPWARE) - withheld
        if carried and not mailbox.readonly and not policy.invitation(mailbox.item):
            found.add(Side.GROUPWARE)
        return found

    def _told(self, side: Side, snapshot: Snapshot) -> list[Read]:
        """Return the files on an item with their digests; what can't be told is left out."""
        past = self._known.crm if side is Side.CRM else self._known.groupware
        digests = {(one.uri, one.name, one.size): one.digest for one in past}
        found: list[Read] = []
        total = 0
        for each in files_of(snapshot.item):
            if each.uri == STORED:
                self._whole.discard(side)
                self._left.append(
                    f"files in the {side.place}: it says that there are some, not which"
                )
                continue
            digest = each.digest or digests.get((each.uri, each.name, each.size), "")
            try:
                if digest:
                    size = each.size or 0
                else:
                    digest, size = self._bytes.fathom(
                        side, snapshot.ref, each, self._bytes.room - total
                    )
            except ItemError as error:
                self._whole.discard(side)
                self._left.append(f"{self._bytes.called(each.name)} in the {side.place}: {error}")
                continue
            total += size
            found.append(Read(each, self._bytes.file(each.name, digest), size))
        return found

    def _carry(self, steps: Sequence[Refile], held: dict[Side, list[Read]]) -> list[Refile]:
        """Hang on and take off; return what was done, which may be less of a step."""
        total = {side: sum(one.size for one in held[side]) for side in Side}
        done: list[Refile] = []
        for step in steps:
            mine = [one for one in held[step.side] if is_file(one, step.before)]
            new = step.after
            goes, comes = sum(one.size for one in mine), new.size if new is not None else 0
            room = self._bytes.side(step.side).room
            require_going(self._visit)
            try:
                if new is None:
                    self._bytes.take_off(step.side, mine)
                elif total[step.side] - goes + comes > room:
                    raise self._bytes.too_large(new.size)
                elif self.photos:
                    self._bytes.hang(step.side, new)  # it takes the place of what is there
                elif total[step.side] + comes > room:
                    self._bytes.take_off(step.side, mine)
                    done.append(msgspec.structs.replace(step, after=None))
                    total[step.side] -= goes
                    goes = 0
                    self._bytes.hang(step.side, new)
                    done.pop()
                else:
                    self._bytes.hang(step.side, new)
                    self._bytes.take_off(step.side, mine)
            except ItemError as error:
                self._refused(step, error)
                continue
            total[step.side] += comes - goes
            done.append(step)
        return done

    def _refused(self, step: Refile, error: ItemError) -> None:
        if isinstance(error, Gone):
            raise error
        name = next((one.name for one in (step.after, step.before) if one), "")
        self._left.append(f"{self._bytes.called(name)} for the {step.side.place}: {error}")

    def _finish(
        self,
        sums: Sums,
        steps: Sequence[Refile],
        done: Sequence[Refile],
        after: dict[Side, Snapshot],
    ) -> None:
        off = {(step.side, file_of(step.before)) for step in done if step.before is not None}
        on = {(step.side, file_of(step.after)) for step in done if step.after is not None}
        kept = {
            file_of(step.before)
            for step in steps
            if step.before is not None and (step.side, file_of(step.before)) not in off
        }
        missed = {
            file_of(step.after)
            for step in steps
            if step.after is not None and (step.side, file_of(step.after)) not in on
        }
        whole = self._whole == set(Side)
        known = msgspec.structs.replace(
            self._after(after),
            agreed=_told((sums.agreed | kept) - missed),
            left=(*self._left, *of_occurrences(self._now)),
            apart=_told(sums.apart) if whole else self._known.apart,
        )
        if self.photos and (kept or missed or not whole):
            known = unsettled(known, self._known)
        elif self.photos and any(sums.lacks.values()):
            known = settled(known, after)
        self._done += done
        self._keep(known, after)

    def _hung(self, side: Side, one: Read) -> Hung:
        """Return a file as steps name it, with where its bytes stay once it is off."""
        named = self._bytes.file
        past = (each.uri for each in self._known.crm if named(each.name, each.digest) == one.file)
        kept = self._bytes.kept(side, one, past)
        return Hung(
            name=one.file.name,
            digest=one.file.digest,
            size=one.size,
            media_type=one.there.media_type,
            kept=kept,
        )

    def _learned(self, held: dict[Side, list[Read]], *, and_before: bool = False) -> FilesOf:
        """Return what is known with what each side's files are found to hold, `and_before` did."""
        known = self._known
        if self.photos and and_before and not known.agreed:
            return known  # by what was seen before it is told who has changed a photo
        crm, mailbox = ([_hanging(one) for one in held[side]] for side in Side)
        if and_before:
            crm, mailbox = [*crm, *known.crm], [*mailbox, *known.groupware]
        return msgspec.structs.replace(known, crm=tuple(crm), groupware=tuple(mailbox))

    def _hung_now(self, side: Side, after: dict[Side, Snapshot]) -> Iterator[Hanging]:
        """Yield what was hung on a side's item, as it is told there now."""
        for each in files_of(after[side].item):
            digest = self._bytes.made[side].get(each.uri)
            if digest:
                yield Hanging(uri=each.uri, name=each.name, size=each.size, digest=digest)

    def _keep(
        self,
        known: FilesOf,
        after: dict[Side, Snapshot] | None = None,
        *,
        private: bool = False,
        judged: bool = True,
    ) -> None:
        """Keep what is known, what was done, and the versions made by it: nobody else's change.

        Unless everything was `judged`, what waits stays as it is.
        """
        visit, pairing = self._visit, self._pairing
        ledger = Ledger(visit, self._report)
        values = {
            str(side): now
            for side, now in (after or {}).items()
            if now.version != pairing.side(side).version
            and not diff(pairing.side(side).item, now.item)
        }
        if values:
            ledger.pair(msgspec.structs.replace(pairing, **values))
        with visit.state.begin() as tx:
            if visit.lease is not None:
                visit.lease = tx.leases.renew(visit.lease, LEASE_SECONDS)
            if values:
                ledger.flush(tx)
            due = self._unjudged or not judged
            tx.files.put(visit.link.id, pairing.id, known, due=due)
            enter(tx, visit, self._done, after or {}, private=private)
            self._report.files += len(self._done)
            if judged:
                held = keep_held(tx, visit, pairing.id, pairing.crm.ref, self._waits)
                self._report.held += held


def _told(files: Iterable[File]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((each.name, each.digest) for each in files))


def _hanging(one: Read) -> Hanging:
    there = one.there
    return Hanging(uri=there.uri, name=there.name, size=there.size, digest=one.file.digest)
