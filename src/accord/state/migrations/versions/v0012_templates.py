"""Make the tables of link templates, of the links they made, and of what leavers leave.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "state_templates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["target"], ["state_targets.id"], name="fk_state_templates_target"),
        sa.PrimaryKeyConstraint("name", name="pk_state_templates"),
    )
    op.create_table(
        "state_template_links",
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("plan", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["link"], ["state_links.id"], name="fk_state_template_links_link", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("link", name="pk_state_template_links"),
    )
    op.create_index(
        "ix_state_template_links_template", "state_template_links", ["template"], unique=False
    )
    op.create_table(
        "state_handovers",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("successor", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user", name="pk_state_handovers"),
    )
