"""The tables of the service's jobs, and of what is wrong and was told.

Read by `jobs`; a change here needs a migration.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Table, Text

from accord.db import Instant, Json, Line
from accord.state.schema import METADATA

JOBS = Table(
    "state_jobs",
    METADATA,
    Column("name", Text, primary_key=True, nullable=False),
    Column("enabled", Boolean, nullable=False),
    # Empty: the one that the job comes with.
    Column("schedule", Text, nullable=False),
    Column("options", Json, nullable=False),
    Column("due", Instant),
    Column("attempts", Integer, nullable=False),
    Column("started", Instant),
    Column("ended", Instant),
    Column("ending", Text, nullable=False),
    Column("words", Line, nullable=False),
    Column("hint", Line, nullable=False),
    Column("counts", Json, nullable=False),
    Column("by", Line, nullable=False),
    Column("mark", Json),
)

CAUSES = Table(
    "state_causes",
    METADATA,
    Column("id", Text, primary_key=True, nullable=False),
    Column("source", Text, nullable=False),
    Column("words", Line, nullable=False),
    Column("hint", Line, nullable=False),
    Column("names", Json, nullable=False),
    Column("count", Integer, nullable=False),
    Column("passing", Boolean, nullable=False),
    Column("since", Instant, nullable=False),
    Column("gone", Instant),
    Column("told", Json, nullable=False),
)
