"""Do one job: once among all processes, in the name of a lease, with its result noted.

Reading order: `run_job` → `_begin` → the job → `_end`. A process that dies in the middle leaves
the job due. What a job meets is its result, and never more than that.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from accord.model.kinds import Kind, Side
from accord.ports.errors import Busy, ConfigError
from accord.ports.fault import contained
from accord.ports.queue import DEATHS, Queue
from accord.service.accord import Accord
from accord.service.config import Config
from accord.service.identity import MEANT, own_trouble
from accord.service.jobs.job import STOPPED, Ending, Job, Outcome, Stopped, Work
from accord.service.jobs.standing import (
    LEASE,
    begin_by,
    has_news,
    is_due,
    job_of,
    options_of,
    row_of,
    schedule_of,
    version_of,
)
from accord.service.visit import Progress
from accord.state.jobs import JobRow
from accord.state.leases import LeaseLost
from accord.state.records import Entry, Lease
from accord.state.state import Tx
from accord.state.taking import take

HELD = 120.0
"""Seconds after which another machine may take over a job whose process gives no sign of life."""

BEAT = 30.0
STEP = "job"
"""What the journal calls a job that did something."""

_log = logging.getLogger("accord.service.jobs")


class _Begun(Struct, frozen=True, kw_only=True):
    """Be a job that this process does now, and how it stood before.

    `wrong` is what is wrong with Accord's own database.
    """

    job: Job
    row: JobRow
    lease: Lease
    now: datetime
    wrong: str


def run_job(
    accord: Accord,
    config: Config,
    queue: Queue | None,
    name: str,
    *,
    dry: bool = False,
    by: str = "",
    due: bool = False,
    progress: Progress | None = None,
    stopped: threading.Event | None = None,
) -> Outcome | None:
    """Do a job now and return what came of it; with `dry` only what would.

    With `due` only if it is switched on and due, or has news, and None otherwise. Raises Busy while
    another process is at it, ConfigError for what is no job or has no plan, Stopped where it was
    stopped.
    """
    job = job_of(name)
    if dry:
        return _plan(accord, config, queue, job, progress)
    wrong = own_trouble(accord) or ""
    # Before it begins: what changes from now on is news for the next time.
    version = version_of(accord, job)
    begun = accord.state.run(lambda tx: _begin(tx, accord, job, wrong, version, due=due))
    if begun is None:
        return None
    try:
        with _kept(accord, begun) as lost:
            work = Work(
                accord,
                config,
                queue,
                options_of(job, begun.row),
                by=by,
                progress=progress,
                stopped=stopped,
                mark=begun.row.mark,
                keep=lambda mark: _mark(accord, begun, mark),
                fence=lambda: _renew(accord, begun),
                by_hand=not due,
            )
            work.lost = lost
            outcome = _do(work, job, wrong)
    except LeaseLost:
        _log.warning("job.lost", extra={"job": name})
        raise
    except Stopped:
        accord.state.run(lambda tx: _give_back(tx, begun, None))
        raise
    except BaseException:
        accord.state.run(lambda tx: _give_back(tx, begun, accord.clock()))
        raise
    accord.state.run(lambda tx: _end(tx, accord, begun, outcome, by))
    return outcome


def _plan(
    accord: Accord, config: Config, queue: Queue | None, job: Job, progress: Progress | None
) -> Outcome:
    if not job.plans:
        hint = "it harms nothing: leave out --plan"
        raise ConfigError(f"{job.name} has no plan to show", field="job", hint=hint)
    with accord.state.read() as tx:
        row = tx.jobs.all().get(job.name) or JobRow(name=job.name, enabled=job.enabled)
    options = options_of(job, row)
    return job.do(Work(accord, config, queue, options, dry=True, progress=progress))


def _begin(
    tx: Tx, accord: Accord, job: Job, wrong: str, version: str | None, *, due: bool
) -> _Begun | None:
    """Take the job's lease and note that it begins; None where it isn't due, or kills whoever
    does it."""
    now = accord.clock()
    row = row_of(tx, job)
    if due and not is_due(row, now) and not (row.enabled and has_news(tx, job, version)):
        return None
    lease = take(tx.leases, LEASE + job.name, HELD)
    if lease is None:
        if due:
            return None
        raise Busy(f"another process is doing {job.name}", after=HELD)
    begin_by(tx, job, version)
    if due and row.attempts >= DEATHS:
        words = f"{row.attempts} processes ended in the middle of it, one after the other"
        later = schedule_of(job, row).next(now, now)
        ended = {"ended": now, "ending": Ending.CUT_OFF.value, "attempts": 0, "due": later}
        hint = f"`accord jobs run {job.name}` tries again in the foreground"
        tx.jobs.put(replace(row, words=words, hint=hint, **ended))
        tx.leases.release(lease)
        return None
    begun = replace(row, started=now, ended=None, attempts=row.attempts + 1)
    tx.jobs.put(begun)
    return _Begun(job=job, row=row, lease=lease, now=now, wrong=wrong)


@contextmanager
def _kept(accord: Accord, begun: _Begun) -> Iterator[threading.Event]:
    """Keep the lease while the job goes on; the event says that it was lost."""
    over, lost = threading.Event(), threading.Event()

    def beat() -> None:
        while not over.wait(BEAT):
            try:
                _renew(accord, begun)
            except LeaseLost:
                lost.set()
                return
            except Exception as error:  # noqa: BLE001 (the edge: the database may come back)
                contained(error, f"keeping the lease of {begun.job.name}")

    thread = threading.Thread(target=beat, name=f"job-{begun.job.name}-beat", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        over.set()
        thread.join()


def _renew(accord: Accord, begun: _Begun) -> None:
    accord.state.run(lambda tx: tx.leases.renew(begun.lease, HELD))


def _do(work: Work, job: Job, wrong: str) -> Outcome:
    if wrong and not job.held:
        # A copy would use up sign-ins that are the original's, and mail people a second time.
        return Outcome(words=f"held: {wrong}", hint=MEANT, unable=True)
    try:
        return job.do(work)
    except (Stopped, LeaseLost):
        raise
    except Busy as error:
        # Somebody else is doing the same by hand: nothing is wrong.
        return Outcome(words=str(error))
    except ConfigError as error:
        return Outcome(words=str(error), hint=error.hint, unable=True)
    except Exception as error:  # noqa: BLE001 (the edge: a job's failure is its result)
        return Outcome(words=str(contained(error, f"doing {job.name}")), failed=1)


def _mark(accord: Accord, begun: _Begun, mark: Any) -> None:
    def store(tx: Tx) -> None:
        tx.leases.check(begun.lease)
        tx.jobs.put(replace(row_of(tx, begun.job), mark=mark))

    accord.state.run(store)


def _give_back(tx: Tx, begun: _Begun, ended: datetime | None) -> None:
    """Note that it was stopped, which is nobody's death; without an end it goes on later."""
    if tx.leases.release(begun.lease):
        ending = {"ending": Ending.CUT_OFF.value, "words": STOPPED, "hint": ""}
        tx.jobs.put(replace(row_of(tx, begun.job), attempts=0, ended=ended, **ending))


def _end(tx: Tx, accord: Accord, begun: _Begun, outcome: Outcome, by: str) -> None:
    """Note what came of it, unless another process does the job by now; raises LeaseLost."""
    tx.leases.check(begun.lease)
    tx.leases.release(begun.lease)
    now, row = accord.clock(), row_of(tx, begun.job)
    later = schedule_of(begun.job, row).next(begun.now, now)
    before = (row.ending, row.words)
    row = replace(
        row,
        ended=now,
        attempts=0,
        due=later if row.enabled else None,
        ending=outcome.ending.value,
        words=outcome.words,
        hint=outcome.hint,
        counts=outcome.counts,
        by=by,
        mark=None,
    )
    tx.jobs.put(row)
    bad = outcome.ending is not Ending.DONE and before != (row.ending, row.words)
    # By its entries it is told that an older database was put back: then there must be none.
    if (outcome.changed or bad) and not begun.wrong:
        tx.journal.append(_entry(begun, row, now, by))


def _entry(begun: _Begun, row: JobRow, now: datetime, by: str) -> Entry:
    """Return what the journal says; a job has neither side nor kind, and the text tells none."""
    done = row.ending == Ending.DONE
    return Entry(
        at=now,
        side=Side.CRM,
        kind=Kind.EVENT,
        ref=begun.job.name,
        step=STEP,
        why=row.words if done else f"{row.ending}: {row.words}",
        actor=by,
        error="" if done else row.words,
    )


Tell = Callable[[str, Outcome], None]
"""Be told a job's name and what came of it."""
