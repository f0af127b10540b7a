"""The tables of the durable queue, all named `queue_*`; moments are seconds since 1970.

Read by the modules beside it and by `db.migrate`; a change here needs a migration.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, Index, Integer, Table, Text, false, text

from accord.db import Line, new_metadata

HEAD = "0002"
METADATA = new_metadata()
READY = "buried IS NULL AND running = 0 AND admitted < generation AND due IS NOT NULL"
"""Whose next run may be handed to DBOS once it is due; an index holds no others."""


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
    Index("ix_queue_folders_ready", "place", "urgency", "due", sqlite_where=text(READY)),
    Index("ix_queue_folders_running", "running", sqlite_where=text("running > 0")),
    Index("ix_queue_folders_waiting", "id", sqlite_where=text("admitted = generation")),
)

PLACES = Table(
    "queue_places",
    METADATA,
    # Only those are here with which something is wrong, or was just now.
    _text("place", key=True),
    _number("failures"),
    # A digest of the one whose visit failed last: one mailbox alone says nothing of a place.
    _text("who"),
    _number("opened"),
    _moment("since"),
    _moment("until"),
    Column("why", Line, nullable=False, server_default=""),
)

CLOCKS = Table(
    "queue_clocks",
    METADATA,
    # How far the seconds since 1970 are ahead of those since a machine's start (`clock`).
    _text("boot", key=True),
    Column("ahead", Double, nullable=False),
)

EXECUTORS = Table(
    "queue_executors",
    METADATA,
    _text("id", key=True),
    _number("workers"),
    Column("until", Double, nullable=False),
)
