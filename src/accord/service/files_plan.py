"""What a visit that writes nothing foresees of files: the steps that `files` would carry out.

Only pairs whose items have changed, or whose files are to be looked at anyway, cost a look.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from accord.engine.guard import fingerprint
from accord.engine.plan import Create, Hold, Hung, Pairing, Refile, Step
from accord.model.files import file_field, files_of
from accord.model.item import kind_of
from accord.model.kinds import Side
from accord.model.observe import Seen
from accord.model.parts import STORED
from accord.ports.errors import ItemError
from accord.service.files_bytes import keeps
from accord.service.files_due import files_on
from accord.service.files_guard import held_file, judge, put_to_guard
from accord.service.files_pair import PairFiles
from accord.service.redaction import label_of
from accord.service.report import Report
from accord.service.visit import Decided, Visit
from accord.state.files import FilesOf
from accord.state.records import Cause


def foresee_files(visit: Visit, decided: Sequence[Decided]) -> tuple[Step, ...]:
    """Return what would become of the files of a link's pairs, as the guard would let it."""
    if not all(keeps(visit, side) for side in Side):
        return ()
    with visit.state.read() as tx:
        waiting = tx.pending.by_link(visit.link.id, Cause.FILE)
        keys = {*tx.files.due(visit.link.id), *_changed(decided)}
        keys |= {held_file(one).pairing for one in waiting if one.approved}
        pairs = tx.pairings.get_many(keys)
        known = {key: tx.files.get(key) or FilesOf() for key in pairs}
    found: list[Refile | Hold] = [
        step for each in decided for one in each.steps for step in _with(visit, one)
    ]
    for key in sorted(pairs):
        try:
            found += _Foreseen(visit, Report(link=visit.link.id), pairs[key], known[key]).steps()
        except ItemError:
            continue  # the visit that carries files says so, and of which
    judged = [one for one in found if isinstance(one, Hold) or one.before is not None]
    verdict = judge(visit, judged, waiting)
    return tuple(verdict.get(fingerprint(step), step) for step in found)


class _Foreseen(PairFiles):
    """Be one pair that is only looked at."""

    def steps(self) -> tuple[Refile | Hold, ...]:
        """Return what `settle` would do; raises ItemError."""
        now = self._now = {side: self._fetch(side) for side in Side}
        open_to = self._open_to(now)
        if self._hidden(now[Side.GROUPWARE]) or not open_to or not self._bytes.room:
            return ()
        with self._bytes.stack:
            held = self._bytes.held = {side: self._told(side, now[side]) for side in Side}
            _, steps = self._planned(now, held, open_to)
        return put_to_guard(self._visit, self._pairing, steps)


def _with(visit: Visit, step: Step) -> Iterator[Refile]:
    """Yield what will be hung on an item that is to be created."""
    if not isinstance(step, Create) or step.alone:
        return
    policy, item, side = visit.policy, step.source.item, step.side
    field = file_field(kind_of(item))
    carried = field in policy.flows(Side.CRM)
    if side is Side.CRM and (
        policy.discreet(step.source) or policy.program.hides(item, policy.facts)
    ):
        return
    if side is Side.GROUPWARE:
        withheld = policy.program.withheld(side, item, policy.facts)
        carried = field in policy.program.fields(side) - withheld
    for each in files_of(item) if carried else ():
        if each.uri != STORED:
            yield Refile(
                side=side,
                pairing="",
                ref="",
                counterpart=step.source.ref,
                label=label_of(item),
                after=Hung(name=each.name, digest=each.digest, size=each.size or 0),
                why=f"it hangs on the item in the {side.other.place}",
            )


def _changed(decided: Iterable[Decided]) -> set[str]:
    """Return the pairs with files that have changed on a side since they agreed."""
    return {
        pairing.id
        for each in decided
        if (pairing := each.case.pairing) is not None and not pairing.frozen
        if any(_is_new(each, pairing, side) for side in Side)
    }


def _is_new(each: Decided, pairing: Pairing, side: Side) -> bool:
    seen = each.case.crm if side is Side.CRM else each.case.groupware
    if not isinstance(seen, Seen) or seen.snapshot.version == pairing.side(side).version:
        return False
    return bool(files_of(seen.snapshot.item) or any(files_on(pairing, one) for one in Side))
