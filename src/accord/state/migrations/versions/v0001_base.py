"""Make all tables of the first release.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, those first that others refer to."""
    _blobs()
    _claims()
    _consents()
    _cursors()
    _erasures()
    _instances()
    _journal()
    _journal_floor()
    _leases()
    _rules()
    _runs()
    _settings()
    _targets()
    _activations()
    _links()
    _rule_names()
    _decisions()
    _intents()
    _pairings()
    _pending()
    _windows()
    _append_only()


def _blobs() -> None:
    op.create_table(
        "state_blobs",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_state_blobs"),
    )
    op.create_index("ix_state_blobs_at", "state_blobs", ["at"], unique=False)


def _claims() -> None:
    op.create_table(
        "state_claims",
        sa.Column("crm", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("crm", "uid", name="pk_state_claims"),
    )
    op.create_index("ix_state_claims_link", "state_claims", ["link"], unique=False)
    op.create_index("ix_state_claims_ref", "state_claims", ["crm", "ref"], unique=False)


def _consents() -> None:
    op.create_table(
        "state_consents",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("matter", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user", "matter", name="pk_state_consents"),
    )


def _cursors() -> None:
    op.create_table(
        "state_cursors",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "side", name="pk_state_cursors"),
    )


def _erasures() -> None:
    op.create_table(
        "state_erasures",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("addresses", sa.LargeBinary(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_state_erasures"),
    )


def _instances() -> None:
    op.create_table(
        "state_instances",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_state_instances"),
    )


def _journal() -> None:
    op.create_table(
        "state_journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("counterpart", sa.Text(), nullable=False),
        sa.Column("pairing", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("undone_by", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_state_journal"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_state_journal_counterpart", "state_journal", ["counterpart"], unique=False)
    op.create_index("ix_state_journal_link", "state_journal", ["link", "id"], unique=False)
    op.create_index("ix_state_journal_ref", "state_journal", ["ref"], unique=False)
    op.create_index("ix_state_journal_run", "state_journal", ["run"], unique=False)
    op.create_index("ix_state_journal_user", "state_journal", ["user", "id"], unique=False)


def _journal_floor() -> None:
    op.create_table("state_journal_floor", sa.Column("floor", sa.BigInteger(), nullable=False))


def _leases() -> None:
    op.create_table(
        "state_leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_state_leases"),
    )


def _rules() -> None:
    op.create_table(
        "state_rules",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_state_rules"),
    )
    op.create_index("ix_state_rules_name", "state_rules", ["name"], unique=False)


def _runs() -> None:
    op.create_table(
        "state_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_state_runs"),
    )
    op.create_index("ix_state_runs_link", "state_runs", ["link", "id"], unique=False)


def _settings() -> None:
    op.create_table(
        "state_settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_state_settings"),
    )


def _targets() -> None:
    op.create_table(
        "state_targets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("adapter", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("settings", sa.LargeBinary(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_state_targets"),
        sa.UniqueConstraint("name", name="uq_state_targets_name"),
    )


def _activations() -> None:
    op.create_table(
        "state_activations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["version"], ["state_rules.version"], name="fk_state_activations_version"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_state_activations"),
    )
    op.create_index("ix_state_activations_name", "state_activations", ["name"], unique=False)


def _links() -> None:
    op.create_table(
        "state_links",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["target"], ["state_targets.id"], name="fk_state_links_target"),
        sa.PrimaryKeyConstraint("id", name="pk_state_links"),
        sa.UniqueConstraint("name", name="uq_state_links_name"),
    )
    op.create_index(
        "ix_state_links_folder", "state_links", ["target", "principal", "folder"], unique=False
    )


def _rule_names() -> None:
    op.create_table(
        "state_rule_names",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("active", sa.Text(), nullable=True),
        sa.Column("draft", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["active"], ["state_rules.version"], name="fk_state_rule_names_active"
        ),
        sa.ForeignKeyConstraint(
            ["draft"], ["state_rules.version"], name="fk_state_rule_names_draft"
        ),
        sa.PrimaryKeyConstraint("name", name="pk_state_rule_names"),
    )


def _decisions() -> None:
    op.create_table(
        "state_decisions",
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["link"], ["state_links.id"], name="fk_state_decisions_link", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("link", "side", "ref", name="pk_state_decisions"),
    )
    op.create_index("ix_state_decisions_uid", "state_decisions", ["uid"], unique=False)


def _intents() -> None:
    op.create_table(
        "state_intents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("pairing", sa.Text(), nullable=False),
        sa.Column("step", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["link"], ["state_links.id"], name="fk_state_intents_link"),
        sa.PrimaryKeyConstraint("id", name="pk_state_intents"),
    )
    op.create_index("ix_state_intents_link", "state_intents", ["link"], unique=False)


def _pairings() -> None:
    op.create_table(
        "state_pairings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("crm_ref", sa.Text(), nullable=False),
        sa.Column("crm_version", sa.Text(), nullable=False),
        sa.Column("crm_blob", sa.Text(), nullable=False),
        sa.Column("groupware_ref", sa.Text(), nullable=False),
        sa.Column("groupware_version", sa.Text(), nullable=False),
        sa.Column("groupware_blob", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("content", sa.Boolean(), nullable=False),
        sa.Column("made", sa.Text(), nullable=False),
        sa.Column("frozen", sa.Text(), nullable=False),
        sa.Column("more", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["link"], ["state_links.id"], name="fk_state_pairings_link", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_state_pairings"),
        sa.UniqueConstraint("link", "crm_ref", name="uq_state_pairings_link_crm_ref"),
        sa.UniqueConstraint("link", "groupware_ref", name="uq_state_pairings_link_groupware_ref"),
    )
    op.create_index("ix_state_pairings_crm_ref", "state_pairings", ["crm_ref"], unique=False)
    op.create_index("ix_state_pairings_uid", "state_pairings", ["uid"], unique=False)


def _pending() -> None:
    op.create_table(
        "state_pending",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("ref_crm", sa.Text(), nullable=False),
        sa.Column("ref_groupware", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("step", sa.LargeBinary(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link"], ["state_links.id"], name="fk_state_pending_link", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_state_pending"),
    )
    op.create_index("ix_state_pending_crm", "state_pending", ["link", "ref_crm"], unique=False)
    op.create_index(
        "ix_state_pending_groupware", "state_pending", ["link", "ref_groupware"], unique=False
    )


def _windows() -> None:
    op.create_table(
        "state_windows",
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["link"], ["state_links.id"], name="fk_state_windows_link", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("link", "side", "ref", name="pk_state_windows"),
    )
    op.create_index("ix_state_windows_due", "state_windows", ["link", "at"], unique=False)


_KEPT = (
    '"id", "at", "run", "link", "user", "side", "kind", "ref", "counterpart", "pairing", "step", '
    '"why", "actor", "rule", "version", "error", "fields", "before", "after"'
)


def _append_only() -> None:
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRES:
        op.execute(statement)


_SQLITE = (
    (
        f"CREATE TRIGGER state_journal_no_update BEFORE UPDATE OF {_KEPT} ON state_journal "
        "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
    ),
    (
        "CREATE TRIGGER state_journal_no_delete BEFORE DELETE ON state_journal "
        "WHEN OLD.id >= COALESCE((SELECT max(floor) FROM state_journal_floor), 0) "
        "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
    ),
)
_POSTGRES = (
    (
        "CREATE FUNCTION state_journal_refuse() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN "
        "IF TG_OP = 'DELETE' THEN "
        "IF OLD.id < COALESCE((SELECT max(floor) FROM state_journal_floor), 0) THEN RETURN OLD; "
        "END IF; END IF; RAISE EXCEPTION 'the journal is append-only'; END $body$"
    ),
    (
        f"CREATE TRIGGER state_journal_no_update BEFORE UPDATE OF {_KEPT} ON state_journal "
        "FOR EACH ROW EXECUTE FUNCTION state_journal_refuse()"
    ),
    (
        "CREATE TRIGGER state_journal_no_delete BEFORE DELETE ON state_journal "
        "FOR EACH ROW EXECUTE FUNCTION state_journal_refuse()"
    ),
    (
        "CREATE TRIGGER state_journal_no_truncate BEFORE TRUNCATE ON state_journal "
        "FOR EACH STATEMENT EXECUTE FUNCTION state_journal_refuse()"
    ),
)
