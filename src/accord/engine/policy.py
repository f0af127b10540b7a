"""What decisions stand on beside the items: the rule, both sides' traits, the facts.

`reconcile` and `merge` ask a Policy; nothing else in the engine knows about rules.
"""

from __future__ import annotations

import hashlib

from msgspec import Struct

from accord.engine.bodies import Stand, bare, laid, shown
from accord.model.diff import diff, normalise
from accord.model.item import Absence, Event, Item, Task, TaskStatus
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.model.occurrences import first_and_last
from accord.model.traits import KindTraits
from accord.rules.facts import Facts
from accord.rules.program import Program
from accord.rules.rule import Invitations, Meetings

ORGANIZERS = frozenset(
    {
        "title", "start", "end", "time_zone", "end_time_zone", "all_day", "rule", "rdates",
        "exdates", "overrides", "location", "online_meeting", "status", "organizer", "attendees",
    }
)  # fmt: skip
"""The fields of a meeting that only its organizer may change."""

_DONE = (TaskStatus.COMPLETED, TaskStatus.CANCELLED)


class Policy(Struct, frozen=True, kw_only=True):
    """Be everything `reconcile` needs to know about a link.

    `crm` and `groupware` are the two sides' traits for the kind at hand. `first` says that
    the link has never been synchronized before. `former` is the program under which bases are
    still to be seen while a changed rule is being activated.
    """

    link: str
    program: Program
    facts: Facts
    crm: KindTraits
    groupware: KindTraits
    first: bool = False
    former: Program | None = None

    def traits(self, side: Side) -> KindTraits:
        """Return the traits of one side."""
        return self.crm if side is Side.CRM else self.groupware

    def carried(self, to: Side, item: Item) -> Item:
        """Return what `to` would store of the other side's `item`, were there nothing yet.

        Raises RuleFailed where a mapping can't be worked out for this item.
        """
        return self._carried(self.program, to, item)

    def carried_before(self, to: Side, item: Item) -> Item:
        """Return what `to` was to store of the other side's base `item` when it became the base."""
        return self._carried(self.former or self.program, to, item)

    def over(self, to: Side, carried: Item, stands: Item | Stand) -> Item:
        """Return what was carried to `to` as it would stand there, over the item that does."""
        if to is Side.CRM or "body" not in self.program.fields(to):
            return carried
        return laid(carried, stands if isinstance(stands, Stand) else Stand(item=stands))

    def fresh(self, to: Side, item: Item, gone: Item | Stand | None = None) -> Item:
        """Return what is to be created on `to` of the other side's `item`, after what is `gone`."""
        carried = self.carried(to, item)
        return self.over(to, carried, bare(carried) if gone is None else gone)

    def sees(self, side: Side, item: Item) -> Item:
        """Return an item of `side` with the bodies that the other side may see and change."""
        return shown(item) if side is Side.GROUPWARE else item

    def flows(self, to: Side) -> frozenset[str]:
        """Return the fields that travel to `to` and can be written there."""
        traits = self.traits(to)
        fields = self.program.fields(to) & (traits.fields | {"extras"})
        return fields - traits.readonly

    def invitation(self, item: Item) -> bool:
        """Tell whether a mailbox item is somebody else's meeting, not the owner's to change."""
        if not isinstance(item, Event) or item.organizer is None or not item.attendees:
            return False
        return not self.facts.is_owner(item.organizer.address)

    def discreet(self, found: Snapshot) -> bool:
        """Tell whether a mailbox item was reduced, because it or an occurrence is private.

        Nothing is written onto what isn't seen as it is.
        """
        parts = (found.item, *getattr(found.item, "overrides", ()))
        return found.readonly and any(self.program.hides(part, self.facts) for part in parts)

    def mails(self, before: Snapshot | None, after: Item | None) -> tuple[str, ...]:
        """Return the addresses that the server would mail about this write.

        One that mails only where it is asked to is asked where the rule allows it.

        `before` is what stands in the mailbox now (None for a create), `after` what is to
        stand there (None for a delete). Only the organizer's copy mails.
        """
        asked = self.groupware.notifies and self.invites
        if not (self.groupware.schedules or asked) or (before is not None and before.silent):
            return ()
        people: set[str] = set()
        for item in (before.item if before else None, after):
            if isinstance(item, Event) and item.organizer is not None:
                if not self.facts.is_owner(item.organizer.address):
                    return ()
                people |= {attendee.address.casefold() for attendee in item.attendees}
        return tuple(sorted(people - self.facts.addresses))

    def changed_by(self, to: Side, stored: Item, wanted: Item) -> tuple[str, ...]:
        """Return the fields in which what `to` stores differs from what was carried there."""
        return diff(stored, wanted, self.flows(to))

    def _carried(self, program: Program, to: Side, item: Item) -> Item:
        seen = self.sees(to.other, item)
        return normalise(program.project(to, seen, self.facts), self.traits(to))

    def past(self, item: Item) -> bool:
        """Tell whether an item lies behind us: over, or a task that is done or overdue.

        Raises UnknownZone or OverflowError for times that can't be told.
        """
        if isinstance(item, Task) and item.status in _DONE:
            return True
        if not isinstance(item, Event | Task | Absence):
            return False
        times = first_and_last(item)
        return times is not None and times[1] is not None and times[1] <= self.facts.now

    @property
    def invites(self) -> bool:
        """Tell whether the rule lets the server mail attendees."""
        return self.program.rule.invitations is Invitations.ALLOW

    @property
    def mirrors(self) -> bool:
        """Tell whether copies on the target are plain and silent."""
        return self.program.rule.meetings is Meetings.MIRROR


def pairing_id(link: str, crm: str, groupware: str) -> str:
    """Return the lasting id of the pairing of two refs on a link."""
    return hashlib.sha256(f"{link}\0{crm}\0{groupware}".encode()).hexdigest()[:24]
