"""Let every link keep its own cursors, each with the place that it belongs to.

Run by `db.migrate`; describes tables as they were then, so it never changes. The cursors of folders
go: they ran ahead of links that weren't visited. A link without one lists everything once.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table anew and keep the CRM's cursors, which were the links' own already."""
    kept = [dict(row) for row in op.get_bind().execute(sa.text(_OWN)).mappings()]
    op.drop_table("state_cursors")
    op.create_table(
        "state_cursors",
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["link"], ["state_links.id"], name="fk_state_cursors_link", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("link", "side", name="pk_state_cursors"),
    )
    for row in kept:
        op.get_bind().execute(sa.text(_KEEP), row)


_OWN = (
    'SELECT links."id" AS "link", old."side", old."cursor", old."at", '
    'links."user" || \'/\' || links."kind" AS "place" '
    "FROM state_cursors AS old JOIN state_links AS links ON links.id = old.scope "
    "WHERE old.side = 'crm'"
)
_KEEP = (
    'INSERT INTO state_cursors ("link", "side", "place", "cursor", "at") '
    "VALUES (:link, :side, :place, :cursor, :at)"
)
