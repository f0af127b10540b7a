"""Keys that a program prints: what it may do wrong, what is told of it, and what never is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from accord.model.kinds import Side
from accord.ports.errors import ConfigError
from accord.service import bootstrap
from accord.service.bootstrap import open_accord, open_keys
from accord.service.config import load
from accord.service.init import init
from accord.state.records import Target
from accord.state.secrets import FileKeys, Keys

Ask = Callable[..., Keys]


@pytest.fixture(autouse=True)
def on_both() -> None:
    """These name their database themselves."""


@pytest.fixture
def vault(tmp_path: Path) -> FileKeys:
    """The keys that programs here print: `cat vault` does."""
    return FileKeys(tmp_path / "vault")


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Start a program for its keys; lines of a script are written into one first."""

    def opened(*words: str, script: str = "") -> Keys:
        if script:
            program = tmp_path / "program"
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o700)
            words = (str(program), *words)
        listed = ", ".join(f"'{word}'" for word in words)
        (tmp_path / "accord.toml").write_text(f"key_command = [{listed}]\n")
        return open_keys(load(None, {}, tmp_path))

    return opened


def test_it_is_started_beside_the_settings_and_without_a_shell(
    ask: Ask, vault: FileKeys, tmp_path: Path
) -> None:
    assert ask("cat", "vault").newest == vault.newest
    odd = "a b; touch made > $HOME"
    (tmp_path / odd).write_text(vault.path.read_text())
    assert ask("cat", odd).newest == vault.newest
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("cat vault; exit 3", "ended with exit code 3"),
        ("exit 0", "holds no key"),
        ("head -c 30 vault", "line 1 of what .* prints is no key"),
        ("cat vault; echo Warning: renew the lease", "line 2 of what .* prints is no key"),
        ("printf '\\377\\000\\200'", "line 1 of what .* prints is no key"),
        ("cat vault; sleep 60", "it took longer than 0.5 s"),
    ],
)
def test_what_goes_wrong_is_told_without_a_word_that_it_printed(
    ask: Ask,
    vault: FileKeys,
    script: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(bootstrap, "KEY_PATIENCE", 0.5)
    with pytest.raises(ConfigError, match=message) as caught:
        ask(script=script)
    assert caught.value.field == "key_command"
    assert caught.value.hint
    told = f"{caught.value} {caught.value.hint} {caplog.text} {capfd.readouterr()}"
    assert vault.path.read_text().split()[1][:20] not in told


def test_a_program_that_is_not_there(ask: Ask) -> None:
    with pytest.raises(ConfigError, match=r"no key to be had: \./vault could not be run") as caught:
        ask("./vault")
    assert "call it by hand" in caught.value.hint


def test_a_running_process_takes_a_rotated_key_over(tmp_path: Path) -> None:
    config = init(tmp_path).config
    vault = FileKeys(config.key_file.rename(tmp_path / "vault"))
    file = tmp_path / "accord.toml"
    file.write_text('key_command = ["cat", "vault"]\n')
    config = load(file, {}, tmp_path)
    target = Target(id="t", name="x", adapter="dav", side=Side.GROUPWARE, secrets={"p": "y"})
    with closing(open_accord(config)) as running, closing(open_accord(config)) as console:
        with running.state.begin() as tx:
            tx.targets.put(target)
        vault.add()
        assert console.state.rotate_keys() == 1
        with running.state.read() as tx:
            assert tx.targets.get("t") == target
        assert running.state.keys is not None
        assert running.state.keys.newest == vault.newest


def test_a_lost_key_is_told_by_its_id(tmp_path: Path) -> None:
    config = init(tmp_path).config
    lost = FileKeys(config.key_file)
    with closing(open_accord(config)) as accord, accord.state.begin() as tx:
        target = Target(id="t", name="x", adapter="dav", side=Side.GROUPWARE, secrets={"p": "y"})
        tx.targets.put(target)
    FileKeys(tmp_path / "vault")
    (tmp_path / "accord.toml").write_text('key_command = ["cat", "vault"]\n')
    config = load(None, {}, tmp_path)
    told = f"target:t .* {lost.newest}, .* cat prints"
    with (
        closing(open_accord(config)) as accord,
        accord.state.read() as tx,
        pytest.raises(ConfigError, match=told) as caught,
    ):
        tx.targets.get("t")
    assert (caught.value.field, "older ones too" in caught.value.hint) == ("key_command", True)
