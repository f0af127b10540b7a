"""`accord status`: how all is, who has to do something, and what."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from accord.groupware.memory import MemoryGroupware
from accord.groupware.memory.session import MemorySession
from accord.ports.errors import (
    AccordError,
    AuthFailed,
    ConfigError,
    Denied,
    ItemError,
    Rejected,
    Retry,
)
from accord.ports.queue import Urgency
from accord.queue import circuits
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.service.status import LATE
from accord.state.holder import myself
from accord.state.records import Process
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.test_queue import bury, opened


def at_work(folder: Path, part: str = "all", seconds: float = 60.0, **figures: Any) -> None:
    """Leave in the database what a process at work leaves there."""
    with closing(open_accord(load(None, {}, folder))) as accord:
        now = accord.clock()
        one = Process(
            name=f"elsewhere:b:p/7/{part}{seconds}",
            parts=frozenset(["listener", "worker"] if part == "all" else [part]),
            host="elsewhere",
            version="9.9",
            since=now,
            figures=figures,
        )
        accord.state.run(lambda tx: tx.processes.live(one, seconds))


def test_nothing_runs_and_all_is_well(linked: Run) -> None:
    linked("crm", "put", "--as", "alice", stdin=event())
    shown = linked("status").out
    assert "Nothing runs just now. `accord run` keeps" in shown
    assert "links: 2 active" in shown
    assert "2 links not yet listed completely" in shown
    linked("sync", "--all")
    shown = linked("status").out
    assert "queue: nothing waits\n" in shown
    assert "company (memory): 2 links, no lag" in shown
    assert re.search(r"last visit 20\S+ \S+; listed completely since 20", shown)
    assert shown.endswith("All is well.\n")
    row = linked("status", "--json").row
    assert (row["running"], row["paused"], row["matters"]) == (False, False, [])
    assert row["links"] == {"active": 2}
    assert (row["targets"][0]["never"], row["targets"][0]["lag"]) == (0, 0.0)
    assert row["version"]
    assert "each" not in row


def test_without_links_it_says_what_to_do(installed: Run) -> None:
    assert "none yet; `accord import` makes them" in installed("status").out


def test_links_are_counted_by_state_and_shown_one_by_one(linked: Run) -> None:
    linked("sync", "--all")
    linked("mode", "alice-event", "pilot")
    linked("pause", "alice-task")
    assert "links: 1 paused, 1 pilot" in linked("status").out
    each = {one["name"]: one for one in linked("status", "--links", "--json").row["each"]}
    assert {name: one["state"] for name, one in each.items()} == {
        "alice-event": "pilot",
        "alice-task": "paused",
    }
    assert each["alice-event"]["complete"]
    assert "alice-event: pilot; visited 20" in linked("status", "--links").out
    linked("pause", "--all")
    shown = linked("status", code=1).out
    assert "✗ everything is paused\n    `accord resume --all`" in shown


def test_links_that_only_observe_are_no_part_of_the_complete_listing(linked: Run) -> None:
    for link in ("alice-event", "alice-task"):
        linked("mode", link, "observe")
    linked("sync", "--all")
    target = linked("status", "--json").row["targets"][0]
    assert (target["links"], target["never"], target["complete"]) == (2, 0, None)
    assert "; no link may write" in linked("status").out
    linked("mode", "alice-task", "active")
    assert linked("status", "--json").row["targets"][0]["never"] == 1
    linked("sync", "--all")
    before = linked("status", "--json").row["targets"][0]
    assert (before["never"], bool(before["complete"])) == (0, True)
    linked("mode", "alice-event", "active")
    linked("mode", "alice-task", "observe")
    linked("sync", "alice-event", "--full")
    after = linked("status", "--json").row["targets"][0]
    assert after["complete"] > before["complete"], "what is set to observe listed long ago"


@pytest.mark.parametrize(
    ("error", "code", "advice"),
    [
        (Retry("mail.example.com could not be reached", after=30), 3, "try again later"),
        (AuthFailed("mail.example.com refused robot"), 1, "`accord check` tests"),
        (ConfigError("mail.example.com is no address", field="url"), 1, ""),
    ],
    ids=["retry", "authenticate", "configure"],
)
def test_links_that_fail_are_grouped_by_what_is_to_be_done(
    linked: Run,
    mailboxes: MemoryGroupware,
    monkeypatch: pytest.MonkeyPatch,
    error: AccordError,
    code: int,
    advice: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(mailboxes, "open", _raising(error))
        linked("sync", "--all", code=None)
    result = linked("status", code=code)
    assert "links: 2 failing" in result.out
    assert f"✗ 2 links of company: {error}" in result.out
    assert advice in result.out
    (failing,) = linked("status", "--json", code=code).row["failing"]
    assert failing["action"] == error.action
    assert failing["texts"] == {str(error): 2}
    assert failing["examples"] == ["alice-event", "alice-task"]
    linked("mode", "alice-event", "observe")
    target = linked("status", "--json", code=code).row["targets"][0]
    assert target["never"] == 1, "one that observes keeps no listing, though it fails"
    linked("sync", "--all")
    assert linked("status", "--json").row["failing"] == [], "what was mended is no matter any more"


def _raising(error: Exception) -> Callable[..., Any]:
    def open_(*_: object) -> None:
        raise error

    return open_


def test_a_queue_that_nobody_serves_is_a_matter(linked: Run, tmp_path: Path) -> None:
    with opened(tmp_path) as (queue, (events, tasks)):
        queue.ask(events, "hint", after=-LATE - 60, urgency=Urgency.EDIT)
        queue.ask(tasks, "interval", after=3600)
    result = linked("status", code=1)
    assert "queue: 1 wait (for 36" in result.out
    assert "; 1 planned" in result.out
    assert "company (memory): 2 links, 1 waiting, the first for 36" in result.out
    assert "and nobody visits\n    start `accord run`" in result.out
    at_work(tmp_path)
    assert "start another `accord run worker`" in linked("status", code=1).out


def test_a_target_that_is_left_alone_is_a_matter_of_time(linked: Run, tmp_path: Path) -> None:
    target = target_of(linked, tmp_path)
    with opened(tmp_path) as (queue, (events, _)):
        queue.trouble(target, "alice@x.test", "it can't be reached")
        queue.ask(events, "hint", after=-LATE - 60, urgency=Urgency.EDIT)
    at_work(tmp_path)
    shown = linked("status", code=1).out
    assert "closed, visited on, 1 failure in a row: it can't be reached" in shown
    assert "left alone" not in shown, "it failed, and is visited"
    with opened(tmp_path) as (queue, _):
        queue.trouble(target, "bob@x.test", "busy (503)", after=500)
    result = linked("status", code=3)
    assert "left alone for 8 min more, 2 failures in a row: busy (503)" in result.out
    assert re.search(
        r"✗ company is left alone until 20\S+ \S+ UTC: busy \(503\)\n +it is", result.out
    )
    assert "another `accord run worker`" not in result.out, "no worker more would visit it"
    row = linked("status", "--json", code=3).row
    assert (row["matters"][0]["action"], row["matters"][0]["what"][:21]) == (
        "retry",
        "company is left alone",
    )
    circuit = row["targets"][0]["circuit"]
    assert (circuit["state"], circuit["failures"], circuit["why"]) == ("open", 2, "busy (503)")
    assert 400 < circuit["after"] <= 500
    linked("pause", "alice-event", "alice-task")
    assert linked("status", "--json").row["matters"] == [], "nobody would be visited there"


def test_a_target_that_one_visit_tries_is_a_matter_while_somebody_visits(
    linked: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = target_of(linked, tmp_path)
    monkeypatch.setattr(circuits, "FIRST", 0.0)
    with opened(tmp_path) as (queue, _):
        queue.trouble(target, "bob@x.test", "busy (503)", after=0.001)
    assert "one visit tries it" in linked("status", code=0).out, "a timer's runs go there"
    at_work(tmp_path)
    assert "✗ company is left alone but for one visit: busy (503)" in linked("status", code=3).out


def target_of(linked: Run, folder: Path) -> str:
    """Return the id of the installation's one target."""
    with closing(open_accord(load(None, {}, folder))) as accord, accord.state.read() as tx:
        (target,) = tx.targets.all()
    return str(target.id)


def test_what_was_given_up_is_a_matter(linked: Run, tmp_path: Path) -> None:
    with opened(tmp_path) as (queue, (events, _)):
        bury(queue, events)
    result = linked("status", code=1)
    assert "✗ 1 folder is given up" in result.out
    assert "`accord queue revive --all`" in result.out
    assert result.out.index("1 were given up") < result.out.index("✗")


def test_processes_at_work_and_how_mailboxes_are_watched(linked: Run, tmp_path: Path) -> None:
    why = "the server has no streaming"
    ways = {"ways": {"streaming": 2, "poll": 1}, "why": {why: 1}}
    at_work(tmp_path, "listener", 60, streams={"company": ways})
    at_work(tmp_path, "listener", 61, streams={"company": {"ways": {"streaming": 3}}})
    assert "✗ nobody visits folders\n    start `accord run worker`" in linked("status", code=1).out
    at_work(tmp_path, "worker")
    shown = linked("status").out
    assert re.search(r"runs: worker on elsewhere since 20\S+ \S+, version 9.9\n", shown)
    assert "mailboxes watched: 1 by poll, 5 by streaming" in shown
    assert f"1 because {why}" in shown
    row = linked("status", "--json").row
    assert [(one["part"], one["pid"], one["gone"]) for one in row["processes"]] == [
        ("listener", 7, False),
        ("listener", 7, False),
        ("worker", 7, False),
    ]
    assert row["targets"][0]["streams"]["ways"] == {"streaming": 5, "poll": 1}


def test_how_long_changes_take_is_told_of_all_processes_at_work(
    linked: Run, tmp_path: Path
) -> None:
    assert "changes done" not in linked("status").out
    at_work(tmp_path, "all", 60, work={"company": {"lately.1": 60}})
    at_work(tmp_path, "worker", 61, work={"company": {"lately.1": 30, "lately.10": 10}})
    at_work(tmp_path, "worker", -5, work={"company": {"lately.3600": 999}})
    assert "changes done: half within 0.78 s, 95 % within 7.5 s" in linked("status", code=1).out
    done = linked("status", "--json", code=1).row["targets"][0]["done"]
    assert done == {"count": 100, "p50": 0.78, "p95": 7.5}


def test_who_visits_and_does_not_listen_and_who_is_gone(linked: Run, tmp_path: Path) -> None:
    at_work(tmp_path, "worker")
    assert "nobody listens: changes are found on intervals only" in linked("status", code=1).out
    at_work(tmp_path, "listener", -5)
    result = linked("status", code=1)
    assert "gone: listener on elsewhere, without a sign of life since 20" in result.out
    assert "✗ `accord run listener` on elsewhere ended without a word, or hangs" in result.out


def test_who_serves_phones_alone_is_no_part_of_a_run(linked: Run, tmp_path: Path) -> None:
    at_work(tmp_path, "interface")
    assert "runs: interface on elsewhere since" in linked("status").out
    at_work(tmp_path, "interface", -5)
    assert "✗ `accord interface` on elsewhere ended" in linked("status", code=1).out


def test_what_waits_for_a_person_is_no_failure(linked: Run) -> None:
    linked("mode", "alice-event", "pilot")
    for number in range(25):
        linked("crm", "put", "--as", "alice", stdin=event(f"Meeting {number}"))
    linked("sync", "--all")
    assert "25 changes on 1 link for approval: `accord held`" in linked("status").out
    row = linked("status", "--json").row
    assert (row["waiting"]["changes"], row["waiting"]["links"]) == (25, 1)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Rejected("the title is too long"), 1, "✗ 1 item failed\n    `accord check` names them"),
        (Denied("not today"), 3, "✗ 1 item failed for now\n    they are tried again"),
    ],
    ids=["rejected", "retried"],
)
def test_all_is_not_well_where_items_failed(
    linked: Run, monkeypatch: pytest.MonkeyPatch, error: ItemError, code: int, said: str
) -> None:
    linked("crm", "put", "--as", "alice", stdin=event())
    with monkeypatch.context() as patch:
        patch.setattr(MemorySession, "create", lambda *given: [error for _ in given[3]])
        linked("sync", "--all", code=1)
    shown = linked("status", code=code).out
    assert said in shown
    assert "All is well" not in shown
    row = linked("status", "--json", code=code).row
    assert row["waiting"]["failed"] == 1
    assert row["waiting"]["rejected"] == (1 if code == 1 else 0)
    assert [one["what"] for one in row["matters"]] == [said[2:].partition("\n")[0]]
    if code == 1:
        assert "the title is too long" in linked("check", code=1).out


def certificate(file: Path, days: float) -> None:
    """Write a certificate that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "crm.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=100))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))


@pytest.mark.parametrize(
    ("days", "code", "word"), [(30, 0, "until"), (5, 1, "expires"), (-1, 1, "expired")]
)
def test_certificates_are_told_ahead(
    installed: Run, tmp_path: Path, days: int, code: int, word: str
) -> None:
    certificate(tmp_path / "crm.pem", days)
    file = tmp_path / "accord.toml"
    file.write_text(file.read_text() + '\n[interface]\ncertificate = "crm.pem"\nkey = "crm.key"\n')
    result = installed("status", code=code)
    assert "certificate crm.pem of [interface]" in result.out
    assert word in result.out


def test_of_authorities_the_last_certificate_counts(linked: Run, tmp_path: Path) -> None:
    certificate(tmp_path / "old.pem", -100)
    certificate(tmp_path / "new.pem", 30)
    both = (tmp_path / "old.pem").read_text() + (tmp_path / "new.pem").read_text()
    (tmp_path / "ca.pem").write_text(both)
    file = tmp_path / "accord.toml"
    file.write_text(
        file.read_text() + '\n[smtp]\nca_file = "ca.pem"\n[notify]\nca_file = "ca.pem"\n'
    )
    with closing(open_accord(load(None, {}, tmp_path))) as accord, accord.state.begin() as tx:
        (target,) = tx.targets.all()
        tx.targets.put(msgspec.structs.replace(target, settings={"ca_file": "old.pem"}))
    result = linked("status", code=1)
    assert "authority ca.pem of [smtp], [notify]: until" in result.out
    assert "✗ authority old.pem of company expired" in result.out
    assert result.out.count("✗") == 1


OAUTH = """
[[target]]
name = "company"
adapter = "exchange"
url = "https://mail.example.com/EWS/Exchange.asmx"
auth = "oauth2"
authority = "https://127.0.0.1:9/adfs"
client_id = "x"
client_secret = {{ file = "secret" }}
client_secret_until = {day}
"""


@pytest.mark.parametrize(
    ("days", "code", "word"), [(-1, 1, "expired"), (10, 1, "expires"), (40, 0, "until")]
)
def test_client_secrets_are_told_ahead(
    installed: Run, tmp_path: Path, days: int, code: int, word: str
) -> None:
    day = datetime.now(UTC).date() + timedelta(days=days)
    (tmp_path / "secret").write_text("geheim\n")
    for written in (str(day), f'"{day}"'):
        (tmp_path / "company.toml").write_text(OAUTH.format(day=written))
        installed("import", "company.toml")
    # A date of TOML and one in quotes are the same.
    assert "Nothing to change" in installed("import", "company.toml").out
    assert f'client_secret_until = "{day}"' in installed("export").out
    result = installed("status", code=code)
    assert "client secret of company" in result.out
    assert word in result.out
    assert ("its client_secret_until" in result.out) is bool(code)
    rows = [row for row in installed("check", "--json", code=1).rows if row["area"] == "expiries"]
    (row,) = rows
    assert row["subject"] == "client secret of company"
    assert row["ok"] is not bool(code)
    assert f"{'expired' if days < 0 else 'expires'} {day} 00:00 UTC" == row["detail"]
    assert ("import it into company" in row["hint"]) is bool(code)


def test_a_client_secret_that_ends_late_is_not_told(installed: Run, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("geheim\n")
    day = datetime.now(UTC).date() + timedelta(days=70)
    (tmp_path / "company.toml").write_text(OAUTH.format(day=day))
    installed("import", "company.toml")
    assert "client secret" not in installed("status").out


def test_token_keys_and_device_passwords_are_told_ahead(installed: Run) -> None:
    installed("interface", "device", "alice", "--for", "5d")
    installed("crm", "users", "add", "bob", "--address", "bob@x.test")
    installed("interface", "device", "bob", "--for", "5d")
    installed("interface", "device", "bob", "--for", "300d")
    installed("token", "issue", "alice")
    installed("token", "rotate", "--keep", "3d")
    result = installed("status", code=1)
    assert result.out.count("device password alice") == 1, "it ends soon, and is no failure"
    assert "device password bob" not in result.out, "there is a newer one"
    assert re.search(r"✗ token key [0-9a-f]+ expires 20.*\n.*`accord token key`", result.out)


def test_a_process_of_this_machine_that_was_killed_is_told_at_once(
    linked: Run, tmp_path: Path
) -> None:
    place = myself().rpartition("/")[0].rpartition("/")[0]
    with closing(open_accord(load(None, {}, tmp_path))) as accord:
        now = accord.clock()
        dead = Process(
            name=f"{place}/{2**22 + 1}/x",
            parts=frozenset(["listener", "worker"]),
            host="here",
            version="1",
            since=now,
        )
        accord.state.run(lambda tx: tx.processes.live(dead, 60))
    assert "✗ `accord run` on here ended without a word" in linked("status", code=1).out
