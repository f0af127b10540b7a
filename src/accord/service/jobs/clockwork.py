"""The clockwork of `accord run`: has jobs done when they are due, each in a thread of its own.

`service.run` asks it to look every few seconds, and to hear of news every second; several processes
may, and one of them does a job.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from accord.ports.errors import AccordError
from accord.ports.fault import contained
from accord.ports.queue import Queue
from accord.service.accord import Accord
from accord.service.config import Config
from accord.service.jobs.catalogue import JOBS
from accord.service.jobs.job import Job, Stopped
from accord.service.jobs.running import Tell, run_job
from accord.service.jobs.standing import LEASE, has_news, is_due, schedule_of, version_of
from accord.state.jobs import JobRow
from accord.state.leases import LeaseLost
from accord.state.state import Tx


class Clockwork:
    """Have jobs done that are due."""

    def __init__(self, accord: Accord, config: Config, queue: Queue, tell: Tell) -> None:
        """Prepare; `tell` hears what came of each job, in the job's thread."""
        self._accord, self._config, self._queue, self._tell = accord, config, queue, tell
        self._stopped = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._heard: dict[str, str] = {}
        self._settled: dict[str, str] = {}

    def look(self) -> None:
        """Begin what is due; whoever takes a job's lease does it, the others find it taken."""
        accord, now = self._accord, self._accord.clock()
        with accord.state.read() as tx:
            rows = {name: row for name, row in tx.jobs.all().items() if name in JOBS}
        missing = [_planned(name, now) for name in JOBS if name not in rows]
        changed = [later for row in rows.values() if (later := _mended(row, now)) != row]
        if missing or changed:
            accord.state.run(lambda tx: _store(tx, missing, changed))
        for row in (*rows.values(), *missing):
            if is_due(row, now):
                self._begin(row.name)

    def hear(self) -> None:
        """Begin what goes by something that is another since it last began.

        Only once it is the same as when this was called before: many changes, one after the
        other, make one run.
        """
        for job in JOBS.values():
            version = version_of(self._accord, job) if job.version is not None else None
            if version is None or version == self._settled.get(job.name):
                continue
            if version == self._heard.get(job.name):
                self._hear_of(job, version)
            self._heard[job.name] = version

    def _hear_of(self, job: Job, version: str) -> None:
        """Begin a job that has news, unless it is being done, or switched off."""
        with self._accord.state.read() as tx:
            news = has_news(tx, job, version)
            row = tx.jobs.all().get(job.name)
            busy = tx.leases.held(LEASE + job.name)
        if not news:
            self._settled[job.name] = version
        elif row is not None and row.enabled and not busy:
            self._begin(job.name)

    def close(self) -> None:
        """Let what is under way end at its next step, and return when it has."""
        self._stopped.set()
        for thread in self._threads.values():
            thread.join()

    def _begin(self, name: str) -> None:
        running = self._threads.get(name)
        if self._stopped.is_set() or (running is not None and running.is_alive()):
            return
        # Daemons: a second signal ends the process, whatever hangs in them.
        thread = threading.Thread(target=self._do, args=(name,), name=f"job-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()

    def _do(self, name: str) -> None:
        given = (self._accord, self._config, self._queue, name)
        try:
            outcome = run_job(*given, due=True, stopped=self._stopped)
        except (Stopped, LeaseLost):
            return
        except AccordError as error:
            contained(error, f"doing {name}")
            return
        except Exception as error:  # noqa: BLE001 (the edge: it is due again)
            contained(error, f"doing {name}")
            return
        if outcome is not None:
            self._tell(name, outcome)


def _planned(name: str, now: datetime) -> JobRow:
    """Return the row of a job that has none: switched as it comes, and due for the first time."""
    job = JOBS[name]
    row = JobRow(name=name, enabled=job.enabled)
    return replace(row, due=schedule_of(job, row).first(now)) if job.enabled else row


def _mended(row: JobRow, now: datetime) -> JobRow:
    """Return a row that isn't due later than it can be: a clock that was wrong may have said so."""
    if not row.enabled or row.due is None:
        return row
    return replace(row, due=schedule_of(JOBS[row.name], row).sooner(row.due, now))


def _store(tx: Tx, missing: Sequence[JobRow], changed: Sequence[JobRow]) -> None:
    tx.jobs.add(missing)
    for row in changed:
        now = tx.jobs.get(row.name)
        if now is not None and now.enabled:
            tx.jobs.put(replace(now, due=row.due))
