"""A mailbox's automatic replies during a visit of a link for absences: decided, set, put back.

`sync` calls `answer` once absences agree, `removal` `take_back`, `undo` `undo_replies`. What is
about to be set is kept before it is, so that the next visit knows whose replies stand there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from accord.engine.plan import Create, Delete, Pair, Unpair, Update
from accord.engine.replies import UNDONE, Act, Decision, Due, Kept, decide
from accord.model.diff import FieldChange
from accord.model.html import to_text
from accord.model.item import Absence
from accord.model.kinds import Kind, Side
from accord.model.learning import learnt
from accord.model.observe import Seen
from accord.model.replies import Audience, Replies
from accord.model.zones import UnknownZone
from accord.ports.errors import AccordError, AuthFailed, ItemError
from accord.ports.replies import Answering
from accord.rules.failure import RuleFailed
from accord.rules.replies import next_absence, replies_for
from accord.service.pausing import require_going, require_lease
from accord.service.report import Replied, Report
from accord.service.visit import Decided, Visit
from accord.state.records import Entry

SET, RESTORED = "set-replies", "restore-replies"
STEPS = (SET, RESTORED)
"""What the journal calls a change of automatic replies."""

NONE_THERE = "this server has no automatic replies that Accord could set"
TOUCHED = "the automatic replies were changed since"
PAST = "the time of these automatic replies is over"


def answer(visit: Visit, decided: Sequence[Decided], report: Report) -> None:
    """Bring the mailbox's automatic replies to where rule and absences want them.

    What the server refuses stands in the report, and is tried again at the next visit.
    """
    if visit.link.kind is not Kind.ABSENCE:
        return
    kept = _kept(visit)
    if kept is None and not visit.rule.replies.inside:
        return
    session = visit.groupware.session
    if not isinstance(session, Answering):
        report.replies = Replied(act=Act.LEAVE, why=NONE_THERE)
        return
    try:
        due = _due(visit, decided, session.time_zone)
    except UnknownZone as error:
        report.replies = Replied(act=Act.LEAVE, why=str(error))
        return
    if due is not None or kept is not None:
        _settle(visit, session, kept, due, report)


def take_back(visit: Visit, report: Report) -> None:
    """Put back what stood before Accord's replies, as where no absence is due any more."""
    kept, session = _kept(visit), visit.groupware.session
    if visit.link.kind is Kind.ABSENCE and kept is not None and isinstance(session, Answering):
        _settle(visit, session, kept, None, report)


def undo_replies(visit: Visit, entries: Sequence[Entry], report: Report) -> None:
    """Put back what stood before these changes, newest first, unless somebody changed it since."""
    session = visit.groupware.session
    if not entries or not isinstance(session, Answering):
        return
    stands = session.replies()
    wanted = stands
    for entry in entries:
        if not same(wanted, _patched(wanted, entry, "after")):
            report.left.append(f"step {entry.id} not undone: {TOUCHED}")
            return
        wanted = _patched(wanted, entry, "before")
    if wanted.on and not wanted.answers(visit.now):
        report.left.append(f"step {entries[0].id} not undone: {PAST}")
        return
    kept, oldest = _kept(visit) or Kept(), entries[-1]
    why = f"undo of step {entries[0].id}"
    if oldest.step == SET:
        after, act = replace(kept, before=None, ours=None, sent=None, why=UNDONE), Act.RESTORE
    else:
        after, act = replace(kept, before=stands, ours=wanted, sent=None, why=""), Act.SET
    decision = Decision(act=act, why=why, replies=wanted, kept=after)
    report.replies = Replied(act=act, why=why, fields=_fields(stands, wanted))
    if visit.writes:
        require_going(visit)
        session.set_replies(wanted)
        _enter(visit, decision, oldest.counterpart, stands, undoes=[e.id for e in entries])


def same(one: Replies, other: Replies) -> bool:
    """Tell whether two replies say the same to the same people at the same time.

    Texts count by their words: servers wrap them in markup of their own.
    """
    return _said(one) == _said(other)


def _said(replies: Replies) -> tuple[object, ...]:
    told = replies.outside if replies.audience is not Audience.NONE else ""
    times = (replies.start, replies.end, replies.audience) if replies.on else ()
    return (replies.on, times, to_text(replies.inside).split(), to_text(told).split())


def _settle(
    visit: Visit, session: Answering, kept: Kept | None, due: Due | None, report: Report
) -> None:
    decision: Decision | None = None
    if visit.writes:
        require_going(visit)
    try:
        stands = session.replies()
        decision = decide(stands, kept, due, visit.now, same)
        if decision.act not in (Act.NOTHING, Act.KEEP):
            fields = () if decision.replies is None else _fields(stands, decision.replies)
            report.replies = Replied(act=decision.act, why=decision.why, fields=fields)
        if visit.writes:
            ref = due.ref if due is not None else kept.ref if kept is not None else ""
            _carry_out(visit, session, decision, kept, stands, ref)
    except AuthFailed:
        raise
    except AccordError as error:
        _fail(visit, kept, decision, error, report)


def _carry_out(
    visit: Visit,
    session: Answering,
    decision: Decision,
    kept: Kept | None,
    stands: Replies,
    ref: str,
) -> None:
    if decision.late is not None:
        was, now = decision.late
        step = replace(decision, act=Act.SET if decision.act is Act.KEEP else Act.RESTORE)
        _enter(visit, replace(step, replies=now), ref, was)
    elif decision.replies is None:
        if decision.kept != kept:
            _keep(visit, decision.kept)
    else:
        if decision.act is Act.SET:
            _keep(visit, decision.kept)
        require_lease(visit)
        session.set_replies(decision.replies)
        done = decision
        if decision.kept is not None:
            told = _read_back(session, decision.replies)
            done = replace(decision, kept=replace(decision.kept, ours=told, sent=None))
        _enter(visit, done, ref, stands)


def _read_back(session: Answering, sent: Replies) -> Replies:
    """Return Accord's replies as the server keeps them; as sent where that can't be told."""
    try:
        now = session.replies()
    except AccordError:
        return sent
    mine = now.on == sent.on and to_text(now.inside).split() == to_text(sent.inside).split()
    return now if mine else sent


def _fail(
    visit: Visit, kept: Kept | None, decision: Decision | None, error: AccordError, report: Report
) -> None:
    """Say that the server refused; the journal tells it once, not at every visit.

    Of any other failure nobody knows whether the replies were set: what was kept before stays.
    """
    act = decision.act if decision is not None else Act.LEAVE
    why = decision.why if decision is not None else "the automatic replies can't be read"
    report.replies = Replied(act=act, why=why, error=str(error))
    report.groupware.failed += 1
    known = kept is not None and kept.why == str(error)
    if known or not visit.writes or not isinstance(error, ItemError):
        return
    with visit.state.begin() as tx:
        tx.replies.put(visit.link.id, replace(kept or Kept(), why=str(error)))
        step = RESTORED if act is Act.RESTORE else SET
        tx.journal.append(_entry(visit, step, why, kept.ref if kept else "", error=str(error)))


def _enter(
    visit: Visit, decision: Decision, ref: str, before: Replies, undoes: Sequence[int] = ()
) -> None:
    """Keep what is known from now on and enter what was done, in one transaction."""
    step = SET if decision.act is Act.SET else RESTORED
    after = decision.replies or before
    with visit.state.begin() as tx:
        if visit.lease is not None:
            tx.leases.check(visit.lease)
        tx.replies.put(visit.link.id, decision.kept)
        tx.journal.append(_entry(visit, step, decision.why, ref, _fields(before, after)))
        if undoes:
            (entered, *_) = tx.journal.query(run=visit.run, step=step, limit=1)
            tx.journal.mark_undone(undoes, entered.id)


def _entry(
    visit: Visit,
    step: str,
    why: str,
    absence: str,
    fields: tuple[FieldChange, ...] = (),
    error: str = "",
) -> Entry:
    return Entry(
        at=visit.now,
        run=visit.run,
        link=visit.link.id,
        user=visit.link.user,
        side=Side.GROUPWARE,
        kind=Kind.ABSENCE,
        ref=visit.link.principal,
        counterpart=absence,
        step=step,
        why=why,
        rule=visit.rule.version,
        error=error,
        fields=fields,
    )


def _keep(visit: Visit, kept: Kept | None) -> None:
    with visit.state.begin() as tx:
        if visit.lease is not None:
            tx.leases.check(visit.lease)
        tx.replies.put(visit.link.id, kept)


def _kept(visit: Visit) -> Kept | None:
    with visit.state.read() as tx:
        return tx.replies.get(visit.link.id)


def _due(visit: Visit, decided: Sequence[Decided], home: str) -> Due | None:
    """Return the replies that the absence of now, or the next one, asks for."""
    if not visit.rule.replies.inside:
        return None
    found = next_absence(_absences(visit, decided), visit.now, home)
    if found is None:
        return None
    ref, absence = found
    owner = visit.policy.facts.owner.name or visit.link.user
    replies = replies_for(visit.rule.replies, absence, owner, home)
    if replies is None:
        return None
    return Due(ref=ref, absence=f"{ref} {replies.start} {replies.end}", replies=replies)


def _absences(visit: Visit, decided: Sequence[Decided]) -> dict[str, Absence]:
    """Return the absences with an entry in the mailbox (of a dry visit: that would have one)."""
    with visit.state.read() as tx:
        pairs = [pair for pair in tx.pairings.all(visit.link.id) if not pair.frozen]
    found = {pair.crm.ref: pair.crm.item for pair in pairs}
    if not visit.writes:
        for one in decided:
            _foresee(found, one)
    return {
        ref: item
        for ref, item in found.items()
        if isinstance(item, Absence) and _takes_part(visit, item)
    }


def _foresee(found: dict[str, Any], one: Decided) -> None:
    """Change what is there to what will be once these steps are done."""
    seen = one.case.crm
    pairing = one.case.pairing
    for step in one.steps:
        match step:
            case Create(side=Side.GROUPWARE) | Update(side=Side.GROUPWARE) | Pair():
                if isinstance(seen, Seen):
                    found[seen.snapshot.ref] = seen.snapshot.item
            case Delete() | Unpair():
                if pairing is not None:
                    found.pop(pairing.crm.ref, None)


def _takes_part(visit: Visit, absence: Absence) -> bool:
    policy = visit.policy
    try:
        return policy.program.scope(Side.CRM, absence, policy.facts, paired=True).inside
    except RuleFailed:
        return False


def _fields(before: Replies, after: Replies) -> tuple[FieldChange, ...]:
    one, other = msgspec.to_builtins(before), msgspec.to_builtins(after)
    return tuple(
        FieldChange(field=name, before=one[name], after=other[name])
        for name in Replies.__struct_fields__
        if one[name] != other[name]
    )


def _patched(replies: Replies, entry: Entry, which: str) -> Replies:
    """Return replies with what an entry says of them, as it was before or after."""
    values = msgspec.to_builtins(replies)
    values |= {change.field: getattr(change, which) for change in entry.fields}
    return msgspec.convert(values, learnt(Replies))
