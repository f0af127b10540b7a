"""`accord interface`: where it listens and where it won't, passwords for devices, who synced."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from accord.cli.endpoint import Endpoint
from accord.db import open_database
from accord.service.config import load
from accord.state import State
from accord.state.processes import at_work
from accord.state.sync_sessions import Sync, SyncNote
from tests.unit.cli.conftest import Run
from tests.unit.state.build import NOW

NOW_THERE = json.dumps(
    {"kind": "contact", "full_name": "Jo Lee", "notes": "From the office", "job_title": "Buyer"}
)
LOST = json.dumps({"kind": "contact", "full_name": "Jo Lee", "notes": "From the phone"})


def test_it_wont_listen_to_the_world_without_tls(installed: Run) -> None:
    result = installed("interface", "--listen", "0.0.0.0:0", code=None)
    assert result.code != 0
    assert "others can read" in result.err
    assert "--without-tls" in result.err


@pytest.mark.parametrize("listen", ["8640", "localhost", ":80", "127.0.0.1:99999", "127.0.0.1:x"])
def test_an_address_is_host_and_port(installed: Run, listen: str) -> None:
    assert "HOST:PORT" in installed("interface", "--listen", listen, code=None).err


def test_tls_needs_both_files(installed: Run, tmp_path: Path) -> None:
    config = tmp_path / "accord.toml"
    text = config.read_text()
    config.write_text(text + '\n[interface]\ncertificate = "a.pem"\n')
    assert "and its key" in installed("interface", code=None).err
    config.write_text(text + '\n[interface]\ncertificate = "a.pem"\nkey = "b.pem"\n')
    assert "a.pem" in installed("interface", code=None).err


def test_a_port_that_is_taken_is_named(installed: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = installed("interface", "--listen", f"127.0.0.1:{port}", code=None)
    assert result.code != 0
    assert str(port) in result.err


def test_a_password_for_a_device_is_short_and_alone_on_standard_output(installed: Run) -> None:
    result = installed("interface", "device", "alice")
    assert re.fullmatch(r"([0-9a-z]{5}-){3}[0-9a-z]{5}\n", result.out)
    assert result.out.strip() not in result.err
    row = installed("interface", "device", "alice", "--for", "30d", "--json").row
    assert row["user"] == "alice"
    assert row["password"] != result.out.strip()
    log = installed("token", "log", "--event", "issued", "--json")
    assert len(log.rows) == 2
    assert installed("interface", "device", "nobody", code=None).code != 0


def test_who_synced_what_and_what_was_refused(installed: Run, tmp_path: Path) -> None:
    assert "Nobody has synced" in installed("interface", "sessions").out
    config = load(tmp_path / "accord.toml", {}, tmp_path)
    database = open_database(config.database)
    counts = {"added": 3, "refused": 1}
    with State(database, config.key_file).begin() as tx:
        tx.sync_log.put(
            Sync(
                id="s1",
                at=NOW,
                user="alice",
                device="phone-1",
                store="todo",
                mode="slow",
                counts=counts,
                end="done",
            )
        )
        tx.sync_log.note([("s1", SyncNote(what="refused", luid="7", why="status 403"))])
    database.close()
    shown = installed("interface", "sessions").out
    for word in ("alice", "phone-1", "todo", "slow", "done", "3 added", "status 403"):
        assert word in shown
    (row,) = installed("interface", "sessions", "--user", "alice", "--json").rows
    assert row["counts"] == counts
    note = {"what": "refused", "luid": "7", "ref": "", "why": "status 403", "kept": ""}
    assert row["notes"] == [note]
    assert installed("interface", "sessions", "--user", "bob", "--json").rows == []
    assert "status 403" in installed("journal").out


def test_refused_tokens_and_items_stand_in_the_journal(installed: Run) -> None:
    assert installed("journal").out == "Nothing was done yet.\n"
    token = installed("token", "issue", "alice").out.strip()
    spoilt = f"{token[:-2]}{'AA' if token[-2:] != 'AA' else 'BB'}"
    for _ in range(2):
        installed("token", "check", "-", stdin=spoilt, code=None)
    (row,) = installed("journal", "--json").rows
    assert (row["refused"], row["user"], row["times"]) == ("token:forged", "alice", 2)
    assert "refused to alice" in installed("journal").out
    assert row["why"] in installed("journal", "--user", "alice").out
    assert installed("journal", "--item", "contact-1", "--json").rows == []
    for others in (("--user", "bob"), ("--run", "r"), ("--step", "1")):
        told = installed("journal", *others, "--json", code=2).row
        assert told["action"] == "usage"


def test_it_serves_until_it_is_stopped(run: Run, tmp_path: Path) -> None:
    run("init")
    accord = str(Path(sys.executable).with_name("accord"))
    words = [accord, "interface", "--listen", "127.0.0.1:0"]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ACCORD_")}
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environ
    ) as served:
        assert served.stdout is not None
        url = served.stdout.readline().split()[-1]
        try:
            assert httpx2.get(url.replace("/CRM.interface", "/healthz")).text == "ok\n"
            headers = {"content-type": "application/vnd.syncml+xml"}
            assert httpx2.post(url, content=b"<SyncML/>", headers=headers).status_code == 400
            assert httpx2.post(url + "/any/path", content=b"", headers=headers).status_code == 400
            assert httpx2.post(url, content=b"{}").status_code == 415
            assert httpx2.get(url).status_code == 405
            much = b"x" * 2_000_000
            assert httpx2.post(url, content=much, headers=headers).status_code == 413
            pieces = (b"x" * 100_000 for _ in range(20))
            assert httpx2.post(url, content=pieces, headers=headers).status_code == 413
        finally:
            served.send_signal(signal.SIGTERM)
            served.wait(30)
    assert served.returncode == 0


def test_whoever_serves_phones_is_seen_at_work(
    installed: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(tmp_path / "accord.toml", {}, tmp_path)

    def seen() -> list[str]:
        with closing(open_database(config.database)) as database:
            return at_work(database)

    during: list[str] = []
    monkeypatch.setattr(Endpoint, "serve", lambda _: during.extend(seen()))
    installed("interface", "--listen", "127.0.0.1:0")
    assert during == [f"interface on {socket.gethostname()}"]
    assert seen() == []


def test_the_one_that_lost_is_shown_and_brought_back(installed: Run, tmp_path: Path) -> None:
    made = installed("crm", "put", "--as", "alice", "--json", stdin=NOW_THERE).row
    here, gone = note_lost(tmp_path, LOST, made["ref"]), note_lost(tmp_path, LOST, "")
    shown = installed("interface", "sessions").out
    assert f"the one that lost is kept: {here}" in shown
    kept = [
        note["kept"]
        for row in installed("interface", "sessions", "--json").rows
        for note in row["notes"]
    ]
    assert sorted(kept) == sorted([here, gone])
    assert json.loads(installed("interface", "lost", here).out)["notes"] == "From the phone"
    row = installed("interface", "lost", here, "--json").row
    assert (row["user"], row["ref"], row["item"]["notes"]) == (
        "alice",
        made["ref"],
        "From the phone",
    )
    planned = installed("interface", "restore", here, "--plan").out
    assert "would change" in planned
    assert "notes:" in planned
    assert notes_of(installed) == ["From the office"]
    row = installed("interface", "restore", here, "--json").row
    assert [field["field"] for field in row["fields"]] == ["notes"]
    assert notes_of(installed) == ["From the phone"]
    record = installed("crm", "show", made["ref"], "--as", "alice", "--json").row
    assert record["item"]["job_title"] == "Buyer", "what the device couldn't say stays"
    assert "stands so already" in installed("interface", "restore", here).out
    assert "would be made anew" in installed("interface", "restore", gone, "--plan").out
    installed("interface", "restore", gone)
    assert notes_of(installed) == ["From the phone", "From the phone"]


def test_an_occurrence_that_lost_is_brought_back_into_its_series(
    installed: Run, tmp_path: Path
) -> None:
    start, end = "2027-03-01T09:00:00", "2027-03-01T10:00:00"
    entry = {"kind": "event", "title": "Daily", "start": start, "end": end}
    moved = {"recurrence_id": "2027-03-02T09:00:00", "title": "Of the CRM", "location": "Roof"}
    series = {**entry, "rule": {"frequency": "daily", "count": 5}, "overrides": [moved]}
    made = installed("crm", "put", "--as", "alice", "--json", stdin=json.dumps(series)).row
    there = {"start": "2027-03-02T09:00:00", "end": "2027-03-02T10:00:00", "title": "Of the phone"}
    ref = f"{made['ref']}#occurrence=20270302T090000"
    id_ = note_lost(tmp_path, json.dumps({**entry, **there}), ref)
    row = installed("interface", "restore", id_, "--json").row
    assert (row["ref"], [field["field"] for field in row["fields"]]) == (ref, ["title"])
    (record,) = installed("crm", "list", "event", "--as", "alice", "--json").rows
    assert record["item"]["overrides"] == [{**moved, "title": "Of the phone"}]
    assert record["item"]["title"] == "Daily"


def test_an_item_that_is_not_kept_is_named(installed: Run) -> None:
    for command in ("lost", "restore"):
        result = installed("interface", command, "nothing", code=None)
        assert result.code != 0
        assert "no item is kept as nothing" in result.err
        assert "accord interface sessions" in result.err


def note_lost(folder: Path, item: str, ref: str) -> str:
    """Put a lost conflict into the log; return the id under which the item is kept."""
    config = load(folder / "accord.toml", {}, folder)
    with closing(open_database(config.database)) as database:
        state = State(database, config.key_file)
        sync = Sync(
            id=f"s-{ref}", at=NOW, user="alice", device="phone-1", store="contacts", mode="slow"
        )
        lost = SyncNote(what="conflict", ref=ref, why="both changed", item=item.encode())
        with state.begin() as tx:
            tx.sync_log.put(sync)
            tx.sync_log.note([(sync.id, lost)])
        with state.read() as tx:
            return tx.sync_log.notes(sync.id)[0].id


def notes_of(installed: Run) -> list[str]:
    rows = installed("crm", "list", "contact", "--as", "alice", "--json").rows
    return [row["item"]["notes"] for row in rows]
