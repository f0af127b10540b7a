"""What is open is counted apart from what a rule has settled, and both can be looked at."""

from __future__ import annotations

from accord.groupware.memory import MemoryGroupware
from accord.model.kinds import Kind
from tests.unit.cli.conftest import Run, govern
from tests.unit.cli.test_commands import edit, put

RULE = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nclash = "{winner}"\n'


def clash(linked: Run, mailboxes: MemoryGroupware, winner: str, count: int = 1) -> None:
    """Let both sides rename the same entries."""
    govern(linked, RULE.format(winner=winner))
    refs = [put(linked, f"Visit {number}") for number in range(count)]
    linked("sync", "alice-event")
    linked("held", "approve", "--all", "--yes")
    for ref in refs:
        edit(linked, ref, title="CRM title")
    person = mailboxes.person("alice@x.test")
    for copy in person.list(Kind.EVENT):
        person.edit(copy.ref, title="Mailbox title")


def test_a_settled_clash_is_not_open_but_its_losing_value_can_be_seen_and_returned(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    clash(linked, mailboxes, "crm")
    planned = linked("plan", "alice-event")
    assert "1 settled" in planned.out and "in conflict" not in planned.out
    assert "Title: CRM CRM title, mailbox Mailbox title (lost)" in planned.out
    row = linked("plan", "alice-event", "--json").row
    assert (row["conflicts"], row["clashes"]) == (0, 1)
    assert [step["step"] for step in row["steps"]] == ["clash", "update"]
    out = linked("sync", "alice-event").out
    assert "1 clash settled, the losing value is kept: `accord conflicts --settled`" in out
    assert "in conflict" not in out

    assert linked("conflicts", "--json").rows == []
    assert "--settled" in linked("conflicts").out
    assert linked("links", "alice-event", "--json").row["conflicts"] == 0
    (kept,) = linked("conflicts", "--settled", "--json").rows
    assert kept["fields"] == [
        {"field": "title", "crm": "CRM title", "groupware": "Mailbox title"}
    ]  # fmt: skip
    assert (kept["lost"], kept["label"], kept["link"]) == ("groupware", "CRM title", "alice-event")
    shown = linked("conflicts", "--settled", "--link", "alice-event").out
    told = "title: CRM CRM title, mailbox Mailbox title (lost)"
    assert told in shown
    assert told in linked("journal").out
    assert told in linked("explain", "CRM title").out

    linked("undo", kept["id"], "--yes")
    (copy,) = mailboxes.person("alice@x.test").list(Kind.EVENT)
    assert getattr(copy.item, "title", "") == "Mailbox title"
    assert linked("conflicts", "--settled").out == "No clash was settled.\n"


def test_the_side_that_lost_is_the_one_that_is_said_to_have_lost(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    clash(linked, mailboxes, "groupware")
    linked("sync", "alice-event")
    shown = linked("conflicts", "--settled").out
    assert "title: CRM CRM title (lost), mailbox Mailbox title\n" in shown
    assert linked("conflicts", "--settled", "--json").row["lost"] == "crm"


def test_an_open_conflict_is_no_settled_one_and_cannot_be_undone(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    clash(linked, mailboxes, "hold", count=2)
    row = linked("sync", "alice-event", "--json").row
    assert (row["conflicts"], row["clashes"]) == (2, 0)
    assert linked("conflicts", "--settled", "--json").rows == []
    assert "title: CRM CRM title, mailbox Mailbox title\n" in linked("journal").out
    (newest, *_) = linked("journal", "--json").rows
    assert newest["step"] == "conflict"
    assert "nothing to undo" in linked("undo", newest["id"], "--yes", code=2).err


def test_sentences_agree_with_their_numbers(linked: Run, mailboxes: MemoryGroupware) -> None:
    clash(linked, mailboxes, "crm", count=2)
    assert "2 clashes settled, the losing values are kept" in linked("sync", "alice-event").out
    govern(linked, RULE.format(winner="crm") + "guard.deletes = 0\n")
    first, second = mailboxes.person("alice@x.test").list(Kind.EVENT)
    mailboxes.person("alice@x.test").delete(first.ref)
    assert "1 waits for approval" in linked("sync", "alice-event").out
    mailboxes.person("alice@x.test").delete(second.ref)
    linked("held", "reject", "--all", "--yes")
    put(linked, "One more")
    linked("sync", "alice-event")
    assert "1 held: `accord held`" in linked("check", code=None).out
