"""DBOS as the durable queue uses it; nothing else in Accord imports it.

Its edges are sharp, and what is done about each is said where it is done. A process has one DBOS,
so one engine at a time serves in it.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from dbos import DBOS, DBOSClient, DBOSConfig, WorkflowSerializationFormat
from sqlalchemy import event, make_url

from accord.db import translating
from accord.ports.errors import ConfigError
from accord.queue import connections
from accord.queue.admission import AHEAD
from accord.queue.folders import Admitted

NAME = "accord"
QUEUE = "visits"
VERSION = "accord-1"
"""DBOS runs a job under the version it was made under, by default a digest of the code: each
upgrade would leave jobs behind. Changes with the arguments of `_visit`, and with nothing else."""

POLL = 0.1
KEPT = timedelta(minutes=10)
"""For how long finished jobs are kept: DBOS itself lets go of none."""

_AT_ONCE = 1000
_OVER = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_ALIVE = ["ENQUEUED", "PENDING", "DELAYED"]
_OLDEST_SQLITE = (3, 42, 0)

Visit = Callable[[str, int, int], None]
_serving: list[Visit] = []


@DBOS.workflow(name="visit")
def _visit(folder: str, generation: int, urgency: int) -> None:
    """Be one run. It records no steps of its own: whoever begins it again begins it whole."""
    for visit in _serving:
        visit(folder, generation, urgency)


class Engine:
    """Hold jobs durably and give each to one process at a time.

    DBOS has connections of its own; what its database answers is told as ours does.
    """

    def __init__(self, url: str, executor: str, workers: int, visit: Visit) -> None:
        """Launch DBOS on a database; `visit` is called in its threads.

        Raises ConfigError, and Retry where the database is away.
        """
        require_clock(url)
        self._executor = executor
        _quieten()
        config: DBOSConfig = {
            "name": NAME,
            "system_database_url": url,
            "application_version": VERSION,
            # Each process has its own: DBOS begins anew, when it starts, what its id left behind.
            "executor_id": executor,
            "sys_db_pool_size": connections.of_dbos(workers),
            "max_executor_threads": max(16, AHEAD * workers + 8),
            "log_level": "WARNING",
            "use_listen_notify": False,
        }
        _serving[:] = [visit]
        self._dbos = DBOS(config=config)
        try:
            with translating():
                self._launch(workers)
                self._client = self._connected(url)
        except BaseException:
            self._destroy()
            raise

    @staticmethod
    def _launch(workers: int) -> None:
        DBOS.launch()
        # Neither a rate limit nor a global one: either has partitions claimed one at a time.
        DBOS.register_queue(
            QUEUE,
            partition_concurrency=1,
            # A worker that is done finds the next run here, and needs not wait for the next poll.
            worker_concurrency=AHEAD * workers,
            polling_interval_sec=POLL,
            on_conflict="always_update",
        )

    @staticmethod
    def _connected(url: str) -> DBOSClient:
        return DBOSClient(
            system_database_url=url,
            system_database_pool_size=connections.CLIENT,
            application_name=NAME,
            # Else it waits without end for a database that is away, and so does the end of this.
            retry_connection_errors=False,
        )

    @translating()
    def enqueue(self, some: Sequence[Admitted]) -> None:
        """Hand over runs; one that was handed over before stays one."""
        for each in some:
            self._client.enqueue(
                {
                    "workflow_name": "visit",
                    "queue_name": QUEUE,
                    "workflow_id": id_of(each),
                    "app_version": VERSION,
                    "queue_partition_key": each.id,
                    # The default is pickle, which runs what it reads.
                    "serialization_type": WorkflowSerializationFormat.PORTABLE,
                },
                each.id,
                each.generation,
                each.urgency,
            )

    @translating()
    def lost(self, some: Sequence[Admitted]) -> list[Admitted]:
        """Return those that DBOS neither holds nor does."""
        ids = [id_of(each) for each in some]
        found = self._client.list_workflows(
            workflow_ids=ids, status=_ALIVE, load_input=False, load_output=False
        )
        alive = {each.workflow_id for each in found}
        return [each for each in some if id_of(each) not in alive]

    @translating()
    def under_way(self, executor: str) -> list[str]:
        """Return the ids of jobs that a process has claimed and not ended."""
        found = self._client.list_workflows(
            status="PENDING",
            executor_id=executor,
            queue_name=QUEUE,
            load_input=False,
            load_output=False,
        )
        return [each.workflow_id for each in found]

    @translating()
    def holders(self) -> set[str]:
        """Return the processes that have claimed jobs and not ended them."""
        found = self._client.list_workflows(
            status="PENDING", queue_name=QUEUE, load_input=False, load_output=False
        )
        return {each.executor_id for each in found if each.executor_id}

    def revive(self, executor: str) -> Collection[str]:
        """Put back what a process that is gone had claimed; return the folders' ids."""
        ids = self.under_way(executor)
        self.put_back(ids)
        return {folder_of(each) for each in ids}

    def unknown(self, executor: str, known: Iterable[Admitted]) -> set[str]:
        """Return the jobs that a process has claimed, but for those it knows of."""
        ids = self.under_way(executor)
        return set(ids) - {id_of(each) for each in list(known)}

    @translating()
    def put_back(self, jobs: Collection[str]) -> None:
        """Have jobs claimed anew.

        DBOS leaves that to a product for sale. Where no queue is named, the jobs would go to one
        of its own, in which folders have no order.
        """
        if jobs:
            self._client.resume_workflows(list(jobs), queue_name=QUEUE)

    @translating()
    def sweep(self) -> int:
        """Delete what ended some time ago; return how many."""
        before = (datetime.now(UTC) - KEPT).isoformat()
        found = self._client.list_workflows(
            status=_OVER,
            completed_before=before,
            queue_name=QUEUE,
            limit=_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        ids = [each.workflow_id for each in found]
        if ids:
            self._client.delete_workflows(ids)
        return len(ids)

    def rest(self) -> None:
        """Claim nothing more, but for what is being claimed just now; what is done here goes on."""
        # DBOS has no call for that; it does so first of all when it is destroyed.
        for each in self._dbos.background_thread_stop_events:
            each.set()

    def stop(self) -> None:
        """End DBOS, and put back what was claimed and not ended.

        Raises Retry where the database is away: then DBOS has ended, and nothing is put back.
        """
        self.rest()
        deadline = time.monotonic() + 2.0
        _await_claims(deadline)
        try:
            try:
                while self.under_way(self._executor) and time.monotonic() < deadline:
                    time.sleep(0.02)
            finally:
                self._destroy()
            self.revive(self._executor)
        finally:
            self._client.destroy()

    def _destroy(self) -> None:
        store = self._dbos._sys_db_field
        DBOS.destroy()
        # Where another process took a run over, DBOS waits here for how it ends there, and where
        # the database is away, for its return: through connections made anew, and the end of this
        # process for that.
        if store is not None:
            event.listen(store.engine, "do_connect", _refuse)
        _serving.clear()


def id_of(each: Admitted) -> str:
    """Return a job's id; they sort by generation, for on SQLite its clock has whole seconds."""
    return f"{each.id}:{each.generation:012}"


def folder_of(job: str) -> str:
    """Return the folder's id of a job's id."""
    return job.partition(":")[0]


def require_clock(url: str) -> None:
    """Raise ConfigError where DBOS can't tell the time: it would crash when it starts."""
    if make_url(url).get_backend_name() != "sqlite":
        return
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise ConfigError(
            f"SQLite {sqlite3.sqlite_version} is too old for `accord run` under this Python",
            field="database",
            hint="use Python 3.11, SQLite 3.42 or newer, or PostgreSQL",
        )


def _refuse(*_given: object) -> None:
    """Connect no more."""
    # No Exception: DBOS would log it as a fault.
    raise SystemExit


def _await_claims(deadline: float) -> None:
    """Wait until DBOS claims nothing any more; what it claims without its pool, it complains of."""
    for each in threading.enumerate():
        if each.name == f"queue-worker-{QUEUE}":
            each.join(max(0.1, deadline - time.monotonic()))


def _quieten() -> None:
    """Send what DBOS logs where our own logs go."""
    logger = logging.getLogger("dbos")
    # One that does nothing: where DBOS finds none, it makes one that prints to standard error.
    logger.handlers[:] = [logging.NullHandler()]
    logger.propagate = True
