"""`accord digest`: people's lost edits, for a person to read or a program to send."""

from __future__ import annotations

from accord.cli import exits
from accord.groupware.memory import MemoryGroupware
from accord.model.kinds import Kind
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_commands import edit, put


def test_a_lost_edit_is_shown_and_given_to_programs(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    assert "Every edit came through." in linked("digest").out
    ref = put(linked, "Before")
    linked("sync", "--all")
    edit(linked, ref, title="From the CRM")
    mailbox = mailboxes.person("alice@x.test")
    mailbox.edit(mailbox.list(Kind.EVENT)[0].ref, title="From the mailbox")
    linked("sync", "--all")
    said = linked("digest", "--user", "alice").out
    assert "alice <alice@x.test>" in said
    assert "- lost, " in said and "(title)" in said and "accord undo" in said
    assert "From the mailbox" not in said
    row = linked("digest", "--json").row
    assert (row["user"], row["address"]) == ("alice", "alice@x.test")
    assert [line["fate"] for line in row["lines"]] == ["lost"]
    assert "Every edit" in linked("digest", "--user", "somebody").out
    assert "at least one day" in linked("digest", "--days", "0", code=exits.WRONG).err
