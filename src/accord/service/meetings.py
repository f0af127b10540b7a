"""One meeting, one CRM appointment: which link's copy gives a meeting its content.

Claimed in state, uniquely, before anything is created; the organizer's link comes first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from accord.engine.reconcile import Case
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Seen
from accord.service.visit import Visit
from accord.state.state import Tx


def with_claims(visit: Visit, cases: Sequence[Case]) -> list[Case]:
    """Return the cases, each knowing whether another link's copy gives the content.

    Outside previews, meetings the CRM already has are claimed for their organizer's link, or
    for this one where the organizer has none.
    """
    if visit.link.kind is not Kind.EVENT:
        return list(cases)
    wanted = {
        uid: organizer for case in cases if (uid := _uid(case)) for organizer in [_organizer(case)]
    }
    if not wanted:
        return list(cases)
    with visit.state.read() as tx:
        claims = {c.uid: c.link for c in tx.claims.get_many(visit.instance, wanted).values()}
        hosts = _hosts(tx, visit, set(wanted.values()))
    for uid, organizer in wanted.items():
        claims.setdefault(uid, hosts.get(organizer, visit.link.id))
    if visit.lease is not None:
        _claim(visit, cases, claims)
    mine = visit.link.id
    return [
        msgspec.structs.replace(case, claimed=claims[uid])
        if (uid := _uid(case)) and claims[uid] != mine
        else case
        for case in cases
    ]


def take_over(tx: Tx, instance: str, uid: str, link: str) -> None:
    """Let the next link with a copy give a meeting's content, after `link` lost its own."""
    claim = tx.claims.get(instance, uid)
    if claim is None or claim.link != link:
        return
    for other, pair in tx.pairings.by_uid(uid):
        pairing = tx.pairings.get(pair)
        if other != link and pairing is not None and not pairing.frozen:
            tx.claims.pass_on(instance, uid, other)
            tx.pairings.put(other, msgspec.structs.replace(pairing, content=True))
            return
    tx.claims.release(instance, uid, link)


def _claim(visit: Visit, cases: Sequence[Case], claims: dict[str, str]) -> None:
    refs: dict[str, dict[str, str]] = {}
    for case in cases:
        uid = _uid(case)
        if uid and isinstance(case.crm, Seen):
            refs.setdefault(claims[uid], {})[uid] = case.crm.snapshot.ref
    if not refs:
        return
    with visit.state.begin() as tx:
        for link, by_uid in refs.items():
            for uid, claim in tx.claims.claim_many(visit.instance, by_uid, link).items():
                claims[uid] = claim.link


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


def _uid(case: Case) -> str:
    """Return the uid of an unpaired meeting; appointments of one person need no claim."""
    if case.pairing is not None:
        return ""
    for observation in (case.crm, case.groupware):
        if isinstance(observation, Seen) and isinstance(observation.snapshot.item, Event):
            return observation.snapshot.item.uid
    return ""


def _organizer(case: Case) -> str:
    for observation in (case.crm, case.groupware):
        if isinstance(observation, Seen) and isinstance(observation.snapshot.item, Event):
            organizer = observation.snapshot.item.organizer
            if organizer is not None:
                return organizer.address.casefold()
    return ""
