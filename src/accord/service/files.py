"""Carry the files on paired items from side to side, once what their items say agrees.

`sync` calls it at the end of a link's visit. What is to be done follows from what hangs on both
items now, so that a pass killed anywhere is simply done again: nothing hangs twice. A contact's
photo goes the same way; of it there is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

import msgspec
from msgspec import Struct

from accord.engine.clash import judge_of
from accord.engine.files import File, Sums, Ways, compare, compare_photo
from accord.engine.plan import Pairing
from accord.engine.policy import Policy
from accord.model.diff import diff
from accord.model.files import file_field, files_of
from accord.model.kinds import Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.model.parts import Attachment
from accord.ports.adapter import Ask
from accord.ports.attachments import Attachments
from accord.ports.errors import AccordError, ConfigError, Gone, ItemError, Rejected
from accord.ports.fault import contained
from accord.rules.rule import OneWay
from accord.service.files_due import files_on
from accord.service.ledger import Ledger
from accord.service.opening import LEASE_SECONDS
from accord.service.report import Report
from accord.service.visit import Visit
from accord.state.files import FilesOf, Hanging

_IN_MEMORY = 1_000_000
"""Bytes of a file that are kept in memory on the way; more goes to a temporary file."""

_AROUND = 65_536
"""Bytes that a side may count as a file's beside its content."""

_PHOTO = "photo"
"""How every photo is called while it is compared: each side has a name of its own for them."""


def carry_files(visit: Visit, report: Report) -> None:
    """Bring the files of those of a link's pairs to agreement that are to be looked at.

    Raises what ends the visit; what isn't done by then is done by the next one.
    """
    lacking = [side for side in Side if not _keeps(visit, side)]
    if len(lacking) > 1:
        return
    with visit.state.read() as tx:
        due = tx.files.due(visit.link.id)
    for number, key in enumerate(due):
        visit.progress("files", number, len(due))
        with visit.state.read() as tx:
            if tx.settings.get("paused"):
                raise ConfigError("paused", hint="run `accord resume` to go on")
            pairing, known = tx.pairings.get(key), tx.files.get(key) or FilesOf()
        if pairing is None:
            with visit.state.begin() as tx:
                tx.files.remove_many([key])
            continue
        try:
            pair = _Pair(visit, report, pairing, known)
            if lacking:
                pair.refuse(lacking[0])
            else:
                pair.settle()
        except Gone:
            continue  # the next visit learns what became of the item, and comes back
        except Exception as error:
            if isinstance(error, AccordError) and not isinstance(error, ItemError):
                raise
            left = msgspec.structs.replace(known, left=(str(contained(error, "carrying files")),))
            with visit.state.begin() as tx:
                tx.files.put(visit.link.id, key, left)


def _keeps(visit: Visit, side: Side) -> bool:
    """Tell whether a side keeps files with its items."""
    end = visit.end(side)
    return end.traits.files and isinstance(end.session, Attachments)


class _Read(Struct, frozen=True):
    """Be one file on one side, with its content told."""

    there: Attachment
    file: File
    size: int


class _Pair:
    """Be one pair at work: what hangs on its items, and what was left out."""

    def __init__(self, visit: Visit, report: Report, pairing: Pairing, known: FilesOf) -> None:
        """Work on `pairing`, of whose files `known` is known."""
        self._visit = visit
        self._report = report
        self._pairing = pairing
        self._known = known
        self._left: list[str] = []
        self._whole: set[Side] = set(Side)
        self._spools: dict[File, BinaryIO] = {}
        self._made: dict[str, str] = {}
        self._photos = visit.end(Side.CRM).kind is Kind.CONTACT
        self._field = file_field(visit.end(Side.CRM).kind)

    def refuse(self, side: Side) -> None:
        """Say what would be carried to a side that keeps no files."""
        now = {one: self._pairing.side(one) for one in Side}
        may = side in self._open_to(now) and not self._hidden(now[Side.GROUPWARE])
        where = f"in the {side.other.place}: none can be kept in the {side.place}"
        held = files_on(self._pairing, side.other) if may else ()
        left = tuple(f"{self._called(each.name)} {where}" for each in held)
        self._keep(msgspec.structs.replace(self._known, left=left))

    def settle(self) -> None:
        """Carry what is to be carried, and keep what agrees now."""
        self._room = min(self._side(side).room for side in Side)
        now = {side: self._fetch(side) for side in Side}
        if self._hidden(now[Side.GROUPWARE]):
            self._keep(self._withdrawn(now))
            return
        open_to = self._open_to(now)
        if not open_to or not self._room:
            self._keep(self._known)
            return
        with ExitStack() as self._stack:
            held = {side: self._told(side, now[side]) for side in Side}
            sums = self._compared(now, held, open_to)
            failed = self._carry(sums, held)
        after = dict(now)
        for side in Side:
            if sums.lacks[side] or sums.loses[side]:
                after[side] = self._fetch(side)
        self._finish(sums, failed, held, after)

    def _compared(
        self, now: dict[Side, Snapshot], held: dict[Side, list[_Read]], open_to: set[Side]
    ) -> Sums:
        """Return what is to be done on each side."""
        agreed = [File(*each) for each in self._known.agreed]
        here = {side: [each.file for each in held[side]] for side in Side}
        if not self._photos:
            return compare(agreed, here, whole=self._whole, open_to=open_to)
        if self._whole != set(Side):
            return Sums(
                lacks=dict.fromkeys(Side, frozenset()),
                loses=dict.fromkeys(Side, frozenset()),
                agreed=frozenset(agreed),
            )
        policy = self._policy
        judge = judge_of(now[Side.CRM], now[Side.GROUPWARE], policy)
        carried = now[Side.GROUPWARE].item
        ways = Ways(
            open_to=open_to,
            winner=judge.winner(self._field, carried, carried)[0],
            restore=policy.program.one_way(self._field) is OneWay.RESTORE,
        )
        past = {Side.CRM: self._known.crm, Side.GROUPWARE: self._known.groupware}
        seen = {side: [File(_PHOTO, each.digest) for each in past[side]] for side in Side}
        sums, clash = compare_photo(agreed, seen, here, ways)
        if clash:
            self._left.append("both have a photo, and they differ: change or remove one of them")
        return sums

    def _called(self, name: str) -> str:
        """Return what people call a file of that name."""
        return "the photo" if self._photos else name or "a file"

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

    def _withdrawn(self, now: dict[Side, Snapshot]) -> FilesOf:
        """Take out of the CRM what came with an entry that has turned private since.

        A photo that goes out of the CRM only has not come from there.
        """
        end, agreed = self._visit.end(Side.CRM), set(self._known.agreed)
        if self._photos and self._field not in self._policy.flows(Side.CRM):
            held = files_of(now[Side.GROUPWARE].item) or files_of(now[Side.CRM].item)
            left = ("the photo: the contact in the mailbox is private",) if held else ()
            return msgspec.structs.replace(self._known, left=left)
        for each in files_of(now[Side.CRM].item):
            if (_PHOTO if self._photos else each.name, each.digest) in agreed:
                ref = now[Side.CRM].ref
                self._side(Side.CRM).detach(end.folder, end.kind, ref, each.uri, forget=True)
        held = files_of(now[Side.GROUPWARE].item) if self._photos else ()
        return FilesOf(left=("the photo in the mailbox: its contact is private",) if held else ())

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
        found = {Side.CRM} if self._field in policy.flows(Side.CRM) else set()
        withheld = program.withheld(Side.GROUPWARE, now[Side.CRM].item, facts)
        carried = self._field in program.fields(Side.GROUPWARE) - withheld
        if carried and not mailbox.readonly and not policy.invitation(mailbox.item):
            found.add(Side.GROUPWARE)
        return found

    def _told(self, side: Side, snapshot: Snapshot) -> list[_Read]:
        """Return the files on an item with their digests; what can't be told is left out."""
        past = self._known.crm if side is Side.CRM else self._known.groupware
        digests = {(one.uri, one.name, one.size): one.digest for one in past}
        found: list[_Read] = []
        total = 0
        for each in files_of(snapshot.item):
            digest = each.digest or digests.get((each.uri, each.name, each.size), "")
            try:
                if digest:
                    size = each.size or 0
                else:
                    digest, size = self._fathom(side, snapshot.ref, each, self._room - total)
            except ItemError as error:
                self._whole.discard(side)
                self._left.append(f"{self._called(each.name)} in the {side.place}: {error}")
                continue
            total += size
            found.append(_Read(each, self._file(each, digest), size))
        return found

    def _file(self, each: Attachment, digest: str) -> File:
        return File(_PHOTO if self._photos else each.name, digest)

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
        self._spools[self._file(each, digest.hexdigest())] = spool
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

    def _carry(self, sums: Sums, held: dict[Side, list[_Read]]) -> dict[Side, set[File]]:
        """Hang on and take off; return what a side refused."""
        failed: dict[Side, set[File]] = {side: set() for side in Side}
        for side in Side:
            end, ref = self._visit.end(side), self._pairing.side(side).ref
            for one in held[side]:
                if one.file in sums.loses[side]:
                    try:
                        self._side(side).detach(end.folder, end.kind, ref, one.there.uri)
                    except ItemError as error:
                        self._refused(side, one, error, failed)
            staying = [one for one in held[side] if one.file not in sums.loses[side]]
            total = 0 if self._photos else sum(one.size for one in staying)
            given: set[File] = set()
            for one in held[side.other]:
                if one.file not in sums.lacks[side] or one.file in given:
                    continue
                given.add(one.file)
                try:
                    if total + one.size > self._side(side).room:
                        raise self._too_large(one.size)
                    self._hang(side, one)
                    total += one.size
                except ItemError as error:
                    self._refused(side, one, error, failed)
        return failed

    def _refused(
        self, side: Side, one: _Read, error: ItemError, failed: dict[Side, set[File]]
    ) -> None:
        if isinstance(error, Gone):
            raise error
        failed[side].add(one.file)
        self._left.append(f"{self._called(one.file.name)} for the {side.place}: {error}")

    def _hang(self, side: Side, one: _Read) -> None:
        end, ref = self._visit.end(side), self._pairing.side(side).ref
        spool = self._spools.get(one.file)
        if spool is None:
            other = side.other
            spool = self._spool()
            for piece in self._pieces(other, self._pairing.side(other).ref, one.there.uri):
                spool.write(piece)
        file = Attachment(
            name=one.there.name or one.file.name,
            media_type=one.there.media_type,
            size=one.size,
            digest=one.file.digest,
        )
        uri = self._side(side).attach(end.folder, end.kind, ref, file, spool)
        if side is Side.GROUPWARE and uri:
            self._made[uri] = one.file.digest

    def _finish(
        self,
        sums: Sums,
        failed: dict[Side, set[File]],
        held: dict[Side, list[_Read]],
        after: dict[Side, Snapshot],
    ) -> None:
        kept = {file for side in Side for file in failed[side] & sums.loses[side]}
        missed = {file for side in Side for file in failed[side] & sums.lacks[side]}
        agreed = (sums.agreed | kept) - missed
        hanging = {side: tuple(_hanging(one) for one in held[side]) for side in Side}
        if self._photos:
            if kept or missed:
                agreed = frozenset(File(*each) for each in self._known.agreed)
            elif any(sums.lacks.values()):
                agreed |= {
                    File(_PHOTO, each.digest)
                    for side in Side
                    for each in files_of(after[side].item)
                    if each.digest
                }
        known = FilesOf(
            agreed=tuple(sorted((each.name, each.digest) for each in agreed)),
            crm=hanging[Side.CRM],
            groupware=(*hanging[Side.GROUPWARE], *self._hung(after)),
            left=tuple(self._left),
        )
        self._keep(known, after)

    def _hung(self, after: dict[Side, Snapshot]) -> Iterator[Hanging]:
        """Yield what was hung on the mailbox's item, as it is told there now."""
        for each in files_of(after[Side.GROUPWARE].item):
            digest = self._made.get(each.uri)
            if digest:
                yield Hanging(uri=each.uri, name=each.name, size=each.size, digest=digest)

    def _keep(self, known: FilesOf, after: dict[Side, Snapshot] | None = None) -> None:
        """Keep what is known, and the versions that carrying files made: nobody else's change."""
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
            tx.files.put(visit.link.id, pairing.id, known)


def _hanging(one: _Read) -> Hanging:
    there = one.there
    return Hanging(uri=there.uri, name=there.name, size=there.size, digest=one.file.digest)


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f} MB"
