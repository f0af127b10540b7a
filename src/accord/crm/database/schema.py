"""The tables of the built-in CRM, one noun each, all named `crm_*`; rules of access beside them.

Read by the modules beside it and by `db.migrate`; a change here needs a migration.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
)

from accord.db import Instant, Line, new_metadata

HEAD = "0002"
METADATA = new_metadata()


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _line(name: str) -> Column[str]:
    return Column(name, Line, nullable=False, server_default="")


def _json(name: str) -> Column[str]:
    """Return a column for canonical JSON of one structured field; NULL says nothing."""
    return Column(name, Text)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _user(name: str, *, required: bool = False) -> Column[int]:
    return Column(name, Integer, ForeignKey("crm_users.id"), nullable=not required)


def _of(table: str, name: str, *, key: bool = False) -> Column[Any]:
    target = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return Column(name, target, primary_key=key, nullable=False)


def _record(name: str, *columns: Column[Any] | Index) -> Table:
    """Return the table of a noun with what every record has.

    `revision` is the number of the record's last change, `key` the external id it was created
    under. `visibility` is private, participants, group or everyone; `group_writes` lets the
    members of `group_id` change what they see. Deleted records stay, erased ones without content.
    """
    return Table(
        name,
        METADATA,
        _text("id", key=True),
        Column("revision", BigInteger, nullable=False, index=True),
        Column("key", Line, unique=True),
        _user("owner_id", required=True),
        Column("group_id", Integer, ForeignKey("crm_groups.id")),
        _flag("group_writes"),
        _text("visibility"),
        Column("created_at", Instant, nullable=False),
        Column("modified_at", Instant, nullable=False),
        _user("modified_by"),
        Column("deleted_at", Instant),
        _flag("erased"),
        _json("extras"),
        *columns,
    )


def _item_columns() -> tuple[Column[Any], ...]:
    """Return what every record that synchronizes has beside."""
    return (Column("uid", Line, nullable=False, index=True), _json("categories"), _text("privacy"))


FACTS = Table("crm_facts", METADATA, _text("name", key=True), _text("value"))
"""The instance id, where this database lives, how far the outbox was pruned, and another value
each time users or groups have changed."""

COUNTER = Table(
    "crm_counter",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)
"""One row: the highest revision. Every writing transaction takes it first and keeps it locked."""

USERS = Table(
    "crm_users",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    _line("display_name"),
    _text("time_zone"),
    _flag("active"),
    _flag("admin"),
    _text("contact_mode"),
)
"""`contact_mode` is own, all or list."""

USER_KINDS = Table(
    "crm_user_kinds",
    METADATA,
    _of("crm_users", "user_id", key=True),
    _text("kind", key=True),
    _text("level"),
    Column("since", BigInteger, nullable=False),
)
"""What a user may do with a kind at all: none, read or write (as without a row).

Cursors before `since` are lost, because what the user sees of the kind changed as a whole.
"""

USER_ADDRESSES = Table(
    "crm_user_addresses",
    METADATA,
    _text("address", key=True),
    _of("crm_users", "user_id"),
    _text("shown"),
    _number("position"),
    Index("ix_crm_user_addresses_user", "user_id", "position"),
)
"""`address` is casefolded and belongs to one user; `shown` is as written, position 0 primary."""

GROUPS = Table(
    "crm_groups",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

MEMBERS = Table(
    "crm_members",
    METADATA,
    _of("crm_groups", "group_id", key=True),
    _of("crm_users", "user_id", key=True),
    Index("ix_crm_members_user", "user_id"),
)

ACCOUNTS = _record(
    "crm_accounts",
    _line("name"),
    _line("phone"),
    _text("url"),
    _json("addresses"),
    Index("ix_crm_accounts_name", "name"),
    Index("ix_crm_accounts_owner", "owner_id"),
)

CONTACTS = _record(
    "crm_contacts",
    *_item_columns(),
    Column("account_id", Text, ForeignKey("crm_accounts.id"), index=True),
    *(_line(n) for n in ("full_name", "prefix", "given", "middle", "family", "suffix", "nickname")),
    *(_line(n) for n in ("organization", "department", "job_title")),
    *(_json(n) for n in ("mails", "phones", "addresses", "urls")),
    _line("birthday"),
    _line("anniversary"),
    _line("notes"),
    _json("photo"),
    _line("primary_mail"),
    Index("ix_crm_contacts_owner", "owner_id"),
    Index("ix_crm_contacts_name", "family", "given"),
    Index("ix_crm_contacts_organization", "organization"),
)

CONTACT_MAILS = Table(
    "crm_contact_mails",
    METADATA,
    _of("crm_contacts", "contact_id", key=True),
    Column("address", Line, primary_key=True, nullable=False, index=True),
)
"""Every address of every contact, casefolded, so that people are found by any of them."""

CONTACT_CHOICES = Table(
    "crm_contact_choices",
    METADATA,
    _of("crm_users", "user_id", key=True),
    _of("crm_contacts", "contact_id", key=True),
    Index("ix_crm_contact_choices_contact", "contact_id"),
)
"""The contacts a user has chosen for their own list."""

LEADS = _record(
    "crm_leads",
    _line("title"),
    _text("status"),
    _line("source"),
    Column("account_id", Text, ForeignKey("crm_accounts.id")),
    Column("contact_id", Text, ForeignKey("crm_contacts.id"), index=True),
)

OPPORTUNITIES = _record(
    "crm_opportunities",
    _line("title"),
    _text("stage"),
    Column("amount", Numeric(18, 2)),
    _text("currency"),
    Column("closes", DateTime),
    Column("account_id", Text, ForeignKey("crm_accounts.id")),
    Column("contact_id", Text, ForeignKey("crm_contacts.id"), index=True),
)

OPPORTUNITY_RECORDS = Table(
    "crm_opportunity_records",
    METADATA,
    _of("crm_opportunities", "opportunity_id", key=True),
    _text("kind", key=True),
    _text("ref", key=True),
    Index("ix_crm_opportunity_records_ref", "kind", "ref"),
)
"""The appointments, tasks and contacts on which an opportunity hangs."""

NOTES = _record(
    "crm_notes",
    _text("about_kind"),
    _text("about_ref"),
    _line("text"),
    Index("ix_crm_notes_about", "about_kind", "about_ref"),
)

APPOINTMENTS = _record(
    "crm_appointments",
    *_item_columns(),
    _line("title"),
    Column("start", DateTime, nullable=False, index=True),
    Column("end", DateTime, nullable=False),
    Column("time_zone", Text),
    Column("end_time_zone", Text),
    _flag("all_day"),
    *(_json(name) for name in ("rule", "rdates", "exdates", "overrides")),
    Column("body", Line),
    Column("body_type", Text),
    _line("location"),
    _line("online_meeting"),
    _line("url"),
    _text("status"),
    _text("busy"),
    _number("priority"),
    _json("reminders"),
    Column("organizer_address", Line),
    Column("organizer_name", Line),
    _user("organizer_id"),
    _json("attachments"),
    _number("sequence"),
    _line("split_from"),
    Index("ix_crm_appointments_owner", "owner_id"),
)
"""One row is one entry or one whole series: rule, left-out dates and changed occurrences."""

PARTICIPANTS = Table(
    "crm_participants",
    METADATA,
    _of("crm_appointments", "appointment_id", key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _flag("invited"),
    _line("address"),
    _line("folded"),
    _line("name"),
    _text("role"),
    _text("reply"),
    _text("attendee_kind"),
    _flag("rsvp"),
    _user("user_id"),
    Column("contact_id", Text),
    Index("ix_crm_participants_folded", "folded"),
)
"""Who takes part: a user, a contact or a plain address; `invited` false names them only."""

PERSONAL = Table(
    "crm_personal",
    METADATA,
    _of("crm_appointments", "appointment_id", key=True),
    _of("crm_users", "user_id", key=True),
    Column("revision", BigInteger, nullable=False),
    _json("reminders"),
    Column("busy", Text),
    _json("categories"),
)
"""What one participant keeps to themselves; the owner's own are in the appointment's row."""

TASKS = _record(
    "crm_tasks",
    *_item_columns(),
    _line("title"),
    Column("start", DateTime),
    Column("due", DateTime, index=True),
    Column("time_zone", Text),
    _flag("all_day"),
    _json("rule"),
    _json("exdates"),
    Column("body", Line),
    Column("body_type", Text),
    _text("status"),
    _number("percent"),
    Column("completed", Instant),
    _number("priority"),
    _json("reminders"),
    Column("assignee_address", Line),
    Column("assignee_name", Line),
    _user("assignee_id"),
    Column("organizer_address", Line),
    Column("organizer_name", Line),
    _json("attachments"),
    Index("ix_crm_tasks_owner", "owner_id"),
)

ABSENCES = _record(
    "crm_absences",
    *_item_columns(),
    _user("user_id", required=True),
    _line("title"),
    Column("start", DateTime, nullable=False),
    Column("end", DateTime, nullable=False),
    Column("time_zone", Text),
    _flag("all_day"),
    _line("absence_kind"),
    _line("message"),
    _line("outside_message"),
    Index("ix_crm_absences_user", "user_id"),
)

QUEUES = Table(
    "crm_queues",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("address", Text, unique=True),
    Column("group_id", Integer, ForeignKey("crm_groups.id")),
)

EMAILS = _record(
    "crm_emails",
    *_item_columns(),
    _line("subject"),
    Column("sent", Instant),
    Column("received", Instant),
    _json("sender"),
    *(_json(name) for name in ("to", "cc", "bcc")),
    _line("in_reply_to"),
    _json("references"),
    Column("body", Line),
    Column("body_type", Text),
    _json("attachments"),
    _text("mime"),
    Column("size", BigInteger, nullable=False),
    Column("queue_id", Integer, ForeignKey("crm_queues.id")),
)

FILINGS = Table(
    "crm_filings",
    METADATA,
    _of("crm_emails", "email_id", key=True),
    _text("kind", key=True),
    _text("ref", key=True),
    _user("user_id", required=True),
    Index("ix_crm_filings_ref", "kind", "ref"),
)
"""One e-mail may be filed under several records; each filing has its own owner."""

SHARES = Table(
    "crm_shares",
    METADATA,
    _text("kind", key=True),
    _text("ref", key=True),
    _text("grantee", key=True),
    Column("grantee_id", Integer, primary_key=True, autoincrement=False),
    _flag("writes"),
    Index("ix_crm_shares_grantee", "grantee", "grantee_id"),
)
"""What was given to a `user` or a `group` beyond the record's visibility."""

SCOPES = Table(
    "crm_scopes",
    METADATA,
    _of("crm_users", "user_id", key=True),
    _text("kind", key=True),
    _text("ref", key=True),
    Column("revision", BigInteger, nullable=False),
    _text("state"),
    Index("ix_crm_scopes_changes", "user_id", "kind", "revision"),
    Index("ix_crm_scopes_ref", "kind", "ref"),
)
"""Which records each user synchronizes, with the revision that last concerned this user.

`in`: theirs · `owned`: theirs to follow only, somebody else does it · `out`: was theirs and
left their scope · `denied`: in their scope, but they may not read it. Contacts, of which a user
may cover very many, are here only where one user's view of one contact changed (`touched`).
"""

MARKERS = Table(
    "crm_markers",
    METADATA,
    _of("crm_users", "user_id", key=True),
    _text("kind", key=True),
    _text("ref", key=True),
    _line("marker"),
    Index("ix_crm_markers_marker", "user_id", "kind", "marker"),
    Index("ix_crm_markers_ref", "kind", "ref"),
)
"""The groupware's id of each record, per user whose mailbox holds the copy."""

FILES = Table(
    "crm_files",
    METADATA,
    _text("id", key=True),
    _text("kind"),
    _text("ref"),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
    Index("ix_crm_files_ref", "kind", "ref"),
)
"""The bytes of files on records, in parts; the record's `attachments` name them.

They stay when a file is taken off its record, so that nothing is lost; erasing removes them.
"""

OUTBOX = Table(
    "crm_outbox",
    METADATA,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    _text("kind"),
    _text("ref"),
    _text("change"),
    _user("user_id"),
    _user("by_id"),
    Column("at", Instant, nullable=False),
)
"""Every change in the order of its revision; `user_id` where it concerns one user only."""
