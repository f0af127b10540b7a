"""Make all tables of the first release.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, those first that others refer to."""
    _counter()
    _facts()
    _groups()
    _shares()
    _users()
    _absences()
    _accounts()
    _appointments()
    _markers()
    _members()
    _notes()
    _outbox()
    _queues()
    _scopes()
    _tasks()
    _user_addresses()
    _user_kinds()
    _contacts()
    _emails()
    _participants()
    _personal()
    _contact_choices()
    _contact_mails()
    _filings()
    _leads()
    _opportunities()
    _opportunity_records()


def _counter() -> None:
    op.create_table(
        "crm_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_crm_counter"),
    )


def _facts() -> None:
    op.create_table(
        "crm_facts",
        *_texts("name", "value"),
        sa.PrimaryKeyConstraint("name", name="pk_crm_facts"),
    )


def _groups() -> None:
    op.create_table(
        "crm_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_crm_groups"),
        sa.UniqueConstraint("name", name="uq_crm_groups_name"),
    )


def _shares() -> None:
    op.create_table(
        "crm_shares",
        *_texts("kind", "ref", "grantee"),
        sa.Column("grantee_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("writes", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "ref", "grantee", "grantee_id", name="pk_crm_shares"),
    )
    op.create_index("ix_crm_shares_grantee", "crm_shares", ["grantee", "grantee_id"], unique=False)


def _users() -> None:
    op.create_table(
        "crm_users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), server_default="", nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("contact_mode", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_crm_users"),
        sa.UniqueConstraint("name", name="uq_crm_users_name"),
    )


def _absences() -> None:
    _record(
        "crm_absences",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=True),
        sa.Column("privacy", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("start", sa.DateTime(), nullable=False),
        sa.Column("end", sa.DateTime(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("all_day", sa.Boolean(), nullable=False),
        *_lines("absence_kind", "message", "outside_message"),
        _refers("crm_absences", "user_id", "crm_users"),
    )
    op.create_index("ix_crm_absences_uid", "crm_absences", ["uid"], unique=False)
    op.create_index("ix_crm_absences_user", "crm_absences", ["user_id"], unique=False)


def _accounts() -> None:
    _record(
        "crm_accounts",
        *_lines("name", "phone"),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=True),
    )
    op.create_index("ix_crm_accounts_name", "crm_accounts", ["name"], unique=False)
    op.create_index("ix_crm_accounts_owner", "crm_accounts", ["owner_id"], unique=False)


def _appointments() -> None:
    _record(
        "crm_appointments",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=True),
        sa.Column("privacy", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("start", sa.DateTime(), nullable=False),
        sa.Column("end", sa.DateTime(), nullable=False),
        *_maybe("time_zone", "end_time_zone"),
        sa.Column("all_day", sa.Boolean(), nullable=False),
        *_maybe("rule", "rdates", "exdates", "overrides", "body", "body_type"),
        *_lines("location", "online_meeting", "url"),
        *_texts("status", "busy"),
        sa.Column("priority", sa.Integer(), nullable=False),
        *_maybe("reminders", "organizer_address", "organizer_name"),
        sa.Column("organizer_id", sa.Integer(), nullable=True),
        sa.Column("attachments", sa.Text(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("split_from", sa.Text(), server_default="", nullable=False),
        _refers("crm_appointments", "organizer_id", "crm_users"),
    )
    op.create_index("ix_crm_appointments_owner", "crm_appointments", ["owner_id"], unique=False)
    op.create_index("ix_crm_appointments_start", "crm_appointments", ["start"], unique=False)
    op.create_index("ix_crm_appointments_uid", "crm_appointments", ["uid"], unique=False)


def _markers() -> None:
    op.create_table(
        "crm_markers",
        sa.Column("user_id", sa.Integer(), nullable=False),
        *_texts("kind", "ref"),
        sa.Column("marker", sa.Text(), server_default="", nullable=False),
        _refers("crm_markers", "user_id", "crm_users", cascade=True),
        sa.PrimaryKeyConstraint("user_id", "kind", "ref", name="pk_crm_markers"),
    )
    op.create_index(
        "ix_crm_markers_marker", "crm_markers", ["user_id", "kind", "marker"], unique=False
    )
    op.create_index("ix_crm_markers_ref", "crm_markers", ["kind", "ref"], unique=False)


def _members() -> None:
    op.create_table(
        "crm_members",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        _refers("crm_members", "group_id", "crm_groups", cascade=True),
        _refers("crm_members", "user_id", "crm_users", cascade=True),
        sa.PrimaryKeyConstraint("group_id", "user_id", name="pk_crm_members"),
    )
    op.create_index("ix_crm_members_user", "crm_members", ["user_id"], unique=False)


def _notes() -> None:
    _record(
        "crm_notes",
        *_texts("about_kind", "about_ref"),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
    )
    op.create_index("ix_crm_notes_about", "crm_notes", ["about_kind", "about_ref"], unique=False)


def _outbox() -> None:
    op.create_table(
        "crm_outbox",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        *_texts("kind", "ref", "change"),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _refers("crm_outbox", "by_id", "crm_users"),
        _refers("crm_outbox", "user_id", "crm_users"),
        sa.PrimaryKeyConstraint("revision", name="pk_crm_outbox"),
    )


def _queues() -> None:
    op.create_table(
        "crm_queues",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        _refers("crm_queues", "group_id", "crm_groups"),
        sa.PrimaryKeyConstraint("id", name="pk_crm_queues"),
        sa.UniqueConstraint("address", name="uq_crm_queues_address"),
        sa.UniqueConstraint("name", name="uq_crm_queues_name"),
    )


def _scopes() -> None:
    op.create_table(
        "crm_scopes",
        sa.Column("user_id", sa.Integer(), nullable=False),
        *_texts("kind", "ref"),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _refers("crm_scopes", "user_id", "crm_users", cascade=True),
        sa.PrimaryKeyConstraint("user_id", "kind", "ref", name="pk_crm_scopes"),
    )
    op.create_index(
        "ix_crm_scopes_changes", "crm_scopes", ["user_id", "kind", "revision"], unique=False
    )
    op.create_index("ix_crm_scopes_ref", "crm_scopes", ["kind", "ref"], unique=False)


def _tasks() -> None:
    _record(
        "crm_tasks",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=True),
        sa.Column("privacy", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("start", sa.DateTime(), nullable=True),
        sa.Column("due", sa.DateTime(), nullable=True),
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("all_day", sa.Boolean(), nullable=False),
        *_maybe("rule", "exdates", "body", "body_type"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("completed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        *_maybe("reminders", "assignee_address", "assignee_name"),
        sa.Column("assignee_id", sa.Integer(), nullable=True),
        *_maybe("organizer_address", "organizer_name", "attachments"),
        _refers("crm_tasks", "assignee_id", "crm_users"),
    )
    op.create_index("ix_crm_tasks_due", "crm_tasks", ["due"], unique=False)
    op.create_index("ix_crm_tasks_owner", "crm_tasks", ["owner_id"], unique=False)
    op.create_index("ix_crm_tasks_uid", "crm_tasks", ["uid"], unique=False)


def _user_addresses() -> None:
    op.create_table(
        "crm_user_addresses",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        _refers("crm_user_addresses", "user_id", "crm_users", cascade=True),
        sa.PrimaryKeyConstraint("address", name="pk_crm_user_addresses"),
    )
    op.create_index(
        "ix_crm_user_addresses_user", "crm_user_addresses", ["user_id", "position"], unique=False
    )


def _user_kinds() -> None:
    op.create_table(
        "crm_user_kinds",
        sa.Column("user_id", sa.Integer(), nullable=False),
        *_texts("kind", "level"),
        sa.Column("since", sa.BigInteger(), nullable=False),
        _refers("crm_user_kinds", "user_id", "crm_users", cascade=True),
        sa.PrimaryKeyConstraint("user_id", "kind", name="pk_crm_user_kinds"),
    )


def _contacts() -> None:
    _record(
        "crm_contacts",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=True),
        sa.Column("privacy", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        *_lines(
            "full_name",
            "prefix",
            "given",
            "middle",
            "family",
            "suffix",
            "nickname",
            "organization",
            "department",
            "job_title",
        ),
        *_maybe("mails", "phones", "addresses", "urls"),
        *_lines("birthday", "anniversary", "notes"),
        sa.Column("photo", sa.Text(), nullable=True),
        sa.Column("primary_mail", sa.Text(), server_default="", nullable=False),
        _refers("crm_contacts", "account_id", "crm_accounts"),
    )
    op.create_index("ix_crm_contacts_account_id", "crm_contacts", ["account_id"], unique=False)
    op.create_index("ix_crm_contacts_name", "crm_contacts", ["family", "given"], unique=False)
    op.create_index("ix_crm_contacts_organization", "crm_contacts", ["organization"], unique=False)
    op.create_index("ix_crm_contacts_owner", "crm_contacts", ["owner_id"], unique=False)
    op.create_index("ix_crm_contacts_uid", "crm_contacts", ["uid"], unique=False)


def _emails() -> None:
    _record(
        "crm_emails",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=True),
        sa.Column("privacy", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received", sa.DateTime(timezone=True), nullable=True),
        *_maybe("sender", "to", "cc", "bcc"),
        sa.Column("in_reply_to", sa.Text(), server_default="", nullable=False),
        *_maybe("references", "body", "body_type", "attachments"),
        sa.Column("mime", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=True),
        _refers("crm_emails", "queue_id", "crm_queues"),
    )
    op.create_index("ix_crm_emails_uid", "crm_emails", ["uid"], unique=False)


def _participants() -> None:
    op.create_table(
        "crm_participants",
        sa.Column("appointment_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("invited", sa.Boolean(), nullable=False),
        *_lines("address", "folded", "name"),
        *_texts("role", "reply", "attendee_kind"),
        sa.Column("rsvp", sa.Boolean(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("contact_id", sa.Text(), nullable=True),
        _refers("crm_participants", "appointment_id", "crm_appointments", cascade=True),
        _refers("crm_participants", "user_id", "crm_users"),
        sa.PrimaryKeyConstraint("appointment_id", "position", name="pk_crm_participants"),
    )
    op.create_index("ix_crm_participants_folded", "crm_participants", ["folded"], unique=False)


def _personal() -> None:
    op.create_table(
        "crm_personal",
        sa.Column("appointment_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        *_maybe("reminders", "busy", "categories"),
        _refers("crm_personal", "appointment_id", "crm_appointments", cascade=True),
        _refers("crm_personal", "user_id", "crm_users", cascade=True),
        sa.PrimaryKeyConstraint("appointment_id", "user_id", name="pk_crm_personal"),
    )


def _contact_choices() -> None:
    op.create_table(
        "crm_contact_choices",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        _refers("crm_contact_choices", "contact_id", "crm_contacts", cascade=True),
        _refers("crm_contact_choices", "user_id", "crm_users", cascade=True),
        sa.PrimaryKeyConstraint("user_id", "contact_id", name="pk_crm_contact_choices"),
    )
    op.create_index(
        "ix_crm_contact_choices_contact", "crm_contact_choices", ["contact_id"], unique=False
    )


def _contact_mails() -> None:
    op.create_table(
        "crm_contact_mails",
        *_texts("contact_id", "address"),
        _refers("crm_contact_mails", "contact_id", "crm_contacts", cascade=True),
        sa.PrimaryKeyConstraint("contact_id", "address", name="pk_crm_contact_mails"),
    )
    op.create_index("ix_crm_contact_mails_address", "crm_contact_mails", ["address"], unique=False)


def _filings() -> None:
    op.create_table(
        "crm_filings",
        *_texts("email_id", "kind", "ref"),
        sa.Column("user_id", sa.Integer(), nullable=False),
        _refers("crm_filings", "email_id", "crm_emails", cascade=True),
        _refers("crm_filings", "user_id", "crm_users"),
        sa.PrimaryKeyConstraint("email_id", "kind", "ref", name="pk_crm_filings"),
    )
    op.create_index("ix_crm_filings_ref", "crm_filings", ["kind", "ref"], unique=False)


def _leads() -> None:
    _record(
        "crm_leads",
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        *_maybe("account_id", "contact_id"),
        _refers("crm_leads", "account_id", "crm_accounts"),
        _refers("crm_leads", "contact_id", "crm_contacts"),
    )
    op.create_index("ix_crm_leads_contact_id", "crm_leads", ["contact_id"], unique=False)


def _opportunities() -> None:
    _record(
        "crm_opportunities",
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=2), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("closes", sa.DateTime(), nullable=True),
        *_maybe("account_id", "contact_id"),
        _refers("crm_opportunities", "account_id", "crm_accounts"),
        _refers("crm_opportunities", "contact_id", "crm_contacts"),
    )
    op.create_index(
        "ix_crm_opportunities_contact_id", "crm_opportunities", ["contact_id"], unique=False
    )


def _opportunity_records() -> None:
    op.create_table(
        "crm_opportunity_records",
        *_texts("opportunity_id", "kind", "ref"),
        _refers("crm_opportunity_records", "opportunity_id", "crm_opportunities", cascade=True),
        sa.PrimaryKeyConstraint("opportunity_id", "kind", "ref", name="pk_crm_opportunity_records"),
    )
    op.create_index(
        "ix_crm_opportunity_records_ref", "crm_opportunity_records", ["kind", "ref"], unique=False
    )


def _refers(table: str, column: str, to: str, *, cascade: bool = False) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column],
        [f"{to}.id"],
        name=f"fk_{table}_{column}",
        ondelete="CASCADE" if cascade else None,
    )


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _lines(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), server_default="", nullable=False) for name in names]


def _maybe(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=True) for name in names]


def _record(name: str, *more: sa.Column[Any] | sa.Constraint) -> None:
    """Make the table of a noun with what every record has."""
    op.create_table(
        name,
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.Column("group_writes", sa.Boolean(), nullable=False),
        sa.Column("visibility", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_by", sa.Integer(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.Column("extras", sa.Text(), nullable=True),
        *more,
        sa.ForeignKeyConstraint(["group_id"], ["crm_groups.id"], name=f"fk_{name}_group_id"),
        sa.ForeignKeyConstraint(["modified_by"], ["crm_users.id"], name=f"fk_{name}_modified_by"),
        sa.ForeignKeyConstraint(["owner_id"], ["crm_users.id"], name=f"fk_{name}_owner_id"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.UniqueConstraint("key", name=f"uq_{name}_key"),
    )
    op.create_index(f"ix_{name}_revision", name, ["revision"], unique=False)
