"""What people decide: approve or reject what is held, settle an open conflict.

Approval plans again and runs only what is identical; if the plan grew, the rest is held again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from accord.engine.guard import mailing
from accord.engine.merge import last
from accord.engine.plan import Conflict, Hold, Pairing, Plan, Skip, Step, Update
from accord.engine.policy import Policy
from accord.engine.reconcile import Case, reconcile
from accord.model.diff import changes, patch
from accord.model.kinds import Side
from accord.model.observe import Seen, Snapshot
from accord.model.zones import UnknownZone
from accord.ports.errors import ConfigError
from accord.rules.failure import RuleFailed, unruled
from accord.service.accord import Accord
from accord.service.apply import apply
from accord.service.begin import attend
from accord.service.cases import again
from accord.service.conflicts import contested
from accord.service.counterparts import ask_for
from accord.service.discreet import discreet, why_readonly
from accord.service.opening import Options, load_policies, silent
from accord.service.planning import decide as plan_anew
from accord.service.pull import confirm
from accord.service.report import Report
from accord.service.sync import ROUNDS, sync
from accord.service.undo_held import undo_held
from accord.service.visit import Decided, Progress, Visit
from accord.service.waiting import of_rule_change
from accord.state.codec import decode_step
from accord.state.records import Cause, Entry, Link, Mode, Pending
from accord.state.state import Tx

MOVING = "an item keeps changing meanwhile; decide it again"


class Waiting(Struct, frozen=True, kw_only=True):
    """Be one pending change made ready to show."""

    pending: Pending
    link: Link
    step: Step


def waiting(accord: Accord, cause: Cause, link: str = "") -> list[Waiting]:
    """Return what is pending for a cause, on all links or one; refused changes are left out.

    What waits for approval may also be about a file, or a step of an undo.
    """
    causes = (cause, Cause.FILE, Cause.UNDO) if cause is Cause.HELD else (cause,)
    with accord.state.read() as tx:
        found = [
            one
            for each in causes
            for one in (tx.pending.by_link(link, each) if link else tx.pending.all(each))
        ]
        links = {one.id: one for one in tx.links.all()}
    return [
        Waiting(pending=one, link=links[one.link], step=decode_step(one.step))
        for one in found
        if not one.refused and one.link in links
    ]


class Settled(Struct, frozen=True, kw_only=True):
    """Be one clash that the rule has settled; `entry.side` lost, and `entry.fields` keep it."""

    entry: Entry
    link: Link
    label: str


def settled(accord: Accord, links: Sequence[Link] = (), limit: int = 50) -> list[Settled]:
    """Return settled clashes whose losing value stands only in the journal, newest first."""
    with accord.state.read() as tx:
        known = {one.id: one for one in links or tx.links.all()}
        found = [
            entry
            for link in (known if links else [None])
            for entry in tx.journal.query(link=link, step="clash", limit=limit)
            if entry.undone_by is None and entry.link in known
        ]
        return [
            Settled(entry=entry, link=known[entry.link], label=_label(tx, entry))
            for entry in sorted(found, key=lambda entry: -entry.id)[:limit]
        ]


def approve(accord: Accord, ids: Sequence[str], progress: Progress = silent) -> list[Report]:
    """Approve held changes and carry them out; raises ConfigError for an unknown id.

    Their links are visited; held steps of an undo are undone, and nothing else with them. Where
    a link is paused or only observes no approval is kept, for it would be carried out one day,
    unseen: the report says so.
    """
    idle: dict[str, Report] = {}
    links: dict[str, Link] = {}
    undos: list[Pending] = []
    with accord.state.begin() as tx:
        stopped = bool(tx.settings.get("paused", False))
        for number in ids:
            pending = _held(tx.pending.get(number), number)
            link = tx.links.get(pending.link)
            if link is None:
                continue
            if stopped or link.paused or link.mode is Mode.OBSERVE:
                idle[link.id] = _not_approved(link, stopped=stopped)
            elif pending.cause is Cause.UNDO:
                undos.append(pending)
            else:
                tx.pending.approve(number)
                links[link.id] = link
    reports = sync(accord, list(links.values()), Options(cause="approval"), progress)
    return [*idle.values(), *reports, *(undo_held(accord, undos) if undos else [])]


def reject(accord: Accord, ids: Sequence[str]) -> None:
    """Say no to held changes: they are not done and not asked about again.

    A held step of an undo is forgotten; undoing it again asks again.
    """
    with accord.state.begin() as tx:
        for number in ids:
            if _held(tx.pending.get(number), number).cause is Cause.UNDO:
                tx.pending.remove(number)
            else:
                tx.pending.reject(number)


def held_beside(accord: Accord, conflict: str) -> list[Waiting]:
    """Return the held changes of an item that settling its conflict would carry out, too.

    Those that somebody said no to are among them; what a changed rule brings is not, for it goes
    on waiting.
    """
    with accord.state.read() as tx:
        pending = tx.pending.get(conflict)
        link = tx.links.get(pending.link) if pending is not None else None
        if pending is None or link is None:
            return []
        found: dict[str, Pending] = {}
        for side, ref in ((Side.CRM, pending.ref_crm), (Side.GROUPWARE, pending.ref_groupware)):
            found |= {one.id: one for one in tx.pending.by_refs(link.id, side, [ref]).get(ref, [])}
    waits = [Waiting(pending=p, link=link, step=decode_step(p.step)) for p in found.values()]
    return [
        one
        for one in waits
        if one.pending.cause is Cause.HELD
        and not one.pending.approved
        and isinstance(one.step, Hold)
        and not of_rule_change(one.step.cause)
    ]


def resolve(
    accord: Accord, conflict: str, winner: Side, *, dry: bool = False, held: bool = False
) -> Report:
    """Settle an open conflict: the winner's values are written on the other side.

    Other edits of the item travel with it, held ones only where `held` allows that. Raises
    ConfigError for an id that is no open conflict, and where held changes are in its way.
    """
    if not (dry or held) and (beside := held_beside(accord, conflict)):
        detail = f"settling {conflict} would carry out what is held: {beside[0].pending.id}"
        hint = "approve or reject that first: `accord held`"
        raise ConfigError(detail, field="id", hint=hint)
    with accord.state.read() as tx:
        pending = tx.pending.get(conflict)
        link = tx.links.get(pending.link) if pending is not None else None
    if pending is None or pending.cause is not Cause.CONFLICT or link is None:
        hint = "`accord conflicts` lists them"
        raise ConfigError(f"there is no open conflict {conflict!r}", field="id", hint=hint)
    step = decode_step(pending.step)
    if not isinstance(step, Conflict):
        raise ConfigError(
            f"{conflict!r} is no conflict", field="id", hint="`accord conflicts` lists them"
        )

    def decide(visit: Visit, report: Report) -> Decided:
        decided = _decide(visit, step, winner)
        report.plan = Plan(link=link.id, steps=decided.steps)
        return decided

    def carry_out(visit: Visit, decided: Decided, report: Report) -> None:
        for _ in range(ROUNDS + 1):
            if not apply(visit, [decided], report):
                break
            decided = _decide(visit, step, winner)
        else:
            report.left = [f"conflict {conflict} is still open: {MOVING}"]
        _settle(visit, conflict, decided)
        pairing = decided.case.pairing
        if pairing is not None and pairing.rule != visit.rule.version:
            # What a changed rule brings is planned anew over what now stands, and waits on.
            apply(visit, plan_anew(visit, again(visit, [decided])), report)

    return attend(accord, link, Options(dry=dry, cause="conflict"), decide, carry_out)


def _not_approved(link: Link, *, stopped: bool) -> Report:
    """Return the report on a link for which nothing can be approved as it stands."""
    report = Report(link=link.id, name=link.name)
    how = "only observes" if link.mode is Mode.OBSERVE else "is paused"
    go_on = f"accord mode {link.name} active" if link.mode is Mode.OBSERVE else "accord resume"
    go_on += " --all" if stopped and link.mode is not Mode.OBSERVE else ""
    hint = f"let it write first: `{go_on}`; then look at `accord held` again"
    report.fail(ConfigError(f"the link {how}: nothing was approved", field="link", hint=hint))
    return report


def _label(tx: Tx, entry: Entry) -> str:
    sides = ((entry.side, entry.ref), (entry.side.other, entry.counterpart))
    found = (tx.decisions.get(entry.link, side, ref) for side, ref in sides)
    return next((one.label for one in found if one is not None and one.label), "")


def _held(pending: Pending | None, number: str) -> Pending:
    if pending is None or pending.cause not in (Cause.HELD, Cause.FILE, Cause.UNDO):
        hint = "`accord held` lists what waits for approval"
        raise ConfigError(f"nothing is held under {number!r}", field="id", hint=hint)
    return pending


def _decide(visit: Visit, conflict: Conflict, winner: Side) -> Decided:
    """Return the update that carries the winner's present values over."""
    with visit.state.read() as tx:
        pairing = tx.pairings.get(conflict.pairing)
    if pairing is None:
        raise ConfigError("the pair no longer exists", field="id", hint="nothing is left to decide")
    now: dict[Side, Snapshot] = {}
    for side in Side:
        base = pairing.side(side)
        observation = confirm(visit.end(side), [ask_for(base)])[base.ref]
        if not isinstance(observation, Seen):
            hint = "synchronize first; the conflict may be gone"
            raise ConfigError(f"the item on the {side} side is gone", field="id", hint=hint)
        seen = discreet(visit, observation) if side is Side.GROUPWARE else observation
        if not isinstance(seen, Seen) or (seen.snapshot.readonly and side is winner.other):
            hint = "change it there, or take the values of that side"
            why = why_readonly(observation.snapshot, side)
            raise ConfigError(why, field="id", hint=hint)
        now[side] = seen.snapshot
    case = Case(pairing=pairing, crm=Seen(now[Side.CRM]), groupware=Seen(now[Side.GROUPWARE]))
    try:
        steps = _decided(visit, pairing, case, conflict, now, winner)
    except (RuleFailed, UnknownZone, OverflowError) as error:
        raise _unruled(unruled(error, case.items)) from error
    return Decided(case=case, steps=steps)


def _decided(
    visit: Visit,
    pairing: Pairing,
    case: Case,
    conflict: Conflict,
    now: dict[Side, Snapshot],
    winner: Side,
) -> tuple[Step, ...]:
    """Return what agrees about everything else, with the winner's values in it.

    What a base moves past has to travel now: nobody would look at it again. A changed rule brings
    nothing with it, and doesn't change how the winner's values are carried.
    """
    loser = winner.other
    load_policies(visit, [pairing.rule])
    policy = visit.policy_under(pairing.rule)
    planned = reconcile(case, policy)
    # Nothing is written in part: the bases would move past edits that never travelled.
    if broken := [step for step in planned if isinstance(step, Skip) and step.failed is True]:
        raise _unruled(broken[0].why)
    updates = {step.side: step for step in planned if isinstance(step, Update)}
    carried = policy.carried(loser, now[winner].item)
    carried = policy.over(loser, carried, last(pairing, loser, now[loser].item))
    names = [c.field for c in conflict.fields if c.field in policy.flows(loser)]
    other = updates.pop(loser, None)
    after = patch(
        other.after if other else now[loser].item, {n: getattr(carried, n) for n in names}
    )
    changed = changes(now[loser].item, after)
    if changed:
        updates[loser] = Update(
            side=loser,
            pairing=pairing.id,
            before=now[loser],
            after=after,
            base=now[winner],
            changes=changed,
            mails=policy.mails(now[loser], after) if loser is Side.GROUPWARE else (),
            why=f"the conflict about {conflict.field} was decided for the {winner} side",
        )
    settled = {change.field for change in conflict.fields}
    left = tuple(field for field in pairing.contested if field not in settled)
    steps = [msgspec.structs.replace(step, contested=left) for step in updates.values()]
    return tuple(_held_for_mail(visit, policy, step) for step in steps)


def _unruled(why: str) -> ConfigError:
    hint = "mend the rule or the item; `accord explain` shows both, and the conflict stays open"
    return ConfigError(why, field="id", hint=hint)


def _held_for_mail(visit: Visit, policy: Policy, step: Update) -> Step:
    """Return an update, or its hold where the server would write to people unasked."""
    cause = mailing(step.mails, policy.program.rule) or mailing(step.mails, visit.rule)
    return Hold(held=step, cause=cause, why=step.why) if cause else step


def _settle(visit: Visit, number: str, decided: Decided) -> None:
    """Take the conflict off the list once both sides agree about its fields."""
    pairing = decided.case.pairing
    with visit.state.begin() as tx:
        standing = tx.pairings.get(pairing.id) if pairing is not None else None
        pending = tx.pending.get(number)
        if pending is not None:
            step = decode_step(pending.step)
            fields = {c.field for c in step.fields} if isinstance(step, Conflict) else set()
            if standing is None or not fields.intersection(contested(visit, standing)):
                tx.pending.remove(number)
