"""The people of a history: they add, edit, delete, move, copy and restore items on both sides.

Where they work with appointments, they also go on leave: absences share the calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from accord.groupware.memory import TRASH
from accord.model.item import Absence, Contact, Event, Item, Phone, Task, TaskStatus
from accord.model.kinds import Kind, Side
from accord.model.observe import Snapshot
from accord.model.parts import Body
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from tests.fuzz.ledger import ENTRIES, VALUES, Life, identified, identity
from tests.fuzz.meddling import Meddled
from tests.unit.service.kit import CRM, GROUPWARE, World

FUTURE = datetime(2027, 5, 3, 9, 0)
LEAVE = datetime(2027, 9, 1)
PAST = datetime(2025, 5, 5, 9, 0)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ARCHIVE = "archive"
MOST = 6


class People:
    """Be everybody who works with the items, and the ledger of what they did."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kind = world.kind
        self.crm = world.person()
        self.mailbox = world.mailbox()
        self.mailbox.add_folder(ARCHIVE, self.kind)
        self.lives: dict[str, Life] = {}
        self.number = 0
        self.copies = 0

    def here(self, side: Side, folder: str = "") -> list[Snapshot]:
        """Return the items of a side that can be read, in one order whatever their refs."""
        found = self.crm.list(self.kind) if side is CRM else self._calendar(folder)
        return sorted(found, key=lambda one: (identity(one.item), one.ref))

    def _calendar(self, folder: str = "") -> tuple[Snapshot, ...]:
        where = folder or {Kind.EVENT: "calendar", Kind.TASK: "tasks"}.get(self.kind, "contacts")
        return tuple(s for s in self.mailbox.list(self.kind, where) if identity(s.item))

    def absences(self) -> list[Item]:
        """Return what the CRM knows of leave, by beginning."""
        found = (one.item for one in self.crm.list(Kind.ABSENCE))
        return sorted(found, key=_beginning)

    def absent(self) -> list[Item]:
        """Return the entries in the calendar that tell of leave, by beginning."""
        found = (one.item for one in self.mailbox.list(Kind.EVENT, "calendar"))
        return sorted((item for item in found if not identity(item)), key=_beginning)

    def archived(self) -> list[Snapshot]:
        return self.here(GROUPWARE, ARCHIVE)

    def fresh(self) -> int:
        self.number += 1
        return self.number

    # what people do; `pick` chooses the item, `which` the field

    def add(self, side: Side, which: int) -> None:
        if len(self.lives) >= MOST:
            return
        number = self.fresh()
        life = Life(name=f"id-{number}", born=side, past=self.kind is Kind.EVENT and which % 5 == 4)
        item = self._new(life, number, which)
        self.lives[life.name] = life
        life.begin(side, self._hand(side).add(item).item)

    def edit(self, side: Side, pick: int, which: int) -> None:
        found = self._pick(side, pick)
        if found is not None:
            self._edit(side, found, which)

    def _edit(self, side: Side, found: Snapshot, which: int) -> Snapshot:
        names = [n for n in self.storable(side, VALUES[self.kind]) if self._has(found.item, n)]
        name = names[which % len(names)]
        values = self._value(found.item, name, self.fresh())
        after: Snapshot = self._hand(side).edit(found.ref, **values)
        self._life(found).edit(side, name, found.item, after.item)
        return after

    def edit_both(self, side: Side, pick: int, which: int) -> bool:
        """Edit one item on both sides, each in another field; tell whether there was one."""
        found = self._pick(side, pick)
        if found is None:
            return False
        others = [o for o in self.here(side.other) if identity(o.item) == identity(found.item)]
        if not others or (side is CRM and self._broken(others[0].ref)):
            return False
        self._edit(side, found, which)
        self._edit(side.other, others[0], which + 1)
        return True

    def deny(self, side: Side, pick: int, which: int) -> None:
        """Edit one item on both sides, and let one side refuse to be written just then."""
        if self.edit_both(side, pick, which):
            self._meddled(side).denies = True

    def overtake(self, side: Side, which: int) -> None:
        """Let somebody edit the next item that Accord writes, before it is read back."""

        def edit(ref: str) -> Snapshot | None:
            found = next((one for one in self.here(side) if one.ref == ref), None)
            return None if found is None else self._edit(side, found, which)

        self._meddled(side).hasty = edit

    def calm(self) -> None:
        """Leave Accord's writes alone from now on."""
        for side in Side:
            self._meddled(side).calm()

    def change_entries(self, side: Side, pick: int, which: int) -> None:
        found = self._pick(side, pick)
        if found is None:
            return
        series = getattr(found.item, "rule", None) is not None
        names = [n for n in ENTRIES[self.kind] if series or n not in ("exdates", "overrides")]
        name = names[which % len(names)]
        old = getattr(found.item, name)
        if which % 3 == 0 and old:
            new = old[1:]
        else:
            entry = self._entry(name, found.item, self.fresh())
            if name == "overrides" and entry.recurrence_id in {o.recurrence_id for o in old}:
                return
            new = (*old, entry)
        after = self._hand(side).edit(found.ref, **{name: new})
        self._life(found).change_entries(side, name, found.item, after.item)

    def delete(self, side: Side, pick: int, which: int) -> None:
        found = self._pick(side, pick)
        if found is None:
            return
        name = identity(found.item)
        others = [one.item for one in self.here(side.other) if identity(one.item) == name]
        other = others[0] if others else None
        self._life(found).die(side, found.item, self._knows(side, found.ref), other)
        if side is CRM:
            self.crm.delete(found.ref)
        else:
            self.mailbox.delete(found.ref, hard=which % 2 == 0)

    def leave(self, pick: int, which: int) -> None:
        """Ask for leave, change it, or come back early; all of it in the CRM."""
        there = self.crm.list(Kind.ABSENCE)
        start = LEAVE + self.fresh() * DAY
        if not there or (which % 3 == 0 and len(there) < MOST):
            self.crm.add(Absence(title="Leave", start=start, end=start + DAY, all_day=True))
            return
        chosen = sorted(there, key=lambda one: _beginning(one.item))[pick % len(there)]
        if which % 3 == 1:
            self.crm.edit(chosen.ref, start=start, end=start + DAY)
        else:
            self.crm.delete(chosen.ref)

    def restore(self, side: Side, pick: int) -> None:
        """Bring something back that a person or Accord has deleted."""
        if side is CRM:
            gone = [
                r
                for r in self.world.crm.store.records.values()
                if r.deleted and r.kind is self.kind
            ]
        else:
            trash = self.mailbox.list(self.kind, TRASH)
            gone = [one for one in trash if identity(one.item)]  # type: ignore[misc]
        gone.sort(key=lambda one: (identity(one.item), one.ref))
        if not gone:
            return
        chosen = gone[pick % len(gone)]
        name = identity(chosen.item)
        if any(identity(one.item) == name for one in (*self.here(side), *self.archived())):
            return
        life = self.lives[name]
        life.deaths.pop(side, None)
        self._hand(side).restore(chosen.ref)
        life.revive({s: o.item for s in Side for o in self.here(s) if identity(o.item) == name})

    def move(self, pick: int, which: int) -> None:
        """Move something to another folder, or back."""
        away = self.archived()
        if which % 2 and away:
            found = away[pick % len(away)]
            if any(identity(o.item) == identity(found.item) for o in self.here(GROUPWARE)):
                return
            self.mailbox.move(found.ref, self._calendar_name())
            return
        chosen = self._pick(GROUPWARE, pick)
        if chosen is not None:
            self._life(chosen).moved = True
            self.mailbox.move(chosen.ref, ARCHIVE)

    def copy(self, pick: int) -> None:
        """Duplicate something in its folder, marker and all, and give it another name."""
        found = self._pick(GROUPWARE, pick)
        if found is None or len(self.lives) >= MOST:
            return
        self._life(found).has_copy = True
        name = f"id-{self.fresh()}"
        ref = self.mailbox.copy(found.ref)
        after = self.mailbox.edit(ref, **identified(self.kind, name))
        life = Life(name=name, born=GROUPWARE, past=self._life(found).past)
        life.copy_of = identity(found.item)
        self.lives[name] = life
        life.begin(GROUPWARE, after.item)

    def touch(self, side: Side, pick: int) -> None:
        found = self._pick(side, pick)
        if found is not None:
            self._hand(side).touch(found.ref)

    def corrupt(self, pick: int) -> None:
        found = self._pick(GROUPWARE, pick)
        if found is not None:
            self._life(found).unread = True
            self.mailbox.corrupt(found.ref)

    def mend(self) -> None:
        for entry in list(self._box().entries.values()):
            if entry.broken:
                self.mailbox.corrupt(entry.ref, "")

    # what they need for it

    def storable(self, side: Side, names: Mapping[str, str]) -> list[str]:
        """Return those values that a side has a field for; `names` gives the field of each."""
        fields = (self.world.crm if side is CRM else self.world.groupware).traits
        return [name for name, field in names.items() if field in fields.kinds[self.kind].fields]

    def _has(self, item: Item, name: str) -> bool:
        """Tell whether there is something to edit: the rule of a series, or anything else."""
        return name != "rule" or getattr(item, "rule", None) is not None

    def _meddled(self, side: Side) -> Meddled:
        meddled = self.world.surrounded[side]
        assert isinstance(meddled, Meddled)
        return meddled

    def _box(self) -> Any:
        return self.world.groupware.store.mailbox(self.mailbox.principal)

    def _hand(self, side: Side) -> Any:
        return self.crm if side is CRM else self.mailbox

    def _calendar_name(self) -> str:
        return {Kind.EVENT: "calendar", Kind.TASK: "tasks"}.get(self.kind, "contacts")

    def _pick(self, side: Side, pick: int) -> Snapshot | None:
        found = [one for one in self.here(side) if side is CRM or not self._broken(one.ref)]
        return found[pick % len(found)] if found else None

    def _broken(self, ref: str) -> bool:
        return bool(self._box().entries[ref].broken)

    def _life(self, found: Snapshot) -> Life:
        return self.lives[identity(found.item)]

    def _knows(self, side: Side, ref: str) -> bool:
        with self.world.state.read() as tx:
            found = tx.pairings.by_refs("alice", side, [ref]).get(ref)
        return found is not None and not found.frozen

    def _new(self, life: Life, number: int, which: int) -> Item:
        uid = {} if which % 2 else {"uid": f"uid-{number}"}
        given: dict[str, Any] = {**identified(self.kind, life.name), **uid}
        match self.kind:
            case Kind.EVENT:
                start = (PAST if life.past else FUTURE) + timedelta(days=number)
                rule = RecurrenceRule(frequency=Frequency.DAILY, count=20)
                series: dict[str, Any] = {"rule": rule} if which % 3 == 1 else {}
                return Event(
                    title=_text_of("t", number, which),
                    start=start,
                    end=start + HOUR,
                    time_zone="Europe/Berlin",
                    location=f"l{number}",
                    **series,
                    **given,
                )
            case Kind.TASK:
                return Task(
                    title=_text_of("t", number, which),
                    due=FUTURE + timedelta(days=number),
                    time_zone="Europe/Berlin",
                    percent=number % 100,
                    **given,
                )
            case _:
                return Contact(
                    full_name=f"n{number}",
                    family=f"f{number}",
                    organization=_text_of("o", number, which),
                    job_title=f"j{number}",
                    notes=f"m{number}",
                    **given,
                )

    def _value(self, item: Item, name: str, number: int) -> dict[str, Any]:
        match item, name:
            case Event(start=start), "schedule":
                moved = start + timedelta(minutes=number)
                return {"start": moved, "end": moved + HOUR}
            case Event(), "rule":
                return {"rule": RecurrenceRule(frequency=Frequency.DAILY, count=20 + number)}
            case Event(), "body":
                return {"body": Body(text=f"b{number}")}
            case Task(due=due), "schedule":
                return {"due": (due or FUTURE) + timedelta(minutes=number)}
            case Task(), "status":
                return {"status": TaskStatus.IN_PROCESS, "percent": number % 100}
            case _:
                return {VALUES[self.kind][name]: _text_of(name[0], number, number)}

    def _entry(self, name: str, item: Item, number: int) -> Any:
        match name:
            case "phones":
                return Phone(number=f"+49{number}")
            case "exdates":
                assert isinstance(item, Event)
                return item.start + timedelta(days=number % 20)
            case "overrides":
                assert isinstance(item, Event)
                return Override(
                    recurrence_id=item.start + timedelta(days=number % 20), title=f"o{number}"
                )
            case _:
                return f"c{number}"


def _beginning(item: Item) -> datetime:
    assert isinstance(item, Absence | Event)
    return item.start


def _text_of(letter: str, number: int, which: int) -> str:
    """Return a text that is told apart by its beginning, and at times is a long one."""
    return f"{letter}{number}" + (" and so on, at some length" if which % 4 == 0 else "")
