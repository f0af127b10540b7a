"""A whole Accord over memory adapters: people on both sides, a clock, and a process that dies.

Used by the service's tests, the scenarios and the histories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from accord.crm import memory as crm_memory
from accord.db import Database
from accord.engine.plan import Hold, Pairing, Step
from accord.groupware import memory as groupware_memory
from accord.model.item import Event
from accord.model.kinds import Kind, Side
from accord.model.observe import Snapshot
from accord.rules.rule import Rule, Scope
from accord.service.accord import Accord
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.sync import sync
from accord.state import State, Tx
from accord.state.codec import decode_step
from accord.state.records import Cause, Decision, Entry, Intent, Link, Pending, Target
from accord.testing import Hostility
from accord.testing.hostile import hostile
from tests.databases import Sqlite

T = TypeVar("T")

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SOON = datetime(2026, 4, 6, 10, 0)
HOUR = timedelta(hours=1)
CRM, GROUPWARE = Side.CRM, Side.GROUPWARE


class Crash(BaseException):
    """Be the end of the process, at the point named."""


class Mortal:
    """Be a process that dies at a chosen point: around transactions and around writes.

    `trail` names the points passed so far. Once dead, nothing works until `revive`.
    """

    def __init__(self) -> None:
        self.trail: list[str] = []
        self.dies_at: int | None = None
        self.dies_when: Callable[[str], bool] = lambda _: False
        self.dead = False

    def die(self, after: int | Callable[[str], bool]) -> None:
        """Die at the point that comes after so many others (0 is the next), or at one chosen."""
        if callable(after):
            self.dies_when = after
        else:
            self.dies_at = len(self.trail) + after

    def revive(self) -> None:
        self.dead = False
        self.dies_at = None
        self.dies_when = lambda _: False

    def alive(self) -> None:
        if self.dead:
            raise Crash("dead already")

    @property
    def doomed(self) -> bool:
        """Tell whether the next point is the last."""
        return self.dies_at == len(self.trail)

    def point(self, name: str) -> None:
        self.alive()
        self.dead = self.doomed or self.dies_when(name)
        self.trail.append(name)
        if self.dead:
            raise Crash(name)


class MortalState(State):
    """Be state in a process that may die before, in or after any transaction."""

    mortal: Mortal

    @contextmanager
    def begin(self, *, durable: bool = True) -> Iterator[Tx]:
        self.mortal.point("before transaction")
        with super().begin(durable=False) as tx:
            yield tx
            self.mortal.point("in transaction")
        self.mortal.point("after transaction")

    @contextmanager
    def read(self) -> Iterator[Tx]:
        self.mortal.alive()
        with super().read() as tx:
            yield tx


class MortalSession:
    """Be a session in a process that may die before, amid or after any write."""

    def __init__(self, session: Any, side: str, mortal: Mortal) -> None:
        self._session = session
        self._side = side
        self._mortal = mortal

    def __getattr__(self, name: str) -> Any:
        self._mortal.alive()
        return getattr(self._session, name)

    def create(self, folder: str, kind: Kind, drafts: Sequence[Any]) -> Any:
        return self._write("create", drafts, lambda d: self._session.create(folder, kind, d))

    def update(self, folder: str, kind: Kind, revisions: Sequence[Any]) -> Any:
        return self._write("update", revisions, lambda r: self._session.update(folder, kind, r))

    def delete(self, folder: str, kind: Kind, removals: Sequence[Any]) -> Any:
        return self._write("delete", removals, lambda r: self._session.delete(folder, kind, r))

    def mark(self, folder: str, kind: Kind, marks: Sequence[Any]) -> Any:
        return self._write("mark", marks, lambda m: self._session.mark(folder, kind, m))

    def restore(self, folder: str, kind: Kind, ref: str) -> Any:
        return self._write("restore", [ref], lambda _: self._session.restore(folder, kind, ref))

    def set_replies(self, wanted: Any) -> Any:
        return self._write("set_replies", [], lambda _: self._session.set_replies(wanted))

    def _write(self, name: str, given: Sequence[Any], act: Callable[[Sequence[Any]], T]) -> T:
        self._mortal.point(f"before {name} on {self._side}")
        if self._mortal.doomed:
            act(given[: (len(given) + 1) // 2])
        self._mortal.point(f"amid {name} on {self._side}")
        result = act(given)
        self._mortal.point(f"after {name} on {self._side}")
        return result

    def __enter__(self) -> MortalSession:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()


class MortalAdapter:
    """Be an adapter whose sessions die with the process."""

    def __init__(self, adapter: Any, side: str, mortal: Mortal) -> None:
        self._adapter = adapter
        self._side = side
        self._mortal = mortal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def open(self, principal: str) -> MortalSession:
        self._mortal.alive()
        return MortalSession(self._adapter.open(principal), self._side, self._mortal)


class World:
    """Be a CRM, mailboxes and Accord between them; users live at `<name>@x.test`.

    `crm` and `groupware` are settings of the memory adapters, `rule` is what makes the active
    one. Accord sees each adapter through `around`, then through the `hostility`. Everything
    happens at `now`, which `wait` moves on.
    """

    def __init__(
        self,
        *users: str,
        kind: Kind = Kind.EVENT,
        rule: dict[str, Any] | None = None,
        crm: dict[str, Any] | None = None,
        groupware: dict[str, Any] | None = None,
        hostility: Hostility | None = None,
        around: Callable[[Any], Any] = lambda adapter: adapter,
        database: Database | None = None,
        key_file: Path | None = None,
    ) -> None:
        names = users or ("alice",)
        self.now = START
        self.mortal = Mortal()
        self.database = database or blank()
        self.state = MortalState.__new__(MortalState)
        self.state.mortal = self.mortal
        self.state.__init__(self.database, key_file, self.clock)  # type: ignore[misc]
        self.crm = crm_memory.build(
            {"users": {name: f"{name}@x.test" for name in names}, **(crm or {})}
        )
        self.groupware = groupware_memory.build(
            {"principals": {f"{name}@x.test": name for name in names}, **(groupware or {})}
        )
        self.crm.store.clock = self.groupware.store.clock = self.clock
        self.kind = kind
        self._prepare(names, rule or {})
        self.surrounded = {CRM: around(self.crm), GROUPWARE: around(self.groupware)}
        self._connect(hostility)

    def _connect(self, hostility: Hostility | None) -> None:
        left, right = self.surrounded[CRM], self.surrounded[GROUPWARE]
        if hostility:
            left, right = hostile(left, hostility), hostile(right, hostility)
        records: Any = MortalAdapter(left, "crm", self.mortal)
        mailboxes: Any = MortalAdapter(right, "groupware", self.mortal)
        self.accord = Accord(self.state, records, lambda _: mailboxes, self.clock)

    def _prepare(self, names: Sequence[str], rule: dict[str, Any]) -> None:
        with self.state.begin() as tx:
            tx.targets.put(Target(id="t", name="mail", adapter="memory", side=GROUPWARE))
            for name in names:
                tx.links.put(self._link(name))
        self.activate(**rule)
        self.mortal.trail.clear()

    def _link(self, user: str, **values: Any) -> Link:
        given: dict[str, Any] = {
            "id": user,
            "name": f"{user} {self.kind}s",
            "user": user,
            "kind": self.kind,
            "target": "t",
            "principal": f"{user}@x.test",
            "rule": "r",
            **values,
        }
        return Link(**given)

    def clock(self) -> datetime:
        return self.now

    def wait(self, **values: float) -> None:
        self.now += timedelta(**values)

    def activate(self, **rule: Any) -> Rule:
        """Let a rule be the active one from now on."""
        new = Rule(**{"name": "r", "kind": self.kind, "scope": Scope.ALL, **rule})
        with self.state.begin() as tx:
            tx.rules.activate("r", tx.rules.put(new))
        return new

    def link(self, user: str = "alice") -> Link:
        with self.state.read() as tx:
            found = tx.links.get(user)
        assert found is not None
        return found

    def change_link(self, user: str = "alice", **values: Any) -> None:
        with self.state.begin() as tx:
            tx.links.put(msgspec.structs.replace(self.link_in(tx, user), **values))

    @staticmethod
    def link_in(tx: Tx, user: str) -> Link:
        found = tx.links.get(user)
        assert found is not None
        return found

    def add_link(self, user: str, **values: Any) -> None:
        with self.state.begin() as tx:
            tx.links.put(self._link(user, **values))

    def person(self, user: str = "alice") -> crm_memory.Person:
        return self.crm.person(user)

    def mailbox(self, user: str = "alice") -> groupware_memory.Person:
        return self.groupware.person(f"{user}@x.test")

    def sync(self, *users: str, **options: Any) -> Report:
        """Synchronize a user's link (Alice's by default, or the users named) and report."""
        links = [self.link(user) for user in users or ("alice",)]
        return sync(self.accord, links, Options(**options))[-1]

    def restart(self) -> None:
        """Start the process again once the dead one's lease has run out."""
        self.mortal.revive()
        self.wait(minutes=10)

    def crash(self, after: int | Callable[[str], bool], *users: str) -> bool:
        """Synchronize and die at that point; tell whether it came so far."""
        self.mortal.die(after)
        try:
            self.sync(*users)
        except Crash:
            self.restart()
            return True
        self.mortal.revive()
        return False

    def points(self) -> list[str]:
        """Return the points a visit passes."""
        self.mortal.trail.clear()
        self.sync()
        return list(self.mortal.trail)

    # what stands where

    def records(self, user: str = "alice") -> tuple[Snapshot, ...]:
        return self.person(user).list(self.kind)

    def items(self, user: str = "alice") -> tuple[Snapshot, ...]:
        kind = Kind.EVENT if self.kind is Kind.ABSENCE else self.kind
        return self.mailbox(user).list(kind)

    def titles(self, user: str = "alice") -> tuple[list[str], list[str]]:
        """Return the sorted titles in the CRM and in the mailbox."""
        here = sorted(_title(s) for s in self.records(user))
        return here, sorted(_title(s) for s in self.items(user))

    def pairings(self, user: str = "alice") -> list[Pairing]:
        with self.state.read() as tx:
            return list(tx.pairings.all(user))

    def pending(self, cause: Cause | None = None, user: str = "alice") -> list[Pending]:
        with self.state.read() as tx:
            return tx.pending.by_link(user, *([cause] if cause else []))

    def waiting(self, cause: Cause | None = None, user: str = "alice") -> list[Step]:
        steps = [decode_step(one.step) for one in self.pending(cause, user)]
        return [step.held if isinstance(step, Hold) else step for step in steps]

    def intents(self) -> list[Intent]:
        with self.state.read() as tx:
            return tx.intents.all()

    def journal(self, **values: Any) -> list[Entry]:
        with self.state.read() as tx:
            return tx.journal.query(**{"limit": 100_000, **values})

    def decision(self, side: Side, ref: str, user: str = "alice") -> Decision | None:
        with self.state.read() as tx:
            return tx.decisions.get(user, side, ref)

    @property
    def mails(self) -> list[Any]:
        return self.groupware.outbox


def event(title: str = "Review", start: datetime = SOON, **values: Any) -> Event:
    values = {"end": start + HOUR, "time_zone": "Europe/Berlin", **values}
    return Event(title=title, start=start, **values)


def _title(snapshot: Snapshot) -> str:
    for name in ("title", "full_name"):
        if hasattr(snapshot.item, name):
            return str(getattr(snapshot.item, name))
    return ""


SUPPLY: list[Callable[[], Database]] = [Sqlite().blank]


def blank() -> Database:
    """Return an empty database with all tables; of which kind, `supply` says."""
    return SUPPLY[-1]()


@contextmanager
def supply(source: Callable[[], Database]) -> Iterator[None]:
    """Let every new world take its database from there."""
    SUPPLY.append(source)
    try:
        yield
    finally:
        SUPPLY.pop()
