"""The tables of the service's processes: who runs, and who is heard of by whom.

Read by `processes`; a change here needs a migration.
"""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from accord.db import Instant, Json, Line
from accord.state.schema import METADATA

PROCESSES = Table(
    "state_processes",
    METADATA,
    Column("name", Text, primary_key=True, nullable=False),
    Column("parts", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("since", Instant, nullable=False),
    # Who gives no sign of life until then is gone.
    Column("until", Instant, nullable=False),
    Column("figures", Json),
    # Since when it gives signs again after it gave none, as while the database was away.
    Column("back", Instant),
)

WATCHES = Table(
    "state_watches",
    METADATA,
    Column("target", Text, primary_key=True, nullable=False),
    Column("principal", Text, primary_key=True, nullable=False),
    Column("way", Text, nullable=False),
    Column("why", Line, nullable=False),
    Column("process", Text, nullable=False, index=True),
    Column("at", Instant, nullable=False),
)
