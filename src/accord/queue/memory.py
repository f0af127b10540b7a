"""The queue of one process that forgets everything in its end; for tests, and to try things."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from accord.ports.errors import Busy
from accord.ports.fault import contained
from accord.ports.queue import FAULTS, SETTLE, Circuit, Entry, Job, Stage, Urgency, Work
from accord.queue.backoff import backoff
from accord.queue.circuits import Standing
from accord.queue.handed import TURNS


class _Plan(Struct, eq=False):
    """Be what is planned for a folder."""

    due: float
    urgency: Urgency
    cause: str
    full: bool


class _Folder(Struct, eq=False):
    """Be what is known of a folder; `began` is the last run's, `place` where the folder is."""

    place: str = ""
    plan: _Plan | None = None
    rest: float = 0.0
    running: Job | None = None
    generation: int = 1
    began: float | None = None
    faults: int = 0
    buried: str = ""
    changed: float = 0.0


class MemoryQueue:
    """Hold what is planned in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing planned."""
        self._clock = clock
        self._changed = threading.Condition()
        self._folders: dict[str, _Folder] = {}
        self._threads: list[threading.Thread] = []
        self._workers = 1
        self._limits: Mapping[str, int] = {}
        self._troubled: dict[str, Standing] = {}
        self._turn = 1
        self._ended = False

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
        with self._changed:
            due = self._clock() + after
            known = self._folders.setdefault(folder, _Folder())
            known.place = place
            plan = known.plan
            if plan is None:
                known.plan = _Plan(due, urgency, cause, full)
            else:
                plan.full |= full
                plan.urgency = min(plan.urgency, urgency)
                if due < plan.due:
                    plan.due, plan.cause = due, cause
            self._changed.notify()

    def wake(self, folder: str) -> None:
        """Let a folder be left alone no longer."""
        with self._changed:
            if folder in self._folders:
                self._folders[folder].rest = 0.0
            self._changed.notify()

    def limit(self, limits: Mapping[str, int]) -> None:
        """Let so many runs at most be under way at once in these places."""
        with self._changed:
            self._limits = dict(limits)
            self._changed.notify_all()

    def trouble(self, place: str, who: str, why: str, *, after: float = 0.0) -> None:
        """Note that a place itself failed, as one mailbox met it."""
        with self._changed:
            known = self._troubled.get(place, Standing())
            self._troubled[place] = known.failed(who, why, after, self._clock())

    def well(self, place: str) -> None:
        """Note that a place answered."""
        with self._changed:
            known = self._troubled.get(place)
            if known is not None and known.heals(self._clock()):
                del self._troubled[place]
                self._changed.notify_all()

    def rest(self, place: str) -> float:
        """Return for how many seconds a place is left alone from now."""
        with self._changed:
            return self._troubled.get(place, Standing()).left(self._clock())

    def mended(self, place: str) -> None:
        """Forget what was wrong with a place."""
        with self._changed:
            self._troubled.pop(place, None)
            self._changed.notify_all()

    def circuits(self) -> list[Circuit]:
        """Return the places with which something is wrong."""
        with self._changed:
            now = self._clock()
            return [each.shown(place, now) for place, each in sorted(self._troubled.items())]

    def serve(self, work: Work, workers: int) -> None:
        """Have runs done from now on."""
        self._workers = workers
        self._threads = [
            threading.Thread(target=self._work, args=(work,), name=f"visits-{n}", daemon=True)
            for n in range(workers)
        ]
        for each in self._threads:
            each.start()

    def close(self) -> None:
        """Begin nothing more and return when what is under way has ended."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for each in self._threads:
            each.join()

    def entries(self, *stages: Stage) -> list[Entry]:
        """Return the folders at these stages, longest waiting first."""
        wanted = stages or tuple(stage for stage in Stage if stage is not Stage.PLANNED)
        with self._changed:
            found = [self._entry(name, each) for name, each in self._folders.items()]
        some = [entry for entry in found if entry is not None and entry.stage in wanted]
        return sorted(some, key=lambda entry: (entry.since, entry.folder))

    def revive(self, folders: Sequence[str] = ()) -> list[str]:
        """Visit buried folders again; return which were."""
        with self._changed:
            names = [
                name
                for name, each in self._folders.items()
                if each.buried and (not folders or name in folders)
            ]
            for name in names:
                each = self._folders[name]
                each.buried, each.faults, each.rest = "", 0, 0.0
                each.plan = _Plan(self._clock(), Urgency.EDIT, "revived", False)
            self._changed.notify_all()
            return sorted(names)

    def forget(self, gone: Callable[[str], bool]) -> int:
        """Let go of folders that are `gone`, but for runs under way; return how many there were."""
        with self._changed:
            some = [k for k, each in self._folders.items() if each.running is None and gone(k)]
            for name in some:
                del self._folders[name]
        return len(some)

    @property
    def idle(self) -> bool:
        """Tell whether nothing is under way and nothing to be done now."""
        with self._changed:
            now = self._clock()
            return not any(
                each.running is not None
                or (each.plan is not None and each.plan.due <= now and not each.buried)
                for each in self._folders.values()
            )

    # workers

    def _work(self, work: Work) -> None:
        while (job := self.take()) is not None:
            try:
                rest = work(job)
            except Busy:
                self.done(job)
            except Exception as error:  # noqa: BLE001 (the edge: the others are visited)
                self.done(job, why=str(contained(error, f"visiting {job.folder}")))
            else:
                self.done(job, rest=rest)

    def take(self) -> Job | None:
        """Wait for a run that is due and return it; None once the queue is closed."""
        with self._changed:
            while not self._ended:
                found, wait = self.next()
                if found is not None:
                    return self._begin(found)
                self._changed.wait(wait)
            return None

    def done(self, job: Job, *, rest: float = 0.0, why: str = "") -> None:
        """End a run, as it should end or by a fault."""
        with self._changed:
            now = self._clock()
            known = self._folders[job.folder]
            known.running = None
            known.faults = known.faults + 1 if why else 0
            known.rest = now + (backoff(known.faults) if why else rest)
            if known.faults >= FAULTS:
                known.buried, known.changed = why, now
            elif why and known.plan is None:
                known.plan = _Plan(now, Urgency.DUE, job.cause, job.full)
            elif why and known.plan is not None:
                known.plan.full |= job.full
            self._changed.notify_all()

    def _begin(self, name: str) -> Job:
        known, now = self._folders[name], self._clock()
        plan = known.plan
        assert plan is not None
        last = None if known.began is None else now - known.began
        job = Job(
            folder=name,
            generation=known.generation,
            cause=plan.cause,
            full=plan.full,
            last=last,
            waited=max(now - plan.due, 0.0),
        )
        known.plan, known.running, known.began = None, job, now
        known.generation += 1
        self._turn = (self._turn + 1) % TURNS
        return job

    def next(self) -> tuple[str | None, float | None]:
        """Return what to visit now, or None and how long to wait."""
        now = self._clock()
        under_way = Counter(f.place for f in self._folders.values() if f.running is not None)
        most = room(self._workers, {f.place for f in self._folders.values()})
        best: tuple[int, float, str] | None = None
        soonest: float | None = None
        for name, each in self._folders.items():
            plan = each.plan
            if plan is None or each.running is not None or each.buried:
                continue
            if self._room(each.place, under_way[each.place], most) <= 0:
                until = self._reopened(each.place)
                soonest = until if soonest is None else min(soonest, until or soonest)
                continue
            due = max(plan.due, each.rest)
            if due > now:
                soonest = due if soonest is None else min(soonest, due)
                continue
            # Each fourth one is whoever waits longest.
            rank = (plan.urgency if self._turn else 0, due, name)
            best = rank if best is None else min(best, rank)
        if best is not None:
            return best[2], None
        return None, None if soonest is None else soonest - now

    def _room(self, place: str, under_way: int, most: int) -> int:
        most = min(most, self._limits.get(place, most))
        standing = self._troubled.get(place, Standing())
        return standing.room(under_way, most, self._clock())

    def _reopened(self, place: str) -> float | None:
        """Return when a place that is left alone may be tried again."""
        until = self._troubled.get(place, Standing()).until
        return until if until is not None and until > self._clock() else None

    def _entry(self, name: str, each: _Folder) -> Entry | None:
        now, plan = self._clock(), each.plan
        if each.buried:
            since = each.changed - now
            return Entry(
                folder=name,
                stage=Stage.BURIED,
                cause="",
                since=since,
                attempts=each.faults,
                why=each.buried,
            )
        if each.running is not None and each.began is not None:
            since = each.began - now
            cause = each.running.cause
            return Entry(folder=name, stage=Stage.RUNNING, cause=cause, since=since, attempts=1)
        if plan is None:
            return None
        due = max(plan.due, each.rest)
        stage = Stage.WAITING if due <= now else Stage.PLANNED
        return Entry(
            folder=name, stage=stage, cause=plan.cause, since=due - now, urgency=int(plan.urgency)
        )


def room(workers: int, places: set[str]) -> int:
    """Return how many workers one place may take: all but one where there are others."""
    return workers if len(places) < 2 else max(workers - 1, 1)
