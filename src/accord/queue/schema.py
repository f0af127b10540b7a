"""The tables of the durable queue, all named `queue_*`; moments are seconds since 1970.

Read by the modules beside it and by `db.migrate`; a change here needs a migration.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, Index, Integer, Table, Text, false, text

from accord.db import Line, new_metadata

HEAD = "0001"
METADATA = new_metadata()


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False, server_default=None if key else "")


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def _moment(name: str) -> Column[float]:
    return Column(name, Double)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


FOLDERS = Table(
    "queue_folders",
    METADATA,
    # A digest of the folder's name: names hold addresses, and DBOS keeps this one.
    _text("id", key=True),
    _text("folder"),
    _text("place"),
    # The next run's; the job of a generation that was handed to DBOS is `admitted`.
    _number("generation"),
    _number("admitted"),
    _moment("admitted_at"),
    # What is planned; nothing is where `due` is missing.
    _moment("due"),
    _number("urgency"),
    _text("cause"),
    _flag("full"),
    _moment("rest"),
    # What is under way: 0 says nothing.
    _number("running"),
    _text("holder"),
    _number("attempts"),
    _moment("began"),
    _moment("before"),
    _text("running_cause"),
    _flag("running_full"),
    _number("faults"),
    _moment("buried"),
    Column("why", Line, nullable=False, server_default=""),
    # Each look at the queue asks by these, and folders are many.
    Index("ix_queue_folders_due", "urgency", "due"),
    Index("ix_queue_folders_running", "running"),
    Index("ix_queue_folders_waiting", "id", sqlite_where=text("admitted = generation")),
)

EXECUTORS = Table(
    "queue_executors",
    METADATA,
    _text("id", key=True),
    _number("workers"),
    Column("until", Double, nullable=False),
)
