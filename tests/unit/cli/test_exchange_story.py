"""From nothing to the first synchronized entry with an Exchange server, on the command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from accord.groupware.exchange import authorize
from tests.authority import CLIENT, Authority
from tests.databases import Databases
from tests.exchange import ROBOT, TARGET, House
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.test_exchange_ways import Scene, arrives
from tests.unit.cli.test_story import EXPORTED, Shell


@pytest.fixture
def shell(run: Run) -> Shell:
    return Shell(run)


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def test_an_exchange_server_from_nothing_to_the_first_entry(
    shell: Shell,
    house: House,
    tmp_path: Path,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    person = house.person()
    shell("init", "--database", databases.url())
    shell("crm", "users", "add", "alice", "--address", person)
    answers = [
        *("--url", house.url, "--user", "alice", "--principal", person, "--auth", "basic"),
        *("--login", ROBOT, "--password-env", "MAIL_PASSWORD", "--name", "company"),
        *("--time-zone", "Europe/Berlin"),
    ]
    found = shell("init", "exchange", *answers, "--output", "company.toml")
    assert "✓ sign-in and folders: the service account acts as the person by basic" in found.err
    text = (tmp_path / "company.toml").read_text()
    assert 'password = { env = "MAIL_PASSWORD" }' in text
    assert 'kinds = ["event", "task", "contact"' in text
    (tmp_path / "company.toml").write_text(text + EXPORTED)
    shell("import", "company.toml")
    assert "All is well." in shell("check").out

    shell("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    assert "create in the mailbox: Kick-off" in shell("plan").out
    shell("mode", "alice", "active")
    rows = shell("sync", "--all", "--json").rows
    assert sum(row["groupware"]["created"] for row in rows) == 1
    quiet = shell("sync", "--all", "--json").rows
    assert all(row[side]["created"] == 0 for row in quiet for side in ("crm", "groupware"))
    assert "Kick-off: synchronized" in shell("explain", "Kick-off").out
    assert house.exchange.mails() == []
    assert "secret" not in json.dumps(shell("export").out)


def test_what_is_wrong_with_a_first_server_is_said_at_once(
    shell: Shell, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "wrong")
    answers = ["--url", house.url, "--user", "alice", "--principal", house.person()]
    sign_in = ["--auth", "basic", "--login", ROBOT, "--password-env", "MAIL_PASSWORD"]
    told = shell("init", "exchange", *answers, *sign_in, "--output", "company.toml", code=1)
    assert "refuses login name or password" in told.err
    assert not (tmp_path / "company.toml").exists()
    shell("init", "exchange", *answers, *sign_in[:2], code=2)
    cloud = ["--url", "https://outlook.office365.com", *answers[2:]]
    assert "Microsoft Graph" in shell("init", "exchange", *cloud, *sign_in, code=1).err
    loud = shell("init", "exchange", *answers, *sign_in, "--without-check", code=1)
    assert "CERTIFICATE IS NOT CHECKED" in loud.err


def test_a_persons_own_login_is_written_as_it_is_asked_for(
    shell: Shell, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    person = house.person()
    answers = ["--url", house.url, "--user", "alice", "--principal", person]
    own = ["--auth", "basic", "--access", "own", "--password-env", "MAIL_PASSWORD"]
    text = shell("init", "exchange", *answers, *own, "--login", f"EXAMPLE\\{person}").out
    assert f'[target.passwords]\n"{person}" = {{ env = "MAIL_PASSWORD" }}' in text
    assert "[target.users]" in text


ABSENCES = (
    TARGET
    + """
[[link]]
user = "alice"
target = "company"
principal = "{person}"
kinds = ["absence"]
mode = "active"

[[rule]]
name = "absences"
kind = "absence"
replies.inside = "{{name}} is away until {{until}}."
"""
)


def test_automatic_replies_are_planned_set_explained_and_undone(
    shell: Shell, house: House, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    person = house.person()
    shell("init", "--database", databases.url())
    shell("crm", "users", "add", "alice", "--address", person)
    text = ABSENCES.format(url=house.url, robot=ROBOT, person=person)
    shell("import", "-", stdin=text)
    away = {"kind": "absence", "title": "Flu", "absence_kind": "sick"}
    days = {"start": "2040-03-05T00:00:00", "end": "2040-03-08T00:00:00"}
    ref = shell("crm", "put", "--as", "alice", "--json", stdin=json.dumps(away | days)).row["ref"]

    planned = shell("plan").out
    assert "automatic replies: set" in planned
    assert "inside: — → alice is away until 2040-03-07." in planned
    (row,) = shell("plan", "--json").rows
    assert row["replies"]["act"] == "set"
    assert "inside" in [each["field"] for each in row["replies"]["fields"]]
    assert "automatic replies: set" in shell("sync", "--all").out
    assert "automatic replies: Accord set them for this absence" in shell("explain", ref).out
    assert "automatic replies" not in shell("plan").out
    journal = shell("journal", "--json").rows
    (step,) = [row["id"] for row in journal if row["step"] == "set-replies"]
    assert "automatic replies: restore" in shell("undo", step, "--plan").out
    shell("undo", step, "--yes")
    assert "they were taken back for this absence" in shell("plan").out
    assert "sick" not in json.dumps(journal)
    shell("links", "remove", "alice", "--withdraw", "--yes")


@pytest.fixture
def authority() -> Iterator[Authority]:
    made = Authority(ROBOT)
    yield made
    made.close()


@pytest.fixture
def modern(authority: Authority) -> Iterator[House]:
    made = House(ways=("bearer",), tokens=authority.whose)
    yield made
    made.close()


@pytest.fixture
def _browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody who opens the address that is printed, and goes where it leads."""
    opened: list[threading.Thread] = []

    class Browsed(authorize.Authorization):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            go = {"follow_redirects": True, "trust_env": False}
            opened.append(threading.Thread(target=httpx2.get, args=(self.url,), kwargs=go))
            opened[-1].start()

    monkeypatch.setattr(authorize, "Authorization", Browsed)
    yield
    for each in opened:
        each.join()


@pytest.mark.usefixtures("_browser")
def test_somebody_signs_in_in_a_browser_once(
    shell: Shell, modern: House, authority: Authority, tmp_path: Path, databases: Databases
) -> None:
    person = modern.person()
    shell("init", "--database", databases.url())
    shell("crm", "users", "add", "alice", "--address", person)
    answers = [
        *("--url", modern.url, "--user", "alice", "--principal", person, "--name", "company"),
        *("--auth", "oauth2-user", "--authority", authority.url, "--client-id", CLIENT),
        *("--login", ROBOT, "--redirect-port", "0", "--output", "company.toml"),
    ]
    told = shell("init", "exchange", *answers).err
    assert f"{authority.url}/authorize?" in told
    assert "✓ sign-in and folders: the service account acts as the person by oauth2-user" in told
    kept = tmp_path / "company.token"
    assert kept.stat().st_mode & 0o077 == 0
    token = kept.read_text().strip()
    assert token not in told
    text = (tmp_path / "company.toml").read_text()
    assert f'refresh_token = {{ file = "{kept}" }}' in text
    assert "there already" in shell("init", "exchange", *answers, code=2).err
    shell("import", "company.toml")
    kept.unlink()
    for _ in range(2):  # each command is given another token, and the next one knows it
        assert "✓" in shell("check", code=None).out
        assert "sign-in and folders: the service account" in shell("check", code=None).out
    used = [one["refresh_token"] for one in authority.asked if "refresh_token" in one]
    assert len(used) == len(set(used)) >= 4
    assert token not in shell("export").out
    authority.revoke()
    broken = shell("check", code=None).out
    assert "no longer takes the sign-in of the service account" in broken
    assert "accord init exchange --auth oauth2-user" in broken


@pytest.mark.usefixtures("_browser")
def test_each_person_signs_in_in_a_browser(
    shell: Shell, modern: House, authority: Authority, tmp_path: Path
) -> None:
    person = authority.person = modern.person()
    shell("init")
    shell("crm", "users", "add", "alice", "--address", person)
    answers = [
        *("--url", modern.url, "--user", "alice", "--principal", person, "--name", "company"),
        *("--auth", "oauth2-user", "--access", "own", "--authority", authority.url),
        *("--client-id", CLIENT, "--redirect-port", "0", "--output", "company.toml"),
    ]
    told = shell("init", "exchange", *answers).err
    assert f"sign in as {person}" in told
    assert "✓ sign-in and folders: the person's own login by oauth2-user" in told
    scene = Scene(modern.url, modern.exchange, person, ())
    text = arrives(shell, scene, tmp_path / "company.toml")
    assert f'[target.refresh_tokens]\n"{person}" = {{ file = "' in text


@pytest.mark.usefixtures("_browser")
def test_a_sign_in_that_is_cancelled_leaves_nothing(
    shell: Shell, modern: House, authority: Authority, tmp_path: Path
) -> None:
    authority.says_no = "access_denied"
    answers = ["--url", modern.url, "--user", "alice", "--principal", modern.person()]
    way = ["--auth", "oauth2-user", "--authority", authority.url, "--client-id", CLIENT]
    port = ["--redirect-port", "0", "--login", ROBOT]
    told = shell("init", "exchange", *answers, *way, *port, code=None)
    assert told.code != 0
    assert "pressed Cancel" in told.err
    assert list(tmp_path.glob("*.token")) == []
