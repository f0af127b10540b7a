"""The tables of link templates, of the links they made, and of what leavers leave.

Read by `templates`; a change here needs a migration.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, LargeBinary, Table, Text

from accord.db import Instant
from accord.state.schema import METADATA

TEMPLATES = Table(
    "state_templates",
    METADATA,
    Column("name", Text, primary_key=True, nullable=False),
    Column("target", Text, ForeignKey("state_targets.id"), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

TEMPLATE_LINKS = Table(
    "state_template_links",
    METADATA,
    Column(
        "link",
        Text,
        ForeignKey("state_links.id", ondelete="CASCADE"),
        primary_key=True,
        nullable=False,
    ),
    Column("template", Text, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("plan", LargeBinary),
)

HANDOVERS = Table(
    "state_handovers",
    METADATA,
    Column("user", Text, primary_key=True, nullable=False),
    Column("successor", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)
