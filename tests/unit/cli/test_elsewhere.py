"""The command line where the CRM is on another machine: set up, tested, read, edited, refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from tests.elsewhere import Elsewhere
from tests.unit.cli.conftest import Run, event


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """A CRM with a few users, served by a process of its own."""
    with Elsewhere(tmp_path_factory.mktemp("crm")) as machine:
        accord = machine.open()
        assert isinstance(accord.crm, DatabaseCrm)
        for name in ("alice", "bob", "carol"):
            Administration(accord.crm).add_user(name, f"{name}@x.test")
        accord.close()
        yield machine


@pytest.fixture
def connected(run: Run, machine: Elsewhere, tmp_path: Path) -> Run:
    """This machine has the key."""
    machine.write_key(tmp_path)
    run("init", "--crm", machine.crm)
    return run


def test_init_says_what_to_fetch_and_check_what_is_missing(
    run: Run, machine: Elsewhere, tmp_path: Path
) -> None:
    made = run("init", "--crm", machine.crm)
    assert "accord token key connector.key" in made.out
    assert str(tmp_path / "connector.key") in made.out
    missing = run("check", code=2)
    assert "can't read" in missing.err and "accord token key connector.key" in missing.err
    machine.write_key(tmp_path)
    (row,) = run("init", "--force", "--crm", machine.crm, "--json").rows
    assert row["missing"] == []
    assert run("crm", "list", "--as", "bob", "--json").rows == []


def test_check_tests_both_ends(connected: Run, machine: Elsewhere, tmp_path: Path) -> None:
    (tmp_path / "company.toml").write_text(
        '[[target]]\nname = "company"\nadapter = "memory"\n'
        '[[link]]\nuser = "alice"\ntarget = "company"\nkind = "event"\n'
    )
    connected("import", "company.toml")
    told = connected("check", code=None)
    assert f"✓ interface: {machine.url}" in told.out
    assert "crm user alice\n  ✓ user: alice may sign in" in told.out, told.out
    (tmp_path / "connector.key").chmod(0o644)
    assert "act in every CRM user's name" in connected("check", code=1).out
    machine.kill()
    try:
        told = connected("check", code=1)
        assert "✗ interface" in told.out
        assert "accord interface" in told.out, "what to do"
        assert "targets" in told.out or "target company" in told.out, (
            "the rest is tested all the same"
        )
    finally:
        machine.start()


def test_a_wrong_key_is_told_and_mended(connected: Run, machine: Elsewhere, tmp_path: Path) -> None:
    file = tmp_path / "connector.key"
    name, _, secret = file.read_text().partition(" ")
    file.write_text(f"{name[::-1]} {secret}")
    told = connected("check", code=1)
    assert "✗ interface" in told.out
    assert "accord token key" in told.out
    assert secret.strip() not in told.out + told.err
    machine.write_key(tmp_path)
    assert "✓ interface" in connected("check", code=None).out


def test_records_are_read_and_edited_from_here(connected: Run, machine: Elsewhere) -> None:
    run = connected
    made = run("crm", "put", "--as", "alice", "--json", stdin=event("Kick-off")).row
    assert made["item"]["title"] == "Kick-off"
    item = json.loads(run("crm", "show", made["ref"], "--as", "alice").out)
    changed = run(
        "crm", "put", "--as", "alice", "--ref", made["ref"], "--json",
        stdin=json.dumps(item | {"title": "Kick-on"}),
    ).row  # fmt: skip
    assert changed["version"] != made["version"]
    assert [row["item"]["title"] for row in run("crm", "list", "--as", "alice", "--json").rows] == [
        "Kick-on"
    ]
    run("crm", "delete", made["ref"], "--as", "alice")
    assert "no record" in run("crm", "show", made["ref"], "--as", "alice", code=None).err
    assert run("crm", "restore", made["ref"], "--as", "alice", "--json").row == changed | {
        "version": run("crm", "show", made["ref"], "--as", "alice", "--json").row["version"],
        "modified": run("crm", "show", made["ref"], "--as", "alice", "--json").row["modified"],
    }
    said = run("crm", "put", "--as", "alice", "--owner", "bob", stdin=event(), code=None)
    assert said.code != 0 and "owner can't be said from here" in said.err
    stranger = run("crm", "list", "--as", "nobody", code=None)
    assert stranger.code == 3, stranger


def test_what_goes_unencrypted_is_said_loudly(run: Run) -> None:
    far = "interface+http://crm.example.com/CRM.interface"
    assert "anybody on the way" in run("init", "--crm", far, code=2).err
    told = run("init", "--crm", far, "--without-tls")
    assert "WITHOUT TLS" in told.err


@pytest.mark.parametrize(
    "words",
    [
        ("crm", "users"),
        ("crm", "users", "add", "bob"),
        ("token", "issue", "alice"),
        ("token", "key", "my.key"),
        ("token", "rotate"),
        ("interface", "--listen", "127.0.0.1:0"),
        ("interface", "device", "alice"),
        ("interface", "sessions"),
        ("token", "log"),
    ],
)
def test_what_belongs_beside_the_crm_says_so(
    connected: Run, machine: Elsewhere, words: tuple[str, ...]
) -> None:
    told = connected(*words, code=2)
    assert machine.url in told.err
    assert "on the machine where CRM.interface runs" in told.err


def test_a_stranger_gets_no_link(connected: Run) -> None:
    text = (
        '[[target]]\nname = "company"\nadapter = "memory"\n'
        '[[link]]\nuser = "mallory"\ntarget = "company"\nkind = "event"\nprincipal = "m@x.test"\n'
    )
    told = connected("import", "-", stdin=text, code=2)
    assert "mallory" in told.err and "accord crm users add mallory" in told.err
