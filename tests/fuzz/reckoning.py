"""The reckoning at the end of a history: agreement, nothing lost, nothing doubled, no writes.

Every complaint is a sentence; none means that the promises were kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from accord.engine.plan import Pairing
from accord.engine.policy import Policy
from accord.model.diff import diff
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind, Side
from accord.model.observe import Snapshot
from accord.model.parts import Person
from accord.rules.facts import Facts
from accord.rules.program import program_of
from accord.rules.rule import Clash, Rule
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.sync import sync
from accord.state.records import Cause, Mode, Pending
from accord.testing import Hostility, Trick
from tests.fuzz.ledger import (
    CUT,
    ENTRIES,
    PERSONAL,
    VALUES,
    Life,
    entries,
    identity,
    plain,
    seen,
)
from tests.fuzz.people import People
from tests.unit.service.kit import CRM, GROUPWARE, World

PASSES = 12


class Reckoning:
    """Bring a history to rest and say what is wrong then."""

    def __init__(
        self,
        world: World,
        people: People,
        rule: Rule,
        hostility: Hostility,
        links: Sequence[str],
        *,
        crashed: bool,
    ) -> None:
        self.world = world
        self.links = links
        self.people = people
        self.rule = rule
        self.hostility = hostility
        self.doubtful = crashed or bool(hostility.log)
        self.unsure = crashed or hostility.played(Trick.LOSE_ANSWER) > 0
        self.truncated = hostility.played(Trick.TRUNCATE) > 0
        shared = (set(people.storable(side, VALUES[people.kind])) for side in Side)
        self.shared = set.intersection(*shared) | set(ENTRIES[people.kind])

    def complaints(self) -> list[str]:
        self.people.mend()
        self.people.calm()
        for link in self.links:
            self.world.change_link(link, paused=False, mode=Mode.ACTIVE)
        found = list(self._quiet())
        if found:
            return found
        found += self._doubled()
        for life in self.people.lives.values():
            found += self._judge(life)
        found += self._leave()
        found += self._at_rest()
        return found

    def _sync(self, *, full: bool = False) -> list[Report]:
        links = [self.world.link(name) for name in self.links]
        return sync(self.world.accord, links, Options(full=full))

    def _retries(self) -> bool:
        return any(self.world.pending(Cause.RETRY, link) for link in self.links)

    def _quiet(self) -> Iterator[str]:
        """Synchronize until nothing is written any more; undue mail is a complaint."""
        self.hostility.quiet()
        self.world.mortal.revive()
        self.world.wait(minutes=10)
        for _ in range(PASSES):
            mails = len(self.world.mails)
            reports = self._sync()
            if any(report.error for report in reports):
                yield f"a calm visit failed: {[report.error for report in reports]}"
                return
            if len(self.world.mails) != mails:
                yield "Accord made the server send mail"
            self.world.wait(hours=7)
            agreed = self._agree()
            if not any(report.writes for report in reports) and not agreed and not self._retries():
                return
        yield f"it never comes to rest: {[r.as_json() for r in reports]} {self.world.pending()}"

    def _agree(self) -> bool:
        """Say yes to what the guard holds; tell whether there was anything."""
        held = [one for one in self._held() if not one.approved]
        with self.world.state.begin() as tx:
            for one in held:
                tx.pending.approve(one.id)
        return bool(held)

    def _held(self) -> list[Pending]:
        return [one for link in self.links for one in self.world.pending(Cause.HELD, link)]

    def _at_rest(self) -> Iterator[str]:
        """A pass that lists everything writes nothing, as `_quiet`'s last; all is closed."""
        for report in self._sync(full=True):
            if report.writes or report.error:
                steps = report.plan.steps if report.plan else ()
                yield f"one more pass wrote: {steps} {report.error}"
        if held := self._held():
            yield f"still held: {[(one.ref_crm, one.ref_groupware, one.why) for one in held]}"
        if self.world.intents():
            yield f"open intents are left: {self.world.intents()}"

    def _leave(self) -> Iterator[str]:
        """Complain about absences and entries that don't tell the same."""
        known, told = self.people.absences(), self.people.absent()
        if [(a.start, a.end) for a in known] != [(e.start, e.end) for e in told]:  # type: ignore[union-attr]
            yield f"the CRM knows of leave {known}, and the calendar tells of {told}"

    def _doubled(self) -> Iterator[str]:
        for side in Side:
            found = list(self.people.here(side))
            if side is GROUPWARE:
                found += self.people.archived()
            for name, count in Counter(identity(one.item) for one in found).items():
                if count > 1:
                    yield f"{name} is there {count} times on the {side} side"
                if name not in self.people.lives:
                    yield f"nobody ever made {name!r}, which is on the {side} side"

    def _judge(self, life: Life) -> Iterator[str]:
        crm = self._find(life, self.people.here(CRM))
        mailbox = self._find(life, self.people.here(GROUPWARE))
        away = self._find(life, self.people.archived())
        pairing = self._pairing(crm, mailbox)
        items = [one.item for one in (crm, mailbox, away) if one is not None]
        if crm is None and life.has_copy and self.hostility.log:
            # The copy was taken for it, since it went before anybody knew which one Accord had
            # made: its record goes by the copy's name.
            copies = {one.name for one in self.people.lives.values() if one.copy_of == life.name}
            items += [one.item for one in self.people.here(CRM) if identity(one.item) in copies]
        yield from (f"{life.name}: {text}" for text in self._fate(life, crm, mailbox, away, items))
        if crm and mailbox and pairing and not pairing.frozen:
            yield from (f"{life.name}: {text}" for text in self._disagreement(crm, mailbox))
        if items:
            yield from (f"{life.name}: {text}" for text in self._lost(life, items, crm, mailbox))
        yield from (f"{life.name}: {text}" for text in self._cut(life, crm, mailbox))

    def _fate(
        self,
        life: Life,
        crm: Snapshot | None,
        mailbox: Snapshot | None,
        away: Snapshot | None,
        items: Sequence[Item],
    ) -> Iterator[str]:
        """Complain about what is on one side only, gone, or back, without a reason.

        What stands in one of the `items` isn't lost.
        """
        if crm is None and not life.deaths and not life.restored and self._was_deleted(life):
            yield "deleted in the CRM, although nobody deleted it"
        if away is not None or (life.moved and mailbox is None):
            return
        if crm is None and mailbox is None:
            if not life.deaths:
                yield "gone from both sides, and nobody deleted it"
            if len(life.deaths) == 1:
                (side,) = life.deaths
                unseen = [
                    each
                    for each in self._unseen(life, side)
                    if not any(_stands(life, item, *each) for item in items)
                ]
                if unseen := self._unaccounted(life, unseen):
                    yield f"edits were lost to a deletion in {side}: {unseen}"
        elif crm is None or mailbox is None:
            missing = CRM if crm is None else GROUPWARE
            if not self._one_sided(life, missing):
                yield f"missing on the {missing} side (deaths: {life.deaths.keys()})"
        else:
            for side, (_, paired) in life.deaths.items():
                # An edit that had arrived, but whose answer was lost, still stands against it, even
                # where somebody saw and replaced it: nobody can tell that from a clash.
                told = self.unsure and life.wrote(side.other)
                stood = bool(self._unseen(life, side)) or self._begun(life, side)
                # So does what a side cut off a new copy whose making was broken off before that
                # could be read.
                cut = self.doubtful and self._is_cut(crm if side is GROUPWARE else mailbox)
                if paired and not told and not stood and not cut and not life.restored:
                    yield f"deleted in {side} and back again, though nobody edited it"

    def _was_deleted(self, life: Life) -> bool:
        records = self.world.crm.store.records.values()
        return any(r.deleted and identity(r.item) == life.name for r in records)

    def _unseen(self, life: Life, side: Side) -> list[tuple[str, Any]]:
        """Return the other side's edits that stood against a deletion.

        Those of a contact's copy never do.
        """
        if self.people.kind is Kind.CONTACT and side is CRM:
            return []
        return [(name, value) for name, value in life.unseen_at_death(side) if name in self.shared]

    def _begun(self, life: Life, side: Side) -> bool:
        """Tell whether an edit may have stood against a deletion though its value doesn't travel.

        Who says how far a task has come says that it was begun, and that travels.
        """
        return any(name == "status" for name, _ in life.unseen_at_death(side))

    def _one_sided(self, life: Life, missing: Side) -> bool:
        if self.people.kind is Kind.CONTACT and life.born is GROUPWARE and missing is CRM:
            return True
        if self.people.kind is Kind.CONTACT and missing is GROUPWARE and GROUPWARE in life.deaths:
            return True  # contacts go out only: deleting a copy unlinks it
        if missing is GROUPWARE and self._over(life) and GROUPWARE in life.deaths:
            return True  # past entries and done tasks leave their records
        if life.has_copy and GROUPWARE in life.deaths and missing is GROUPWARE:
            return True  # whoever cuts and pastes leaves a copy, too: its record stays
        if life.moved and CRM in life.deaths and missing is CRM:
            return True  # it lay elsewhere when its record went, and is theirs since
        if life.copy_of and (life.unread or self.hostility.log) and missing is CRM:
            return True  # its original went while it couldn't be read: nobody can tell them apart
        return life.restored  # what Accord made once and a person brought back stays theirs

    def _over(self, life: Life) -> bool:
        return life.past

    def _disagreement(self, crm: Snapshot, mailbox: Snapshot) -> Iterator[str]:
        policy = self._policy()
        open_fields = self._open_conflicts(crm.ref)
        held = self.rule.clash is Clash.HOLD
        for to, source, target in (
            (GROUPWARE, crm.item, mailbox.item),
            (CRM, mailbox.item, crm.item),
        ):
            wanted, back = policy.carried(to, source), policy.carried(to.other, target)
            both = policy.flows(to) & policy.traits(to.other).fields
            for name in diff(target, wanted, both):
                one, other = getattr(target, name), getattr(wanted, name)
                stands = self.people.kind is Kind.CONTACT and to is GROUPWARE
                cut = self.truncated or getattr(back, name) == getattr(source, name)
                alike = cut and _alike(one, other)
                if not (held and name in open_fields) and not alike and not stands:
                    yield f"{name} differs: {one!r} on the {to} side should be {other!r}"

    def _lost(
        self, life: Life, items: list[Item], crm: Snapshot | None, mailbox: Snapshot | None
    ) -> Iterator[str]:
        """Complain about values that nobody replaced and that stand nowhere."""
        values = [
            (name, value)
            for name, value, _ in life.live_values()
            if all(seen(item, name) != value for item in items)
        ]
        for name, added in life.added.items():
            values += [
                (name, e) for e in added if all(e not in entries(item, name) for item in items)
            ]
        for name, value in self._unaccounted(life, values):
            if not (life.deaths and name in PERSONAL):
                yield f"the {name} {value!r} was lost"
        if crm is None or mailbox is None:
            return
        yield from self._stale(life, items)
        for name, removed in life.removed.items():
            # After a lost answer nobody can tell what was taken away again from what never came.
            known = [e for e in removed if not (self.unsure and (name, e) in life.undone)]
            back = [e for e in known if all(e in entries(item, name) for item in items)]
            for entry in dict(self._unaccounted(life, [(name, e) for e in back])).values():
                yield f"the {name} {entry!r} is back although somebody took it away"

    def _is_cut(self, copy: Snapshot) -> bool:
        """Tell whether a copy's title may be what was left of a longer one."""
        return self.truncated and len(getattr(copy.item, "title", "")) == self.hostility.cut

    def _cut(self, life: Life, crm: Snapshot | None, mailbox: Snapshot | None) -> Iterator[str]:
        """Complain about texts that are cut on the very side where somebody wrote them.

        The other side may have room for less, but must not cut them here. What comes back
        from there as a new item, or with the first read after a lost answer, is what it is.
        """
        if self.truncated or life.restored or life.deaths:
            return
        for side, found in ((CRM, crm), (GROUPWARE, mailbox)):
            for name, text in life.cut(side, found.item) if found else ():
                yield f"the {name} {text!r} was cut on the {side} side, where it was written"

    def _stale(self, life: Life, items: list[Item]) -> Iterator[str]:
        """Complain about values that stand although somebody saw and replaced them.

        After a lost answer nobody can tell an edit of what was written from one beside it. Time
        and rule of a series win and lose together.
        """
        if self.doubtful or life.restored or life.deaths:
            return
        for name, replaced in life.replaced.items():
            values = {seen(item, name) for item in items}
            if name not in ("schedule", "rule") and len(values) == 1 and values <= replaced:
                yield f"the {name} {values} is back although somebody replaced it"

    def _unaccounted(self, life: Life, values: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Return those values that no conflict in the journal names."""
        if not values:
            return []
        told = self._told(life)
        return [
            (name, value)
            for name, value in values
            if value not in told.get(VALUES[self.people.kind].get(name, name), ())
        ]

    def _told(self, life: Life) -> dict[str, set[Any]]:
        """Return what conflicts tell of an item, by field.

        A person's edit of a contact's copy stands until that field changes in the CRM; then the
        journal's update tells it.
        """
        told: dict[str, set[Any]] = {}
        refs = self._refs(life)
        telling = {"conflict", "clash"}
        if self.people.kind is Kind.CONTACT:
            telling.add("update")
        for entry in self.world.journal():
            if entry.step in telling and refs & {entry.ref, entry.counterpart}:
                for change in entry.fields:
                    for value in (change.before, change.after):
                        told.setdefault(change.field, set()).update(_values(change.field, value))
        return told

    def _refs(self, life: Life) -> set[str]:
        """Return all refs that an item ever had, as far as anything remembers them."""
        refs = {
            r.ref for r in self.world.crm.store.records.values() if identity(r.item) == life.name
        }
        box = self.world.groupware.store.mailbox("alice@x.test")
        refs |= {e.ref for e in box.entries.values() if identity(e.item) == life.name}
        for entry in self.world.journal():
            if {entry.ref, entry.counterpart} & refs and entry.counterpart:
                refs |= {entry.ref, entry.counterpart}
        return refs

    def _open_conflicts(self, ref: str) -> set[str]:
        names: set[str] = set()
        for step in self.world.waiting(Cause.CONFLICT):
            if getattr(step, "crm", None) is not None and step.crm.ref == ref:  # type: ignore[union-attr]
                names |= {change.field for change in step.fields}  # type: ignore[union-attr]
        return names

    def _find(self, life: Life, among: list[Snapshot]) -> Snapshot | None:
        return next((one for one in among if identity(one.item) == life.name), None)

    def _pairing(self, crm: Snapshot | None, mailbox: Snapshot | None) -> Pairing | None:
        for pairing in self.world.pairings():
            if (
                crm
                and mailbox
                and (pairing.crm.ref, pairing.groupware.ref)
                == (
                    crm.ref,
                    mailbox.ref,
                )
            ):
                return pairing
        return None

    def _policy(self) -> Policy:
        return Policy(
            link="alice",
            program=program_of(self.rule),
            facts=Facts(
                now=self.world.now,
                owner=Person(address="alice@x.test", name="alice"),
                user="alice",
                addresses=frozenset({"alice@x.test"}),
            ),
            crm=self.world.crm.traits.kinds[self.people.kind],
            groupware=self.world.groupware.traits.kinds[self.people.kind],
        )


def _alike(one: Any, other: Any) -> bool:
    """Tell whether two texts begin alike: a hostile side may have cut one of them."""
    first, second = plain(one), plain(other)
    return isinstance(first, str) and isinstance(second, str) and first == second


def _stands(life: Life, item: Item, name: str, value: Any) -> bool:
    """Tell whether an edit is there: a value, an entry that came, or one that went."""
    if name in VALUES[kind_of(item)]:
        return bool(seen(item, name) == value)
    return (value in entries(item, name)) is (value not in life.removed.get(name, ()))


def _values(name: str, value: Any) -> set[Any]:
    """Return what a value in the journal is compared by: itself, or its entries."""
    if isinstance(value, list):
        found = set()
        for one in value:
            match name:
                case "phones":
                    found.add(one["number"])
                case "overrides":
                    day = one["recurrence_id"][5:10].replace("-", "")
                    found.add(f"{day} {one.get('title', '')[:CUT]}")
                case "exdates":
                    found.add(one[5:10].replace("-", ""))
                case _:
                    found.add(str(one))
        return found
    return {value if name in ("start", "due") else plain(value)}


__all__ = ["Clash", "Options", "Reckoning", "kind_of", "sync"]
