"""Say which changes of a CRM record stay there, and why, so that none vanishes without a word.

`reconcile` adds these reasons to the steps of a pair; nothing else depends on them.
"""

from __future__ import annotations

from accord.engine.plan import Pairing
from accord.engine.policy import Policy
from accord.model.diff import diff
from accord.model.fields import same
from accord.model.item import Event
from accord.model.kinds import Kind, Side
from accord.model.observe import Snapshot

_TAKING_PART = ("organizer", "attendees")


def stays(pairing: Pairing, crm: Snapshot, groupware: Snapshot, policy: Policy) -> str:
    """Return why part of what changed in the CRM can't travel; empty where all of it can."""
    if policy.discreet(groupware):
        return _private(pairing, crm, policy)
    return _uninvited(pairing, crm, groupware, policy)


def _private(pairing: Pairing, crm: Snapshot, policy: Policy) -> str:
    before = policy.carried_before(Side.GROUPWARE, pairing.crm.item)
    after = policy.carried(Side.GROUPWARE, crm.item)
    names = diff(before, after, policy.flows(Side.GROUPWARE))
    if not names:
        return ""
    return f"{', '.join(names)} stays in the CRM: nothing is written onto a private entry"


def _uninvited(pairing: Pairing, crm: Snapshot, groupware: Snapshot, policy: Policy) -> str:
    """Tell of people whom only an invitation from the organizer's own mailbox would bring in."""
    now, meeting = crm.item, groupware.item
    if not isinstance(meeting, Event) or not meeting.attendees:
        return ""
    if policy.invitation(meeting) or not policy.mirrors:
        return ""
    if "people" not in policy.program.fields(Side.GROUPWARE):
        return ""
    names = [
        name
        for name in diff(pairing.crm.item, now, _TAKING_PART)
        if not same(Kind.EVENT, name, getattr(now, name), getattr(meeting, name))
    ]
    if not names:
        return ""
    return (
        f'{", ".join(names)} of this meeting stay in the CRM: under meetings = "mirror" '
        "nobody is invited from a mailbox"
    )
