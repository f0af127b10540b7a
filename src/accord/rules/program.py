"""A compiled rule: what takes part, what it looks like on the other side, who wins.

The engine asks a Program; everything in it is pure and shared between threads.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from accord.model.fields import FIELDS, default_of
from accord.model.item import Absence, Event, Item, Task, kind_of
from accord.model.kinds import Kind, Side
from accord.model.learning import learnt
from accord.model.observe import Snapshot
from accord.model.parts import Person
from accord.model.recurrence import Override
from accord.rules import defaults, shape
from accord.rules.admit import Verdict, admit, compile_filter, hides
from accord.rules.expression import Expression
from accord.rules.facts import Facts
from accord.rules.failure import InvalidExpression, RuleFailed
from accord.rules.routes import (
    OCCURRENCE,
    Route,
    make,
    route,
)
from accord.rules.rule import (
    Clash,
    Deletion,
    Meetings,
    OneWay,
    Private,
    Rule,
)
from accord.rules.window import window_times

__all__ = ["InvalidExpression", "Program", "RuleFailed", "Verdict", "former_of", "program_of"]


class Program:
    """Be one rule, compiled; raises InvalidExpression or RuleFailed where it can't be."""

    __slots__ = ("_dropped", "_fields", "_filters", "_hidden", "_routes", "rule", "version")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.version = rule.version
        self._filters = {side: compile_filter(rule, side) for side in Side}
        self._routes = {side: route(rule, side) for side in Side}
        self._dropped = {side: _dropped(self._routes[side]) for side in Side}
        self._hidden = {side: _hidden(self._routes[side]) for side in Side}
        self._fields = {side: self._arriving(side) for side in Side}

    def kind(self, side: Side) -> Kind:
        """Return the kind of item that one side holds; of an absence the mailbox has an entry."""
        return defaults.kind_on(self.rule.kind, side)

    def fields(self, to: Side) -> frozenset[str]:
        """Return the names of the fields that reach side `to`, own fields as `extras`."""
        return self._fields[to]

    def creates(self, to: Side) -> bool:
        """Tell whether new items may be created on side `to`."""
        return defaults.creates_in(self.rule).reaches(to)

    def deletion(self, to: Side) -> Deletion:
        """Return what a deletion on the other side does to the item on side `to`."""
        return defaults.deletion_of(self.rule, to)

    def clash(self, group: str) -> Clash:
        """Return who wins where both sides changed `group` (or a field in no group)."""
        return defaults.clash_of(self.rule, group)

    @property
    def by_time(self) -> bool:
        """Tell whether a clash may be decided by when the two sides were edited."""
        words = (self.rule.clash, *(part.clash for part in self.rule.fields.values()))
        return Clash.NEWEST in words

    def one_way(self, field: str) -> OneWay:
        """Return what becomes of an edit on the side that `field` doesn't come from."""
        return defaults.one_way_of(self.rule, field)

    def window_times(self, item: Item) -> tuple[datetime | None, datetime | None]:
        """Return when `item` enters and leaves the window, UTC; None is always, and never."""
        return window_times(self.rule.window, item)

    def scope(
        self, side: Side, found: Snapshot | Item, facts: Facts, *, paired: bool = False
    ) -> Verdict:
        """Return whether an item of `side` takes part; raises RuleFailed where a filter fails.

        `paired` items have been let in before: inbound scope and the `skip` of private items
        hold for new ones only. A paired item that is private stays, reduced.
        """
        item = found.item if isinstance(found, Snapshot) else found
        return admit(self.rule, self._filters[side], side, item, facts, paired)

    def hides(self, item: Item | Override, facts: Facts) -> bool:
        """Tell whether the content of a mailbox item (or one occurrence) may not enter the CRM."""
        return hides(self.rule, item, facts)

    def filter(self, side: Side) -> Expression | None:
        """Return the compiled filter of one side; None for none."""
        return self._filters[side]

    def project(self, to: Side, item: Item, facts: Facts) -> Item:
        """Return the other side's `item` as side `to` should have it; raises RuleFailed.

        Fields that don't travel to `to` are at their defaults.
        """
        way = self._routes[to]
        if kind_of(item) is not way.source_kind:
            raise RuleFailed("kind", f"a {kind_of(item)} where a {way.source_kind} belongs")
        if to is Side.CRM:
            item = self.discreet(item, facts)
        item = shape.without_files(item)
        result = self._converted(to, item)
        values = self._moved(way, item, facts)
        if isinstance(result, Event) and result.overrides:
            overrides = tuple(self._occurrences(to, result.overrides, item, facts))
            if overrides != result.overrides:
                values["overrides"] = overrides
        result = replace(result, **values)
        return self._finished(to, result, facts)

    def discreet(self, item: Item, facts: Facts) -> Item:
        """Return what may be stored and carried of a mailbox item: without private content."""
        if hides(self.rule, item, facts):
            return shape.reduced(item)
        if self.rule.private is Private.FULL and facts.consents:
            return item
        return shape.without_private_occurrences(item)

    def withheld(self, to: Side, item: Item, facts: Facts) -> frozenset[str]:
        """Return the fields that `project` keeps back from this very item.

        A meeting with outsiders gets no internal text and attachments unless the rule names
        them. The other side's values of these fields are to be left alone.
        """
        if to is Side.CRM or not isinstance(item, Event) or not self._invites(item, facts):
            return frozenset()
        if not shape.outsiders(item, facts):
            return frozenset()
        return frozenset({"body", "attachments"} - self.rule.fields.keys()) & self._fields[to]

    def owner(self, item: Item, facts: Facts) -> str:
        """Return the CRM user who shall own a record made from a mailbox `item`."""
        person = getattr(item, "assignee", None)
        if person is not None and person.address:
            user = self._user(person.address, facts)
            if user:
                return user
        return facts.user

    def _converted(self, to: Side, item: Item) -> Item:
        if isinstance(item, Absence) and to is Side.GROUPWARE:
            item = shape.out_of_office(item)
        elif isinstance(item, Event) and self.kind(to) is Kind.ABSENCE:
            item = shape.absence_of(item)
        return replace(item, **self._dropped[to])

    def _moved(self, way: Route, item: Item, facts: Facts) -> dict[str, Any]:
        values: dict[str, Any] = {}
        extras: dict[str, Any] = {}
        for move in way.moves:
            value = make(move, item, way.target_kind, facts)
            if ":" not in move.target:
                values[move.target] = value
            elif value is not UNSET:
                extras[move.target] = value
        if extras:
            values["extras"] = extras
        return values

    def _occurrences(
        self, to: Side, overrides: tuple[Override, ...], item: Item, facts: Facts
    ) -> list[Override]:
        """Treat what single occurrences change as the series' own fields are treated."""
        way, hidden = self._routes[to], self._hidden[to]
        moves = [m for m in way.moves if m.target in OCCURRENCE]
        result = []
        for override in overrides:
            values: dict[str, Any] = {
                name: UNSET for name in hidden if getattr(override, name) is not UNSET
            }
            for move in moves:
                value = getattr(override, move.source, UNSET)
                if value is not UNSET:
                    values[move.target] = make(move, item, way.target_kind, facts, value)
            changed = replace(override, **values)
            if not values or not shape.is_bare(changed):
                result.append(changed)
        return result

    def _finished(self, to: Side, item: Item, facts: Facts) -> Item:
        if to is Side.CRM:
            return self._assigned(item, facts)
        if isinstance(item, Event):
            if not self._invites(item, facts):
                item = shape.plain_meeting(item)
            else:
                kept_back = self.withheld(to, item, facts)
                item = replace(item, **{n: default_of(Kind.EVENT, n) for n in kept_back})
        if isinstance(item, Event | Task) and item.reminders:
            item = shape.without_due_reminders(item, facts)
        return item

    def _invites(self, event: Event, facts: Facts) -> bool:
        """Tell whether this copy is the organizer's own, which alone holds attendees."""
        if self.rule.meetings is not Meetings.INVITE or event.organizer is None:
            return False
        return facts.is_owner(event.organizer.address)

    def _assigned(self, item: Item, facts: Facts) -> Item:
        """Put the assignee's main address in the CRM in place of one the CRM doesn't know.

        That is one the rule maps, or the address of their mailbox.
        """
        if not isinstance(item, Task) or item.assignee is None:
            return item
        folded = item.assignee.address.casefold()
        user = _folded(self.rule.ownership).get(folded) or facts.aliases.get(folded)
        if not user:
            return item
        known = sorted(address for address, name in facts.users.items() if name == user)
        home = facts.homes.get(user) or next(iter(known), None)
        if not home:
            return item
        return replace(item, assignee=Person(address=home, name=item.assignee.name))

    def _user(self, address: str, facts: Facts) -> str | None:
        folded = address.casefold()
        return _folded(self.rule.ownership).get(folded) or facts.users.get(folded)

    def _arriving(self, to: Side) -> frozenset[str]:
        fields = self._routes[to].fields
        if self.rule.kind is Kind.ABSENCE and to is Side.GROUPWARE and fields:
            return fields | {"busy"}
        if self.rule.kind is not Kind.EVENT or to is Side.CRM:
            return fields
        meeting = fields & {"attendees", "organizer"}
        if self.rule.meetings is Meetings.MIRROR:
            fields -= meeting
        return fields | {"people"} if meeting else fields


def program_of(rule: Rule) -> Program:
    """Return the program of a rule, compiled once per version."""
    return _compiled(msgspec.json.encode(rule, order="deterministic"))


def former_of(rule: Rule) -> Program | None:
    """Return the program of a version that pairs stand under; None where it works no longer."""
    try:
        return program_of(rule)
    except (InvalidExpression, RuleFailed):
        return None


@lru_cache(maxsize=512)
def _compiled(encoded: bytes) -> Program:
    return Program(msgspec.json.decode(encoded, type=learnt(Rule)))


def _dropped(way: Route) -> dict[str, Any]:
    """Return the defaults of the target's fields that nothing reaches.

    Start and end have none; an out-of-office entry keeps its title.
    """
    kept = {*way.plain, "start", "end"}
    if way.source_kind is way.target_kind:
        names = [name for name in FIELDS[way.target_kind] if name not in kept]
    else:
        shared = defaults.ABSENCE_FIELDS
        names = [name for name in shared if way.target_kind is Kind.ABSENCE and name not in kept]
    return {name: default_of(way.target_kind, name) for name in names}


def _hidden(way: Route) -> tuple[str, ...]:
    """Return the fields of single occurrences that don't travel."""
    return tuple(sorted(OCCURRENCE - way.plain))


def _folded(table: dict[str, str]) -> dict[str, str]:
    return {key.casefold(): value for key, value in table.items()}
