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
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
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
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("grantee", sa.Text(), nullable=False),
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
        sa.Column("absence_kind", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("outside_message", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["crm_users.id"], name="fk_crm_absences_user_id"),
    )
    op.create_index("ix_crm_absences_uid", "crm_absences", ["uid"], unique=False)
    op.create_index("ix_crm_absences_user", "crm_absences", ["user_id"], unique=False)


def _accounts() -> None:
    _record(
        "crm_accounts",
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("phone", sa.Text(), server_default="", nullable=False),
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
        sa.Column("time_zone", sa.Text(), nullable=True),
        sa.Column("end_time_zone", sa.Text(), nullable=True),
        sa.Column("all_day", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("rdates", sa.Text(), nullable=True),
        sa.Column("exdates", sa.Text(), nullable=True),
        sa.Column("overrides", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("body_type", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), server_default="", nullable=False),
        sa.Column("online_meeting", sa.Text(), server_default="", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("busy", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("reminders", sa.Text(), nullable=True),
        sa.Column("organizer_address", sa.Text(), nullable=True),
        sa.Column("organizer_name", sa.Text(), nullable=True),
        sa.Column("organizer_id", sa.Integer(), nullable=True),
        sa.Column("attachments", sa.Text(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("split_from", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["organizer_id"], ["crm_users.id"], name="fk_crm_appointments_organizer_id"
        ),
    )
    op.create_index("ix_crm_appointments_owner", "crm_appointments", ["owner_id"], unique=False)
    op.create_index("ix_crm_appointments_start", "crm_appointments", ["start"], unique=False)
    op.create_index("ix_crm_appointments_uid", "crm_appointments", ["uid"], unique=False)


def _markers() -> None:
    op.create_table(
        "crm_markers",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("marker", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["crm_users.id"], name="fk_crm_markers_user_id", ondelete="CASCADE"
        ),
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
        sa.ForeignKeyConstraint(
            ["group_id"], ["crm_groups.id"], name="fk_crm_members_group_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["crm_users.id"], name="fk_crm_members_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_id", "user_id", name="pk_crm_members"),
    )
    op.create_index("ix_crm_members_user", "crm_members", ["user_id"], unique=False)


def _notes() -> None:
    _record(
        "crm_notes",
        sa.Column("about_kind", sa.Text(), nullable=False),
        sa.Column("about_ref", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
    )
    op.create_index("ix_crm_notes_about", "crm_notes", ["about_kind", "about_ref"], unique=False)


def _outbox() -> None:
    op.create_table(
        "crm_outbox",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["crm_users.id"], name="fk_crm_outbox_by_id"),
        sa.ForeignKeyConstraint(["user_id"], ["crm_users.id"], name="fk_crm_outbox_user_id"),
        sa.PrimaryKeyConstraint("revision", name="pk_crm_outbox"),
    )


def _queues() -> None:
    op.create_table(
        "crm_queues",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("group_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["crm_groups.id"], name="fk_crm_queues_group_id"),
        sa.PrimaryKeyConstraint("id", name="pk_crm_queues"),
        sa.UniqueConstraint("address", name="uq_crm_queues_address"),
        sa.UniqueConstraint("name", name="uq_crm_queues_name"),
    )


def _scopes() -> None:
    op.create_table(
        "crm_scopes",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["crm_users.id"], name="fk_crm_scopes_user_id", ondelete="CASCADE"
        ),
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
        sa.Column("rule", sa.Text(), nullable=True),
        sa.Column("exdates", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("body_type", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("completed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("reminders", sa.Text(), nullable=True),
        sa.Column("assignee_address", sa.Text(), nullable=True),
        sa.Column("assignee_name", sa.Text(), nullable=True),
        sa.Column("assignee_id", sa.Integer(), nullable=True),
        sa.Column("organizer_address", sa.Text(), nullable=True),
        sa.Column("organizer_name", sa.Text(), nullable=True),
        sa.Column("attachments", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["assignee_id"], ["crm_users.id"], name="fk_crm_tasks_assignee_id"),
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
        sa.ForeignKeyConstraint(
            ["user_id"], ["crm_users.id"], name="fk_crm_user_addresses_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("address", name="pk_crm_user_addresses"),
    )
    op.create_index(
        "ix_crm_user_addresses_user", "crm_user_addresses", ["user_id", "position"], unique=False
    )


def _user_kinds() -> None:
    op.create_table(
        "crm_user_kinds",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["crm_users.id"], name="fk_crm_user_kinds_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "kind", name="pk_crm_user_kinds"),
    )


def _contacts() -> None:
    _record(
        "crm_contacts",
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("categories", sa.Text(), nullable=True),
        sa.Column("privacy", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("full_name", sa.Text(), server_default="", nullable=False),
        sa.Column("prefix", sa.Text(), server_default="", nullable=False),
        sa.Column("given", sa.Text(), server_default="", nullable=False),
        sa.Column("middle", sa.Text(), server_default="", nullable=False),
        sa.Column("family", sa.Text(), server_default="", nullable=False),
        sa.Column("suffix", sa.Text(), server_default="", nullable=False),
        sa.Column("nickname", sa.Text(), server_default="", nullable=False),
        sa.Column("organization", sa.Text(), server_default="", nullable=False),
        sa.Column("department", sa.Text(), server_default="", nullable=False),
        sa.Column("job_title", sa.Text(), server_default="", nullable=False),
        sa.Column("mails", sa.Text(), nullable=True),
        sa.Column("phones", sa.Text(), nullable=True),
        sa.Column("addresses", sa.Text(), nullable=True),
        sa.Column("urls", sa.Text(), nullable=True),
        sa.Column("birthday", sa.Text(), server_default="", nullable=False),
        sa.Column("anniversary", sa.Text(), server_default="", nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("photo", sa.Text(), nullable=True),
        sa.Column("primary_mail", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["crm_accounts.id"], name="fk_crm_contacts_account_id"
        ),
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
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("to", sa.Text(), nullable=True),
        sa.Column("cc", sa.Text(), nullable=True),
        sa.Column("bcc", sa.Text(), nullable=True),
        sa.Column("in_reply_to", sa.Text(), server_default="", nullable=False),
        sa.Column("references", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("body_type", sa.Text(), nullable=True),
        sa.Column("attachments", sa.Text(), nullable=True),
        sa.Column("mime", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("queue_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["queue_id"], ["crm_queues.id"], name="fk_crm_emails_queue_id"),
    )
    op.create_index("ix_crm_emails_uid", "crm_emails", ["uid"], unique=False)


def _participants() -> None:
    op.create_table(
        "crm_participants",
        sa.Column("appointment_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("invited", sa.Boolean(), nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("folded", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("attendee_kind", sa.Text(), nullable=False),
        sa.Column("rsvp", sa.Boolean(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("contact_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["appointment_id"],
            ["crm_appointments.id"],
            name="fk_crm_participants_appointment_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["crm_users.id"], name="fk_crm_participants_user_id"),
        sa.PrimaryKeyConstraint("appointment_id", "position", name="pk_crm_participants"),
    )
    op.create_index("ix_crm_participants_folded", "crm_participants", ["folded"], unique=False)


def _personal() -> None:
    op.create_table(
        "crm_personal",
        sa.Column("appointment_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("reminders", sa.Text(), nullable=True),
        sa.Column("busy", sa.Text(), nullable=True),
        sa.Column("categories", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["appointment_id"],
            ["crm_appointments.id"],
            name="fk_crm_personal_appointment_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["crm_users.id"], name="fk_crm_personal_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("appointment_id", "user_id", name="pk_crm_personal"),
    )


def _contact_choices() -> None:
    op.create_table(
        "crm_contact_choices",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contacts.id"],
            name="fk_crm_contact_choices_contact_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["crm_users.id"], name="fk_crm_contact_choices_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "contact_id", name="pk_crm_contact_choices"),
    )
    op.create_index(
        "ix_crm_contact_choices_contact", "crm_contact_choices", ["contact_id"], unique=False
    )


def _contact_mails() -> None:
    op.create_table(
        "crm_contact_mails",
        sa.Column("contact_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["crm_contacts.id"],
            name="fk_crm_contact_mails_contact_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("contact_id", "address", name="pk_crm_contact_mails"),
    )
    op.create_index("ix_crm_contact_mails_address", "crm_contact_mails", ["address"], unique=False)


def _filings() -> None:
    op.create_table(
        "crm_filings",
        sa.Column("email_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["email_id"], ["crm_emails.id"], name="fk_crm_filings_email_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["crm_users.id"], name="fk_crm_filings_user_id"),
        sa.PrimaryKeyConstraint("email_id", "kind", "ref", name="pk_crm_filings"),
    )
    op.create_index("ix_crm_filings_ref", "crm_filings", ["kind", "ref"], unique=False)


def _leads() -> None:
    _record(
        "crm_leads",
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("contact_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["crm_accounts.id"], name="fk_crm_leads_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["crm_contacts.id"], name="fk_crm_leads_contact_id"
        ),
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
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("contact_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["crm_accounts.id"], name="fk_crm_opportunities_account_id"
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["crm_contacts.id"], name="fk_crm_opportunities_contact_id"
        ),
    )
    op.create_index(
        "ix_crm_opportunities_contact_id", "crm_opportunities", ["contact_id"], unique=False
    )


def _opportunity_records() -> None:
    op.create_table(
        "crm_opportunity_records",
        sa.Column("opportunity_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["opportunity_id"],
            ["crm_opportunities.id"],
            name="fk_crm_opportunity_records_opportunity_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("opportunity_id", "kind", "ref", name="pk_crm_opportunity_records"),
    )
    op.create_index(
        "ix_crm_opportunity_records_ref", "crm_opportunity_records", ["kind", "ref"], unique=False
    )


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
