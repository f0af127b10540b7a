"""`accord undo` and what it holds, as an administrator does it; and a record that isn't there."""

from __future__ import annotations

from accord.cli import exits
from accord.groupware.memory import MemoryGroupware
from accord.model.kinds import Kind
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_commands import edit, put


def renamed(linked: Run) -> tuple[str, str]:
    """Rename an appointment in the CRM; return its ref and the number of the mailbox's step."""
    ref = put(linked, "Old")
    linked("sync", "alice-event")
    edit(linked, ref, title="New")
    linked("sync", "alice-event")
    return ref, str(linked("journal", "--json", "--limit", "1").row["id"])


def titles(linked: Run, mailboxes: MemoryGroupware) -> list[str]:
    """Return what both sides call their only appointment."""
    (copy,) = mailboxes.person("alice@x.test").list(Kind.EVENT)
    (row,) = linked("crm", "list", "event", "--as", "alice", "--json").rows
    return [row["item"]["title"], getattr(copy.item, "title", "")]


def test_an_unknown_record_is_said_to_be_unknown(linked: Run) -> None:
    for words in (("show", "zzz"), ("delete", "zzz"), ("restore", "zzz")):
        told = linked("crm", *words, "--as", "alice", code=exits.FAILED).err
        assert "zzz" in told and "`accord crm list` shows what is" in told
        assert "changed meanwhile" not in told


def test_both_sides_go_back_and_twice_is_said(linked: Run, mailboxes: MemoryGroupware) -> None:
    _, number = renamed(linked)
    planned = linked("undo", number, "--plan").out
    assert "update in the CRM" in planned and "update in the mailbox" in planned
    linked("undo", number, "--yes")
    assert titles(linked, mailboxes) == ["Old", "Old"]
    told = linked("undo", number, "--yes", code=exits.WRONG).err
    assert f"step {number} was undone before, by step" in told and "takes that back" in told


def test_a_held_undo_is_approved_as_what_it_is(linked: Run, mailboxes: MemoryGroupware) -> None:
    ref, number = renamed(linked)
    edit(linked, ref, title="Newer")
    linked("sync", "alice-event")
    assert "2 held" in linked("undo", number, "--yes").out
    assert titles(linked, mailboxes) == ["Newer", "Newer"]
    assert linked("links", "alice-event", "--json").row["held"] == 2
    first, _ = linked("held", "--json").rows
    assert first["cause"] == "edited since: title"
    linked("held", "approve", first["id"])
    assert titles(linked, mailboxes) == ["Old", "Old"]
    assert linked("held", "--json").rows == []


def test_a_rejected_undo_is_asked_about_again(linked: Run, mailboxes: MemoryGroupware) -> None:
    ref, number = renamed(linked)
    edit(linked, ref, title="Newer")
    linked("sync", "alice-event")
    linked("undo", number, "--yes")
    linked("held", "reject", "--all", "--yes")
    assert "Nothing is held" in linked("held").out
    assert titles(linked, mailboxes) == ["Newer", "Newer"]
    assert "2 held" in linked("undo", number, "--yes").out


def test_what_cannot_be_undone_is_named(linked: Run, mailboxes: MemoryGroupware) -> None:
    _, number = renamed(linked)
    (copy,) = mailboxes.person("alice@x.test").list(Kind.EVENT)
    mailboxes.person("alice@x.test").corrupt(copy.ref)
    told = linked("undo", number, "--yes", code=exits.FAILED)
    assert f"step {number} not undone: it can't be read in the mailbox" in told.err
    left = linked("undo", number, "--yes", "--json", code=exits.FAILED).row["left"]
    assert left == [told.err.strip()]


def test_a_link_that_observes_says_that_nothing_was_undone(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    _, number = renamed(linked)
    before = titles(linked, mailboxes)
    linked("mode", "alice", "observe")
    told = linked("undo", number)
    assert "only observed, nothing written; would be: CRM 1 updated, mailbox 1 updated" in told.out
    assert titles(linked, mailboxes) == before
    linked("mode", "alice", "active")
    linked("undo", number, "--yes")
    assert titles(linked, mailboxes) != before


def test_an_undo_prints_what_becomes_of_what_stands_alone_before_it_does_it(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    ref, number = renamed(linked)
    linked("undo", number, "--yes")
    shown = linked("undo", ref, "--plan").out
    told = linked("undo", ref, "--yes").out
    assert shown in told
    assert "update in the CRM" in shown
    assert "CRM 1 updated, mailbox 1 deleted, 1 let go" in told
    assert mailboxes.person("alice@x.test").list(Kind.EVENT) == ()
