"""What the CRM's people leave behind who may no longer sign in: how it is told, how it goes."""

from __future__ import annotations

import re
import shlex
from contextlib import closing
from pathlib import Path

import pytest

from accord.groupware.memory import MemoryGroupware
from accord.model.kinds import Kind
from accord.service.bootstrap import open_accord, open_queue
from accord.service.config import load
from accord.service.status import Status, status
from accord.web.metrics import exposition
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
mode = "active"
hold = false
withdraw_after = 0

[[link]]
user = "dora"
kind = "event"
target = "company"
mode = "active"

[[rule]]
name = "events"
kind = "event"
scope = "all"
"""
MANY = 12


@pytest.fixture
def firm(run: Run, tmp_path: Path, mailboxes: MemoryGroupware) -> Run:
    """Carl has his link by a template, dora hers by hand; both have many copies."""
    run("init")
    for name in ("carl", "dora", "erik"):
        run("crm", "users", "add", name, "--address", f"{name}@x.test")
    run("crm", "users", "group", "sales", "carl", "erik")
    (tmp_path / "firm.toml").write_text(TEXT, encoding="utf-8")
    run("import", "firm.toml")
    run("templates", "apply")
    for user in ("carl", "dora"):
        for day in range(10, 10 + MANY):
            start = f"2027-03-{day}T10:00:00"
            text = event(f"Meeting {day}", start=start, end=start.replace("T10", "T11"))
            run("crm", "put", "--as", user, stdin=text)
        run("sync", f"{user}-event")
        assert copies(mailboxes, user) == MANY
    return run


def copies(mailboxes: MemoryGroupware, user: str) -> int:
    return len(mailboxes.person(f"{user}@x.test").list(Kind.EVENT))


def status_of(folder: Path) -> Status:
    config = load(None, {}, folder)
    with closing(open_accord(config)) as accord, closing(open_queue(config)) as queue:
        return status(accord, queue, config)


def leave(firm: Run, user: str) -> None:
    firm("crm", "users", "change", user, "--no-active")


def test_what_the_guard_holds_of_a_leaver_is_told_and_goes_as_told(
    firm: Run, mailboxes: MemoryGroupware
) -> None:
    leave(firm, "carl")
    firm("templates", "apply")
    said = firm("templates", "apply", code=1).out
    assert f"the guard holds {MANY} deletions" in said and copies(mailboxes, "carl") == MANY
    shown = firm("templates").out
    assert f"not withdrawn yet: carl-event: the guard holds {MANY} deletions" in shown
    (command,) = set(re.findall(r"`accord (withdraw [^`]*)`", said + shown))
    planned = firm(*shlex.split(command), "--plan").out
    assert planned.count("delete in the mailbox") == MANY and copies(mailboxes, "carl") == MANY
    done = firm(*shlex.split(command), "--yes").out
    assert f"carl-event: removed, {MANY} pairs let go, {MANY} copies deleted" in done
    assert "the CRM doesn't let carl in: its records keep Accord's marks" in done
    assert copies(mailboxes, "carl") == 0
    assert "carl" not in firm("templates").out


def test_a_link_made_by_hand_can_be_withdrawn_from_who_left(
    firm: Run, mailboxes: MemoryGroupware
) -> None:
    leave(firm, "dora")
    failed = firm("sync", "dora-event", code=None).err
    told = "`accord withdraw USER` takes the copies of who has left away"
    assert "the CRM user 'dora' is not active" in failed and told in failed
    assert "Check login name" not in failed
    firm("withdraw", "dora", "--plan")
    assert "the guard holds" in firm("withdraw", "dora", "--yes", code=2).err
    firm("withdraw", "dora", "--include-held", "--yes")
    assert copies(mailboxes, "dora") == 0 and "dora-event" not in firm("links").out


def test_whatever_templates_let_wait_is_told_with_where_to_look(firm: Run, tmp_path: Path) -> None:
    assert firm("status").out.endswith("All is well.\n")
    assert firm("held").out == "Nothing is held.\n"
    firm("import", "-", stdin=TEXT.replace("hold = false", "hold = true"))
    firm("crm", "users", "add", "frida", "--address", "frida@x.test")
    firm("crm", "users", "group", "sales", "carl", "erik", "frida")
    firm("preferences", "carl", "successor", "erik")
    leave(firm, "carl")
    firm("templates", "apply")
    firm("templates", "apply", code=1)
    told = [
        "1 plan of templates for approval: `accord templates`",
        "1 handover to successors for approval: `accord templates handovers`",
        "1 withdrawal of leavers held or failed: `accord templates`",
    ]
    assert firm("held").out.splitlines() == ["No change is held.", *told]
    shown = firm("status").out
    assert "\n".join(told) in shown
    assert shown.endswith("All goes on; what is told above waits for somebody.\n")
    waiting = firm("status", "--json").row["waiting"]
    assert [waiting[name] for name in ("plans", "handovers", "withdrawals")] == [1, 1, 1]
    figures = exposition(lambda: status_of(tmp_path)).decode()
    for name in ("plans", "handovers", "withdrawals"):
        assert f'accord_waiting{{what="{name}"}} 1.0\n' in figures
    listed = firm("templates").out
    assert "? frida-event: its first" in listed and "1 handover waits" in listed
    firm("crm", "users", "change", "carl", "--active")
    firm("templates", "apply")
    firm("pause", "carl-event")
    shown = firm("status").out
    assert "leavers" not in shown and "successors" not in shown, "carl is back"


def test_an_export_is_read_again_although_somebody_has_left(firm: Run, tmp_path: Path) -> None:
    firm("export", "--output", "all.toml")
    leave(firm, "dora")
    result = firm("import", "all.toml")
    assert "the CRM user 'dora' is not active" in result.err and "warning" in result.err
    assert "`accord withdraw USER`" in result.err and "users add dora" not in result.err
    assert "Nothing to change" in result.out
    text = (tmp_path / "all.toml").read_text(encoding="utf-8")
    firm("import", "-", stdin=text.replace('principal = "dora@x.test"\n', ""))
    assert "dora@x.test" in firm("links", "dora").out
    fresh = '[[link]]\nuser = "dora"\nkind = "task"\ntarget = "company"\nmode = "active"\n'
    refused = firm("import", "-", stdin=fresh, code=2).err
    assert "error: link[0].user: the CRM user 'dora' is not active" in refused
    assert "`accord crm users change USER --active`" in refused and "users add" not in refused


def test_the_status_says_what_to_do_about_a_user_who_left(firm: Run) -> None:
    leave(firm, "dora")
    firm("sync", "dora-event", code=None)
    shown = firm("status", code=1).out
    assert "✗ 1 link of company: the CRM user 'dora' is not active" in shown
    assert "`accord withdraw USER`" in shown and "Check login name" not in shown
