"""The tables of state, one noun each, all named `state_*`.

Read by the repositories beside it and by `db.migrate`; a change here needs a migration.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from accord.db import Foreign, Instant, Json, Line, new_metadata
from accord.state.append_only import attach

HEAD = "0016"
METADATA = new_metadata()


def _link(*, key: bool = False) -> Column[str]:
    links = ForeignKey("state_links.id", ondelete="CASCADE")
    return Column("link", Text, links, primary_key=key, nullable=False)


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _line(name: str) -> Column[str]:
    return Column(name, Line, nullable=False)


def _lately(name: str, condition: str) -> Index:
    """Index the few entries that the guard counts, by their moment (`db.migrate` for both)."""
    return Index(f"ix_state_journal_{name}", "at", sqlite_where=text(condition))


SETTINGS = Table("state_settings", METADATA, _text("key", key=True), Column("value", Json))

TARGETS = Table(
    "state_targets",
    METADATA,
    _text("id", key=True),
    Column("name", Text, nullable=False, unique=True),
    _text("adapter"),
    _text("side"),
    Column("settings", Json, nullable=False),
    Column("secrets", LargeBinary),
)

LINKS = Table(
    "state_links",
    METADATA,
    _text("id", key=True),
    Column("name", Text, nullable=False, unique=True),
    _text("user"),
    _text("kind"),
    Column("target", Text, ForeignKey("state_targets.id"), nullable=False),
    _text("principal"),
    _text("folder"),
    _text("rule"),
    _text("mode"),
    Column("paused", Boolean, nullable=False),
    Index("ix_state_links_folder", "target", "principal", "folder"),
)

RULES = Table(
    "state_rules",
    METADATA,
    _text("version", key=True),
    Column("name", Text, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)

RULE_NAMES = Table(
    "state_rule_names",
    METADATA,
    _text("name", key=True),
    Column("active", Text, ForeignKey("state_rules.version")),
    Column("draft", Text, ForeignKey("state_rules.version")),
)

ACTIVATIONS = Table(
    "state_activations",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, index=True),
    Column("version", Text, ForeignKey("state_rules.version"), nullable=False),
    _text("by"),
    Column("at", Instant, nullable=False),
)

BLOBS = Table(
    "state_blobs",
    METADATA,
    _text("digest", key=True),
    Column("data", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False, index=True),
)

PAIRINGS = Table(
    "state_pairings",
    METADATA,
    _text("id", key=True),
    _link(),
    _text("crm_ref"),
    _text("crm_version"),
    _text("crm_blob"),
    _text("groupware_ref"),
    _text("groupware_version"),
    _text("groupware_blob"),
    Column("uid", Foreign, nullable=False, index=True),
    _text("rule"),
    Column("content", Boolean, nullable=False),
    _text("made"),
    _line("frozen"),
    Column("more", Json),
    UniqueConstraint("link", "crm_ref"),
    UniqueConstraint("link", "groupware_ref"),
    Index("ix_state_pairings_crm_ref", "crm_ref"),
)

FILES = Table(
    "state_files",
    METADATA,
    _text("pairing", key=True),
    _link(),
    Column("due", Boolean, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("count", Integer, nullable=False, server_default="-1"),  # that agree; -1: unknown
    Index("ix_state_files_due", "link", "due"),
)
"""What is known of the files on a pair's items; no key to the pair, whose row is often replaced."""

DECISIONS = Table(
    "state_decisions",
    METADATA,
    _link(key=True),
    _text("side", key=True),
    _text("ref", key=True),
    _text("version"),
    Column("uid", Foreign, nullable=False, index=True),
    _line("label"),
    _line("folded"),
    _text("step"),
    _line("why"),
    _text("rule"),
    _text("run"),
    Column("at", Instant, nullable=False),
)

WINDOWS = Table(
    "state_windows",
    METADATA,
    _link(key=True),
    _text("side", key=True),
    _text("ref", key=True),
    Column("at", Instant, nullable=False),
    Index("ix_state_windows_due", "link", "at"),
)

CURSORS = Table(
    "state_cursors",
    METADATA,
    _link(key=True),
    _text("side", key=True),
    _text("place"),
    _text("cursor"),
    Column("at", Instant, nullable=False),
    # When the side was last listed completely.
    Column("complete", Instant),
)

INTENTS = Table(
    "state_intents",
    METADATA,
    _text("id", key=True),
    # Not cascading: a write that may have happened must be settled before its link goes.
    Column("link", Text, ForeignKey("state_links.id"), nullable=False, index=True),
    _text("run"),
    _text("side"),
    _text("ref"),
    _text("pairing"),
    Column("step", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)

PENDING = Table(
    "state_pending",
    METADATA,
    _text("id", key=True),
    _link(),
    _text("ref_crm"),
    _text("ref_groupware"),
    _text("cause"),
    Column("step", LargeBinary, nullable=False),
    _line("why"),
    _text("fingerprint"),
    _text("run"),
    Column("at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due", Instant),
    Column("approved", Boolean, nullable=False),
    Column("refused", Boolean, nullable=False),
    Index("ix_state_pending_crm", "link", "ref_crm"),
    Index("ix_state_pending_groupware", "link", "ref_groupware"),
)

JOURNAL = Table(
    "state_journal",
    METADATA,
    # Not BIGINT on SQLite, where only INTEGER PRIMARY KEY counts up by itself.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Instant, nullable=False),
    _text("run"),
    _text("link"),
    _text("user"),
    _text("side"),
    _text("kind"),
    _text("ref"),
    _text("counterpart"),
    _text("pairing"),
    _text("step"),
    _line("why"),
    _line("actor"),
    _text("rule"),
    _text("version"),
    _line("error"),
    Column("fields", Text),
    Column("before", Text),
    Column("after", Text),
    Column("undone_by", BigInteger),
    # How many addresses the write mailed.
    Column("mails", Integer, nullable=False, server_default="0"),
    Index("ix_state_journal_run", "run"),
    Index("ix_state_journal_link", "link", "id"),
    Index("ix_state_journal_ref", "ref"),
    Index("ix_state_journal_counterpart", "counterpart"),
    Index("ix_state_journal_user", "user", "id"),
    _lately("deleted", "step = 'delete'"),
    _lately("mailed", "mails > 0"),
    _lately("refiled", "step IN ('detach', 'replace')"),
    _lately("updated", "step = 'update'"),
    sqlite_autoincrement=True,
)
attach(JOURNAL, changing="undone_by")

# Entries below the floor may be removed; it has one row at most.
JOURNAL_FLOOR = Table("state_journal_floor", METADATA, Column("floor", BigInteger, nullable=False))

CLAIMS = Table(
    "state_claims",
    METADATA,
    _text("crm", key=True),
    Column("uid", Foreign, primary_key=True, nullable=False),
    Column("link", Text, nullable=False, index=True),
    _text("ref"),
    Column("at", Instant, nullable=False),
    Index("ix_state_claims_ref", "crm", "ref"),
)

LEASES = Table(
    "state_leases",
    METADATA,
    _text("name", key=True),
    _text("holder"),
    Column("fence", BigInteger, nullable=False),
    Column("until", Instant, nullable=False),
)

RUNS = Table(
    "state_runs",
    METADATA,
    _text("id", key=True),
    Column("link", Text, nullable=False),
    _text("cause"),
    Column("started", Instant, nullable=False),
    Column("finished", Instant),
    Column("counts", Json),
    _line("error"),
    Index("ix_state_runs_link", "link", "id"),
)

INSTANCES = Table(
    "state_instances",
    METADATA,
    _text("name", key=True),
    _text("instance"),
    Column("revision", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
)

ERASURES = Table(
    "state_erasures",
    METADATA,
    _text("id", key=True),
    _line("person"),
    Column("addresses", Json, nullable=False),
    _text("by"),
    Column("at", Instant, nullable=False),
)

CONSENTS = Table(
    "state_consents",
    METADATA,
    _text("user", key=True),
    _text("matter", key=True),
    Column("at", Instant, nullable=False),
)

RENEWALS = Table(
    "state_renewals",
    METADATA,
    _text("id", key=True),
    Column(
        "target", ForeignKey("state_targets.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("secret", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)

PREFERENCES = Table(
    "state_preferences",
    METADATA,
    _text("user", key=True),
    _text("matter", key=True),
    _text("value"),
    Column("at", Instant, nullable=False),
)

REPLIES = Table(
    "state_replies",
    METADATA,
    _link(key=True),
    Column("kept", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
)

TOKEN_KEYS = Table(
    "state_token_keys",
    METADATA,
    _text("id", key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("made", Instant, nullable=False),
    Column("until", Instant),
)

TOKEN_USES = Table(
    "state_token_uses",
    METADATA,
    Column("id", Foreign, primary_key=True, nullable=False),
    Column("until", Instant, nullable=False, index=True),
)

TOKEN_REVOCATIONS = Table(
    "state_token_revocations",
    METADATA,
    _text("what", key=True),
    Column("name", Foreign, primary_key=True, nullable=False),
    Column("before", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    _line("by"),
    Column("at", Instant, nullable=False),
)

TOKEN_FAILURES = Table(
    "state_token_failures",
    METADATA,
    Column("name", Foreign, primary_key=True, nullable=False),
    Column("times", Integer, nullable=False),
    Column("since", Instant, nullable=False, index=True),
)

TOKEN_LOG = Table(
    "state_token_log",
    METADATA,
    Column("hour", Instant, primary_key=True, nullable=False),
    _text("event", key=True),
    Column("user", Foreign, primary_key=True, nullable=False),
    Column("peer", Foreign, primary_key=True, nullable=False),
    Column("token", Foreign, primary_key=True, nullable=False),
    _line("why"),
    _line("by"),
    Column("times", Integer, nullable=False),
    Column("first", Instant, nullable=False),
    Column("last", Instant, nullable=False, index=True),
)


def _device() -> Column[str]:
    return Column("device", Foreign, primary_key=True, nullable=False)


DEVICES = Table(
    "state_devices",
    METADATA,
    _text("user", key=True),
    _device(),
    Column("devinf", LargeBinary),
    Column("at", Instant, nullable=False),
)

DEVICE_NONCES = Table(
    "state_device_nonces",
    METADATA,
    _device(),
    Column("nonce", LargeBinary, nullable=False),
    # Of a device that never signed in it may go soon.
    Column("proven", Boolean, nullable=False),
    Column("at", Instant, nullable=False, index=True),
)

DEVICE_SECRETS = Table(
    "state_device_secrets",
    METADATA,
    _text("id", key=True),
    Column("user", Text, nullable=False, index=True),
    Column("secret", LargeBinary, nullable=False),
    Column("until", Instant, nullable=False),
)

ANCHORS = Table(
    "state_anchors",
    METADATA,
    _text("user", key=True),
    _device(),
    _text("store", key=True),
    _text("client"),
    _text("own"),
    _text("cursor"),
    Column("at", Instant, nullable=False),
)

DEVICE_ITEMS = Table(
    "state_device_items",
    METADATA,
    _text("user", key=True),
    _device(),
    _text("store", key=True),
    _text("ref", key=True),
    # Unknown from the offer until the device has said it.
    Column("luid", Foreign),
    _text("guid"),
    _text("version"),
    _text("session"),
    Column("base", Text, nullable=False, server_default=""),
    Column("ours", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("user", "device", "store", "luid"),
    Index("ix_state_device_items_guid", "user", "device", "store", "guid"),
)

SYNC_SESSIONS = Table(
    "state_sync_sessions",
    METADATA,
    _text("id", key=True),
    Column("device", Foreign, nullable=False, index=True),
    _text("user"),
    Column("data", LargeBinary, nullable=False),
    _text("digest"),
    Column("reply", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False, index=True),
)

SYNCS = Table(
    "state_syncs",
    METADATA,
    _text("id", key=True),
    Column("at", Instant, nullable=False, index=True),
    _text("user"),
    Column("device", Foreign, nullable=False),
    _text("store"),
    _text("mode"),
    Column("counts", Json, nullable=False),
    _text("end"),
    Index("ix_state_syncs_user", "user", "at"),
)

SYNC_NOTES = Table(
    "state_sync_notes",
    METADATA,
    _text("id", key=True),
    Column("sync", Text, ForeignKey("state_syncs.id", ondelete="CASCADE"), nullable=False),
    _text("what"),
    _line("luid"),
    _text("ref"),
    _line("why"),
    Column("item", LargeBinary),
    Index("ix_state_sync_notes_sync", "sync"),
)
