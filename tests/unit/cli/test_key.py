"""`accord key rotate`: what was encrypted can still be read, under a new key."""

from __future__ import annotations

from pathlib import Path

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
    assert row == {"encrypted": 1, "retired": False, "key_file": str(key)}
    assert key.read_text().startswith(first)
    assert len(key.read_text().splitlines()) == 2

    assert "only it is left" in installed("key", "rotate", "--retire").out
    assert len(key.read_text().splitlines()) == 1
    assert first not in key.read_text()
    assert key.stat().st_mode & 0o077 == 0
    # The secret opens under the only key there is: the same text changes nothing.
    assert "Nothing to change" in installed("import", "server.toml").out
