"""Passwords go unencrypted to another machine only where somebody said so, and never in silence."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from accord.model.kinds import Side
from accord.ports.tls import READABLE
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.state.records import Target
from tests.peers import Account
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.test_story import titles

SAID = "over http anybody on the way to {host} could read passwords and items"
FAR = "192.0.2.2"
DAV = f'[[target]]\nname = "mail"\nadapter = "dav"\nurl = "http://{FAR}:5232/"\n'
EXCHANGE = DAV.replace('"dav"', '"exchange"') + 'auth = "basic"\nuser = "robot"\n'
PASSWORD = 'password = { env = "PW" }\n'
LINK = '[[link]]\nuser = "alice"\ntarget = "mail"\nkinds = ["event"]\nmode = "active"\n'
RULE = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\n'


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "secret")


@pytest.mark.parametrize("target", [DAV + PASSWORD, EXCHANGE + PASSWORD], ids=["dav", "exchange"])
def test_a_target_without_tls_on_another_machine_is_refused_unless_it_says_so(
    installed: Run, target: str
) -> None:
    refused = installed("import", "-", stdin=target, code=2).err
    assert f":4: error: target[0].url: target mail: {SAID.format(host=FAR)}" in refused
    assert "without_tls = true" in refused
    for fine in ("https://192.0.2.2/", "http://127.0.0.1:5232/"):
        text = target.replace(f"http://{FAR}:5232/", fine)
        assert READABLE not in installed("import", "-", "--plan", stdin=text).err

    loud = installed("import", "-", stdin=target + "without_tls = true\n")
    assert READABLE in loud.err
    assert READABLE in installed("targets").out
    assert installed("targets", "--json").row["readable"] is True
    shown = installed("status").out
    assert READABLE in shown
    assert shown.endswith("All goes on, but unsafely: mail.\n")
    (told,) = installed("status", "--json").row["targets"]
    assert (told["readable"], told["unchecked"]) == (True, False)


def test_a_target_that_was_there_before_goes_on_and_is_told(
    installed: Run, radicale_account: Account
) -> None:
    account, run = radicale_account, installed
    url = account.url.replace("127.0.0.1", "0.0.0.0")  # another address of this machine
    target = Target(
        id="t",
        name="mail",
        adapter="dav",
        side=Side.GROUPWARE,
        settings={"url": url, "user": account.user, "users": {"alice@x.test": account.user}},
        secrets={"password": account.password},
    )
    with closing(open_accord(load(None, {}, Path()))) as accord, accord.state.begin() as tx:
        tx.targets.put(target)
    run("import", "-", stdin=LINK + RULE)
    run("crm", "put", "--as", "alice", stdin=event("Kick-off"))
    run("sync", "--all")
    assert titles(account) == {"Kick-off"}
    assert READABLE in run("status").out
    assert "✗ encryption: no encryption: readable on the way" in run("check", code=1).out


@pytest.mark.parametrize("server", ["dav", "exchange"])
def test_no_password_is_tried_over_such_a_way(run: Run, tmp_path: Path, server: str) -> None:
    words = ["init", server, "--url", f"http://{FAR}:5232/", "--user", "alice"]
    words += ["--principal", "alice@x.test", "--login", "robot", "--password-env", "PW"]
    refused = run(*words, "--output", "mail.toml", code=1).err
    assert SAID.format(host=FAR) in refused
    assert not (tmp_path / "mail.toml").exists()
