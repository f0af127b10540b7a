"""The table of processes at work.

Read by `processes`; a change here needs a migration.
"""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from accord.db import Instant, Json
from accord.state.schema import METADATA

PROCESSES = Table(
    "state_processes",
    METADATA,
    Column("id", Text, primary_key=True, nullable=False),
    Column("part", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("started", Instant, nullable=False),
    # Who gives no sign of life until then is gone.
    Column("until", Instant, nullable=False),
    Column("figures", Json),
)
