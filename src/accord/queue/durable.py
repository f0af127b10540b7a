"""The queue that survives its processes and divides the work among them, on machines as many.

Reading order: `ask` → `_feed` → (DBOS) → `_claimed` → `_work`. What is planned stands in tables
of our own (`folders`); what is to begin soon is handed to DBOS (`engine`), which gives each run to
one process, and one run of a folder at a time. Whoever only asks or looks needs no DBOS.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from accord.db import Database, migrate, open_database
from accord.ports.errors import Busy
from accord.ports.fault import contained
from accord.ports.queue import SETTLE, Circuit, Entry, Job, Stage, Urgency, Work
from accord.queue import connections
from accord.queue.admission import Admission
from accord.queue.clock import SharedClock, since_start
from accord.queue.executors import LIFE, Executors
from accord.queue.folders import GONE, Admitted, Folders, key_of
from accord.queue.handed import Claimed, Handed
from accord.queue.places import Places
from accord.state.holder import myself

if TYPE_CHECKING:
    from accord.queue.engine import Engine

_log = logging.getLogger("accord.queue.durable")

LOOK = 0.25
"""Seconds between two looks at what others have asked for."""

_BREATH = 0.02
_WATCH = 2.0
_TIDY = 30.0
_FORGET = 3_600.0
_STALE = 60.0
_OVERDUE = 1.0
"""Seconds after which an idle process begins what another one has claimed and not begun."""

_SWEEPS = 5


class DurableQueue:
    """Hold what is planned in a database."""

    def __init__(self, url: str, clock: Callable[[], float] | None = None) -> None:
        """Open the database and make its tables; raises ConfigError.

        `clock` tells seconds since 1970, by default as all processes do that share the database.
        """
        self._database: Database = open_database(url, connections.OWN)
        migrate(self._database, "accord.queue")
        # Without the driver, of which DBOS has its own; whatever the address called the kind.
        plain = self._database.engine.url.set(drivername=self._database.dialect)
        self._url = plain.render_as_string(hide_password=False)
        self._clock = clock = clock or SharedClock(self._database)
        self._folders = Folders(self._database, clock)
        self._admission = Admission(self._database, clock)
        self._places = Places(self._database, clock)
        self._executors = Executors(self._database, clock)
        self._me = myself()
        self._engine: Engine | None = None
        self._workers = 0
        self._handed = Handed()
        self._nudge = threading.Event()
        self._ending = threading.Event()
        self._open: dict[threading.Event, Admitted] = {}
        self._begun: set[Admitted] = set()
        self._mended: set[Admitted] = set()
        self._lived: float | None = None
        self._judging = 0.0
        self._nobodys: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._working: list[threading.Thread] = []
        self._closed = False

    def ask(
        self,
        folder: str,
        cause: str,
        *,
        place: str = "",
        after: float = SETTLE,
        urgency: Urgency = Urgency.EDIT,
        full: bool = False,
    ) -> None:
        """Plan a run in so many seconds; one that is planned sooner stands."""
        # To hand it over takes as long as what belongs together needs to arrive together.
        after = after if after > SETTLE else min(after, 0.0)
        self._folders.ask(folder, cause, place, after, urgency, full=full)
        self._admission.know(place)
        self._handed.hurry(key_of(folder), int(urgency))
        self._nudge.set()

    def wake(self, folder: str) -> None:
        """Let a folder be left alone no longer."""
        self._folders.wake(folder)
        self._nudge.set()

    def entries(self, *stages: Stage) -> list[Entry]:
        """Return the folders at these stages, longest waiting first."""
        return self._folders.entries(stages or (Stage.WAITING, Stage.RUNNING, Stage.BURIED))

    def limit(self, limits: Mapping[str, int]) -> None:
        """Let so many runs at most be under way at once in these places."""
        self._admission.limits = dict(limits)

    def trouble(self, place: str, who: str, why: str, *, after: float = 0.0) -> None:
        """Note that a place itself failed, as one mailbox met it."""
        new = self._places.trouble(place, who, why, after)
        self._admission.troubled = {**self._admission.troubled, place: new}

    def well(self, place: str) -> None:
        """Note that a place answered."""
        # Most answers come from places with which nothing is wrong: those cost nothing.
        if self._engine is None or place in self._admission.troubled:
            self._places.well(place)

    def rest(self, place: str) -> float:
        """Return for how many seconds a place is left alone; others' word of it takes a moment."""
        standing = self._admission.troubled.get(place)
        return 0.0 if standing is None else standing.left(self._clock())

    def mended(self, place: str) -> None:
        """Forget what was wrong with a place."""
        self._places.mended(place)
        others = {name: each for name, each in self._admission.troubled.items() if name != place}
        self._admission.troubled = others
        self._nudge.set()

    def circuits(self) -> list[Circuit]:
        """Return the places with which something is wrong."""
        return self._places.circuits()

    def revive(self, folders: Sequence[str] = ()) -> list[str]:
        """Visit buried folders again; return which were."""
        found = self._folders.revive(folders)
        self._nudge.set()
        return found

    def forget(self, gone: Callable[[str], bool]) -> int:
        """Let go of folders that are `gone`, but for runs under way; return how many there were."""
        return self._folders.drop(gone)

    @property
    def idle(self) -> bool:
        """Tell whether nothing is under way and nothing to be done now."""
        return self._folders.idle()

    # working

    def serve(self, work: Work, workers: int) -> None:
        """Have runs done from now on.

        Raises ConfigError where DBOS can't work here, and Retry where the database is away.
        """
        from accord.queue.engine import Engine

        self._workers = workers
        # Before anything is claimed: what is claimed by nobody who lives is taken over.
        self._executors.live(self._me, workers)
        self._lived = since_start()
        self._engine = Engine(self._url, self._me, workers, self._claimed)
        self._watch()
        # Daemons: a second signal ends the process, whatever hangs in them.
        self._working = [
            threading.Thread(target=self._work, args=(work,), name=f"visits-{n}", daemon=True)
            for n in range(workers)
        ]
        others = {"feeding": self._feeding, "watching": self._watching}
        self._threads = [
            threading.Thread(target=each, name=name, daemon=True) for name, each in others.items()
        ]
        for each in (*self._working, *self._threads):
            each.start()

    def close(self) -> None:
        """Begin nothing more and return when what is under way has ended."""
        if self._closed:
            return
        self._closed = True
        self._ending.set()
        self._nudge.set()
        if self._engine is not None:
            self._engine.rest()
        try:
            for each in self._threads:
                each.join()
            # Others begin it now, and not when the last run here has ended.
            self._let_go()
            self._handed.end()
            for each in self._working:
                self._outlive(each)
        except BaseException:
            # Somebody waits no longer; those who come after find what was under way.
            for over in list(self._open):
                over.set()
            raise
        if self._engine is not None:
            self._leave(self._engine)
        self._database.close()

    def _leave(self, engine: Engine) -> None:
        """Leave nothing under way, and be gone for the others at once if the database is there."""
        try:
            engine.stop()
            # Whose end could not be noted, for the database was away.
            self._folders.abandoned(self._me)
            self._executors.leave(self._me)
        except Exception as error:  # noqa: BLE001 (the edge: silence says it soon)
            _log.warning("queue.leave", extra={"why": str(contained(error, "leaving"))})

    def _outlive(self, worker: threading.Thread) -> None:
        """Wait until a worker has ended, and be known to live until then.

        Else others would begin what it is in the middle of, and take its end for a death.
        """
        worker.join(_WATCH)
        while worker.is_alive():
            try:
                self._executors.live(self._me, self._workers)
            except Exception as error:  # noqa: BLE001 (the edge: the database may come back)
                contained(error, "giving a sign of life")
            worker.join(_WATCH)

    def _let_go(self) -> None:
        """Give back what DBOS claimed and nobody has begun, for as long as the database is there.

        Where it is away each would wait for it anew, and the end of this process for all of them.
        """
        there = True
        for claimed in self._handed.rest():
            try:
                if there:
                    self._folders.take_back(Admitted(claimed.key, claimed.generation))
            except Exception as error:  # noqa: BLE001 (the edge: it is handed over anew later)
                there = False
                contained(error, "giving back a run")
            finally:
                claimed.over.set()

    def _claimed(self, key: str, generation: int, urgency: int) -> None:
        """Have a run done that DBOS gave to this process; called in its threads."""
        claimed = Claimed(key, generation, urgency, threading.Event())
        self._open[claimed.over] = Admitted(key, generation)
        self._handed.put(claimed)
        # In this order: what `close` doesn't find there any more is given back here.
        if self._ending.is_set():
            self._let_go()
        claimed.over.wait()
        self._open.pop(claimed.over, None)

    def _work(self, work: Work) -> None:
        while (claimed := self._handed.take()) is not None:
            try:
                self._do(work, claimed)
            except Exception as error:  # noqa: BLE001 (the edge: it is handed over anew)
                contained(error, "beginning a run")
            finally:
                claimed.over.set()
                self._nudge.set()

    def _do(self, work: Work, claimed: Claimed) -> None:
        if self._ending.is_set():
            self._folders.take_back(Admitted(claimed.key, claimed.generation))
            return
        mine = Admitted(claimed.key, claimed.generation)
        # Before it begins: `_heal` plans anew what stands as begun and isn't here.
        self._begun.add(mine)
        try:
            job = self._folders.begin(claimed.key, claimed.generation, self._me)
            if job is not None:
                self._carry_out(work, job)
        finally:
            self._begun.discard(mine)

    def _carry_out(self, work: Work, job: Job) -> None:
        rest, why, busy = 0.0, "", False
        try:
            rest = work(job)
        except Busy:
            busy = True
        except Exception as error:  # noqa: BLE001 (the edge: the others are visited)
            why = str(contained(error, f"visiting {job.folder}"))
        self._done(job, rest, why, busy=busy)

    def _done(self, job: Job, rest: float, why: str, *, busy: bool) -> None:
        """Note the end of a run, for as long as it takes: else nobody would begin the next."""
        pause = 0.1
        while True:
            try:
                self._folders.done(job, self._me, rest=rest, why=why, busy=busy)
                return
            except Exception as error:  # noqa: BLE001 (the edge: the database may come back)
                contained(error, "noting the end of a run")
            if self._ending.wait(pause):
                return
            pause = min(pause * 2, 5.0)

    # handing over

    def _feeding(self) -> None:
        while not self._ending.is_set():
            try:
                self._feed()
            except Exception as error:  # noqa: BLE001 (the edge: it is tried again soon)
                contained(error, "handing over what is due")
            self._nudge.wait(LOOK)
            self._nudge.clear()
            # What comes together is handed over together.
            self._ending.wait(_BREATH)

    def _feed(self) -> None:
        """Hand over what is due, and begin here what waits for others without need."""
        assert self._engine is not None
        processes, everybody = self._executors.present()
        some = self._admission.admit(max(everybody, self._workers), max(processes, 1))
        if some:
            # In this order: what was handed over twice is one job, what was not would be none.
            self._engine.enqueue(some)
            self._folders.admitted(some)
        if everybody > self._workers:
            self._help()

    def _help(self) -> None:
        """Begin what another process has claimed and is too busy to begin, if nobody here is busy.

        DBOS gave it away once; whoever begins it first has it, and the other one leaves it.
        """
        idle = self._workers - len(self._begun) - len(self._handed)
        for each in self._folders.waiting(_OVERDUE, idle) if idle > 0 else ():
            self._handed.put(Claimed(each.id, each.generation, each.urgency, threading.Event()))

    # watching

    def _watching(self) -> None:
        tidied = forgot = since_start()
        while not self._ending.wait(_WATCH):
            try:
                self._watch()
                if since_start() - tidied > _TIDY:
                    self._tidy()
                    tidied = since_start()
                if since_start() - forgot > _FORGET:
                    self._folders.forget()
                    forgot = since_start()
            except Exception as error:  # noqa: BLE001 (the edge: it is tried again soon)
                contained(error, "watching over the queue")

    def _watch(self) -> None:
        """Give a sign of life, and take upon us what those left who give none."""
        assert self._engine is not None
        taken = self._executors.live(self._me, self._workers)
        now = since_start()
        if self._lived is not None and now - self._lived > LIFE / 2:
            # The database was away, or this machine asleep: so it may have been for the others.
            self._judging = now + LIFE
        self._lived = now
        if taken:
            self._reclaim()
        for executor in self._executors.dead(self._me, silent=now >= self._judging):
            self._take_over(executor)
            self._executors.leave(executor)

    def _reclaim(self) -> None:
        """Take back what was taken from us, who aren't gone: nobody died of those runs."""
        some = set(self._begun)
        mended = self._folders.reclaim(self._me, some - self._mended)
        self._mended = (self._mended | mended) & some

    def _take_over(self, executor: str) -> None:
        assert self._engine is not None
        alive: Collection[str] = ()
        if not executor.startswith(GONE):
            self._folders.orphan(executor)
            alive = self._engine.revive(executor)
        self._folders.abandoned(GONE + executor.removeprefix(GONE), alive, died=True)

    def _tidy(self) -> None:
        """Look for what was lost on its way, and let go of what is over."""
        assert self._engine is not None
        stale = self._folders.stale(_STALE)
        for each in self._engine.lost(stale) if stale else ():
            self._folders.take_back(each)
        self._heal()
        # Not all at once: a sign of life is due meanwhile.
        for _ in range(_SWEEPS):
            if not self._engine.sweep() or self._ending.is_set():
                break

    def _heal(self) -> None:
        """Have done anew what stands as under way and isn't: the answer to a commit may get lost,
        or a sign of life, and nothing else would begin such a folder again.
        """
        assert self._engine is not None
        # In this order: whoever begins something gave a sign of life before.
        holders = self._folders.holders() | self._engine.holders()
        strangers = holders - self._executors.names() - {self._me}
        held = self._folders.held(self._me)
        self._folders.give_up(self._me, [each for each in held if each not in self._begun])
        claimed = self._engine.unknown(self._me, self._open.values())
        # Seen twice: DBOS may be about to begin it, or to note its end; who was taken for gone
        # gives the next sign of life soon.
        for each in strangers & self._nobodys:
            self._take_over(each)
        self._engine.put_back(claimed & self._nobodys)
        self._nobodys = strangers | claimed
