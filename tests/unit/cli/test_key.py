"""`accord key rotate`: what was encrypted can still be read, under a new key."""

from __future__ import annotations

from pathlib import Path

import pytest

from accord.cli import exits
from accord.state.secrets import FileKeys
from tests.unit.cli.conftest import Run

SECRET = """
[[target]]
name = "server"
adapter = "dav"
url = "https://dav.example.com/"
password = { file = "secret" }
"""


def test_rotating_keeps_secrets_readable_and_retiring_leaves_one_key(
    installed: Run, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("correct horse\n")
    (tmp_path / "server.toml").write_text(SECRET)
    installed("import", "server.toml")
    key = tmp_path / "accord.key"
    first = key.read_text()

    row = installed("key", "rotate", "--json").row
    older, newest = (line.split()[0] for line in key.read_text().splitlines())
    told = {"encrypted": 1, "retired": False, "newest": newest, "older": [older]}
    assert row == {**told, "key_file": str(key)}
    assert key.read_text().startswith(first)
    assert len(key.read_text().splitlines()) == 2

    assert "only it is left" in installed("key", "rotate", "--retire").out
    assert len(key.read_text().splitlines()) == 1
    assert first not in key.read_text()
    assert key.stat().st_mode & 0o077 == 0
    # The secret opens under the only key there is: the same text changes nothing.
    assert "Nothing to change" in installed("import", "server.toml").out


@pytest.fixture
def managed(installed: Run, tmp_path: Path) -> Run:
    """An installation whose keys a program prints, with a secret in it."""
    (tmp_path / "accord.key").rename(tmp_path / "vault")
    settings = tmp_path / "accord.toml"
    text = settings.read_text().replace('key_file = "accord.key"', 'key_command = ["cat", "vault"]')
    settings.write_text(text)
    (tmp_path / "secret").write_text("correct horse\n")
    (tmp_path / "server.toml").write_text(SECRET)
    installed("import", "server.toml")
    return installed


def test_with_a_key_command_a_rotation_takes_the_newest_and_says_which_may_go(
    managed: Run, tmp_path: Path
) -> None:
    vault = FileKeys(tmp_path / "vault")
    said = managed("key", "rotate")
    assert "0 values encrypted under the newest key in what cat prints" in said.out
    assert "For a new one, add a line at the end of what cat prints" in said.err
    vault.add()
    held = vault.path.read_text()
    row = managed("key", "rotate", "--json").row
    (older,) = vault.older
    told = {"encrypted": 1, "newest": vault.newest, "older": [older]}
    assert row == {**told, "retired": False, "key_file": ""}
    said = managed("key", "rotate", "--retire")
    assert f"Nothing is under {older} any more." in said.err
    # Accord changes nothing there, and makes no key file either.
    assert vault.path.read_text() == held
    assert not (tmp_path / "accord.key").exists()
    vault.retire()
    assert "There is no older key" in managed("key", "rotate", "--retire").err
    assert "Nothing to change" in managed("import", "server.toml").out
    assert vault.newest in managed("check", code=None).out


def test_a_key_command_that_fails_says_so_before_anything_is_done(
    managed: Run, tmp_path: Path
) -> None:
    (tmp_path / "vault").unlink()
    said = managed("links", code=exits.WRONG).err
    assert "no key to be had: cat ended with exit code 1" in said
    assert "as the user that Accord runs as" in said
