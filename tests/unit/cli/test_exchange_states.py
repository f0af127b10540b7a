"""A mailbox that can't be worked in: named, never a deletion, and over as soon as it is mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from accord.sandbox.exchange.faults import Kind
from tests.databases import Databases
from tests.exchange import ROBOT, House
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.test_story import EXPORTED, Shell

STATES: dict[Kind, tuple[str, str]] = {
    "moving": ("moving", "goes on by itself"),
    "gone": ("moved", "give it a target of its own"),
    "disabled": ("disabled", "enable the mailbox again"),
    "full": ("over quota", "raise the quota"),
    "closed": ("no permission", "rights"),
}


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.mark.parametrize("kind", STATES)
def test_a_state_of_a_mailbox_is_told_by_name_and_nothing_follows(
    run: Run,
    house: House,
    tmp_path: Path,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
    kind: Kind,
) -> None:
    name, advice = STATES[kind]
    shell = Shell(run)
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    person = house.person()
    shell("init", "--database", databases.url())
    shell("crm", "users", "add", "alice", "--address", person)
    answers = [
        *("--url", house.url, "--user", "alice", "--principal", person, "--auth", "basic"),
        *("--login", ROBOT, "--password-env", "MAIL_PASSWORD", "--name", "company"),
    ]
    shell("init", "exchange", *answers, "--output", "company.toml")
    text = (tmp_path / "company.toml").read_text()
    (tmp_path / "company.toml").write_text(text.replace('"observe"', '"active"') + EXPORTED)
    shell("import", "company.toml")
    shell("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    shell("sync", "--all")

    shell("crm", "put", "--as", "alice", stdin=event("Review"))
    fault = house.exchange.faults.plan(kind, mailbox=person, times=None)
    rows = shell("sync", "--all", "--json", code=None).rows
    told = [row for row in rows if row["error"]]
    assert told
    assert {row["state"] for row in told} == {name}
    assert all(advice in row["hint"] for row in told)
    assert all(row[side]["deleted"] == 0 for row in rows for side in ("crm", "groupware"))
    found = shell("check", code=None).out
    assert f"mailbox {name} since" in found
    assert advice in found
    assert f"mailbox {name}" in shell("explain", "Kick-off").out

    house.exchange.faults.end(fault)
    rows = shell("sync", "--all", "--json").rows
    assert sum(row["groupware"]["created"] for row in rows) == 1
    assert all(row[side]["deleted"] == 0 for row in rows for side in ("crm", "groupware"))
    assert f"mailbox {name}" not in shell("explain", "Kick-off").out
    assert f"mailbox {name}" not in shell("check", code=None).out
    assert "Kick-off: synchronized" in shell("explain", "Kick-off").out
    assert house.exchange.mails() == []
