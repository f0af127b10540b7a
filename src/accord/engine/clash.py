"""Who wins where both sides changed the same: the rule, the organizer, or the newest edit.

`merge` asks the judge for every group of fields that changed on both sides.
"""

from __future__ import annotations

from msgspec import Struct

from accord.engine.policy import ORGANIZERS, Policy
from accord.model.diff import FieldChange
from accord.model.item import Event, Item
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.model.recurrence import EventStatus
from accord.rules.rule import Clash


class Clashed(Struct, frozen=True, kw_only=True):
    """Be one clash: which group, who won (None: nobody yet), and the values at stake.

    `fields` are as in `plan.Conflict`: first the CRM's value, then the mailbox's.
    """

    group: str
    winner: Side | None
    fields: tuple[FieldChange, ...]
    why: str


class Judge(Struct, frozen=True, kw_only=True):
    """Say who wins a clash; `newest` is the side edited last, `untold` why that isn't known."""

    policy: Policy
    invitation: bool
    newest: Side | None
    untold: str = ""

    def winner(self, group: str, mailbox: Item, carried: Item) -> tuple[Side | None, str]:
        """Return the winning side (None: nobody yet) and the reason in plain words.

        `mailbox` is the mailbox item as it stands, `carried` what it would be by the CRM.
        """
        if self.invitation and group in ORGANIZERS | {"schedule"}:
            return Side.GROUPWARE, "the organizer's copy decides"
        if group == "status" and (_called_off(mailbox) or _called_off(carried)):
            return self._organizer(mailbox, carried)
        match self.policy.program.clash(group):
            case Clash.CRM:
                return Side.CRM, f"the rule lets the CRM win {group}"
            case Clash.GROUPWARE:
                return Side.GROUPWARE, f"the rule lets the mailbox win {group}"
            case Clash.ORGANIZER:
                return self._organizer(mailbox, carried)
            case Clash.NEWEST if self.newest is not None:
                return self.newest, "the rule lets the newest edit win"
            case Clash.NEWEST:
                return None, f"which edit is newer can't be told: {self.untold}"
            case Clash.HOLD:
                return None, "the rule leaves this clash to you"

    def _organizer(self, mailbox: Item, carried: Item) -> tuple[Side, str]:
        for candidate in (mailbox, carried):
            if isinstance(candidate, Event) and candidate.organizer and candidate.attendees:
                if self.policy.facts.is_owner(candidate.organizer.address):
                    return Side.GROUPWARE, "the organizer's copy decides"
                return Side.CRM, "the organizer's record in the CRM decides"
        return Side.CRM, "nobody organizes this, so the CRM decides"


class Always(Struct, frozen=True, kw_only=True):
    """Let one side win whatever clashes (None: nobody yet)."""

    side: Side | None

    def winner(self, group: str, mailbox: Item, carried: Item) -> tuple[Side | None, str]:
        """Return the winning side and the reason in plain words."""
        return self.side, "who wins was settled before anything clashed"


def judge_of(crm: Snapshot, groupware: Snapshot, policy: Policy) -> Judge:
    """Return the judge over two present snapshots."""
    newest, untold = _newest(crm, groupware, policy)
    return Judge(
        policy=policy,
        invitation=policy.invitation(groupware.item),
        newest=newest,
        untold=untold,
    )


def _newest(crm: Snapshot, groupware: Snapshot, policy: Policy) -> tuple[Side | None, str]:
    """Return the side edited last, or why that can't be known."""
    if policy.facts.clocks_apart:
        return None, policy.facts.clocks_apart
    if crm.modified is None:
        return None, "the CRM doesn't say when it was edited there"
    if groupware.modified is None:
        return None, "the mailbox doesn't say when it was edited there"
    return (Side.CRM if crm.modified >= groupware.modified else Side.GROUPWARE), ""


def _called_off(item: Item) -> bool:
    return isinstance(item, Event) and item.status is EventStatus.CANCELLED
