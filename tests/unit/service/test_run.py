"""Running: hints and intervals become visits, trouble is left alone for a while, signals end it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from accord.crm.syncml import SyncmlCrm
from accord.ports.adapter import Outcome
from accord.ports.errors import AuthFailed, Busy, Retry
from accord.ports.http import Told
from accord.ports.queue import TROUBLES, Current, Job, Stage, Urgency
from accord.ports.watcher import FolderHint, Watched, Way
from accord.queue import circuits
from accord.queue.memory import MemoryQueue
from accord.sandbox.process import until
from accord.service import listen, patience
from accord.service import run as running
from accord.service.accord import Accord
from accord.service.patience import Patience
from accord.service.report import Report
from accord.service.roster import Roster, read
from accord.service.run import Part, Run, Visited, Watching
from accord.service.running import RunSettings
from accord.service.sync import sync
from accord.service.undo import select, undo
from accord.state.leases import FOLDER
from accord.state.records import Mode, Process
from accord.state.records import Watched as WatchedRow
from tests.connector import endpoint
from tests.unit.service.kit import GROUPWARE, World, event
from tests.unit.service.watched import Act, WatchedWorld

pytestmark = pytest.mark.waits

SOON = 30.0
PATIENT = RunSettings(interval=3600, poll=3600, feed=0.05, workers=3)


class FakeWatch:
    """A watch whose hints a test gives."""

    def __init__(self) -> None:
        self.covered: list[Watched] = []
        self.given: list[Sequence[Watched]] = []
        self.queue: SimpleQueue[FolderHint | None] = SimpleQueue()
        self.closed = False
        self.state = Way(name="streaming")

    def cover(self, watched: Sequence[Watched]) -> None:
        self.covered = list(watched)
        self.given.append(watched)

    def hints(self) -> Iterator[FolderHint]:
        while (hint := self.queue.get()) is not None:
            yield hint

    def ways(self) -> Mapping[str, Way]:
        return {each.principal: self.state for each in self.covered}

    def way(self, principal: str) -> Way:
        return self.ways().get(principal, Way())

    @property
    def turns(self) -> int:
        return hash((self.state, tuple(each.principal for each in self.covered)))

    def close(self) -> None:
        self.closed = True
        self.queue.put(None)


class Watchable:
    """The mailboxes in memory, which can be watched; `trouble` is what opening one meets."""

    def __init__(self, adapter: Any) -> None:
        self.adapter = adapter
        self.watches: list[FakeWatch] = []
        self.trouble: Exception | None = None
        self.opened: list[str] = []
        self.gate: threading.Event | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.adapter, name)

    def watch(self) -> FakeWatch:
        self.watches.append(FakeWatch())
        return self.watches[-1]

    def open(self, principal: str) -> Any:
        self.opened.append(principal)
        if self.gate is not None:
            self.gate.wait(SOON)
        if self.trouble is not None:
            raise self.trouble
        return self.adapter.open(principal)

    def close(self) -> None:
        pass


class Scene:
    """An Accord that runs in a thread, over a CRM and mailboxes in memory."""

    def __init__(
        self,
        world: World,
        settings: RunSettings = PATIENT,
        mailboxes: Any = None,
        crm: Any = None,
    ) -> None:
        self.world = world
        self.mailboxes = mailboxes if mailboxes is not None else Watchable(world.groupware)
        crm = crm if crm is not None else world.crm
        self.accord = Accord(world.state, crm, lambda _: self.mailboxes, world.clock)
        self.visits: list[Visited] = []
        self.watching: list[Watching] = []
        self.run = Run(self.accord, settings, self._hear, MemoryQueue())
        self._thread = threading.Thread(target=self.run.run)

    def _hear(self, what: Visited | Watching) -> None:
        (self.visits if isinstance(what, Visited) else self.watching).append(what)  # type: ignore[arg-type]

    def __enter__(self) -> Scene:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.run.stop()
        self._thread.join(SOON)
        assert not self._thread.is_alive()

    @property
    def watch(self) -> FakeWatch:
        return self.mailboxes.watches[-1]

    def causes(self, user: str = "alice") -> list[str]:
        return [
            visit.cause
            for visit in self.visits
            if any(report.link == user for report in visit.reports)
        ]

    def reports(self) -> list[Report]:
        return [report for visit in self.visits for report in visit.reports]

    def settled(self, *users: str) -> bool:
        """Wait until everybody is visited and watched, and nothing is due any more."""
        who = {f"{user}@x.test" for user in users or ("alice",)}

        def all_there() -> bool:
            covered = {each.principal for watch in self.mailboxes.watches for each in watch.covered}
            return who <= covered and self.run.idle

        return until(all_there, SOON)

    def both(self, titles: list[str], user: str = "alice") -> bool:
        return until(lambda: self.world.titles(user) == (titles, titles), SOON)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LOOK", 0.1)
    monkeypatch.setattr(running, "_TICK", 0.02)
    monkeypatch.setattr(running, "WAYS", 0.02)
    monkeypatch.setattr(running, "_BUSY", 0.1)


def test_a_change_on_either_side_is_on_the_other_soon_after() -> None:
    world = World("alice", "bob")
    with Scene(world) as scene:
        assert scene.settled("alice", "bob")
        world.person("bob").add(event("from the CRM"))
        assert scene.both(["from the CRM"], "bob")
        world.mailbox("alice").add(event("from the mailbox"))
        folder = next(iter(scene.watch.covered[0].folders))
        scene.watch.queue.put(FolderHint(principal="alice@x.test", folder=folder))
        assert scene.both(["from the mailbox"])
    assert "crm" in scene.causes("bob")
    assert "hint" in scene.causes("alice")
    assert "hint" not in scene.causes("bob"), "only whom a hint names is visited"


class Counted:
    """A CRM behind CRM.interface that notes for whom a session is opened."""

    def __init__(self, client: SyncmlCrm) -> None:
        self.client = client
        self.opened: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def open(self, principal: str) -> Any:
        self.opened.append(principal)
        return self.client.open(principal)


def test_over_crm_interface_idle_links_cost_no_session(tmp_path: Path) -> None:
    users = [f"user{number}" for number in range(6)]
    world = World(*users)
    with endpoint(tmp_path) as house, closing(house.direct()) as client:
        house.serve(world.crm)
        crm = Counted(client)
        with Scene(world, crm=crm) as scene:
            assert scene.settled(*users)
            crm.opened.clear()
            made = client._http.requests
            before = made.all
            assert until(lambda: made.all >= before + 10, SOON), "it goes on asking"
            assert crm.opened == [], "for all links together, and not for each"
            world.person("user3").add(event("from the CRM"))
            assert scene.both(["from the CRM"], "user3")
            assert set(crm.opened) == {"user3"}


def test_what_the_queue_could_not_take_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen, "_FIRST_WAIT", 0.02)
    world = World("alice", "bob")
    with Scene(world) as scene:
        assert scene.settled("alice", "bob")
        queue, away = scene.run._queue, Counter[str]()
        ask = queue.ask

        def failing(folder: str, cause: str, **options: Any) -> None:
            away[cause] += 1
            if cause in ("hint", "crm") and away[cause] <= 2:
                raise Retry("the database went away")
            ask(folder, cause, **options)

        monkeypatch.setattr(queue, "ask", failing)
        world.mailbox("alice").add(event("from the mailbox"))
        scene.watch.queue.put(FolderHint(principal="alice@x.test"))
        assert scene.both(["from the mailbox"])
        world.person("bob").add(event("from the CRM"))
        assert scene.both(["from the CRM"], "bob")
        world.mailbox("alice").add(event("later"))
        scene.watch.queue.put(FolderHint(principal="alice@x.test"))
        assert scene.both(["from the mailbox", "later"])
    assert min(away["hint"], away["crm"]) > 2


def test_a_hint_for_another_folder_or_stranger_visits_nobody() -> None:
    world = World("alice")
    with Scene(world) as scene:
        assert scene.settled()
        before = len(scene.visits)
        for who, folder in (("alice@x.test", "elsewhere"), ("stranger@x.test", "")):
            scene.watch.queue.put(FolderHint(principal=who, folder=folder))
        assert until(scene.watch.queue.empty, SOON)
        assert scene.run.idle
        assert len(scene.visits) == before


def test_targets_may_come_while_ways_are_told() -> None:
    world = World("alice")
    with Scene(world) as scene:
        assert scene.settled()
        ears = scene.run._ears

        class Growing(FakeWatch):
            def ways(self) -> Mapping[str, Way]:
                ears._watches["new"] = FakeWatch()
                return {}

        ears._watches["growing"] = Growing()
        assert "growing" in ears.ways()


def test_what_is_not_heard_of_is_found_on_the_interval() -> None:
    world = World("alice")
    quick = RunSettings(interval=0.3, poll=0.3, feed=3600, workers=1)
    with Scene(world, quick) as scene:
        assert scene.settled()
        world.mailbox("alice").add(event("unheard"))
        assert scene.both(["unheard"])
    assert "interval" in scene.causes()


def test_who_can_not_be_watched_is_visited_more_often() -> None:
    settings = RunSettings(interval=3600, poll=0.3, feed=3600, workers=1)
    world = World("alice")
    mailboxes = Watchable(world.groupware)
    with Scene(world, settings, mailboxes) as scene:
        assert scene.settled()
        scene.watch.state = Way(name="poll", why="streaming: not allowed")
        world.mailbox("alice").add(event("unheard"))
        scene.watch.queue.put(FolderHint(principal="alice@x.test"))
        assert scene.both(["unheard"])
        world.mailbox("alice").add(event("unheard, too"))
        assert scene.both(["unheard", "unheard, too"])
    told = [(one.principal, one.way, one.why) for one in scene.watching]
    assert ("alice@x.test", "poll", "streaming: not allowed") in told


def test_links_may_come_be_paused_and_go_meanwhile() -> None:
    world = World("alice", "bob")
    world.change_link("bob", paused=True)
    with Scene(world) as scene:
        assert scene.settled()
        world.person("bob").add(event("new"))
        world.change_link("bob", paused=False)
        assert until(lambda: world.titles("bob")[1] == ["new"], SOON)
        assert scene.settled("bob")
        world.change_link("bob", paused=True)
        assert until(lambda: len(scene.watch.covered) == 1, SOON)
        world.person("bob").add(event("unseen"))
        world.person("alice").add(event("seen"))
        assert scene.both(["seen"])
        assert world.titles("bob")[1] == ["new"]
        world.change_link("bob", paused=False)
        assert until(lambda: world.titles("bob")[1] == ["new", "unseen"], SOON)


@pytest.mark.parametrize("trouble", ["watching", "asking"])
def test_links_that_came_during_trouble_are_visited_after_it(
    trouble: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World("alice", "bob")
    world.change_link("bob", paused=True)
    # Nobody but the links themselves tells of what is new.
    with Scene(world, RunSettings(interval=3600, poll=3600, feed=3600, workers=1)) as scene:
        assert scene.settled()
        failures: list[str] = []

        def failing(*_: object, **__: object) -> None:
            failures.append(trouble)
            raise Retry("the database went away")

        with monkeypatch.context() as patch:
            where = scene.run._ears if trouble == "watching" else scene.run._queue
            patch.setattr(where, "cover" if trouble == "watching" else "wake", failing)
            world.person("bob").add(event("new"))
            world.change_link("bob", paused=False)
            assert until(lambda: len(failures) > 1, SOON)
        assert until(lambda: world.titles("bob")[1] == ["new"], SOON)
    assert any(getattr(each, "why", "") == "the database went away" for each in caplog.records)


def worker_of(scene: Scene) -> Run:
    """A worker beside the scene, which looks when a test has it look."""
    return Run(scene.accord, PATIENT, scene._hear, MemoryQueue(), [Part.WORKER])


def test_a_worker_visits_a_folder_that_is_back_before_it_looked() -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    scene = Scene(world)
    worker = worker_of(scene)
    worker._look()
    (key,) = [key for key, post in worker._roster.posts.items() if post.links[0].id == "bob"]
    world.change_link("bob", paused=True)
    worker._look()
    assert key in worker._former
    world.person("bob").add(event("new"))
    world.change_link("bob", paused=False)
    worker._work(Job(folder=key, generation=1, cause="changed"))
    assert scene.both(["new"], "bob")
    assert worker._former == {}


def test_a_worker_visits_again_what_it_visited_by_links_that_were_old() -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    scene = Scene(world)
    worker = worker_of(scene)
    worker._look()
    assert worker._queue.idle, "who listens asks for them"
    world.change_link("bob", mode=Mode.OBSERVE)
    (key,) = [key for key, post in worker._roster.posts.items() if post.links[0].id == "bob"]
    worker._work(Job(folder=key, generation=1, cause="changed"))
    worker._look()
    (entry,) = worker._queue.entries(Stage.WAITING, Stage.PLANNED)
    assert (entry.folder, entry.cause) == (key, "changed")


def test_a_target_that_was_changed_is_watched_and_visited_anew() -> None:
    world = World("alice")
    with Scene(world) as scene:
        assert scene.settled()
        first = scene.watch
        before = len(scene.visits)
        with world.state.begin() as tx:
            target = tx.targets.get("t")
            assert target is not None
            tx.targets.put(msgspec.structs.replace(target, settings={"x": 1}))
        assert until(lambda: first.closed and len(scene.mailboxes.watches) == 2, SOON)
        assert until(lambda: len(scene.visits) > before, SOON)


@pytest.mark.parametrize(
    ("trouble", "tries"),
    [(AuthFailed("no"), 1), (Retry("busy", after=3000), 1)],
)
def test_what_fails_is_left_alone_for_a_while_and_the_others_are_visited(
    trouble: Exception, tries: int
) -> None:
    world = World("alice", "bob")
    mailboxes = Watchable(world.groupware)
    genuine = mailboxes.open

    def open_one(principal: str) -> Any:
        mailboxes.trouble = trouble if principal.startswith("alice") else None
        return genuine(principal)

    mailboxes.open = open_one  # type: ignore[method-assign]
    settings = RunSettings(interval=3600, poll=3600, feed=0.05, workers=1)
    with Scene(world, settings, mailboxes) as scene:
        assert until(lambda: scene.causes("alice") and scene.causes("bob"), SOON)  # type: ignore[arg-type, return-value]
        world.person("alice").add(event("one"))
        world.person("bob").add(event("two"))
        assert scene.both(["two"], "bob")
    assert mailboxes.opened.count("alice@x.test") == tries


def test_what_failed_is_tried_again_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_FIRST_REST", 0.05)
    world = World("alice")
    mailboxes = Watchable(world.groupware)
    mailboxes.trouble = Retry("busy", after=0.05)
    with Scene(world, PATIENT, mailboxes) as scene:
        world.person("alice").add(event("one"))
        assert until(lambda: len(scene.visits) > 1, SOON)
        mailboxes.trouble = None
        assert scene.both(["one"])


def test_a_folder_in_which_another_run_is_at_work_is_visited_after_it() -> None:
    from accord.service.locking import locked

    world = World("alice")
    world.sync()
    with Scene(world) as scene:
        with locked(world.accord, [world.link()]):
            world.person("alice").add(event("meanwhile"))
            assert until(lambda: any(report.busy for report in scene.reports()), SOON)
        assert scene.both(["meanwhile"])


def test_a_visit_that_finds_another_at_work_says_so_to_the_queue() -> None:
    from accord.service.locking import locked

    world = World("alice")
    world.sync()
    worker = worker_of(Scene(world))
    worker._look()
    (key,) = worker._roster.posts
    job = Job(folder=key, generation=1, cause="hint")
    with locked(world.accord, [world.link()]), pytest.raises(Busy):
        worker._work(job)
    (entry,) = worker._queue.entries(Stage.WAITING, Stage.PLANNED)
    assert (entry.cause, entry.since < PATIENT.interval / 2) == ("hint", True)
    assert worker._work(job) == 0.0


def test_a_crm_that_loses_its_place_has_everything_looked_at() -> None:
    world = World("alice")
    with Scene(world) as scene:
        assert scene.settled()
        world.crm.expire()
        world.person("alice").add(event("one"))
        assert scene.both(["one"])


def test_stopping_lets_the_visit_under_way_end_and_begins_no_other() -> None:
    world = World("alice", "bob")
    mailboxes = Watchable(world.groupware)
    mailboxes.gate = threading.Event()
    world.person("alice").add(event("one"))
    world.person("bob").add(event("two"))
    with Scene(world, RunSettings(feed=3600, workers=1), mailboxes) as scene:
        assert until(lambda: len(mailboxes.opened) == 1, SOON)
        scene.run.stop()
        threading.Timer(0.3, mailboxes.gate.set).start()
        scene.stop()
    assert len(mailboxes.opened) == 1
    (visited,) = mailboxes.opened
    user = visited.partition("@")[0]
    assert len(world.titles(user)[1]) == 1, "what was begun is whole"


def first_load() -> tuple[WatchedWorld, list[str], Scene]:
    """Return a scene in which a mailbox is filled item by item, and with what."""
    world = WatchedWorld("alice", groupware={"batch": 1})
    titles = [f"visit {number}" for number in range(9)]
    for title in titles:
        world.person().add(event(title))
    mailboxes = Watchable(world.accord.adapter("t"))
    scene = Scene(world, RunSettings(feed=3600, workers=1), mailboxes, world.accord.crm)
    return world, titles, scene


def test_a_long_visit_ends_at_its_next_step_with_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "GRACE", 0.0)
    world, titles, scene = first_load()

    def stopping(given: Sequence[Any], act: Act) -> list[Outcome]:
        scene.run.stop()
        return act(given)

    world.answer(GROUPWARE, "create", None, None, stopping)
    with scene:
        assert until(lambda: scene.run._stopped, SOON)
        scene.stop()
    assert len(world.titles()[1]) == 3, "the step in hand is done, and no other is begun"
    assert world.intents() == []
    (report,) = scene.reports()
    assert report.busy and not report.failed
    assert world.sync().groupware.created == 6
    assert world.titles() == (titles, titles)


def test_a_long_first_load_lets_in_who_waits_and_goes_on_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "HEED", 0.0)
    world, titles, scene = first_load()
    loading = threading.Event()

    def wanted() -> bool:
        with world.state.read() as tx:
            return any(map(tx.leases.wanted, tx.leases.standing(FOLDER)))

    def slow(given: Sequence[Any], act: Act) -> list[Outcome]:
        loading.set()
        assert until(wanted, SOON)
        return act(given)

    def undoing(given: Sequence[Any], act: Act) -> list[Outcome]:
        there.append(len(world.titles()[1]))
        return act(given)

    told: list[str] = []
    there: list[int] = []
    world.accord.patience = Patience(SOON, told.append)
    world.answer(GROUPWARE, "create", None, None, slow)
    world.answer(GROUPWARE, "delete", undoing)
    with scene:
        assert loading.wait(SOON)
        with world.state.read() as tx:
            entry = tx.journal.query(step="create")[-1]
        (report,) = undo(world.accord, select(world.accord, str(entry.id)))
        assert (report.error, report.left, report.groupware.deleted) == ("", [], 1)
        assert there == [3], "the step in hand was done, and no other was begun"
        assert until(lambda: len(world.titles()[1]) == 8, SOON)
        assert scene.settled()
    assert told == ["waiting for the visit that is under way in the folder of alice events"]
    assert world.titles()[0] == titles, "nothing is lost"
    first, *more = [report for report in scene.reports() if report.error]
    assert "somebody waits" in first.error
    assert all(report.busy for report in (first, *more))
    assert world.intents() == []
    assert not wanted()


def test_the_memory_of_visits_goes_back_once_there_is_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[bool] = []
    scene = Scene(World())
    monkeypatch.setattr(running, "give_back", lambda: given.append(True))
    with scene:
        assert scene.settled()
        assert until(lambda: bool(given), SOON)
        before = len(given)
        assert not until(lambda: len(given) > before, 5 * running.LOOK), "nobody was visited"
        scene.world.person().add(event("One"))
        assert until(lambda: len(given) > before, SOON)


def test_it_is_told_how_long_a_change_took_that_was_heard_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "_FIRST_REST", 0.05)
    world = World("alice")
    mailboxes = Watchable(world.groupware)
    scene = Scene(world, mailboxes=mailboxes)
    worker = worker_of(scene)
    worker._look()
    (key,) = worker._roster.posts
    worker._work(Job(folder=key, generation=1, cause="interval", waited=100))
    worker._look()
    (key,) = worker._roster.posts
    worker._work(Job(folder=key, generation=2, cause="hint", waited=100))
    mailboxes.trouble = Retry("down", after=0.05)
    worker._work(Job(folder=key, generation=3, cause="crm", waited=50))
    mailboxes.trouble = None
    worker._work(Job(folder=key, generation=4, cause="interval", waited=5))
    worker._work(Job(folder=key, generation=5, cause="interval", waited=5))
    took = [None if each.took is None else round(each.took / 10) for each in scene.visits]
    assert took == [None, 10, None, 5, None], "what failed goes on to wait"


def test_a_complete_listing_is_made_in_its_time() -> None:
    seen: list[bool] = []
    genuine: Callable[..., Any] = sync

    def spy(accord: Any, links: Any, options: Any, progress: Any) -> Any:
        seen.append(options.full)
        return genuine(accord, links, options, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "sync", spy)
        with Scene(World("alice"), RunSettings(interval=0.2, poll=0.2, full=0.5, workers=1)):
            assert until(lambda: True in seen, SOON)
    assert seen[0] is False


def test_a_complete_listing_that_failed_is_made_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, bool]] = []
    genuine: Callable[..., Any] = sync
    world = World("alice")
    mailboxes = Watchable(world.groupware)

    def spy(accord: Any, links: Any, options: Any, progress: Any) -> Any:
        mailboxes.trouble = Retry("busy", after=0.05) if options.full and not seen else None
        reports = genuine(accord, links, options, progress)
        if options.full or seen:
            seen.append((options.full, bool(reports[0].error)))
        return reports

    monkeypatch.setattr(running, "_FIRST_REST", 0.05)
    monkeypatch.setattr(running, "sync", spy)
    with Scene(world, PATIENT, mailboxes) as scene:
        assert scene.settled()
        (key,) = scene.run._roster.posts
        scene.run._queue.ask(key, "interval", full=True)
        assert until(lambda: len(seen) == 2, SOON)
    assert seen == [(True, True), (True, False)]


def test_where_every_login_is_refused_the_account_is_left_alone() -> None:
    users = [f"user{number}" for number in range(12)]
    world = World(*users)
    mailboxes = Watchable(world.groupware)
    mailboxes.trouble = AuthFailed("no")
    settings = RunSettings(interval=3600, poll=3600, feed=0.05, workers=1)
    with Scene(world, settings, mailboxes) as scene:
        assert until(lambda: len(mailboxes.opened) == 5 and scene.run.idle, SOON)
        for user in users:
            world.person(user).add(event("one"))
        assert until(lambda: scene.run.idle, SOON)
    assert len(mailboxes.opened) == 5


def test_users_who_left_the_crm_keep_nobody_from_signing_in_at_the_mail_server() -> None:
    """Nobody has shown a password there: only logins that the server itself refuses count."""
    left = [f"user{number}" for number in range(8)]
    world = World(*left, "stays")
    for user in left:
        world.crm.lock_user(user)
    settings = RunSettings(interval=3600, poll=3600, feed=0.05, workers=1)
    with Scene(world, settings) as scene:
        assert until(lambda: len(scene.run._failures) == len(left) and scene.run.idle, SOON)
        assert scene.run._queue.circuits() == []
        world.person("stays").add(event("one"))
        assert until(lambda: world.titles("stays") == (["one"], ["one"]), SOON)


def test_refused_logins_are_counted_for_all_processes_together() -> None:
    users = [f"user{number}" for number in range(9)]
    world = World(*users)
    world.sync(*users)
    scene = Scene(world)
    scene.mailboxes.trouble = AuthFailed("no")
    workers = [Run(scene.accord, PATIENT, scene._hear, MemoryQueue(), [Part.WORKER]) for _ in "ab"]
    shared = MemoryQueue()
    for each in workers:
        each._look()
        each._queue = shared
    keys = iter(workers[0]._roster.posts)

    def visit(worker: Run) -> float:
        return worker._work(Job(folder=next(keys), generation=1, cause="hint"))

    for number in (0, 0, 1, 1, 0):
        visit(workers[number])
    assert len(scene.mailboxes.opened) == 5
    assert [visit(each) for each in workers] == [pytest.approx(3600, abs=5)] * 2
    assert len(scene.mailboxes.opened) == 5, "either leaves the account alone"
    with world.state.begin() as tx:
        target = tx.targets.get("t")
        assert target is not None
        tx.targets.put(replace(target, name="with another password"))
    for each in workers:
        each._look()
    scene.mailboxes.trouble = None
    for each in workers:
        assert visit(each) == 0
    assert len(scene.mailboxes.opened) == 7


def test_what_one_answer_asks_keeps_that_mailbox_waiting_and_not_all_for_a_day() -> None:
    world = World("alice")
    world.sync("alice")
    scene = Scene(world)
    scene.mailboxes.trouble = Told("busy", after=86_400, everybody=True)
    worker = Run(scene.accord, PATIENT, scene._hear, MemoryQueue(), [Part.WORKER])
    worker._look()
    worker._queue = MemoryQueue()
    (key,) = worker._roster.posts
    assert worker._work(Job(folder=key, generation=1, cause="hint")) == 86_400
    (circuit,) = worker._queue.circuits()
    assert 500 < circuit.after <= circuits.LONGEST


def test_a_refusal_that_locks_no_account_is_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World("alice")
    mailboxes = Watchable(world.groupware)
    mailboxes.trouble = AuthFailed("its clock is wrong", after=0.05)
    monkeypatch.setattr(running, "_FIRST_REST", 0.05)
    settings = RunSettings(interval=3600, poll=3600, feed=0.05, workers=1)
    with Scene(world, settings, mailboxes):
        assert until(lambda: len(mailboxes.opened) >= 3, SOON)
        mailboxes.trouble = None
        world.person().add(event("one"))
        assert until(lambda: world.titles() == (["one"], ["one"]), SOON)


def test_a_hint_by_the_name_that_a_folder_had_before_is_not_lost() -> None:
    world = World("alice")
    scene = Scene(world)
    listener = listener_of(scene)
    listener._look()
    (before,) = listener._roster.posts
    world.sync()
    # The feed may know the names of before while those of now are taken in.
    listener._take(read(scene.accord))
    (now,) = listener._roster.posts
    assert now != before
    listener._queue = MemoryQueue()
    listener._hear(before, "crm", Urgency.EDIT)
    assert [entry.folder for entry in listener._queue.entries(*Stage)] == [now]
    listener._ears.close()


# several processes


def listener_of(scene: Scene, settings: RunSettings = PATIENT) -> Run:
    """A listener beside the scene, which looks when a test has it look."""
    return Run(scene.accord, settings, scene._hear, MemoryQueue(), [Part.LISTENER])


def test_a_target_that_no_one_can_watch_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, faults: list[str]
) -> None:
    world = World("alice")
    mailboxes = Watchable(world.groupware)

    def broken() -> FakeWatch:
        raise ZeroDivisionError

    monkeypatch.setattr(mailboxes, "watch", broken)
    with Scene(world, RunSettings(interval=3600, poll=3600, feed=0.05), mailboxes) as scene:
        assert until(lambda: scene.causes() == ["start"], SOON)
        world.person("alice").add(event("from the CRM"))
        assert scene.both(["from the CRM"])
        assert len(faults) == 1, "it is left alone for a while"


def test_a_listener_asks_for_what_it_does_not_hear_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    scene = Scene(world)
    listener = listener_of(scene)
    asked = Counter[str]()
    ask = listener._queue.ask

    def counted(folder: str, cause: str, **options: Any) -> None:
        asked[cause] += 1
        ask(folder, cause, **options)

    monkeypatch.setattr(listener._queue, "ask", counted)
    for _ in range(5):
        listener._look()
        listener._ways.tell()
    assert asked == {"start": 2}
    # What is heard of no more is visited sooner than was planned.
    scene.watch.state = Way(name="poll", why="no more")
    for _ in range(5):
        listener._look()
        listener._ways.tell()
    assert asked == {"start": 2, "interval": 2}
    listener._ears.close()


def test_a_look_where_nothing_has_changed_touches_no_mailbox(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    scene = Scene(world)
    both = Run(scene.accord, PATIENT, scene._hear, MemoryQueue())
    both._look()
    both._ways.tell()
    assert [each["ways"] for each in both.streams().values()] == [{"streaming": 2}]
    touched: list[str] = []

    class Untouched(dict[str, Any]):
        def __getattribute__(self, name: str) -> Any:
            touched.append(name)
            return super().__getattribute__(name)

        def __iter__(self) -> Iterator[str]:
            touched.append("iter")
            return super().__iter__()

    def has(target: str, principal: str) -> bool:
        touched.append(principal)
        return True

    def ways() -> Mapping[str, Way]:
        touched.append("ways")
        return {}

    with monkeypatch.context() as patch:
        patch.setattr(both._roster, "posts", Untouched(both._roster.posts))
        patch.setattr(both._shares, "has", has)
        patch.setattr(scene.watch, "ways", ways)
        for _ in range(3):
            both._look()
            both._ways.tell()
            both.streams()
        assert touched == []
    first, *others = scene.watch.given
    assert len(others) == 3
    assert all(each is first for each in others), "a watch sees by that that nothing has changed"
    # What changes is seen all the same: who is there, how they are watched, whose share they are.
    scene.watch.state = Way(name="poll")
    both._ways.tell()
    assert [each["ways"] for each in both.streams().values()] == [{"poll": 2}]
    world.change_link("bob", paused=True)
    both._look()
    assert [each.principal for each in scene.watch.covered] == ["alice@x.test"]
    monkeypatch.setattr(both._shares, "has", lambda *_: False)
    both._look()
    assert scene.watch.covered != []
    both._shares.changes += 1
    both._look()
    assert scene.watch.covered == []
    both._ears.close()


def test_many_links_are_read_the_more_seldom_the_longer_that_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    listener = listener_of(Scene(world))
    listener._look()
    clock = {"used": 0.0, "now": 1_000_000.0}
    reads: list[float] = []

    def slow(accord: Accord, before: Roster) -> Roster:
        reads.append(clock["now"] - 1_000_000)
        clock["used"] += 0.040
        return read(accord, before)

    monkeypatch.setattr(running, "read", slow)
    times = {"thread_time": lambda: clock["used"], "monotonic": lambda: clock["now"]}
    monkeypatch.setattr(running, "time", SimpleNamespace(**times))

    def look(seconds: int) -> list[float]:
        reads.clear()
        for _ in range(seconds):
            listener._look(sparing=True)
            clock["now"] += 1
        return [when - reads[0] for when in reads]

    assert look(21) == [0, 10, 20], "a 250th of the time"
    world.change_link("bob", paused=True)
    assert look(22)[1:] == [1, 11], "what has changed is soon followed by more"
    # Who needs to know it now doesn't wait.
    clock["now"] += 1
    reads.clear()
    listener._look()
    listener._look()
    assert len(reads) == 2
    monkeypatch.setattr(running, "READING", 0.0001)
    listener._look()
    clock["now"] += running.SELDOM
    assert look(62) == [0, running.SELDOM, 2 * running.SELDOM], "but never too seldom"
    listener._ears.close()


def test_after_a_visit_nobody_but_the_visited_is_asked_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    scene = Scene(world)
    both = Run(scene.accord, PATIENT, scene._hear, MemoryQueue())
    both._look()
    asked: list[str] = []

    def way(principal: str) -> Way:
        asked.append(principal)
        return Way(name="streaming")

    def ways() -> Mapping[str, Way]:
        raise AssertionError

    monkeypatch.setattr(scene.watch, "ways", ways)
    monkeypatch.setattr(scene.watch, "way", way)
    (key,) = [key for key, post in both._roster.posts.items() if post.links[0].id == "bob"]
    both._work(Job(folder=key, generation=1, cause="hint"))
    assert asked == ["bob@x.test"]
    both._ears.close()


def test_the_next_visit_is_planned_by_the_name_that_a_folder_has_since_the_first() -> None:
    world = World("alice", "bob")
    scene = Scene(world)
    both = Run(scene.accord, PATIENT, scene._hear, MemoryQueue())
    both._look()
    first = list(both._roster.posts)
    both._queue = MemoryQueue()
    for key in first:
        both._work(Job(folder=key, generation=1, cause="start"))
    planned = {entry.folder for entry in both._queue.entries(Stage.PLANNED)}
    both._look()
    assert planned == set(both._roster.posts)
    assert planned.isdisjoint(first), "whose visits would each have to look for the links"
    both._ears.close()


def test_whoever_visits_knows_whom_another_process_hears_of() -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    scene = Scene(world)
    settings = RunSettings(interval=3000, poll=60)
    listener = listener_of(scene, settings)
    worker = Run(scene.accord, settings, scene._hear, MemoryQueue(), [Part.WORKER])
    listener._presence.begin()
    listener._look()
    scene.watch.covered = [each for each in scene.watch.covered if "alice" in each.principal]
    listener._ways.tell()
    assert _next_visits(worker) == {"alice": 3000, "bob": 60}
    listener._ears.close()
    listener._presence.close()
    worker._look()
    assert _next_visits(worker) == {"alice": 60, "bob": 60}, "nobody hears of anybody"


def test_who_was_taken_for_gone_and_is_not_is_heard_of_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running, "NOTED", 0.05)
    world = World("alice", "bob")
    with Scene(world) as scene:
        assert scene.settled("alice", "bob")

        def noted() -> dict[str, str]:
            with world.state.read() as tx:
                return {each.principal: each.process for each in tx.watches.all()}

        me = scene.run._presence.name
        assert until(lambda: noted() == {"alice@x.test": me, "bob@x.test": me}, SOON)
        with world.state.begin() as tx:
            tx.processes.leave(me)
            other = WatchedRow(target="t", principal="bob@x.test", way="streaming")
            tx.watches.put("another", [other])
        assert until(lambda: noted().get("alice@x.test") == me, SOON)
        assert noted()["bob@x.test"] == "another", "who hears of somebody by now does"


def _next_visits(worker: Run) -> dict[str, float]:
    """Have everybody visited; return after how many seconds each is visited again."""
    worker._look()
    found: dict[str, float] = {}
    for key, post in worker._roster.posts.items():
        queue = worker._queue = MemoryQueue()
        worker._work(Job(folder=key, generation=1, cause="hint"))
        (entry,) = queue.entries(*Stage)
        found[post.links[0].id] = round(entry.since / 10) * 10
    return found


# targets in trouble


def test_where_a_target_is_down_few_ask_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_FIRST_REST", 0.05)
    monkeypatch.setattr(running, "_LONGEST_REST", 0.05)
    monkeypatch.setattr(circuits, "FIRST", 0.5)
    monkeypatch.setattr(circuits, "LONGEST", 0.5)
    users = [f"user{number}" for number in range(12)]
    world = World(*users)
    mailboxes = Watchable(world.groupware)
    mailboxes.trouble = Retry("it can't be reached", after=0.05, everybody=True)
    settings = RunSettings(interval=3600, poll=3600, feed=0.05, workers=1)
    with Scene(world, settings, mailboxes) as scene:
        assert until(lambda: scene.run._queue.circuits() != [], SOON)

        def current() -> Current:
            (circuit,) = scene.run._queue.circuits()
            return circuit.current

        assert until(lambda: current() is Current.OPEN, SOON)
        assert len(mailboxes.opened) == TROUBLES
        assert until(lambda: len(mailboxes.opened) >= TROUBLES + 2, SOON), "one tries, and one more"
        mailboxes.trouble = None
        for user in users:
            world.person(user).add(event("one"))
        assert until(lambda: scene.run._queue.circuits() == [], SOON)
        assert all(scene.both(["one"], user) for user in users)


def test_patience_that_a_target_asks_of_everybody_is_everybodys() -> None:
    world = World("alice", "bob")
    mailboxes = Watchable(world.groupware)
    mailboxes.trouble = Told("busy", after=3000, everybody=True)
    settings = RunSettings(interval=3600, poll=3600, feed=0.05, workers=1)
    with Scene(world, settings, mailboxes) as scene:
        assert until(lambda: bool(scene.run._queue.circuits()), SOON)
        (circuit,) = scene.run._queue.circuits()
        assert 400 < circuit.after <= circuits.LONGEST, "but only for so long"
        assert len(mailboxes.opened) == 1
        assert until(lambda: 2000 < _until_visited(scene, mailboxes.opened[0]) <= 3000, SOON)


def _until_visited(scene: Scene, principal: str) -> float:
    """Return in how many seconds a mailbox is to be visited, 0 if it isn't."""
    entries = scene.run._queue.entries(*Stage)
    return next((entry.since for entry in entries if principal in entry.folder), 0.0)


def test_a_target_whose_settings_were_changed_is_visited_at_once() -> None:
    world = World("alice")
    mailboxes = Watchable(world.groupware)
    mailboxes.trouble = Told("busy", after=500, everybody=True)
    with Scene(world, PATIENT, mailboxes) as scene:
        assert until(lambda: bool(scene.run._queue.circuits()), SOON)
        mailboxes.trouble = None
        world.person().add(event("one"))
        with world.state.begin() as tx:
            target = tx.targets.get("t")
            assert target is not None
            tx.targets.put(msgspec.structs.replace(target, settings={"x": 1}))
        assert scene.both(["one"])
        assert scene.run._queue.circuits() == []


def test_what_one_mailbox_meets_is_its_own() -> None:
    users = [f"user{number}" for number in range(2 * TROUBLES)]
    world = World(*users)
    mailboxes = Watchable(world.groupware)
    mailboxes.trouble = Told("this mailbox is busy", after=3000)
    with Scene(world, PATIENT, mailboxes) as scene:
        assert until(lambda: len(mailboxes.opened) == len(users), SOON)
        assert scene.run._queue.circuits() == []


def test_what_a_target_allows_holds_for_all_processes_together() -> None:
    world = World("alice", "bob", "carol")
    world.sync("alice", "bob", "carol")
    shares: list[int] = []

    class Small(Watchable):
        visits = 1

        def share(self, processes: int) -> None:
            shares.append(processes)

    mailboxes = Small(world.groupware)
    mailboxes.gate = threading.Event()
    with Scene(world, PATIENT, mailboxes):
        assert until(lambda: len(mailboxes.opened) == 1, SOON)
        with world.state.begin() as tx:
            name = "other-machine:boot:pid/1/x"
            other = Process(name=name, parts=frozenset(["worker"]), since=world.clock())
            tx.processes.live(other)
        assert until(lambda: shares[-1:] == [2], SOON)
        assert len(mailboxes.opened) == 1
        mailboxes.gate.set()
        assert until(lambda: len(mailboxes.opened) == 3, SOON)
