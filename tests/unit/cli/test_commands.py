"""Each command: what it does, what it prints for people and machines, how it fails."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

import accord
from accord.cli import exits
from accord.cli.commands import COMMANDS, NAMES
from accord.groupware.memory import MemoryGroupware
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.parts import Attachment, Privacy
from accord.ports.adapter import Draft
from tests.unit.cli.conftest import CONFIG, Run, event, govern

DAY: dict[str, Any] = {"start": datetime(2027, 3, 1, 10), "end": datetime(2027, 3, 1, 11)}


def put(run: Run, title: str, **more: object) -> str:
    """Put an event of alice's into the CRM and return its ref."""
    row = run("crm", "put", "--as", "alice", "--json", stdin=event(title, **more)).row
    return str(row["ref"])


def edit(run: Run, ref: str, **values: object) -> None:
    """Change a record of alice's in the CRM."""
    item = json.loads(run("crm", "show", ref, "--as", "alice").out)
    run("crm", "put", "--as", "alice", "--ref", ref, stdin=json.dumps(item | values))


# the program


def test_version_and_help_name_every_command(run: Run) -> None:
    assert run("--version").out.strip() == accord.__version__
    text = run("--help").out
    for name in NAMES:
        assert re.search(rf"│ {name} +\S", text), name


@pytest.mark.parametrize("name", sorted(NAMES - {"demo"}))
def test_every_command_has_help_of_its_own(run: Run, name: str) -> None:
    text = run(name, "--help").out
    assert f"Usage: accord {name}" in text
    assert "--config" in text
    assert "--json" in text


def test_the_version_loads_nothing() -> None:
    probe = "import sys; from accord.cli.main import main; main(['--version'])"
    loaded = (
        "; print(*(n for n in ('cyclopts', 'rich', 'sqlalchemy', 'msgspec') if n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", probe + loaded], capture_output=True, text=True)
    assert done.stdout.splitlines() == [accord.__version__, ""]


def test_help_loads_no_command() -> None:
    probe = "import sys; from accord.cli.main import main; main(['--help'])"
    loaded = "; print([n for n in sys.modules if n.startswith(('sqlalchemy', 'accord.service'))])"
    done = subprocess.run([sys.executable, "-c", probe + loaded], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_visit_on_sqlite_loads_no_other_dialect() -> None:
    probe = "import sys; import accord.cli.sync, accord.service.sync, accord.crm.database"
    loaded = "; print([n for n in sys.modules if n.startswith('sqlalchemy.dialects.p')])"
    done = subprocess.run([sys.executable, "-c", probe + loaded], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[]"]


@pytest.mark.parametrize("words", [["sync", "--all"], ["queue"], ["links"], ["check"]])
def test_only_a_run_loads_the_engine_of_its_queue(linked: Run, words: list[str]) -> None:
    probe = f"import sys; from accord.cli.main import main; main({words!r})"
    loaded = "; print([n for n in sys.modules if n.partition('.')[0] == 'dbos'])"
    done = subprocess.run([sys.executable, "-c", probe + loaded], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_run_begins_no_thread_before_all_is_loaded_that_databases_need(linked: Run) -> None:
    probe = """
import os, sys, threading
from accord.cli.main import main

def begin(thread):
    print(thread.name, "sqlalchemy.orm" in sys.modules, flush=True)
    os._exit(0)

threading.Thread.start = begin
main(["run"])
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1].endswith(" True"), (done.stdout, done.stderr)


def test_every_command_stands_where_the_table_says() -> None:
    from importlib import import_module

    for commands in COMMANDS.values():
        for name, place, text in commands:
            module, _, attribute = place.partition(":")
            if name != "demo":
                assert hasattr(import_module(f"accord.cli.{module}"), attribute)
            assert text.endswith(".")


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["snyc"], "no command 'snyc'", "did you mean sync?"),
        (["sync", "--al"], "--al", "accord sync --help"),
        (["demo", "--entries", "-5"], "--entries can't be -5", "0 or more"),
        (["demo", "--series", "-1"], "--series can't be -1", "0 or more"),
        (["journal", "--limit", "many"], "many", "accord journal --help"),
        (["mode"], "WORDS", "accord mode --help"),
        (["crm", "show", "x"], "--as", "accord crm --help"),
    ],
)
def test_wrong_words_end_with_a_hint(run: Run, words: list[str], message: str, hint: str) -> None:
    result = run(*words, code=exits.WRONG)
    assert message in result.err
    assert hint in result.err
    row = run(*words, "--json", code=exits.WRONG).row
    assert message in row["error"]


def test_without_an_installation_every_command_says_so(run: Run) -> None:
    for words in (["sync", "--all"], ["plan"], ["links"], ["export"], ["check"], ["journal"]):
        result = run(*words, code=exits.WRONG)
        assert "there is no accord.toml" in result.err
        assert "accord init" in result.err


def test_a_wrong_config_is_told_with_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "accord.toml").write_text("\ndatabse = 'x'\n")
    result = run("links", code=exits.WRONG)
    assert "accord.toml:2: error: databse" in result.err
    assert "did you mean database?" in result.err
    row = run("links", "--json", code=exits.WRONG).row
    assert (row["problem"]["line"], row["problem"]["hint"]) == (2, "did you mean database?")


def test_another_config_is_used_when_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    run("init", "--folder", "other")
    assert "no links" in run("links", "--config", "other/accord.toml").out
    assert "no links" in run("--config", "other/accord.toml", "links").out


def test_a_fault_of_ours_keeps_its_traceback(
    run: Run, installed: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from accord.cli.main import main
    from accord.service import standing

    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(standing, "standing", broken)
    assert main(["links"]) == exits.BUG
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "oops" in err
    assert "report" in err


def test_an_interrupt_has_its_own_code(installed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from accord.service import standing

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(standing, "standing", interrupted)
    assert "settled by the next run" in installed("links", code=exits.INTERRUPTED).err


def test_a_pipe_that_closes_early_is_no_error(installed: Run, tmp_path: Path) -> None:
    command = f"{sys.executable} -m accord.cli.main schema | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


# setting up


def test_init_says_what_comes_next(run: Run, tmp_path: Path) -> None:
    out = run("init").out
    assert "made" in out
    for command in ("accord init dav", "accord import", "accord check", "accord sync --all"):
        assert command in out
    assert out.index("accord plan") < out.index("accord mode") < out.index("accord sync")
    again = run("init", code=exits.WRONG)
    assert "--force" in again.err
    row = run("init", "--force", "--json").row
    assert row["made"] == [str(tmp_path / "accord.toml")]
    assert len(row["kept"]) == 2


def test_import_shows_its_plan_and_does_it(
    installed: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    (tmp_path / "c.toml").write_text(CONFIG)
    planned = installed("import", "c.toml", "--plan").out
    assert "+ target company" in planned
    assert "user: alice" in planned
    assert "Nothing was changed" in planned
    assert "no links" in installed("links").out
    done = installed("import", "c.toml").out
    assert "+ link alice-event" in done
    assert "Nothing to change" in installed("import", "c.toml").out
    row = installed("import", "-", "--json", stdin=CONFIG).row
    assert row["differences"] == []


def test_new_links_only_observe_and_import_and_sync_say_how_to_go_on(
    installed: Run, mailboxes: MemoryGroupware, tmp_path: Path
) -> None:
    (tmp_path / "c.toml").write_text(CONFIG.replace('mode = "active"\n', ""))
    on = "`accord mode alice-event alice-task active` lets them write"
    assert "only observe:" not in installed("import", "c.toml", "--plan").out
    done = installed("import", "c.toml").out
    assert done.count("    mode: observe\n") == 2
    assert f"2 new links only observe: {on}" in done
    put(installed, "Kick-off")
    said = installed("sync", "--all").out
    assert "alice-event: only observed, nothing written; would be: mailbox 1 created" in said
    assert "alice-task: only observed, nothing to do" in said
    assert f"2 links only observe: {on}" in said
    person = mailboxes.person("alice@x.test")
    assert not person.list(Kind.EVENT)
    installed("mode", "alice-event", "active")
    one = "1 link only observes: `accord mode alice-task active` lets it write"
    assert "only observe" not in installed("import", "c.toml").out, "it is no new link"
    assert one in installed("sync", "--all").out
    assert len(person.list(Kind.EVENT)) == 1


def test_import_tells_mistakes_by_line(installed: Run, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(CONFIG.replace("users", "usres").replace("alice", "alcie"))
    result = installed("import", "c.toml", code=exits.WRONG)
    assert re.search(r"^c\.toml:7: error: .*alcie", result.err, re.MULTILINE)
    assert "accord crm users add alcie" in result.err
    assert "no links" in installed("links").out
    assert "can't read nowhere.toml" in installed("import", "nowhere.toml", code=exits.WRONG).err


def test_export_is_what_import_reads(linked: Run, tmp_path: Path) -> None:
    text = linked("export").out
    assert "[[link]]" in text
    assert linked("export", "--output", "e.toml").out == ""
    assert (tmp_path / "e.toml").read_text() == text
    assert "Nothing to change" in linked("import", "e.toml").out
    assert linked("export", "--json").row["text"] == text


def test_a_round_trip_through_a_mailbox_is_told_step_by_step(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    mailboxes.person("test@x.test")
    told = linked("check", "--mailbox", "test@x.test").out
    assert "✓ event: read back: all" in told
    assert told.endswith("All is well.\n")
    rows = linked("check", "--mailbox", "test@x.test", "--target", "company", "--json").rows
    assert rows[-1]["subject"] == "clean up"
    assert all(row["ok"] for row in rows)
    fault = linked("check", "--mailbox", "alice@x.test", code=exits.FAILED).out
    assert "the link alice-event works in" in fault
    linked("check", "--target", "company", code=exits.WRONG)
    linked("check", "--mailbox", "test@x.test", "--accept", code=exits.WRONG)
    linked("check", "--mailbox", "test@x.test", "--target", "elsewhere", code=exits.WRONG)


def test_only_named_links_begin_anew_in_another_mailbox(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    linked("sync", "--all")
    mailboxes.reassign("alice@x.test")
    assert "another mailbox than before" in linked("check", "--accept", code=exits.FAILED).out
    assert "held: alice@x.test" in linked("sync", "alice-task", code=None).err
    said = linked("check", "--accept-mailbox", "alice-event", code=exits.FAILED).out
    assert "alice-event begins anew in another mailbox, and only observes" in said
    assert "alice-task is" not in said and "--accept-mailbox alice-task" in said
    modes = {row["name"]: row["mode"] for row in linked("links", "--json").rows}
    assert modes == {"alice-event": "observe", "alice-task": "active"}
    told = linked("check", "--accept-mailbox", "alice")
    assert "alice-event stays with its mailbox" in told.err
    assert "alice-task begins anew" in told.out
    linked("check", "--accept-mailbox", "nobody", code=exits.WRONG)
    linked("check", "--mailbox", "t@x.test", "--accept-mailbox", "alice", code=exits.WRONG)


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)  # a file has a mode
def test_check_ends_with_a_verdict(linked: Run, tmp_path: Path) -> None:
    assert "All is well." in linked("check").out
    rows = linked("check", "--json").rows
    assert all(row["ok"] for row in rows)
    (tmp_path / "accord.db").chmod(0o644)
    result = linked("check", code=exits.FAILED)
    assert "chmod 600" in result.out
    assert "1 fault found." in result.out
    assert [row["hint"] for row in linked("check", "--json", code=1).rows if not row["ok"]]


def test_a_new_key_leaves_secrets_readable(installed: Run, tmp_path: Path) -> None:
    text = '[[target]]\nname="t"\nadapter="dav"\nurl="http://127.0.0.1:9/"\npassword="geheim"\n'
    assert "others may read" in installed("import", "-", stdin=text).err
    assert installed("key", "rotate", "--retire", "--json").row["encrypted"] > 0
    assert len((tmp_path / "accord.key").read_text().splitlines()) == 1
    assert "Nothing to change" in installed("import", "-", stdin=text).out


def test_rules_are_shown_explained_and_dated(linked: Run) -> None:
    assert "events  events  version" in linked("rules").out
    assert 'scope = "all"' in linked("rules", "show", "events").out
    assert "travel both ways" in linked("rules", "explain", "events").out
    version = linked("rules", "show", "events", "--json").row["version"]
    (row,) = linked("rules", "history", "events", "--json").rows
    assert row["version"] == version
    assert "did you mean events?" in linked("rules", "show", "event", code=2).err
    assert linked("rules", "show", "events", "--version", "0", code=2).err


# plan and sync


def test_a_plan_names_fields_and_reasons_and_writes_nothing(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    put(linked, "Kick-off", location="Room 1")
    out = linked("plan", "alice-event").out
    assert "create in the mailbox: Kick-off" in out
    assert "new in the CRM" in out
    assert "Place: Room 1" in out
    row = linked("plan", "alice-event", "--json").row
    (step,) = row["steps"]
    assert (step["step"], step["side"], step["why"]) == ("create", "groupware", "new in the CRM")
    assert {"field": "location", "label": "Place", "before": None, "after": "Room 1"} in step[
        "fields"
    ]
    assert row["groupware"]["created"] == 1
    assert mailboxes.person("alice@x.test").list(Kind.EVENT) == ()
    assert linked("journal").out == "Nothing was done yet.\n"


def test_sync_prints_an_object_per_link(linked: Run, mailboxes: MemoryGroupware) -> None:
    put(linked, "One")
    mailboxes.person("alice@x.test").add(Event(title="Two", **DAY))
    rows = linked("sync", "--all", "--json").rows
    assert [row["link"] for row in rows] == ["alice-event", "alice-task"]
    first = rows[0]
    assert (first["crm"]["created"], first["groupware"]["created"]) == (1, 1)
    assert first["seconds"] >= 0
    assert first["requests"] > 0
    done = ("created", "updated", "deleted", "paired", "unpaired")
    wanted = {*done, "skipped", "held", "conflicts", "failed"}
    assert wanted == first["crm"].keys() == first["groupware"].keys()
    assert {"paired", "unpaired", "held", "conflicts", "failed", "error", "run"} <= first.keys()
    second = linked("sync", "alice", "--json").rows
    assert all(
        row[side][word] == 0
        for row in second
        for side in ("crm", "groupware")
        for word in ("created", "updated", "deleted", "failed")
    )


def test_sync_wants_to_know_what(linked: Run) -> None:
    assert "accord links" in linked("sync", code=exits.WRONG).err
    assert linked("sync", "alice", "--all", code=exits.WRONG).err
    result = linked("sync", "alice-evnt", code=exits.WRONG)
    assert "no link 'alice-evnt'" in result.err
    assert "did you mean alice-event?" in result.err


def test_links_are_chosen_by_name_user_or_target(linked: Run) -> None:
    for words, count in ((["alice-task"], 1), (["alice"], 2), (["company"], 2)):
        assert len(linked("sync", *words, "--json").rows) == count


def test_output_for_people_is_plain_in_a_pipe(linked: Run) -> None:
    put(linked, "One")
    result = linked("sync", "--all")
    assert "\x1b" not in result.out + result.err
    assert re.search(
        r"^alice-event: mailbox 1 created \(\d+ requests, \d+\.\d s\)$", result.out, re.MULTILINE
    )
    assert linked("sync", "--all", "--quiet").out == ""


def test_an_unreachable_side_has_its_own_code(
    linked: Run, mailboxes: MemoryGroupware, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accord.ports.errors import AuthFailed, Retry

    def refuse(error: Exception) -> None:
        def open_(principal: str) -> None:
            raise error

        monkeypatch.setattr(mailboxes, "open", open_)

    refuse(Retry("the server is down", after=30))
    result = linked("sync", "--all", code=exits.UNREACHABLE)
    assert "the server is down" in result.err
    assert [row["action"] for row in linked("sync", "--all", "--json", code=3).rows] == [
        "retry",
        "retry",
    ]
    refuse(AuthFailed("refused"))
    assert "login name and password" in linked("plan", code=exits.UNREACHABLE).err


def test_an_item_that_fails_has_its_own_code(
    linked: Run, mailboxes: MemoryGroupware, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accord.groupware.memory.session import MemorySession
    from accord.ports.errors import Rejected

    def refuse(self: MemorySession, folder: str, kind: Kind, drafts: list) -> list:
        return [Rejected("the title is too long") for _ in drafts]

    monkeypatch.setattr(MemorySession, "create", refuse)
    ref = put(linked, "Kick-off")
    result = linked("sync", "alice-event", code=exits.FAILED)
    assert "1 failed" in result.out
    assert "the title is too long" in linked("explain", ref).out


def test_a_link_that_cannot_work_says_how_to_mend_it(linked: Run) -> None:
    linked(
        "import",
        "-",
        stdin=CONFIG.replace('kinds = ["event", "task"]', 'kind = "event"\nfolder = "Nowhere"'),
    )
    result = linked("sync", "alice-event", code=exits.WRONG)
    assert "no folder 'Nowhere'" in result.err
    assert "folders there: " in result.err
    assert "folders there" in linked("plan", "alice-event", "--json", code=2).row["hint"]


# rules

STRICT = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\n'
STRICT += 'filter.crm = "item.title != \'Secret\'"\nleaving = "delete-copy"\nwindow.past = 30\n'


def test_a_changed_rule_changes_nothing_before_it_is_activated(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    _synced(linked)
    out = linked("import", "-", stdin=STRICT).out
    assert "accord rules activate events" in out
    put(linked, "Secret")
    linked("sync", "alice-event")
    assert sorted(_titles(mailboxes)) == ["Meeting", "Secret"]
    row = next(r for r in linked("rules", "--json").rows if r["name"] == "events")
    assert row["draft"] not in ("", row["version"])
    assert "window.past" not in linked("rules", "show", "events").out
    assert "past = 30" in linked("rules", "show", "events", "--draft").out


def test_a_plan_shows_what_a_draft_would_change(linked: Run, mailboxes: MemoryGroupware) -> None:
    put(linked, "Secret")
    _synced(linked)
    assert len(linked("plan", "alice-event", "--json").rows) == 1
    linked("import", "-", stdin=STRICT)
    put(linked, "Another")
    now, then = linked("plan", "alice-event", "--json").rows
    assert [step["step"] for step in now["steps"]] == ["create"]
    assert (then["rule"], then["link"]) == ("events", "alice-event")
    (step,) = (step for step in then["steps"] if step["step"] != "skip")
    assert step["step"] == "hold"
    assert "rule change" in step["cause"]
    out = linked("plan", "alice-event").out
    assert "The draft of rule events" in out
    assert "Secret" in out.partition("The draft of")[2]
    assert "Another" not in out.partition("The draft of")[2]
    assert sorted(_titles(mailboxes)) == ["Meeting", "Secret"]


def test_activating_shows_its_plan_and_asks_first(linked: Run, mailboxes: MemoryGroupware) -> None:
    put(linked, "Secret")
    _synced(linked)
    linked("import", "-", stdin=STRICT)
    assert "Secret" in linked("rules", "activate", "events", "--plan").out
    assert "--yes" in linked("rules", "activate", "events", code=exits.WRONG).err
    assert len(linked("rules", "history", "events", "--json").rows) == 1
    out = linked("rules", "activate", "events", "--yes").out
    assert "is in force" in out
    assert "Secret" in out
    assert "no draft" in linked("rules", "activate", "events", "--yes", code=exits.WRONG).err
    assert "1 waits for approval" in linked("sync", "alice-event").out
    assert sorted(_titles(mailboxes)) == ["Meeting", "Secret"]
    first = linked("rules", "history", "events", "--json").rows[-1]
    linked("rules", "activate", "events", "--version", first["version"], "--yes")
    assert "window.past" not in linked("rules", "show", "events").out
    assert "there is no rule" in linked("rules", "activate", "evnts", code=exits.WRONG).err


def test_a_draft_can_be_dropped(linked: Run) -> None:
    linked("import", "-", stdin=STRICT)
    version = linked("rules", "discard", "events", "--json").row["discarded"]
    row = next(r for r in linked("rules", "--json").rows if r["name"] == "events")
    assert row["draft"] == ""
    assert version != row["version"]
    assert "no draft" in linked("rules", "discard", "events", code=exits.WRONG).err


# consent


def test_a_users_consent_is_given_listed_and_withdrawn(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    govern(linked, '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nprivate = "full"\n')
    mailboxes.person("alice@x.test").add(Event(title="Doctor", privacy=Privacy.PRIVATE, **DAY))
    linked("sync", "alice-event")
    assert linked("crm", "list", "--as", "alice").out == ""
    assert "Nobody agrees" in linked("crm", "users", "consent").out
    out = linked("crm", "users", "consent", "alice").out
    assert "alice agrees" in out
    assert "alice-event" in out
    linked("sync", "alice-event")
    assert "Doctor" in linked("crm", "list", "--as", "alice").out
    assert linked("crm", "users", "consent", "--json").row["user"] == "alice"
    row = linked("crm", "users", "consent", "alice", "--withdraw", "--json").row
    assert (row["given"], row["changed"]) == (False, True)
    linked("sync", "alice-event")
    assert "Doctor" not in linked("crm", "list", "--as", "alice").out
    assert "Doctor" not in linked("journal").out
    assert "withdraw in the mailbox: event alice@x.test" in linked("journal").out
    assert "had not agreed" in linked("crm", "users", "consent", "alice", "--withdraw").out
    assert "zoe" in linked("crm", "users", "consent", "zoe", code=exits.WRONG).err


# deciding


def test_a_plan_names_files_and_carries_none(linked: Run, mailboxes: MemoryGroupware) -> None:
    rule = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nguard.deletes = 0\n'
    govern(linked, rule)
    put(linked, "Kick-off")
    linked("sync", "alice-event")
    (there,) = mailboxes.person("alice@x.test").list(Kind.EVENT)
    with mailboxes.open("alice@x.test") as session:
        draft = Draft(item=msgspec.structs.replace(there.item, uid="new", title="New"), key="n")
        (made,) = session.create("calendar", Kind.EVENT, [draft])
        new = ("calendar", Kind.EVENT, made.ref)  # type: ignore[union-attr]
        session.attach(*new, Attachment(name="with.pdf"), io.BytesIO(b"with it"))
        assert "with.pdf" in linked("plan", "alice-event").out, "a create names its files"
        linked("sync", "alice-event")
        where = ("calendar", Kind.EVENT, there.ref)
        uri = session.attach(*where, Attachment(name="plan.pdf"), io.BytesIO(b"plan"))
        for _ in range(2):
            told = linked("plan", "alice-event").out
            assert "1 to attach" in told
            assert "attach in the CRM: Kick-off" in told
            assert "plan.pdf (4 bytes)" in told
        row = linked("plan", "alice-event", "--json").row
        assert "attach" in [step["step"] for step in row["steps"]] and row["files"] == 1
        assert "1 file carried" in linked("sync", "alice-event").out
        assert "nothing to do" in linked("plan", "alice-event").out
        session.detach(*where, uri)
    told = linked("plan", "alice-event").out
    assert "held: detach in the CRM: Kick-off" in told
    assert "mass deletion: 1 of 2 files would be taken off" in told
    assert "nothing" in linked("held").out.lower()


def test_files_are_told_held_and_undone(linked: Run, mailboxes: MemoryGroupware) -> None:
    rule = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nguard.deletes = 0\n'
    govern(linked, rule)
    put(linked, "Kick-off")
    linked("sync", "alice-event")
    (there,) = mailboxes.person("alice@x.test").list(Kind.EVENT)
    with mailboxes.open("alice@x.test") as session:
        where = ("calendar", Kind.EVENT, there.ref)
        uri = session.attach(*where, Attachment(name="plan.pdf"), io.BytesIO(b"plan"))
        assert "1 file carried" in linked("sync", "alice-event").out
        told = linked("journal", "--limit", "1").out
        assert "attach in the CRM: event" in told
        assert "file: — → plan.pdf (4 bytes)" in told
        session.detach(*where, uri)
    assert "1 waits for approval" in linked("sync", "alice-event").out
    out = linked("held").out
    assert "held: detach in the CRM: Kick-off" in out
    assert "file: plan.pdf (4 bytes, kept in the CRM) → —" in out
    assert "mass deletion: 1 of 1 files would be taken off" in out
    assert "held: detach plan.pdf in the CRM" in linked("explain", "Kick-off").out
    (row,) = linked("held", "--json").rows
    assert (row["label"], row["held"]["step"]) == ("Kick-off", "detach")
    assert row["held"]["fields"][0]["before"]["name"] == "plan.pdf"
    linked("held", "approve", row["id"])
    step = linked("journal", "--limit", "1", "--json").row
    assert (step["step"], step["fields"][0]["before"]["size"]) == ("detach", 4)
    plan = linked("undo", str(step["id"]), "--plan").out
    assert "attach in the CRM: Kick-off" in plan and "attach in the mailbox: Kick-off" in plan
    assert "2 files carried" in linked("undo", str(step["id"]), "--yes").out
    (there,) = mailboxes.person("alice@x.test").list(Kind.EVENT)
    assert [each.name for each in there.item.attachments] == ["plan.pdf"]  # type: ignore[union-attr]


def test_what_is_held_is_listed_approved_and_done(linked: Run, mailboxes: MemoryGroupware) -> None:
    rule = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nguard.deletes = 0\n'
    govern(linked, rule)
    refs = [put(linked, f"Meeting {n}") for n in range(2)]
    linked("sync", "alice-event")
    assert linked("held").out == "Nothing is held.\n"
    linked("crm", "delete", *refs, "--as", "alice")
    assert "2 wait for approval" in linked("sync", "alice-event").out
    out = linked("held").out
    assert "held: delete in the mailbox: Meeting 0" in out
    assert "mass deletion" in out
    ids = [row["id"] for row in linked("held", "--json").rows]
    assert linked("held", "--link", "alice-task", "--json").rows == []
    assert linked("held", "reject", ids[0], "--json").row == {"rejected": [ids[0]]}
    (row,) = linked("held", "approve", ids[1], "--json").rows
    assert row["groupware"]["deleted"] == 1
    person = mailboxes.person("alice@x.test")
    assert len(person.list(Kind.EVENT)) == 1
    assert linked("held", "--json").rows == []


def test_what_is_held_is_told_of_at_every_visit(linked: Run) -> None:
    rule = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nguard.deletes = 0\n'
    govern(linked, rule)
    refs = [put(linked, f"Meeting {n}") for n in range(3)]
    linked("sync", "alice-event")
    linked("crm", "delete", *refs, "--as", "alice")
    linked("sync", "alice-event")
    told = "3 wait for approval: `accord held`"
    assert told in linked("sync", "alice-event").out
    assert told in linked("plan", "alice-event").out
    for command in ("plan", "sync"):
        row = linked(command, "alice-event", "--json").row
        assert (row["held"], row["waiting"]) == (0, 3)
    (first, *_) = linked("held", "--json").rows
    linked("held", "reject", first["id"])
    assert linked("sync", "alice-event", "--json").row["waiting"] == 2
    linked("held", "reject", "--all", "--yes")
    assert "for approval" not in linked("sync", "alice-event").out


def test_approving_everything_asks_first(linked: Run, mailboxes: MemoryGroupware) -> None:
    rule = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nguard.deletes = 0\n'
    govern(linked, rule)
    linked("crm", "delete", _synced(linked), "--as", "alice")
    linked("sync", "alice-event")
    assert "--yes" in linked("held", "approve", "--all", code=exits.WRONG).err
    linked("held", "approve", "--all", "--yes")
    assert mailboxes.person("alice@x.test").list(Kind.EVENT) == ()
    assert "which of them?" in linked("held", "approve", code=exits.WRONG).err
    assert "is not waiting" in linked("held", "approve", "nonsense", code=exits.WRONG).err


def test_conflicts_show_both_values_and_are_resolved(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    rule = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nclash = "hold"\n'
    govern(linked, rule)
    ref = _synced(linked)
    person = mailboxes.person("alice@x.test")
    (copy,) = person.list(Kind.EVENT)
    edit(linked, ref, title="CRM title")
    person.edit(copy.ref, title="Mailbox title")
    assert "1 in conflict" in linked("sync", "alice-event").out
    (row,) = linked("conflicts", "--json").rows
    (field,) = row["fields"]
    assert (field["crm"], field["groupware"]) == ("CRM title", "Mailbox title")
    assert "CRM title" in linked("conflicts").out
    planned = linked("conflicts", "resolve", row["id"], "--take", "groupware", "--plan").out
    assert "CRM title → Mailbox title" in planned
    assert linked("conflicts", "--json").rows
    linked("conflicts", "resolve", row["id"], "--take", "groupware")
    assert json.loads(linked("crm", "show", ref, "--as", "alice").out)["title"] == "Mailbox title"
    assert linked("conflicts").out.startswith("There are no open conflicts;")
    assert linked("conflicts", "resolve", row["id"], "--take", "neither", code=exits.WRONG)


def test_a_decision_that_carries_out_what_is_held_asks_first(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    rule = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nclash = "hold"\n'
    govern(linked, rule + "guard = { updates = 0 }\n")
    ref = _synced(linked)
    person = mailboxes.person("alice@x.test")
    (copy,) = person.list(Kind.EVENT)
    edit(linked, ref, title="CRM title")
    person.edit(copy.ref, title="Mailbox title")
    linked("sync", "alice-event")
    person.edit(copy.ref, location="Room")
    assert "1 waits for approval" in linked("sync", "alice-event").out
    decision = ("conflicts", "resolve", "--all", "--take", "crm")
    asked = linked(*decision, code=exits.WRONG)
    assert "location" not in linked("crm", "show", ref, "--as", "alice").out
    assert "→ Room" in asked.out
    linked(*decision, "--yes")
    item = json.loads(linked("crm", "show", ref, "--as", "alice").out)
    assert (item["title"], item["location"]) == ("CRM title", "Room")
    assert "Nothing is held" in linked("held").out


# removing


def test_a_link_is_removed_after_being_asked(linked: Run, mailboxes: MemoryGroupware) -> None:
    _synced(linked)
    assert "alice-event: 1 pair" in linked("links", "remove", "alice-event", "--plan").out
    assert "--yes" in linked("links", "remove", "alice-event", code=exits.WRONG).err
    assert len(linked("links", "--json").rows) == 2
    out = linked("links", "remove", "alice-event", "--yes").out
    assert out.endswith("alice-event: removed, 1 pair let go\n")
    assert [row["name"] for row in linked("links", "--json").rows] == ["alice-task"]
    assert _titles(mailboxes) == ["Meeting"]
    assert "remove in the mailbox" in linked("journal").out
    assert "there is no link" in linked("links", "remove", "alice-event", code=exits.WRONG).err
    assert linked("links", "remove", code=exits.WRONG).err


@pytest.mark.parametrize(
    "remove",
    [("links", "remove", "alice-event", "--withdraw"), ("withdraw", "alice-event")],
    ids=["links remove", "withdraw"],
)
def test_a_withdrawal_deletes_copies_after_being_asked(
    linked: Run, mailboxes: MemoryGroupware, remove: tuple[str, ...]
) -> None:
    _synced(linked)
    mailboxes.person("alice@x.test").add(Event(title="Mine", **DAY))
    linked("sync", "alice-event")
    assert "delete in the mailbox: Meeting" in linked(*remove, "--plan").out
    assert "--yes" in linked(*remove, code=exits.WRONG).err
    assert sorted(_titles(mailboxes)) == ["Meeting", "Mine"]
    assert "2 pairs let go, 1 copy deleted" in linked(*remove, "--yes").out
    assert _titles(mailboxes) == ["Mine"]
    assert "Meeting" in linked("crm", "list", "--as", "alice").out


def test_what_the_guard_holds_is_only_withdrawn_when_that_is_said(
    linked: Run, mailboxes: MemoryGroupware
) -> None:
    govern(linked, '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\nguard.deletes = 0\n')
    _synced(linked)
    remove = ("links", "remove", "alice-event", "--withdraw", "--yes")
    result = linked(*remove, code=exits.WRONG)
    assert "--include-held" in result.err
    assert "mass deletion" in result.out
    assert _titles(mailboxes) == ["Meeting"]
    assert linked(*remove, "--include-held", "--json").row["removed"] is True
    assert _titles(mailboxes) == []


def test_a_target_whose_certificate_is_not_checked_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run("init")
    monkeypatch.setenv("PW", "secret")
    (tmp_path / "mail.toml").write_text(
        '[[target]]\nname = "mail"\nadapter = "dav"\nurl = "https://mail.test/"\nuser = "anna"\n'
        'password = { env = "PW" }\nverify = false\n'
    )
    assert "NOT CHECKED" in run("import", "mail.toml").err
    assert "NOT CHECKED" in run("targets").out
    assert run("targets", "--json").row["unchecked"] is True
    shown = run("status").out
    assert "mail (dav): 0 links, no lag\n    THE CERTIFICATE IS NOT CHECKED" in shown
    assert shown.endswith("All goes on, but unsafely: mail.\n")
    assert "All is well" not in shown
    (target,) = run("status", "--json").row["targets"]
    assert (target["name"], target["unchecked"]) == ("mail", True)


def test_a_target_goes_once_no_link_uses_it(linked: Run) -> None:
    assert linked("targets", "--json").row == {"name": "company", "adapter": "memory", "links": 2}
    result = linked("targets", "remove", "company", "--yes", code=exits.WRONG)
    assert "alice-event, alice-task" in result.err
    linked("links", "remove", "company", "--yes")
    assert "--yes" in linked("targets", "remove", "company", code=exits.WRONG).err
    assert linked("targets", "remove", "company", "--yes").out == "company: removed\n"
    assert "no targets yet" in linked("targets").out
    assert "Nothing was done yet" not in linked("journal").out


# looking and undoing


def test_a_story_of_one_item(linked: Run, mailboxes: MemoryGroupware) -> None:
    ref = _synced(linked)
    edit(linked, ref, title="Renamed")
    linked("sync", "alice-event")
    (told,) = linked("explain", "Renamed", "--json").rows
    assert told["outcome"] == "synchronized"
    assert told["crm"]["ref"] == ref
    assert len(told["history"]) == 2
    assert "Renamed: synchronized" in linked("explain", ref).out
    newest, oldest = linked("journal", "--json").rows
    assert (newest["step"], oldest["step"]) == ("update", "create")
    assert newest["link"] == "alice-event"
    assert f"#{newest['id']}" in linked("journal", "--link", "alice-event", "--limit", "1").out
    assert linked("journal", "--run", oldest["run"], "--json").row["id"] == oldest["id"]
    assert linked("journal", "--before", newest["id"], "--json").row["id"] == oldest["id"]
    assert linked("journal", "--item", ref, "--user", "alice", "--json").rows
    planned = linked("undo", newest["id"], "--plan").out
    assert "Renamed → Meeting" in planned
    assert _titles(mailboxes) == ["Renamed"]
    assert "--yes" in linked("undo", newest["id"], code=exits.WRONG).err
    linked("undo", newest["id"], "--yes")
    assert _titles(mailboxes) == ["Meeting"]
    assert "was undone before" in linked("undo", newest["id"], "--yes", code=exits.WRONG).err


def test_what_was_never_seen_is_said_so(linked: Run) -> None:
    assert (
        "no item by 'Nothing of the sort'"
        in linked("explain", "Nothing", "of", "the", "sort", code=exits.WRONG).err
    )
    assert linked("explain", code=exits.WRONG).err
    assert linked("undo", "Nothing", code=exits.WRONG).err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--limit", "0"), "--limit can't be 0"),
        (("--limit", "-3"), "--limit can't be -3"),
        (("--run", "zzz"), "there is no run 'zzz'"),
        (("--user", "zoe"), "nothing was done for a user 'zoe', and no link is theirs"),
        (("--step", "99"), "there is no step 99"),
        (("--link", "zzz"), "there is no link 'zzz'"),
    ],
)
def test_a_journal_of_what_is_not_there_is_an_error(
    linked: Run, words: tuple[str, ...], message: str
) -> None:
    assert message in linked("journal", *words, code=exits.WRONG).err


def test_a_journal_of_what_did_nothing_yet_is_empty(linked: Run) -> None:
    assert "Nothing was done yet." in linked("journal").out
    assert "Nothing." in linked("journal", "--user", "alice").out
    run = linked("sync", "alice-event", "--json").row["run"]
    assert "Nothing." in linked("journal", "--run", run).out


def test_a_contact_has_its_name_in_every_list(linked: Run) -> None:
    rosa = {"kind": "contact", "given": "Rosa", "family": "Rossi"}
    put = linked("crm", "put", "--as", "alice", stdin=json.dumps(rosa))
    assert "contact  Rosa Rossi" in put.out
    assert "contact  Rosa Rossi" in linked("crm", "list", "contact", "--as", "alice").out


def test_a_skipped_item_is_explained(linked: Run, mailboxes: MemoryGroupware) -> None:
    govern(linked, '[[rule]]\nname = "events"\nkind = "event"\nscope = "people"\n')
    mailboxes.person("alice@x.test").add(Event(title="Dentist", **DAY))
    linked("sync", "alice-event")
    (told,) = linked("explain", "Dentist", "--json").rows
    assert told["outcome"] == "not synchronized"
    assert "no contact or user of the CRM takes part" in told["why"]


def test_links_can_be_paused_and_observed(linked: Run, mailboxes: MemoryGroupware) -> None:
    put(linked, "One")
    assert linked("pause", "alice-event", "--json").row == {"paused": ["alice-event"]}
    rows = linked("sync", "--all", "--json").rows
    assert {row["link"]: row["paused"] for row in rows} == {
        "alice-event": True,
        "alice-task": False,
    }
    assert linked("plan", "alice-event", "--json").row["groupware"]["created"] == 1
    linked("resume", "alice-event")
    linked("mode", "alice-event", "observe")
    out = linked("sync", "alice-event").out
    assert "nothing written" in out
    assert mailboxes.person("alice@x.test").list(Kind.EVENT) == ()
    changed = linked("mode", "--all", "active", "--json").row
    assert changed == {"mode": "active", "links": ["alice-event", "alice-task"]}
    assert {row["mode"] for row in linked("links", "--json").rows} == {"active"}
    linked("mode", "alice", "pilot")
    for words in (["active"], ["alice", "--all", "active"]):
        assert "which links?" in linked("mode", *words, code=exits.WRONG).err
    assert "observe, pilot or active" in linked("mode", "alice", code=exits.WRONG).err
    linked("pause", "alice-task")
    linked("pause", "--all")
    assert all(row["paused"] for row in linked("links", "--json").rows)
    assert "paused" in linked("sync", "--all").err
    assert mailboxes.person("alice@x.test").list(Kind.EVENT) == ()
    told = linked("resume", "--all").out
    assert "still paused: alice-task; `accord resume LINK`" in told
    assert linked("resume", "--all", "--json").row == {
        "resumed": "all", "still_paused": ["alice-task"]
    }  # fmt: skip
    linked("resume", "alice-task")
    linked("sync", "--all")
    assert len(mailboxes.person("alice@x.test").list(Kind.EVENT)) == 1
    assert "1 paired" in linked("links", "alice-event").out
    assert linked("pause", code=exits.WRONG).err


def test_pairs_that_were_let_go_are_counted_no_more(linked: Run) -> None:
    for title in ("One", "Two"):
        linked("crm", "put", "--as", "alice", stdin=event(title))
    linked("sync", "--all")
    assert "2 paired" in linked("links", "alice-event").out
    linked("undo", "alice", "--yes")
    assert "0 paired" in linked("links", "alice-event").out
    assert "alice-event: 0 pairs" in linked("links", "remove", "alice-event", "--plan").out
    removed = linked("links", "remove", "alice-event", "--yes").out
    assert "alice-event: removed, 0 pairs let go" in removed


def test_the_schema_describes_items(run: Run) -> None:
    schema = run("schema", "--json").row
    assert "Event" in schema["$defs"]
    assert json.loads(run("schema").out) == schema


def _titles(mailboxes: MemoryGroupware) -> list[str]:
    found = mailboxes.person("alice@x.test").list(Kind.EVENT)
    return [each.item.title for each in found if isinstance(each.item, Event)]


def _synced(run: Run) -> str:
    ref = put(run, "Meeting")
    run("sync", "alice-event")
    return ref


# the CRM by hand


def test_records_are_kept_in_canonical_json(installed: Run) -> None:
    ref = put(installed, "One", location="Here")
    item = json.loads(installed("crm", "show", ref, "--as", "alice").out)
    assert (item["kind"], item["title"], item["location"]) == ("event", "One", "Here")
    edit(installed, ref, title="Two")
    (row,) = installed("crm", "list", "event", "--as", "alice", "--json").rows
    assert (row["ref"], row["item"]["title"]) == (ref, "Two")
    assert "Two" in installed("crm", "list", "--as", "alice").out
    row["item"]["title"] = "Three"
    put_back = installed("crm", "put", "--as", "alice", "--json", stdin=json.dumps(row)).row
    assert (put_back["ref"], put_back["item"]["title"]) == (ref, "Three")
    deleted = installed("crm", "delete", ref, "--as", "alice", "--json").row
    assert deleted == {"ref": ref, "deleted": True, "cancelled": False}
    assert installed("crm", "list", "--as", "alice", "--json").rows == []
    assert "no record" in installed("crm", "show", ref, "--as", "alice", code=1).err
    assert "`accord crm restore REF" in installed("crm", "restore", "--as", "alice", code=2).err
    assert "Three" in installed("crm", "restore", ref, "--as", "alice").out
    assert "Three" in installed("crm", "list", "--as", "alice").out
    rosa = json.dumps({"kind": "contact", "full_name": "Rosa"})
    contact = installed("crm", "put", "--as", "alice", "--json", stdin=rosa).row["ref"]
    installed("crm", "delete", contact, "--as", "alice")
    assert "Rosa" in installed("crm", "restore", contact, "--as", "alice").out


def test_many_records_at_once(installed: Run, tmp_path: Path) -> None:
    lines = "\n".join(event(f"Line {n}") for n in range(3))
    assert len(installed("crm", "put", "-", "--as", "alice", "--json", stdin=lines).rows) == 3
    (tmp_path / "items.json").write_text(f"[{event('A')}, {event('B')}]")
    assert installed("crm", "put", "items.json", "--as", "alice").out.count("created") == 2
    assert len(installed("crm", "list", "--as", "alice", "--json").rows) == 5


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        ("", "the input is empty"),
        ("{", "no JSON"),
        ('{"kind": "evnt"}', "evnt"),
        (event(start="yesterday"), "write 2026-12-10T09:00:00 - at `$.start`"),
        (event(start="2026-12-10T09:00"), "write 2026-12-10T09:00:00 - at `$.start`"),
        ('{"kind": "task", "completed": "2026-12-10"}', "write 2026-12-10T09:00:00Z - at"),
        (event(colour="red"), "colour"),
        (event() + "\n" + event(start=3), "item 2"),
        ('{"kind": "mail", "subject": "x"}', "keeps no items of kind mail"),
    ],
)
def test_bad_input_is_told_and_nothing_stored(installed: Run, stdin: str, message: str) -> None:
    result = installed("crm", "put", "--as", "alice", stdin=stdin, code=exits.WRONG)
    assert message in result.err
    assert installed("crm", "list", "--as", "alice", "--json").rows == []


def test_what_the_crm_refuses_is_told_with_its_place_in_the_input(installed: Run) -> None:
    lines = "\n".join([event("A"), event("B", start="2027-03-01T10:00:00Z"), event("C")])
    told = installed("crm", "put", "--as", "alice", stdin=lines, code=exits.FAILED)
    assert "item 2 of the input, those before it are stored: " in told.err
    assert "write 2027-03-01T10:00:00, the zone in time_zone" in told.err
    bad = event("D", end="2027-03-01T09:00:00")
    alone = installed("crm", "put", "--as", "alice", stdin=bad, code=exits.FAILED)
    assert "error: it ends" in alone.err, "one item alone is the one that is meant"
    first = installed("crm", "put", "--as", "alice", stdin=f"[{bad}, {bad}]", code=exits.FAILED)
    assert "item 1 of the input: it ends" in first.err
    kept = installed("crm", "list", "--as", "alice", "--json").rows
    assert [row["item"]["title"] for row in kept] == ["A"]


def test_the_rights_of_the_user_count(installed: Run) -> None:
    installed("crm", "users", "add", "bob", "--address", "bob@x.test")
    ref = put(installed, "Mine")
    assert installed("crm", "list", "--as", "bob", "--json").rows == []
    assert installed("crm", "delete", ref, "--as", "bob", code=exits.FAILED).err
    assert "accord crm users" in installed("crm", "list", "--as", "eve", code=exits.WRONG).err


def test_users_and_groups_are_kept(installed: Run) -> None:
    installed(
        "crm",
        "users",
        "add",
        "bob",
        "--address",
        "b@x.test",
        "--address",
        "bob@x.test",
        "--display-name",
        "Bob B.",
    )
    rows = installed("crm", "users", "--json").rows
    assert [row["name"] for row in rows] == ["alice", "bob"]
    assert rows[1]["addresses"] == ["b@x.test", "bob@x.test"]
    installed("crm", "users", "change", "bob", "--no-active", "--admin")
    installed("crm", "users", "group", "sales", "alice", "bob")
    installed("crm", "users", "level", "bob", "task", "read")
    bob = installed("crm", "users", "list", "--json").rows[1]
    assert (bob["active"], bob["admin"], bob["groups"]) == (False, True, ["sales"])
    assert bob["addresses"] == ["b@x.test", "bob@x.test"]
    assert bob["levels"] == {"task": "read"}
    assert "bob" in installed("crm", "users").out
    assert "already" in installed("crm", "users", "add", "bob", code=exits.WRONG).err
    assert installed("crm", "users", "change", "eve", "--admin", code=exits.WRONG).err


def test_contacts_are_chosen_for_a_users_list(installed: Run) -> None:
    installed("crm", "users", "add", "bob", "--address", "b@x.test", "--contacts", "list")
    names = ("Nora Silva", "Luca Rossi", "Ada Byron")
    nora, luca, ada = (_contact(installed, name) for name in names)
    assert _contacts(installed, "bob") == []
    done = installed("crm", "users", "choose", "bob", nora, luca)
    assert f"on the list  {nora}  Nora Silva" in done.out
    assert _contacts(installed, "bob") == ["Luca Rossi", "Nora Silva"], "these, and no others"
    rows = installed("crm", "users", "choose", "bob", nora, ada, "--remove", "--json").rows
    assert rows == [{"user": "bob", "ref": ref, "chosen": False} for ref in (nora, ada)]
    assert _contacts(installed, "bob") == ["Luca Rossi"]
    row = installed("crm", "users", "choose", "bob", nora, nora, "--json").row
    assert row == {"user": "bob", "ref": nora, "chosen": True}
    assert _contacts(installed, "bob") == ["Luca Rossi", "Nora Silva"]
    installed("crm", "users", "change", "bob", "--contacts", "all")
    assert "has all contacts" in installed("crm", "users", "choose", "bob", ada).out


def test_a_list_stays_as_it_is_where_one_ref_is_wrong(installed: Run) -> None:
    installed("crm", "users", "add", "bob", "--address", "b@x.test", "--contacts", "list")
    nora, secret = _contact(installed, "Nora"), _contact(installed, "Zoe", "participants")
    meeting = put(installed, "Meeting")
    for wrong, message, fix in (
        (("bob",), "REFS: which contacts?", "accord crm list contact --as"),
        (("bob", nora, "nothing"), "REFS: there is no contact nothing", "accord crm list contact"),
        (("bob", nora, meeting), f"REFS: there is no contact {meeting}", "accord crm list"),
        (("bob", nora, secret), f"REFS: bob may not read {secret}", "--visibility everyone"),
        (("eve", nora), "there is no CRM user 'eve'", "accord crm users"),
    ):
        told = installed("crm", "users", "choose", *wrong, code=exits.WRONG).err
        assert message in told and fix in told, wrong
    assert _contacts(installed, "bob") == []
    card = installed("crm", "show", secret, "--as", "alice").out
    how = ("--as", "alice", "--ref", secret, "--visibility", "everyone")
    installed("crm", "put", *how, stdin=card)
    installed("crm", "users", "choose", "bob", secret)
    assert _contacts(installed, "bob") == ["Zoe"]


def _contact(run: Run, name: str, visibility: str = "everyone") -> str:
    """Give Alice a contact and return its ref."""
    card = json.dumps({"kind": "contact", "full_name": name})
    how = ("--as", "alice", "--visibility", visibility, "--json")
    return str(run("crm", "put", *how, stdin=card).row["ref"])


def _contacts(run: Run, user: str) -> list[str]:
    rows = run("crm", "list", "contact", "--as", user, "--json").rows
    return sorted(row["item"]["full_name"] for row in rows)


def test_another_crm_is_left_to_itself(run: Run) -> None:
    run("init", "--crm", "memory:")
    assert "built-in CRM" in run("crm", "users", code=exits.WRONG).err
