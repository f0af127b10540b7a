"""Links that observe or are paused: every command that would write says that it didn't."""

from __future__ import annotations

import pytest

from accord.cli import exits
from accord.groupware.memory import MemoryGroupware
from accord.model.kinds import Kind
from tests.unit.cli.conftest import Run, govern
from tests.unit.cli.test_commands import edit, put

RULE = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\n'


def stand(linked: Run, mailboxes: MemoryGroupware) -> list[str]:
    """Return the titles in the CRM, then those in the mailbox."""
    records = linked("crm", "list", "event", "--as", "alice", "--json").rows
    copies = mailboxes.person("alice@x.test").list(Kind.EVENT)
    return [r["item"]["title"] for r in records] + [getattr(c.item, "title", "") for c in copies]


@pytest.mark.parametrize(
    ("stop", "how"),
    [
        (("mode", "alice", "observe"), "only observes"),
        (("pause", "alice"), "is paused"),
        (("pause", "--all"), "is paused"),
    ],
)
def test_nothing_is_approved_where_nothing_is_written(
    linked: Run, mailboxes: MemoryGroupware, stop: tuple[str, ...], how: str
) -> None:
    govern(linked, f"{RULE}guard.deletes = 0\n")
    ref = put(linked, "Meeting")
    linked("sync", "alice-event")
    linked("crm", "delete", ref, "--as", "alice")
    linked("sync", "alice-event")
    before = stand(linked, mailboxes)
    linked(*stop)
    told = linked("held", "approve", "--all", "--yes", code=exits.WRONG)
    assert f"the link {how}: nothing was approved" in told.err
    assert "let it write first" in told.err
    linked("mode", "alice", "active")
    linked("resume", "--all")
    linked("resume", "alice")
    linked("sync", "alice-event")
    assert linked("held", "--json").row["approved"] is False
    assert stand(linked, mailboxes) == before
    linked("held", "approve", "--all", "--yes")
    assert stand(linked, mailboxes) == []


def test_a_conflict_of_an_observing_link_stays_open_and_that_is_said(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    govern(linked, f'{RULE}clash = "hold"\n')
    ref = put(linked, "Base")
    linked("sync", "alice-event")
    person = mailboxes.person("alice@x.test")
    person.edit(person.list(Kind.EVENT)[0].ref, title="Hers")
    edit(linked, ref, title="Ours")
    linked("sync", "alice-event")
    linked("mode", "alice", "observe")
    resolve = ("conflicts", "resolve", "--all", "--take", "crm")
    told = linked(*resolve).out
    assert "only observed, nothing written; would be: mailbox 1 updated" in told
    assert stand(linked, mailboxes) == ["Ours", "Hers"]
    assert "both sides changed title" in linked("conflicts").out
    linked("mode", "alice", "active")
    (row,) = linked(*resolve, "--json").rows
    assert (row["groupware"]["updated"], row["requests"] > 0) == (1, True)
    assert stand(linked, mailboxes) == ["Ours", "Ours"]


@pytest.mark.parametrize(
    ("stop", "how"),
    [
        (("mode", "alice", "observe"), "alice-event only observes"),
        (("pause", "alice-event"), "alice-event is paused"),
    ],
)
def test_copies_of_a_link_that_stands_still_go_only_if_that_is_said(
    linked: Run, mailboxes: MemoryGroupware, stop: tuple[str, ...], how: str
) -> None:
    put(linked, "Meeting")
    linked("sync", "alice-event")
    linked(*stop)
    remove = ("links", "remove", "alice-event", "--withdraw")
    assert "delete in the mailbox: Meeting" in linked(*remove, "--plan").out
    told = linked(*remove, "--yes", code=exits.WRONG).err
    assert f"{how}: nothing was deleted" in told and "--even-paused" in told
    assert stand(linked, mailboxes) == ["Meeting", "Meeting"]
    linked(*remove, "--yes", "--even-paused")
    assert stand(linked, mailboxes) == ["Meeting"]


def test_while_everything_is_paused_no_copy_goes(linked: Run, mailboxes: MemoryGroupware) -> None:
    put(linked, "Meeting")
    linked("sync", "alice-event")
    linked("pause", "--all")
    remove = ("links", "remove", "alice-event", "--withdraw", "--yes", "--even-paused")
    assert "paused" in linked(*remove, code=exits.WRONG).err
    assert stand(linked, mailboxes) == ["Meeting", "Meeting"]
