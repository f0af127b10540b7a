"""Links that share a folder: what one of them is shown is taken from none of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import msgspec
import pytest
import sqlalchemy.event

from accord.groupware.memory.session import MemorySession
from accord.model.item import Absence
from accord.model.kinds import Kind
from accord.model.observe import Completeness, Listing, Observation, Seen, Unknown
from accord.ports.adapter import Known
from accord.ports.errors import AuthFailed, Retry
from accord.rules.rule import Rule, Scope
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.sync import sync
from accord.state.records import Mode
from tests.unit.service.kit import GROUPWARE, SOON, MortalState, World, event

Stand = Callable[["Shared"], None]


class Shared(World):
    """Be a world in which two links of Alice's share her calendar: events and absences."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        with self.state.begin() as tx:
            rule = Rule(name="away", kind=Kind.ABSENCE, scope=Scope.ALL)
            tx.rules.activate("away", tx.rules.put(rule))
        self.add_link("alice", id="absences", name="away", kind=Kind.ABSENCE, rule="away")
        self.mailbox().add(event("Standing"))
        self.mailbox().add(event("Leaving"))
        self.all()
        self.all()

    def all(self, **options: Any) -> list[Report]:
        """Synchronize both links in one visit of the folder."""
        links = [self.link("alice"), self.link("absences")]
        return sync(self.accord, links, Options(**options))

    def change(self) -> None:
        """Let Alice add, edit and delete an entry each."""
        refs = {getattr(one.item, "title", ""): one.ref for one in self.items()}
        self.mailbox().edit(refs["Standing"], title="Edited")
        self.mailbox().delete(refs["Leaving"])
        self.mailbox().add(event("Added"))

    def cost(self, act: Callable[[], object]) -> int:
        """Return how many requests something makes."""
        before = self.groupware.requests + self.crm.requests
        act()
        return self.groupware.requests + self.crm.requests - before


ARRIVED = (["Added", "Edited"], ["Added", "Edited"])


def alone(world: Shared) -> None:
    """Visit only the other link."""
    world.change()
    report = world.sync("absences")
    assert (report.error, report.writes) == ("", 0)


def paused(world: Shared) -> None:
    """Pause the link, and visit both."""
    world.change_link(paused=True)
    world.change()
    assert [report.error for report in world.all()] == ["paused", ""]
    world.change_link(paused=False)


def observed(world: Shared) -> None:
    """Let the link only look, and visit both."""
    world.change_link(mode=Mode.OBSERVE)
    world.change()
    for _ in range(2):
        assert [report.writes for report in world.all()] == [3, 0], "a plan counts as if done"
    world.change_link(mode=Mode.ACTIVE)


def failed(world: Shared) -> None:
    """Let the CRM refuse the link's user, and visit both."""
    world.change()
    real, calls = world.accord.crm.open, []

    def refuse(user: str) -> Any:
        calls.append(user)
        if len(calls) == 1:
            raise AuthFailed("not today", code="refused")
        return real(user)

    world.accord.crm.open = refuse  # type: ignore[method-assign,assignment]
    assert [bool(report.error) for report in world.all()] == [True, False]
    world.accord.crm.open = real  # type: ignore[method-assign]


@pytest.mark.parametrize("stand", [alone, paused, observed, failed])
@pytest.mark.parametrize("together", [False, True])
def test_what_a_link_was_not_shown_is_still_to_come(stand: Stand, together: bool) -> None:
    world = Shared()
    stand(world)
    assert world.titles() != ARRIVED
    if together:
        world.all()
    else:
        world.sync()
    assert world.titles() == ARRIVED
    assert [report.writes for report in world.all()] == [0, 0]


def test_the_other_link_hears_of_its_own_deletions_too() -> None:
    world = Shared()
    world.person().add(Absence(title="Away", start=SOON, end=SOON, time_zone="Europe/Berlin"))
    world.all()
    world.all()
    (pairing,) = world.pairings("absences")
    world.mailbox().delete(pairing.groupware.ref)
    world.sync("alice")
    assert world.pairings("absences") == [pairing]
    world.sync("absences")
    assert world.pairings("absences") != [pairing], "the copy is known to be gone"


def test_a_link_that_was_interrupted_sees_the_same_again() -> None:
    for after in range(60):
        world = Shared()
        world.change()
        if not world.crash(after, "alice", "absences"):
            break
        world.all()
        world.wait(hours=1)
        world.all()
        assert world.titles() == ARRIVED, after
    assert after > 20


def _observed(world: World, why: str) -> Callable[[], None]:
    """Let nothing new in the mailbox be readable until what is returned is called."""
    patch = pytest.MonkeyPatch()
    real = MemorySession._observe

    def observe(self: MemorySession, folder: str, ref: str, version: str | None) -> Observation:
        said = real(self, folder, ref, version)
        return Unknown(ref=ref, why=why) if isinstance(said, Seen) else said

    patch.setattr(MemorySession, "_observe", observe)
    return patch.undo


class Renaming:
    """Be an adapter that calls one and the same state by a new name each time."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self.names = count()
        self.listed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def open(self, principal: str) -> Any:
        return _Renaming(self, self._adapter.open(principal))


class _Renaming:
    def __init__(self, side: Renaming, session: Any) -> None:
        self._side = side
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def __enter__(self) -> _Renaming:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        self._side.listed.append(cursor)
        for page in self._session.changes(folder, kind, cursor.partition("#")[0], known):
            new = f"{page.cursor}#{next(self._side.names)}" if page.cursor else ""
            yield msgspec.structs.replace(page, cursor=new)


@pytest.mark.parametrize("around", [lambda adapter: adapter, Renaming])
@pytest.mark.parametrize("stand", [alone, paused, observed, failed])
def test_links_that_stood_apart_go_on_together(stand: Stand, around: Any) -> None:
    world = Shared(around=around)
    usual = world.cost(world.all)
    stand(world)
    world.all()
    world.all()
    costs = [world.cost(world.all) for _ in range(3)]
    assert costs == [usual] * 3, "one pull serves both again"


def test_nothing_changed_costs_the_same_however_much_there_is() -> None:
    world = Shared()
    before = world.cost(world.all)
    for number in range(40):
        world.mailbox().add(event(f"More {number}"))
    world.all()
    world.all()
    assert world.cost(world.all) == before


def test_a_link_with_nothing_to_do_asks_the_database_little() -> None:
    world = World()
    world.person().add(event("One"))
    world.sync()
    world.sync()
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    sqlalchemy.event.listen(world.database.engine, "before_cursor_execute", note)
    world.sync()
    asked = [one for one in asked if not one.startswith(("BEGIN", "SET"))]
    assert len(asked) <= 28, "\n".join(asked)
    writes = [one for one in asked if not one.startswith("SELECT")]
    assert len(writes) <= 7, "\n".join(writes)


def test_only_what_was_written_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease on a server must outlast its fall, for others work on; a file goes with them all."""
    world = World()
    asked: list[bool] = []
    begin = MortalState.begin

    def noting(state: MortalState, *, durable: bool = True) -> Any:
        asked.append(durable)
        return begin(state, durable=durable)

    world.sync()
    monkeypatch.setattr(MortalState, "begin", noting)
    world.sync()
    assert asked
    assert all(asked) if world.state.shared else not any(asked)
    asked.clear()
    world.person().add(event("One"))
    world.sync()
    assert asked.count(True) >= 2, "the intent, and what came of it"


def test_one_pull_serves_all_links_that_stand_together() -> None:
    world = Shared(around=Renaming)
    side = world.surrounded[GROUPWARE]
    side.listed.clear()
    world.all()
    assert len(side.listed) == 1
    world.change()
    world.sync()
    side.listed.clear()
    world.all()
    assert len(side.listed) == len(set(side.listed)) == 2


@pytest.mark.parametrize("link", ["alice", "absences"])
def test_what_cannot_be_read_is_forgotten_by_the_link_whose_it_is_not(link: str) -> None:
    """Until it can be read nobody knows whose it is; then nothing of it stays pending."""
    world = Shared()
    world.person().add(Absence(title="Away", start=SOON, end=SOON, time_zone="Europe/Berlin"))
    real = _observed(world, "unreadable for now")
    world.all()
    world.mailbox().add(event("Added"))
    world.all()
    assert any(world.pending(user=name) for name in ("alice", "absences"))
    real()
    world.wait(hours=7)
    world.all()
    world.wait(hours=7)
    world.all()
    assert not world.pending(user=link)


@pytest.mark.parametrize("said", [Completeness.PARTIAL, Completeness.LOST])
def test_a_listing_that_broke_off_moves_no_link(said: Completeness) -> None:
    """The first pull is whole, and what it went on to is not for the second, which isn't."""
    world = Shared(around=Renaming)
    paused(world)
    side = world.surrounded[GROUPWARE]
    side.listed.clear()
    real = _Renaming.changes

    def cut(self: _Renaming, folder: str, kind: Kind, cursor: str, known: Known) -> Any:
        pages = list(real(self, folder, kind, cursor, known))
        if self._side is not side or len(side.listed) < 2:
            return iter(pages)
        return iter([Listing(completeness=said)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Renaming, "changes", cut)
        sync(world.accord, [world.link("absences"), world.link("alice")])
    assert world.titles() != ARRIVED
    world.all()
    assert world.titles() == ARRIVED


def test_another_folder_is_listed_from_the_start() -> None:
    world = Shared()
    world.mailbox().add_folder("work", Kind.EVENT)
    world.mailbox().add(event("At work"), "work")
    world.all()
    world.change_link("alice", folder="work")
    world.sync()
    assert "At work" in world.titles()[0]


@pytest.mark.parametrize("error", [Retry("later", after=5), AuthFailed("no", code="x")])
def test_a_folder_that_cannot_be_read_ends_all_runs_and_moves_nothing(error: Exception) -> None:
    world = Shared()
    world.change()
    real = world.groupware.open

    def broken(principal: str) -> Any:
        session = real(principal)

        def refuse(*_: object) -> Any:
            raise error

        session.changes = refuse  # type: ignore[method-assign,assignment]
        return session

    world.groupware.open = broken  # type: ignore[method-assign]
    reports = world.all()
    assert all(report.error == str(error) for report in reports)
    with world.state.read() as tx:
        assert all(tx.runs.get(r.run).error == str(error) for r in reports)  # type: ignore[union-attr]
    world.groupware.open = real  # type: ignore[method-assign]
    world.all()
    assert world.titles() == ARRIVED


@pytest.mark.parametrize("stand", [None, alone, paused, observed, failed])
def test_the_shares_add_up_to_what_was_really_asked(stand: Stand | None) -> None:
    world = Shared()
    if stand is not None:
        stand(world)
    else:
        world.change()
    reports: list[Report] = []
    real = world.cost(lambda: reports.extend(world.all()))
    assert sum(report.requests for report in reports) == real
    assert all(report.requests > 0 for report in reports)
    with world.state.read() as tx:
        runs = [tx.runs.get(report.run) for report in reports]
    assert [run.counts["requests"] > 0 for run in runs if run] == [True, True]
