"""`accord templates` and `preferences`: a firm's people get links, choose, leave and hand over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accord.groupware.memory import MemoryGroupware
from accord.model.kinds import Kind
from tests.unit.cli.conftest import Run, event

TEXT = """
[[target]]
name = "company"
adapter = "memory"

[[template]]
name = "sales"
group = "sales"
target = "company"
kinds = ["event"]
offers = ["task"]
open = ["kinds", "contacts"]
contacts = "all"
withdraw_after = 30

[[rule]]
name = "events"
kind = "event"
scope = "all"
"""


@pytest.fixture
def firm(run: Run, tmp_path: Path, mailboxes: MemoryGroupware) -> Run:
    run("init")
    for name in ("alice", "bob", "carol"):
        run("crm", "users", "add", name, "--address", f"{name}@example.com")
    run("crm", "users", "group", "sales", "alice", "bob")
    (tmp_path / "firm.toml").write_text(TEXT, encoding="utf-8")
    run("import", "firm.toml")
    return run


def add(run: Run, user: str, title: str) -> None:
    run("crm", "put", "--as", user, stdin=event(title))


def test_members_get_links_after_a_look_at_their_plans(
    firm: Run, mailboxes: MemoryGroupware
) -> None:
    add(firm, "alice", "Review")
    planned = firm("templates", "apply", "--plan").out
    assert "+ alice-event: add, alice is in sales" in planned
    assert "Nothing was changed" in planned and "no links" in firm("links").out
    done = firm("templates", "apply").out
    assert "1 write waits for approval" in done and "0 writes wait" in done
    assert "alice: change, which contacts they have" in done
    shown = firm("templates").out
    assert "sales  events of sales ↔ company" in shown
    assert "2 members, 2 links" in shown
    assert "? alice-event: its first synchronization waits for approval (1 write)" in shown
    observed = firm("sync", "--all").out
    assert "2 links only observe because of a template: `accord templates` tells" in observed
    assert "accord mode" not in observed, "their plans are to be approved"
    assert not mailboxes.person("alice@example.com").list(Kind.EVENT)
    firm("templates", "approve", "alice", "--yes")
    assert len(mailboxes.person("alice@example.com").list(Kind.EVENT)) == 1
    assert "alice-event" not in firm("templates").out
    assert firm("links", "alice-event", "--json").row["mode"] == "pilot"
    assert "Nothing to do" in firm("templates", "apply").out
    (row,) = firm("templates", "apply", "--json").rows
    assert (row["done"], row["planned"]) == ([], False)


def test_an_approved_plan_is_carried_out_whole_and_then_the_link_is_watched(
    firm: Run, mailboxes: MemoryGroupware
) -> None:
    """A pilot holds more than twenty changes at once; these somebody has looked at."""
    for number in range(25):
        add(firm, "alice", f"Review {number}")
    assert "25 writes wait for approval" in firm("templates", "apply").out
    assert "mailbox 25 created" in firm("templates", "approve", "alice", "--yes").out
    for number in range(25):
        add(firm, "alice", f"Visit {number}")
    assert "25 wait for approval" in firm("sync", "alice").out
    assert len(mailboxes.person("alice@example.com").list(Kind.EVENT)) == 25


def test_a_plan_that_grew_is_not_carried_out(firm: Run, mailboxes: MemoryGroupware) -> None:
    firm("templates", "apply")
    add(firm, "alice", "Review")
    said = firm("templates", "approve", "--all", "--yes", code=1)
    assert "alice-event: its plan has grown and waits anew" in said.out
    assert not mailboxes.person("alice@example.com").list(Kind.EVENT)
    firm("templates", "approve", "--all", "--yes")
    assert len(mailboxes.person("alice@example.com").list(Kind.EVENT)) == 1
    assert "Nothing waits" in firm("templates", "approve", "--all").out


def test_approving_names_links_and_asks(firm: Run) -> None:
    firm("templates", "apply")
    assert "which links?" in firm("templates", "approve", code=2).err
    assert "which links?" in firm("templates", "approve", "alice", "--all", code=2).err
    assert "nobody is there to agree" in firm("templates", "approve", "alice", code=2).err


def test_preferences_are_shown_noted_and_obeyed(firm: Run) -> None:
    assert "kinds: —  (template sales says event)" in firm("preferences", "alice").out
    firm("preferences", "alice", "kinds", "event,task")
    firm("preferences", "alice", "contacts", "list")
    firm("templates", "apply")
    assert [row["name"] for row in firm("links", "--json").rows] == [
        "alice-event", "alice-task", "bob-event"
    ]  # fmt: skip
    users = {row["name"]: row["contacts"] for row in firm("crm", "users", "--json").rows}
    assert users == {"alice": "list", "bob": "all", "carol": "own"}
    row = firm("preferences", "alice", "kinds", "--json").row
    assert row["preference"]["value"] == "event,task"
    firm("preferences", "alice", "kinds", "--clear")
    assert "- alice-task: pause, no template gives alice tasks" in firm("templates", "apply").out


def test_contacts_set_by_hand_stay(firm: Run) -> None:
    firm("crm", "users", "change", "alice", "--contacts", "list")
    firm("templates", "apply")
    firm("crm", "users", "change", "bob", "--contacts", "own")
    firm("templates", "apply")
    users = {row["name"]: row["contacts"] for row in firm("crm", "users", "--json").rows}
    assert users == {"alice": "list", "bob": "own", "carol": "own"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("zoe",), "there is no CRM user 'zoe'"),
        (("carol", "kinds", "event"), "no template gives carol any links"),
        (("alice", "colour", "red"), "there is no preference 'colour'"),
        (("alice", "colour"), "there is no preference 'colour'"),
        (("alice", "kinds", "evnt"), "there is no kind 'evnt'"),
        (("alice", "contacts", "some"), "the CRM knows no contact mode 'some'"),
        (("alice", "folder.event", "x"), "template sales doesn't leave folder.event open"),
        (("alice", "successor", "alice"), "nobody succeeds themselves"),
        (("alice", "successor", "zoe"), "zoe"),
        (("alice", "--clear"), "which choice?"),
    ],
)
def test_what_can_not_be_preferred_is_refused(firm: Run, words: tuple[str, ...], said: str) -> None:
    result = firm("preferences", *words, code=None)
    assert result.code != 0 and said in result.err


def test_what_a_leaver_leaves_is_handed_over_once_somebody_agrees(firm: Run) -> None:
    for title in ("Review", "Visit"):
        add(firm, "alice", title)
    firm("crm", "put", "--as", "alice", stdin=event("Doctor", privacy="private"))
    past = event("Past", start="2020-03-01T10:00:00", end="2020-03-01T11:00:00")
    firm("crm", "put", "--as", "alice", stdin=past)
    firm("templates", "apply")
    firm("crm", "users", "change", "alice", "--no-active")
    said = firm("templates", "apply").out
    assert "- alice-event: pause, alice may no longer sign in" in said
    assert "! alice (template sales): nobody is named to take over 2 appointments" in said
    assert "Nothing waits" in firm("templates", "handovers").out
    firm("preferences", "alice", "successor", "bob")
    assert "1 handover waits" in firm("templates", "apply").out
    listed = firm("templates", "handovers").out
    assert "alice → bob: 2 appointments; waits" in listed
    assert "Review" in listed and "Doctor" not in listed and "Past" not in listed
    firm("pause", "--all")
    paused = firm("templates", "handovers", "approve", "alice", code=None)
    assert paused.code != 0 and "everything is paused" in paused.err
    firm("resume", "--all")
    said = firm("templates", "handovers", "approve", "alice").out
    assert "alice: 2 appointments handed over to bob" in said
    titles = [
        row["item"]["title"] for row in firm("crm", "list", "event", "--as", "bob", "--json").rows
    ]
    assert sorted(titles) == ["Review", "Visit"]
    assert "approved" in firm("templates", "handovers").out
    assert (
        "nothing of alice's waits"
        in firm("templates", "handovers", "approve", "alice", code=None).err
    )
    steps = [row["step"] for row in firm("journal", "--json").rows]
    assert steps.count("hand-over") == 2


def test_a_handover_that_changed_is_offered_anew(firm: Run) -> None:
    add(firm, "alice", "Review")
    firm("templates", "apply")
    firm("preferences", "alice", "successor", "bob")
    firm("crm", "users", "group", "sales", "bob")
    firm("templates", "apply")
    add(firm, "alice", "Visit")
    said = firm("templates", "handovers", "approve", "alice", code=1).out
    assert "It has changed since it was offered" in said and "2 appointments" in said
    assert firm("crm", "list", "event", "--as", "bob", "--json").rows == []
    firm("templates", "handovers", "reject", "alice")
    assert firm("crm", "list", "event", "--as", "bob", "--json").rows == []
    add(firm, "alice", "Later")
    assert "1 handover waits" not in firm("templates", "apply").out


def test_who_comes_back_keeps_their_appointments(firm: Run) -> None:
    add(firm, "alice", "Review")
    firm("templates", "apply")
    firm("preferences", "alice", "successor", "bob")
    firm("crm", "users", "group", "sales", "bob")
    firm("templates", "apply")
    firm("crm", "users", "group", "sales", "alice", "bob")
    firm("templates", "apply")
    assert "Nothing waits" in firm("templates", "handovers").out


def test_links_of_a_removed_template_stay(firm: Run) -> None:
    firm("templates", "apply")
    assert "sales: removed; 2 links of it stay" in firm("templates", "remove", "sales").out
    assert len(firm("links", "--json").rows) == 2
    assert "There are no templates yet" in firm("templates").out
    assert "there is no template 'sales'" in firm("templates", "remove", "sales", code=2).err
    assert json.loads(firm("templates", "apply", "--json").out)["done"] == []
