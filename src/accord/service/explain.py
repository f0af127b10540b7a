"""Explain an item: why it did or didn't synchronize, by rule, decision, versions and history.

Answers from state alone, also for items that were never synchronized; asks no server.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from accord.engine.guard import refused_because
from accord.engine.plan import FAILED, Create, Delete, Hold, Pairing, Refile, Step, Update
from accord.model.kinds import Kind, Side
from accord.rules.rule import Rule
from accord.service.accord import Accord
from accord.service.files_guard import held_file
from accord.service.mailbox_states import trouble
from accord.service.meetings import is_meeting
from accord.service.redaction import label_of
from accord.service.waiting import is_unwritable
from accord.state.codec import decode_step
from accord.state.decisions import GONE
from accord.state.records import Cause, Decision, Entry, Link, Pending
from accord.state.state import Tx

_HISTORY = 50


class Where(Struct, frozen=True, kw_only=True):
    """Say how an item stands on one side; empty where that side has none."""

    ref: str = ""
    version: str = ""
    folder: str = ""
    modified: datetime | None = None
    by: str = ""


class Explanation(Struct, frozen=True, kw_only=True):
    """Be everything known about one item on one link.

    `outcome` is the short answer, `why` the reason of the last decision. `waiting` is what
    still has to happen, `rejected` what somebody said no to, `history` the journal, newest first,
    `error` the last refusal. Of an absence `replies` tells how the mailbox's automatic replies
    stand to it.
    """

    link: str
    user: str
    kind: Kind
    label: str
    uid: str
    outcome: str
    why: str
    rule: str
    rule_version: str
    decided: datetime | None
    crm: Where
    groupware: Where
    waiting: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()
    error: str = ""
    replies: str = ""
    history: tuple[Entry, ...] = ()


def explain(accord: Accord, text: str) -> list[Explanation]:
    """Return an explanation per link and item that `text` names by ref, uid or part of a title.

    The ref of a series that is written by its occurrences names each of them.
    """
    with accord.state.read() as tx:
        links = {link.id: link for link in tx.links.all()}
        found = _subjects(tx, links, text)
        return [_explain(tx, links[link], crm, groupware) for link, crm, groupware in sorted(found)]


def _subjects(tx: Tx, links: dict[str, Link], text: str) -> set[tuple[str, str, str]]:
    """Return link, CRM ref and mailbox ref of each item that fits; either ref may be empty."""
    refs: set[tuple[str, Side, str]] = {
        (decision.link, decision.side, decision.ref) for decision in tx.decisions.find(text)
    }
    told = {
        (entry.link, side, text)
        for entry in tx.journal.query(ref=text, limit=_HISTORY)
        for side, ref in ((entry.side, entry.ref), (entry.side.other, entry.counterpart))
        if ref == text
    }
    refs |= {(link, side, text) for link in links for side in Side}
    refs |= {(link, Side.CRM, ref) for link, ref in tx.pairings.occurrences_of(text)}
    pairings = [tx.pairings.get(pair) for _, pair in tx.pairings.by_uid(text)]
    refs |= {
        (link, Side.CRM, pairing.crm.ref)
        for (link, _), pairing in zip(tx.pairings.by_uid(text), pairings, strict=True)
        if pairing is not None
    }
    found = set()
    for link, side, ref in refs:
        if link not in links:
            continue
        pairing = tx.pairings.by_refs(link, side, [ref]).get(ref)
        if pairing is not None:
            found.add((link, pairing.crm.ref, pairing.groupware.ref))
        elif (link, side, ref) in told or tx.decisions.get(link, side, ref):
            found.add((link, ref, "") if side is Side.CRM else (link, "", ref))
    return _without_halves(found)


def _without_halves(found: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Drop single refs that a pair already names."""
    whole = {(link, crm) for link, crm, groupware in found if groupware}
    whole |= {(link, groupware) for link, crm, groupware in found if crm and groupware}
    return {
        (link, crm, groupware)
        for link, crm, groupware in found
        if (crm and groupware) or (link, crm or groupware) not in whole
    }


def _explain(tx: Tx, link: Link, crm: str, groupware: str) -> Explanation:
    side, ref = (Side.CRM, crm) if crm else (Side.GROUPWARE, groupware)
    pairing = tx.pairings.by_refs(link.id, side, [ref]).get(ref)
    decisions = [
        decision
        for s, r in ((Side.CRM, crm), (Side.GROUPWARE, groupware))
        if r and (decision := tx.decisions.get(link.id, s, r)) is not None
    ]
    last = max(decisions, key=lambda decision: decision.at, default=None)
    history = _history(tx, link, crm, groupware)
    everything = _pending(tx, link, crm, groupware)
    pending = [one for one in everything if not one.refused]
    rejected = [one for one in everything if one.refused]
    gone = _gone(everything)
    version = pairing.rule if pairing is not None else (last.rule if last else "")
    rule = tx.rules.former(version) or tx.rules.active(link.rule)
    failed = next((entry.error for entry in history if entry.error), "")
    return Explanation(
        link=link.name,
        user=link.user,
        kind=link.kind,
        label=_label(last, pairing),
        uid=last.uid if last else (pairing.crm.item.uid if pairing else ""),
        outcome=_outcome(pairing, last, pending, rejected),
        why=_why(pairing, last, history, rejected),
        rule=rule.name if isinstance(rule, Rule) else link.rule,
        rule_version=version,
        decided=last.at if last else None,
        crm=_where(pairing, Side.CRM, crm, decisions, gone),
        groupware=_where(pairing, Side.GROUPWARE, groupware, decisions, gone),
        waiting=(
            *(f"{_waits(one)}{_advice(link, pairing, one)}" for one in pending),
            *_left_out(tx, pairing),
            *(f"{found}; {found.hint}" for found in [trouble(tx, link.id)] if found is not None),
        ),
        rejected=tuple(_said_no(one) for one in rejected),
        error=failed,
        replies=_replies(tx, link, crm),
        history=tuple(history),
    )


def _replies(tx: Tx, link: Link, crm: str) -> str:
    kept = tx.replies.get(link.id) if crm and link.kind is Kind.ABSENCE else None
    if kept is None or kept.ref != crm:
        return ""
    if kept.why:
        return kept.why
    return "Accord set them for this absence" if kept.ours else "they are being set"


def _left_out(tx: Tx, pairing: Pairing | None) -> Iterable[str]:
    """Yield the files that aren't carried, each with the reason."""
    known = tx.files.get(pairing.id) if pairing is not None else None
    return () if known is None else (f"left out: {why}" for why in known.left)


def _waits(pending: Pending) -> str:
    """Return why something waits, and of files which one."""
    if pending.cause is not Cause.FILE:
        return f"{pending.cause}: {pending.why}"
    return f"held: {_act(held_file(pending))}: {pending.why}"


def _said_no(pending: Pending) -> str:
    """Return what somebody said no to, and why it was asked."""
    return f"{_act(_effect(pending))}: {pending.why}"


def _act(step: Step) -> str:
    """Return what a step would do and where; of a file its name, too."""
    if not isinstance(step, Create | Update | Delete | Refile):
        return step.name
    name = step.before.name if isinstance(step, Refile) and step.before is not None else ""
    return f"{' '.join(filter(None, (step.name, name)))} in the {step.side.place}"


def _effect(pending: Pending) -> Step:
    """Return what would be done, without what holds it."""
    step = decode_step(pending.step)
    return step.held if isinstance(step, Hold) else step


def _gone(pending: Iterable[Pending]) -> set[Side]:
    """Return the sides on which the item is no more, though the pair still knows it.

    A deletion that waits or was rejected would follow it; what would be made for a pair is gone.
    """
    steps = [_effect(one) for one in pending]
    made = {step.side for step in steps if isinstance(step, Create) and step.pairing}
    return made | {step.side.other for step in steps if isinstance(step, Delete) and step.follows}


def _advice(link: Link, pairing: Pairing | None, pending: Pending) -> str:
    """Return what helps where a user may not change an item; it is done by itself then."""
    step = decode_step(pending.step)
    denied = pending.cause is Cause.RETRY and isinstance(step, Update) and step.side is Side.CRM
    if not is_unwritable(step) and not (denied and pairing is not None and pairing.refused):
        return ""
    advice = f" (what helps: give {link.user} the right to change it"
    shared = pairing is not None and is_meeting(pairing.groupware.item)
    return f"{advice}{', or link a participant who has it' if shared else ''})"


def _history(tx: Tx, link: Link, crm: str, groupware: str) -> list[Entry]:
    entries = {
        entry.id: entry
        for ref in (crm, groupware)
        if ref
        for entry in tx.journal.query(link=link.id, ref=ref, limit=_HISTORY)
    }
    return sorted(entries.values(), key=lambda entry: -entry.id)[:_HISTORY]


def _pending(tx: Tx, link: Link, crm: str, groupware: str) -> list[Pending]:
    found = {
        one.id: one
        for side, ref in ((Side.CRM, crm), (Side.GROUPWARE, groupware))
        if ref
        for one in tx.pending.by_refs(link.id, side, [ref]).get(ref, [])
    }
    return list(found.values())


def _why(
    pairing: Pairing | None,
    last: Decision | None,
    history: Sequence[Entry],
    rejected: Iterable[Pending],
) -> str:
    """Return the reason of the last decision; a person's own no counts as one, too."""
    no = next((one for one in rejected if pairing is not None and _apart(one)), None)
    if no is not None:
        return refused_because(_effect(no))
    return last.why if last else (history[0].why if history else "")


_APART = {"create": "making it anew", "update": "changing it", "delete": "deleting it"}


def _apart(rejected: Pending) -> str:
    """Return what somebody said no to that leaves a pair apart; empty for anything else."""
    return _APART.get(_effect(rejected).name, "")


def _outcome(
    pairing: Pairing | None,
    last: Decision | None,
    pending: Iterable[Pending],
    rejected: Iterable[Pending],
) -> str:
    if last is not None and last.step == "unreadable" and pairing is None:
        return "can't be read"
    causes = sorted({str(one.cause) for one in pending})
    if causes:
        return f"waiting ({', '.join(causes)})"
    if pairing is not None and pairing.frozen:
        return f"let go ({pairing.frozen})"
    apart = next(filter(None, map(_apart, rejected)), "")
    if pairing is not None:
        return f"apart: somebody said no to {apart}" if apart else "synchronized"
    if last is not None and last.step == GONE:
        return GONE
    if last is not None and (last.step in ("skip", FAILED) or _never_made(last)):
        return "not synchronized"
    return "no longer synchronized"


def _never_made(last: Decision) -> bool:
    """Tell whether a copy was refused or held: decisions about what was done have a version."""
    return last.step in ("create", "hold") and not last.version


def _where(
    pairing: Pairing | None, side: Side, ref: str, decisions: Iterable[Decision], gone: set[Side]
) -> Where:
    if side in gone:
        return Where()
    if pairing is not None:
        base = pairing.side(side)
        return Where(
            ref=base.ref,
            version=base.version,
            folder=base.folder,
            modified=base.modified,
            by=base.by,
        )
    if any(one.side is side and one.step == GONE for one in decisions):
        return Where()
    version = next((d.version for d in decisions if d.side is side), "")
    return Where(ref=ref, version=version)


def _label(last: Decision | None, pairing: Pairing | None) -> str:
    if last is not None and last.label:
        return last.label
    return label_of(pairing.crm.item) if pairing is not None else ""
