"""Remove links and targets; with a withdrawal the copies in the mailbox go first, as a plan.

Entries that people made or changed themselves stay, and so does everything in the CRM; the
journal keeps what was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from accord.engine.guard import NOTHING, Waiting, fingerprint, guard
from accord.engine.plan import Delete, Hold, Pairing, Plan, Skip, Step
from accord.engine.reconcile import Case
from accord.model.diff import diff
from accord.model.fields import FIELDS
from accord.model.item import kind_of
from accord.model.kinds import Kind, Side
from accord.model.observe import Observation, Seen
from accord.ports.adapter import Mark
from accord.ports.errors import ConfigError
from accord.service import troubles
from accord.service.accord import Accord
from accord.service.apply import apply
from accord.service.begin import attend
from accord.service.cases import Gathered
from accord.service.counterparts import ask_for
from accord.service.ends import back_marker, groupware_kind
from accord.service.extent import extent_of
from accord.service.identity import instance_key
from accord.service.keeping import kept
from accord.service.locking import locked
from accord.service.mailbox_states import forget
from accord.service.meetings import take_over
from accord.service.opening import (
    Options,
    has_begun,
    settled_key,
    silent,
    told_key,
    withdrawn_key,
)
from accord.service.pausing import require_going
from accord.service.pull import confirm
from accord.service.replies import take_back
from accord.service.report import Report
from accord.service.sync import ROUNDS
from accord.service.visit import Decided, Progress, Visit, chunks
from accord.service.without_user import WithoutUser
from accord.state.records import Entry, Link, Mode, Target
from accord.state.state import Tx

LIVES = "the copy that Accord made in the mailbox goes with its link"


def remove_link(accord: Accord, link: Link, *, by: str = "") -> Report:
    """Forget a link with its pairs; nothing is written on either side, and no server is asked.

    Raises Retry while its folder is visited.
    """
    report = Report(link=link.id, name=link.name)
    with locked(accord, [link]), accord.state.begin() as tx:
        report.count_both("unpaired", _forget(tx, accord, link, by))
    return report


def withdraw(
    accord: Accord,
    link: Link,
    *,
    dry: bool = False,
    approved: bool = False,
    even_paused: bool = False,
    by: str = "",
    progress: Progress = silent,
) -> Report:
    """Delete the copies that a link made in its mailbox, take its markers off, and remove it.

    Where the guard holds anything that isn't `approved`, nothing is done; where something could
    not be deleted, the link stays, paused, and the report says so. A link that is paused or
    only observes is left alone unless `even_paused`. Whose user the CRM no longer lets in can be
    withdrawn, too; then the CRM's records keep their markers. A link that never began is only
    forgotten: its folder needn't be there, and no server is asked.
    """
    report = Report(link=link.id, name=link.name)
    if not dry and not even_paused:
        try:
            require_working(link)
        except ConfigError as error:
            report.fail(error)
            return report
    with accord.state.read() if dry else accord.state.begin() as tx:
        if not has_begun(tx, link):
            report.plan = Plan(link=link.id)
            if not dry:
                _forget(tx, accord, link, by)
            return report

    def decide(visit: Visit, report: Report) -> list[Decided]:
        decided = _guarded(visit, _decide(visit), approved=approved)
        report.plan = Plan(link=link.id, steps=tuple(s for d in decided for s in d.steps))
        if not visit.writes:
            take_back(visit, report)
        return decided

    def carry_out(visit: Visit, decided: list[Decided], report: Report) -> None:
        held = [step for one in decided for step in one.steps if isinstance(step, Hold)]
        for step in held:
            report.count_held(step)
        if held:
            return
        with accord.state.read() as tx:
            pairings = list(tx.pairings.all(link.id))
        _carry_out(visit, decided, report)
        take_back(visit, report)
        if not report.failed:
            _part(accord, visit, pairings, report, by)

    working = replace(link, paused=False, mode=Mode.ACTIVE)
    options = Options(dry=dry, cause="withdrawal", parting=True, stays=True)
    crm = WithoutUser(accord.crm)
    report = attend(crm.within(accord), working, options, decide, carry_out, progress)
    if crm.shut_out:
        report.left.append(f"the CRM doesn't let {link.user} in: its records keep Accord's marks")
    return report


def require_working(link: Link) -> None:
    """Raise ConfigError for a link that is paused or only observes: its copies stay untouched."""
    if link.paused or link.mode is Mode.OBSERVE:
        how = "is paused" if link.paused else "only observes"
        hint = "--even-paused deletes its copies all the same"
        raise ConfigError(f"{link.name} {how}: nothing was deleted", field="link", hint=hint)


def find_unused(accord: Accord, name: str) -> Target:
    """Return a target by its name; raises ConfigError for a strange one, and for one with links."""
    with accord.state.read() as tx:
        return _unused(tx, name)


def remove_target(accord: Accord, name: str) -> Target:
    """Forget a target and its secrets; raises ConfigError as `find_unused` does."""
    with accord.state.begin() as tx:
        target = _unused(tx, name)
        tx.targets.remove(target.id)
    accord.forget(target)
    return target


def _unused(tx: Tx, name: str) -> Target:
    target = tx.targets.by_name(name) or tx.targets.get(name)
    if target is None:
        hint = f"targets there: {', '.join(t.name for t in tx.targets.all()) or 'none'}"
        raise ConfigError(f"there is no target {name!r}", field="target", hint=hint)
    links = [link.name for link in tx.links.all() if link.target == target.id]
    if links:
        detail = f"links still use {target.name}: {', '.join(links)}"
        raise ConfigError(detail, field="target", hint="`accord links remove` removes them")
    templates = [one.name for one in tx.templates.all() if one.target == target.id]
    if templates:
        detail = f"templates still use {target.name}: {', '.join(templates)}"
        raise ConfigError(detail, field="target", hint="`accord templates remove` removes them")
    return target


def _decide(visit: Visit) -> list[Decided]:
    """Return what becomes of each copy in the mailbox."""
    with visit.state.read() as tx:
        pairings = list(tx.pairings.all(visit.link.id))
    copies = [p for p in pairings if p.made is Side.GROUPWARE and not p.frozen]
    now = confirm(visit.groupware, [ask_for(p.groupware) for p in copies])
    shared = _shared(visit, copies)
    decided = []
    for pairing in copies:
        ref = pairing.groupware.ref
        step = _step(visit, pairing, now[ref], shared.get(ref, ""))
        if step is not None:
            decided.append(Decided(case=Case(pairing=pairing), steps=(step,)))
    return decided


def _shared(visit: Visit, pairings: Iterable[Pairing]) -> dict[str, str]:
    """Return which mailbox items another link works with too, with its name.

    It may reach the mailbox by another address, or as another target on the same server.
    """
    kind = groupware_kind(visit.link.kind)
    with visit.state.read() as tx:
        refs = [pairing.groupware.ref for pairing in pairings]
        elsewhere = tx.pairings.elsewhere(visit.link.id, Side.GROUPWARE, refs)
        if not elsewhere:
            return {}
        servers = tx.instances.alike(instance_key(visit.link.target))
        near = {
            link.id: link.name
            for link in tx.links.all()
            if instance_key(link.target) in servers and groupware_kind(link.kind) is kind
        }
    return {
        ref: min(near[link] for link in links & near.keys())
        for ref, links in elsewhere.items()
        if links & near.keys()
    }


def _step(visit: Visit, pairing: Pairing, now: Observation, other: str) -> Step | None:
    base = pairing.groupware
    if not isinstance(now, Seen):
        return None
    if other:
        why = f"the link {other} works with it too: it stays"
        return Skip(side=Side.GROUPWARE, ref=base.ref, pairing=pairing.id, why=why)
    kind = kind_of(base.item)
    changed = [
        name for name in diff(base.item, now.snapshot.item) if not FIELDS[kind][name].personal
    ]
    why = ""
    if base.readonly or now.snapshot.readonly:
        why = "it can't be changed by Accord, and stays"
    elif changed:
        why = f"{', '.join(changed)} changed in the mailbox since the last visit: it stays"
    if why:
        return Skip(side=Side.GROUPWARE, ref=base.ref, pairing=pairing.id, why=why)
    mails = visit.policy.mails(now.snapshot, None)
    return Delete(
        side=Side.GROUPWARE, pairing=pairing.id, before=now.snapshot, mails=mails, why=LIVES
    )


def _guarded(visit: Visit, decided: Sequence[Decided], *, approved: bool) -> list[Decided]:
    """Hold what the guard holds of any plan, unless somebody has approved it all."""
    flat = Plan(link=visit.link.id, steps=tuple(s for d in decided for s in d.steps))
    waiting = NOTHING
    if approved:
        waiting = Waiting(approved=frozenset(fingerprint(step) for step in flat.steps))
    extent = extent_of(visit, flat, Gathered(cases=()), ())
    steps = iter(guard(flat, visit.rule, extent, waiting).steps)
    return [replace(one, steps=tuple(next(steps) for _ in one.steps)) for one in decided]


def _carry_out(visit: Visit, decided: Sequence[Decided], report: Report) -> None:
    """Delete the copies; the link is paused first, so that no visit makes them anew."""
    with visit.state.begin() as tx:
        tx.links.pause(visit.link.id)
    writing = _deleting(decided)
    for _ in range(ROUNDS):
        if not apply(visit, writing, report):
            return
        writing = _deleting(_decide(visit))
    report.groupware.failed += len(writing)


def _deleting(decided: Sequence[Decided]) -> list[Decided]:
    return [one for one in decided if any(isinstance(step, Delete) for step in one.steps)]


def _part(
    accord: Accord, visit: Visit, pairings: Sequence[Pairing], report: Report, by: str
) -> None:
    """Take the markers off what stays and forget the link."""
    with visit.state.read() as tx:
        left = tx.pairings.get_many(pairing.id for pairing in pairings)
    copies = [p for p in left.values() if p.made is Side.GROUPWARE]
    shared = _shared(visit, copies)
    refs = {
        Side.CRM: _marked(visit, pairings),
        Side.GROUPWARE: [p.groupware.ref for p in copies if p.groupware.ref not in shared],
    }
    _unmark(visit, refs)
    with visit.state.begin() as tx:
        if visit.lease is not None:
            tx.leases.check(visit.lease)
        _forget(tx, accord, visit.link, by)
    live = sum(not pairing.frozen for pairing in pairings)
    report.count_both("unpaired", live - report.unpaired)


def _marked(visit: Visit, pairings: Sequence[Pairing]) -> list[str]:
    """Return the records that carry this link's marker: there is one for all links of a user."""
    now = confirm(visit.crm, [ask_for(pairing.crm) for pairing in pairings])
    ours = back_marker(visit.link, "")
    return [
        one.snapshot.ref
        for one in now.values()
        if isinstance(one, Seen) and one.snapshot.marker.startswith(ours)
    ]


def _unmark(visit: Visit, refs: dict[Side, list[str]]) -> None:
    """Take the markers off; an item that is gone, or that isn't ours to touch, has none to lose."""
    for side in Side:
        end = visit.end(side)
        for some in chunks(refs[side], end.batch):
            require_going(visit)
            with kept(visit):
                end.session.mark(end.folder, end.kind, [Mark(ref=ref, marker="") for ref in some])


def _forget(tx: Tx, accord: Accord, link: Link, by: str) -> int:
    return forget_all(tx, accord, link, by, f"the link {link.name} was removed")


def forget_all(tx: Tx, accord: Accord, link: Link, by: str, why: str) -> int:
    """Remove a link and all that is kept of it but its journal; return how many pairs it let go.

    The journal's entry says `why`, and how many pairs that were.
    """
    count = tx.pairings.live(link.id)
    open_writes = tx.intents.of_link(link.id)
    tx.intents.close_many([intent.id for intent in open_writes])
    for claim in tx.claims.of_link(link.id):
        if link.kind is not Kind.EVENT or not take_over(tx, claim.crm, claim.uid, link.id):
            tx.claims.release(claim.crm, claim.uid, link.id)
    forget(tx, link.id)
    troubles.forget(tx, link.id)
    gone = (settled_key(link), withdrawn_key(link), told_key(link))
    ours = (f"folder/{link.id}/", f"folder-name/{link.id}/", f"mailbox-id/{link.id}/")
    for key in tx.settings.all():
        if key in gone or key.startswith(ours):
            tx.settings.put(key, None)
    tx.links.remove(link.id)
    why += f" with {count} {'pair' if count == 1 else 'pairs'}"
    if open_writes:
        why += f"; how {len(open_writes)} of its writes ended was not known yet"
    entry = Entry(
        at=accord.clock(),
        link=link.id,
        user=link.user,
        side=Side.GROUPWARE,
        kind=link.kind,
        ref=link.principal,
        step="remove",
        why=why,
        actor=by,
    )
    tx.journal.append(entry)
    return count
