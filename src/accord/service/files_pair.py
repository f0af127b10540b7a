"""The files of one pair: what hangs on both items, what follows from it, and doing that.

`files` goes through the pairs; nothing is taken off before the guard's verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

import msgspec
from msgspec import Struct

from accord.engine.files import File, Sums, compare, file_of, steps_of
from accord.engine.guard import fingerprint
from accord.engine.plan import Hung, Pairing, Refile, Step
from accord.engine.policy import Policy
from accord.model.diff import diff
from accord.model.kinds import Side
from accord.model.observe import Seen, Snapshot
from accord.model.parts import STORED, Attachment, files
from accord.ports.adapter import Ask
from accord.ports.attachments import Attachments, KeepsFiles
from accord.ports.errors import Gone, ItemError, Rejected
from accord.service.files_guard import keep_held
from accord.service.files_journal import enter
from accord.service.ledger import Ledger
from accord.service.opening import LEASE_SECONDS
from accord.service.redaction import label_of
from accord.service.report import Report
from accord.service.visit import Visit
from accord.state.files import FilesOf, Hanging

_IN_MEMORY = 1_000_000
"""Bytes of a file that are kept in memory on the way; more goes to a temporary file."""

_AROUND = 65_536
"""Bytes that a side may count as a file's beside its content."""

_FIELD = "attachments"


class _Read(Struct, frozen=True):
    """Be one file on one side, with its content told."""

    there: Attachment
    file: File
    size: int


class Losing(Struct, frozen=True):
    """Be what is planned for a pair that would lose files, and what was learned on the way."""

    steps: tuple[Refile, ...]
    known: FilesOf


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
        self._visit = visit
        self._report = report
        self._pairing = pairing
        self._known = known
        self._verdict = verdict
        self._left: list[str] = []
        self._whole: set[Side] = set(Side)
        self._spools: dict[File, BinaryIO] = {}
        self._made: dict[Side, dict[str, str]] = {side: {} for side in Side}
        self._waits: dict[str, Step] = {}
        self._done: list[Refile] = []
        self._unjudged = False
        self._room = min(self._side(side).room for side in Side)

    def settle(self) -> Losing | None:
        """Carry what is to be carried, and keep what agrees now.

        Where something would be lost of which there is no verdict, it is returned instead.
        """
        now = {side: self._fetch(side) for side in Side}
        if self._hidden(now[Side.GROUPWARE]):
            self._keep(self._withdrawn(now[Side.CRM]), private=True)
            return None
        open_to = self._open_to(now)
        if not open_to or not self._room:
            self._keep(self._known)
            return None
        with ExitStack() as self._stack:
            held = {side: self._told(side, now[side]) for side in Side}
            self._done += self._made_good(held)
            sums = compare(
                [File(*each) for each in self._known.agreed],
                {side: [each.file for each in held[side]] for side in Side},
                whole=self._whole,
                open_to=open_to,
            )
            hung = {side: [self._hung(side, one) for one in held[side]] for side in Side}
            label = label_of(self._pairing.crm.item)
            steps = steps_of(sums, hung, self._pairing, label)
            if self._verdict is None and any(step.before is not None for step in steps):
                known = self._known
                learned = self._learned(held)
                learned = msgspec.structs.replace(
                    learned,
                    crm=(*learned.crm, *known.crm),
                    groupware=(*learned.groupware, *known.groupware),
                )
                return Losing(steps=steps, known=learned)
            chosen = [step for step in steps if self._allowed(step)]
            self._begin(chosen)
            done = self._carry(chosen, held)
        after = dict(now)
        for side in {step.side for step in done}:
            after[side] = self._fetch(side)
        self._finish(sums, steps, done, held, after)
        return None

    def _allowed(self, step: Refile) -> bool:
        """Tell whether a step may be done; note it where it waits, or nobody has judged it."""
        if step.before is None:
            return True
        mark = fingerprint(step)
        judged = (self._verdict or {}).get(mark)
        if judged is None:
            self._unjudged = True
        elif not isinstance(judged, Refile):
            self._waits[mark] = judged
        return isinstance(judged, Refile)

    def _begin(self, steps: Sequence[Refile]) -> None:
        """Note what is about to be done: whoever comes after a kill enters what was done of it."""
        if not steps:
            return
        doing = msgspec.structs.replace(self._known, doing=(*self._done, *steps))
        with self._visit.state.begin() as tx:
            if self._visit.lease is not None:
                tx.leases.check(self._visit.lease)
            tx.files.put(self._visit.link.id, self._pairing.id, doing, due=True)

    def _made_good(self, held: dict[Side, list[_Read]]) -> list[Refile]:
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

    def _side(self, side: Side) -> Attachments:
        return cast(Attachments, self._visit.end(side).session)

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

    def _withdrawn(self, record: Snapshot) -> FilesOf:
        """Take out of the CRM what came with an entry that has turned private since."""
        end, agreed = self._visit.end(Side.CRM), set(self._known.agreed)
        for each in files(getattr(record.item, _FIELD, ())):
            if (each.name, each.digest) not in agreed:
                continue
            self._side(Side.CRM).detach(end.folder, end.kind, record.ref, each.uri, forget=True)
            step = Refile(
                side=Side.CRM,
                pairing=self._pairing.id,
                ref=record.ref,
                counterpart=self._pairing.groupware.ref,
                before=Hung(name="", digest=""),
                why="the entry turned private: its files are its owner's alone",
            )
            self._done.append(step)
        return FilesOf()

    @property
    def _policy(self) -> Policy:
        return self._visit.policies.get(self._pairing.rule, self._visit.policy)

    def _open_to(self, now: dict[Side, Snapshot]) -> set[Side]:
        """Return the sides that files may be hung on, by rule and by whose meeting it is."""
        pairing, mailbox = self._pairing, now[Side.GROUPWARE]
        policy = self._policy
        program, facts = policy.program, policy.facts
        if pairing.frozen or not pairing.content:
            return set()
        found = {Side.CRM} if _FIELD in policy.flows(Side.CRM) else set()
        withheld = program.withheld(Side.GROUPWARE, now[Side.CRM].item, facts)
        carried = _FIELD in program.fields(Side.GROUPWARE) - withheld
        if carried and not mailbox.readonly and not policy.invitation(mailbox.item):
            found.add(Side.GROUPWARE)
        return found

    def _told(self, side: Side, snapshot: Snapshot) -> list[_Read]:
        """Return the files on an item with their digests; what can't be told is left out."""
        past = self._known.crm if side is Side.CRM else self._known.groupware
        digests = {(one.uri, one.name, one.size): one.digest for one in past}
        found: list[_Read] = []
        total = 0
        for each in files(getattr(snapshot.item, _FIELD, ())):
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
                    digest, size = self._fathom(side, snapshot.ref, each, self._room - total)
            except ItemError as error:
                self._whole.discard(side)
                self._left.append(f"{each.name or 'a file'} in the {side.place}: {error}")
                continue
            total += size
            found.append(_Read(each, File(each.name, digest), size))
        return found

    def _fathom(self, side: Side, ref: str, each: Attachment, room: int) -> tuple[str, int]:
        """Read a file and return its digest and length; it stays at hand."""
        if (each.size or 0) > room + _AROUND:
            raise self._too_large(each.size or 0)
        spool = self._spool()
        digest = hashlib.sha256()
        for piece in self._pieces(side, ref, each.uri):
            digest.update(piece)
            spool.write(piece)
            if spool.tell() > room:
                raise self._too_large(max(each.size or 0, spool.tell()))
        self._spools[File(each.name, digest.hexdigest())] = spool
        return digest.hexdigest(), spool.tell()

    def _too_large(self, size: int) -> Rejected:
        return Rejected(
            f"too large ({_megabytes(size)}): the files on one item may have "
            f"{_megabytes(self._room)} together",
            code="too-large",
        )

    def _pieces(self, side: Side, ref: str, uri: str) -> Iterator[bytes]:
        end = self._visit.end(side)
        return self._side(side).open_file(end.folder, end.kind, ref, uri)

    def _spool(self) -> BinaryIO:
        spool = cast(BinaryIO, SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115
        self._stack.callback(spool.close)
        return spool

    def _carry(self, steps: Sequence[Refile], held: dict[Side, list[_Read]]) -> list[Refile]:
        """Hang on and take off; return what was done, which may be less of a step."""
        total = {side: sum(one.size for one in held[side]) for side in Side}
        done: list[Refile] = []
        for step in steps:
            mine = [one for one in held[step.side] if _is(one, step.before)]
            new = next((one for one in held[step.side.other] if _is(one, step.after)), None)
            goes, comes = sum(one.size for one in mine), new.size if new is not None else 0
            room = self._side(step.side).room
            try:
                if new is None:
                    self._take_off(step.side, mine)
                elif total[step.side] - goes + comes > room:
                    raise self._too_large(new.size)
                elif total[step.side] + comes > room:
                    self._take_off(step.side, mine)
                    done.append(msgspec.structs.replace(step, after=None))
                    total[step.side] -= goes
                    goes = 0
                    self._hang(step.side, new)
                    done.pop()
                else:
                    self._hang(step.side, new)
                    self._take_off(step.side, mine)
            except ItemError as error:
                self._refused(step, error)
                continue
            total[step.side] += comes - goes
            done.append(step)
        return done

    def _take_off(self, side: Side, some: Sequence[_Read]) -> None:
        end, ref = self._visit.end(side), self._pairing.side(side).ref
        for one in some:
            self._side(side).detach(end.folder, end.kind, ref, one.there.uri)

    def _refused(self, step: Refile, error: ItemError) -> None:
        if isinstance(error, Gone):
            raise error
        name = next((one.name for one in (step.after, step.before) if one and one.name), "a file")
        self._left.append(f"{name} for the {step.side.place}: {error}")

    def _hang(self, side: Side, one: _Read) -> None:
        end, ref = self._visit.end(side), self._pairing.side(side).ref
        spool = self._spools.get(one.file)
        if spool is None:
            other = side.other
            spool = self._spool()
            for piece in self._pieces(other, self._pairing.side(other).ref, one.there.uri):
                spool.write(piece)
        file = Attachment(
            name=one.file.name,
            media_type=one.there.media_type,
            size=one.size,
            digest=one.file.digest,
        )
        uri = self._side(side).attach(end.folder, end.kind, ref, file, spool)
        if uri:
            self._made[side][uri] = one.file.digest

    def _finish(
        self,
        sums: Sums,
        steps: Sequence[Refile],
        done: Sequence[Refile],
        held: dict[Side, list[_Read]],
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
        agreed = (sums.agreed | kept) - missed
        learned = self._learned(held)
        known = msgspec.structs.replace(
            learned,
            agreed=tuple(sorted((each.name, each.digest) for each in agreed)),
            crm=(*learned.crm, *self._hung_now(Side.CRM, after)),
            groupware=(*learned.groupware, *self._hung_now(Side.GROUPWARE, after)),
            left=tuple(self._left),
            doing=(),
        )
        self._done += done
        self._keep(known, after)

    def _hung(self, side: Side, one: _Read) -> Hung:
        """Return a file as steps name it, with where its bytes stay once it is off."""
        kept = ""
        if isinstance(self._side(Side.CRM), KeepsFiles):
            same = (each.uri for each in self._known.crm if (each.name, each.digest) == one.file)
            kept = one.there.uri if side is Side.CRM else next(same, "")
        return Hung(
            name=one.file.name,
            digest=one.file.digest,
            size=one.size,
            media_type=one.there.media_type,
            kept=kept,
        )

    def _learned(self, held: dict[Side, list[_Read]]) -> FilesOf:
        """Return what is known now with what each side's files were found to hold."""
        hanging = {side: tuple(_hanging(one) for one in held[side]) for side in Side}
        return msgspec.structs.replace(
            self._known, crm=hanging[Side.CRM], groupware=hanging[Side.GROUPWARE]
        )

    def _hung_now(self, side: Side, after: dict[Side, Snapshot]) -> Iterator[Hanging]:
        """Yield what was hung on a side's item, as it is told there now."""
        for each in files(getattr(after[side].item, _FIELD, ())):
            digest = self._made[side].get(each.uri)
            if digest:
                yield Hanging(uri=each.uri, name=each.name, size=each.size, digest=digest)

    def _keep(
        self,
        known: FilesOf,
        after: dict[Side, Snapshot] | None = None,
        *,
        private: bool = False,
    ) -> None:
        """Keep what is known, what was done, and the versions made by it: nobody else's change."""
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
            tx.files.put(visit.link.id, pairing.id, known, due=self._unjudged)
            enter(tx, visit, self._done, after or {}, private=private)
            self._report.files += len(self._done)
            self._report.held += keep_held(tx, visit, pairing.id, pairing.crm.ref, self._waits)


def _is(one: _Read, file: Hung | None) -> bool:
    return file is not None and one.file == file_of(file)


def _hanging(one: _Read) -> Hanging:
    there = one.there
    return Hanging(uri=there.uri, name=there.name, size=there.size, digest=one.file.digest)


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f} MB"
