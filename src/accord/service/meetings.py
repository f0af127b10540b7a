"""One meeting, one CRM appointment: which link's copy gives a meeting its content.

Claimed in state, uniquely, before anything is created; the organizer's link comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from accord.engine.plan import Frozen, Pairing
from accord.engine.policy import ORGANIZERS, pairing_id
from accord.engine.reconcile import Case
from accord.model.diff import diff, patch
from accord.model.item import Event, Item
from accord.model.kinds import Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.service.visit import Visit
from accord.state.records import Cause, Mode
from accord.state.state import Tx

_TAKING_PART = frozenset({"organizer", "attendees"})

PATIENCE = 3
"""How often a participant's calendar waits for the organizer's before it brings a meeting in."""


def with_claims(visit: Visit, cases: Sequence[Case]) -> list[Case]:
    """Return the cases, each knowing whether another link's copy gives the content.

    Outside previews, meetings the CRM already has are claimed for their organizer's link, or
    for this one where the organizer has none. One that the CRM doesn't have is left to the
    organizer's link for some visits. Of an outside organizer's meeting the copy with the highest
    SEQUENCE gives the content.
    """
    if visit.link.kind is not Kind.EVENT:
        return list(cases)
    cases = [_ahead(visit, case) for case in cases]
    wanted = {uid: _organizer(case) for case in cases if (uid := _uid(case))}
    if not wanted:
        return cases
    mine = visit.link.id
    with visit.state.read() as tx:
        held = {c.uid: c.link for c in tx.claims.get_many(visit.instance, wanted).values()}
        links = {link: tx.links.get(link) for link in set(held.values())}
        there = {name: link.user for name, link in links.items() if link is not None}
        hosts = _hosts(tx, visit, set(wanted.values()))
        impatient = _impatient(tx, visit, cases)
    claims: dict[str, str] = {}
    for uid, organizer in wanted.items():
        holder = there.get(held.get(uid, ""))
        if visit.policy.facts.is_owner(organizer) and holder != visit.link.user:
            claims[uid] = mine
        elif holder is not None:
            claims[uid] = held[uid]
        else:
            claims[uid] = mine if uid in impatient else hosts.get(organizer, mine)
    if visit.writes:
        claims |= _claim(visit, cases, claims, held)
    return [
        msgspec.structs.replace(case, claimed=claims[uid])
        if (uid := _uid(case)) and claims[uid] != mine
        else _resumed(visit, case)
        for case in cases
    ]


def pass_on_all(tx: Tx, visit: Visit, pairings: Sequence[Pairing]) -> set[str]:
    """Let others give the content of meetings that this link's pairs don't give any more.

    Return the ids of the pairs that another link's copy stands in for. A claim on what returns
    by itself is kept where nobody else has a copy.
    """
    if visit.link.kind is not Kind.EVENT:
        return set()
    giving = {uid: pairing for pairing in pairings if pairing.content for uid in _uids(pairing)}
    passed = set()
    for uid, claim in tx.claims.get_many(visit.instance, giving).items():
        pairing = giving[uid]
        if claim.link != visit.link.id:
            continue
        if take_over(tx, visit.instance, uid, visit.link.id):
            passed.add(pairing.id)
        elif not (pairing.frozen and Frozen(pairing.frozen).returns):
            tx.claims.release(visit.instance, uid, visit.link.id)
    return passed


def take_over(tx: Tx, instance: str, uid: str, link: str) -> bool:
    """Let the next link with a copy give the content of a meeting that `link` gave so far.

    Tell whether there was one; a link that isn't paused comes first.
    """
    found = [(other, pair) for other, pair in tx.pairings.by_uid(uid) if other != link]
    pairings = tx.pairings.get_many(pair for _, pair in found)
    able = [(other, pair) for other, pair in found if not pairings[pair].frozen]
    working = [(other, pair) for other, pair in able if not _paused(tx, other)]
    for other, pair in working or able:
        tx.claims.pass_on(instance, uid, other)
        tx.pairings.put(other, msgspec.structs.replace(pairings[pair], content=True))
        return True
    return False


def _resumed(visit: Visit, case: Case) -> Case:
    """Return the case of a copy that gives content again which the CRM refused in the meantime.

    What record and copy last agreed about is known from the link that was refused.
    """
    uid, crm, groupware = _uid(case), case.crm, case.groupware
    if not uid or not isinstance(crm, Seen) or not isinstance(groupware, Seen):
        return case
    record, copy = crm.snapshot, groupware.snapshot
    with visit.state.read() as tx:
        pairs = tx.pairings.get_many(pair for _, pair in tx.pairings.by_uid(uid)).values()
    for known in pairs:
        if known.refused and (known.crm.ref, known.crm.version) == (record.ref, record.version):
            base = _behind(copy, copy.item, known.groupware.item)
            pairing = Pairing(
                id=pairing_id(visit.link.id, record.ref, copy.ref),
                crm=record,
                groupware=base,
                rule=visit.rule.version,
            )
            return msgspec.structs.replace(case, pairing=pairing)
    return case


def _behind(base: Snapshot, now: Item, known: Item) -> Snapshot:
    """Return a base whose content is as known from another copy, where that differs from now.

    So what the CRM lacks shows as a change, also where this copy has moved on already.
    """
    names = diff(known, now, ORGANIZERS - _TAKING_PART)
    former = {name: getattr(known, name) for name in names}
    return msgspec.structs.replace(base, version="", item=patch(base.item, former))


def ask_others(tx: Tx, visit: Visit, cases: Sequence[Case]) -> None:
    """Note where the CRM doesn't let this link's user change a record; find others who may.

    Of a meeting whose content this link gives the next participant tries who hasn't been refused
    yet, the organizer before others. Where all have been, this one keeps trying until the right
    is there.
    """
    for case in cases:
        pairing = tx.pairings.get(case.pairing.id) if case.pairing is not None else None
        if pairing is not None:
            refused = msgspec.structs.replace(pairing, refused=True)
            gives = pairing.content and is_meeting(pairing.groupware.item)
            if gives and isinstance(case.groupware, Seen):
                refused = _handed_on(tx, visit, refused, case.groupware.snapshot)
            tx.pairings.put(visit.link.id, refused)


def _handed_on(tx: Tx, visit: Visit, mine: Pairing, now: Snapshot) -> Pairing:
    """Return a pair that gives the content no longer if somebody else's does from now on."""
    able = _able(tx, visit, mine)
    if not able:
        return mine
    other, theirs = able[0]
    base = _behind(theirs.groupware, now.item, mine.groupware.item)
    tx.claims.pass_on(visit.instance, mine.groupware.item.uid, other)
    tx.pairings.put(other, msgspec.structs.replace(theirs, content=True, groupware=base))
    tx.windows.put_many(other, Side.GROUPWARE, {base.ref: visit.now})
    return msgspec.structs.replace(mine, content=False)


def _able(tx: Tx, visit: Visit, mine: Pairing) -> list[tuple[str, Pairing]]:
    """Return the other links' pairs of a meeting that may bring it in, the best one first."""
    item = mine.groupware.item
    organizer = (
        item.organizer.address.casefold() if isinstance(item, Event) and item.organizer else ""
    )
    host = visit.policy.facts.users.get(organizer, "")
    found = []
    for other, pair in tx.pairings.by_uid(item.uid):
        link, pairing = tx.links.get(other), tx.pairings.get(pair)
        if link is None or pairing is None or pairing.crm.ref != mine.crm.ref:
            continue
        works = not link.paused and link.mode is not Mode.OBSERVE
        if other != visit.link.id and works and not pairing.frozen and not pairing.refused:
            found.append((link.user != host, other, pairing))
    return [(other, pairing) for _, other, pairing in sorted(found, key=lambda one: one[:2])]


def _paused(tx: Tx, link: str) -> bool:
    found = tx.links.get(link)
    return found is None or found.paused


def _uids(pairing: Pairing) -> set[str]:
    return {pairing.side(side).item.uid for side in Side} - {""}


def _impatient(tx: Tx, visit: Visit, cases: Sequence[Case]) -> set[str]:
    """Return the uids of mailbox items that have waited often enough for somebody else."""
    waiting = {case.groupware.ref: _uid(case) for case in cases if case.groupware and _uid(case)}
    pending = tx.pending.by_refs(visit.link.id, Side.GROUPWARE, waiting)
    return {
        waiting[ref]
        for ref, found in pending.items()
        if any(one.cause is Cause.RETRY and one.tries >= PATIENCE for one in found)
    }


def _claim(
    visit: Visit, cases: Sequence[Case], claims: dict[str, str], held: dict[str, str]
) -> dict[str, str]:
    """Put claims on record and return those that stand.

    What the CRM has is claimed at once, what it lacks when it is created; a claim that goes to
    another link takes the content with it.
    """
    refs: dict[str, dict[str, str]] = {}
    for case in cases:
        uid = _uid(case)
        if uid and isinstance(case.crm, Seen):
            refs.setdefault(claims[uid], {})[uid] = case.crm.snapshot.ref
    passed = {uid: link for uid, link in claims.items() if held.get(uid, link) != link}
    if not refs and not passed:
        return {}
    standing: dict[str, str] = {}
    with visit.state.begin() as tx:
        for uid, link in passed.items():
            _pass_on(tx, visit.instance, uid, held[uid], link)
        for link, by_uid in refs.items():
            for uid, claim in tx.claims.claim_many(visit.instance, by_uid, link).items():
                standing[uid] = claim.link
    return standing


def _pass_on(tx: Tx, instance: str, uid: str, former: str, link: str) -> None:
    tx.claims.pass_on(instance, uid, link)
    for other, pair in tx.pairings.by_uid(uid):
        pairing = tx.pairings.get(pair)
        if other == former and pairing is not None:
            tx.pairings.put(other, msgspec.structs.replace(pairing, content=False))


def _ahead(visit: Visit, case: Case) -> Case:
    """Let this copy of an outside organizer's meeting give the content if it is the newest."""
    pairing = case.pairing
    if pairing is None or pairing.content or not isinstance(case.groupware, Seen):
        return case
    item = case.groupware.snapshot.item
    if not isinstance(item, Event) or item.organizer is None or not item.uid:
        return case
    with visit.state.read() as tx:
        claim = tx.claims.get(visit.instance, item.uid)
        pairs = [p for link, p in tx.pairings.by_uid(item.uid) if claim and link == claim.link]
        giving = list(tx.pairings.get_many(pairs).values())
    inside = item.organizer.address.casefold() in visit.policy.facts.users
    newest = max((_sequence(one) for one in giving), default=-1)
    if claim is None or inside or item.sequence <= newest:
        return case
    if visit.writes:
        with visit.state.begin() as tx:
            _pass_on(tx, visit.instance, item.uid, claim.link, visit.link.id)
    return msgspec.structs.replace(case, pairing=msgspec.structs.replace(pairing, content=True))


def _sequence(pairing: Pairing) -> int:
    item = pairing.groupware.item
    return item.sequence if isinstance(item, Event) else 0


def _hosts(tx: Tx, visit: Visit, addresses: set[str]) -> dict[str, str]:
    """Return the event link of each organizer who is a CRM user with a mailbox here."""
    found = {}
    for address in addresses:
        user = visit.policy.facts.users.get(address, "")
        if not user or user == visit.link.user:
            continue
        links = [one for one in tx.links.by_user(user) if one.kind is Kind.EVENT]
        working = [one for one in links if not one.paused]
        if working:
            found[address] = working[0].id
    return found


def is_meeting(item: Item) -> bool:
    """Tell whether several people take part, so that several mailboxes may hold it."""
    return isinstance(item, Event) and (item.organizer is not None or bool(item.attendees))


def _uid(case: Case) -> str:
    """Return the uid of an unpaired meeting; appointments of one person need no claim."""
    if case.pairing is not None:
        return ""
    for observation in (case.crm, case.groupware):
        if isinstance(observation, Seen) and is_meeting(observation.snapshot.item):
            return observation.snapshot.item.uid
    return ""


def _organizer(case: Case) -> str:
    for observation in (case.crm, case.groupware):
        if isinstance(observation, Seen) and isinstance(observation.snapshot.item, Event):
            organizer = observation.snapshot.item.organizer
            if organizer is not None:
                return organizer.address.casefold()
    return ""
