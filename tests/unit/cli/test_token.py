"""`accord token`: what it prints, what it refuses, and that no secret is left lying about."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from accord.cli.errors import Usage
from accord.cli.token import duration
from accord.formats.token import read, read_key
from tests.unit.cli.conftest import Run


def test_what_is_issued_is_valid(installed: Run) -> None:
    issued = installed("token", "issue", "alice", "--for", "8h", "--json").row
    assert issued["user"] == "alice"
    assert issued["once"] is False
    claims = read(issued["token"]).claims
    assert (claims.expires - claims.issued).total_seconds() == 8 * 3600
    row = installed("token", "check", issued["token"], "--json").row
    assert row == {
        "valid": True, **{k: issued[k] for k in ("user", "id", "issued", "expires", "once")},
    }  # fmt: skip
    assert "valid  for alice" in installed("token", "check", "-", stdin=issued["token"] + "\n").out


def test_the_token_alone_goes_to_standard_output(installed: Run) -> None:
    result = installed("token", "issue", "alice")
    assert result.out.count("\n") == 1
    assert read(result.out.strip()).claims.user == "alice"
    assert result.out.strip() not in result.err
    assert "for alice" in result.err


def test_a_token_for_one_session(installed: Run) -> None:
    text = installed("token", "issue", "alice", "--once").out.strip()
    assert installed("token", "check", "-", "--json", stdin=text).row["once"] is True
    row = installed("token", "check", "-", "--json", stdin=text, code=1).row
    assert (row["valid"], row["refused"]) == (False, "replayed")


def test_only_for_users_of_the_crm(installed: Run) -> None:
    result = installed("token", "issue", "nobody", code=2)
    assert "no CRM user 'nobody'" in result.err
    assert "accord crm users" in result.err
    assert result.out == ""
    text = installed("token", "issue", "alice").out.strip()
    installed("crm", "users", "change", "alice", "--no-active")
    assert "refused (no-user)" in installed("token", "check", text, code=1).out


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["issue", "alice", "--for", "8"], "", "no length of time"),
        (["issue", "alice", "--for", "0s"], "", "no length of time"),
        (["issue", "alice", "--for", "400d"], "", "366 days"),
        (["check", "-"], "", "no token on standard input"),
        (["revoke"], "", "which token?"),
        (["revoke", "x", "--user", "alice"], "", "which token?"),
        (["revoke", "x", "--before", "2026-01-01"], "", "which token?"),
        (["rotate", "--keep", "long"], "", "no length of time"),
    ],
)
def test_what_is_asked_wrongly(installed: Run, words: list[str], stdin: str, message: str) -> None:
    assert message in installed("token", *words, stdin=stdin, code=2).err


def test_somebody_elses_name(installed: Run) -> None:
    text = installed("token", "issue", "alice").out.strip()
    installed("token", "check", text, "--user", "alice")
    result = installed("token", "check", text, "--user", "bob", code=1)
    assert "refused (other-user)" in result.out


def test_rotating(installed: Run) -> None:
    text = installed("token", "issue", "alice").out.strip()
    row = installed("token", "rotate", "--json").row
    assert row["retired"] == 1
    assert read(text).key != row["key"]
    installed("token", "check", text)
    assert "2 older keys" in installed("token", "rotate", "--keep", "0s").out
    assert "refused (unknown)" in installed("token", "check", text, code=1).out


@pytest.mark.parametrize("by", ["id", "token"])
def test_revoking_one(installed: Run, by: str) -> None:
    issued = installed("token", "issue", "alice", "--json").row
    row = installed("token", "revoke", "-", "--json", stdin=issued[by]).row
    assert row == {"revoked": issued["id"], "seen": True}
    assert "refused (revoked)" in installed("token", "check", issued["token"], code=1).out


def test_revoking_what_nobody_has_seen_tells_so(installed: Run) -> None:
    assert "no token of this id" in installed("token", "revoke", "0123").err
    assert "lets in nobody called alcie" in installed("token", "revoke", "--user", "alcie").err


def test_revoking_all_of_a_user(installed: Run) -> None:
    text = installed("token", "issue", "alice").out.strip()
    installed("token", "revoke", "--user", "alice", "--before", "2026-01-01T00:00:00")
    installed("token", "check", text)
    assert installed("token", "revoke", "--user", "alice", "--json").row["known"] is True
    assert "refused (revoked)" in installed("token", "check", text, code=1).out
    installed("token", "check", installed("token", "issue", "alice").out.strip())


def test_the_log(installed: Run) -> None:
    assert "Nothing has happened" in installed("token", "log").out
    text = installed("token", "issue", "alice").out.strip()
    installed("token", "check", text[:-1], code=1)
    installed("token", "revoke", read(text).claims.id)
    rows = installed("token", "log", "--json").rows
    assert [row["event"] for row in rows] == ["revoked", "refused:malformed", "issued"]
    assert rows[-1]["user"] == "alice"
    assert "\nNothing" not in installed("token", "log", "--event", "refused").out
    assert len(installed("token", "log", "--limit", "1", "--json").rows) == 1
    assert len(installed("token", "log", "--id", read(text).claims.id, "--json").rows) == 2
    shown = installed("token", "log").out + installed("token", "log", "--json").out
    assert text[-43:-1] not in shown
    assert "refused:malformed" in shown


def test_a_key_for_another_machine(installed: Run, tmp_path: Path) -> None:
    row = installed("token", "key", "connector.key", "--json").row
    file = tmp_path / "connector.key"
    key = read_key(file.read_text())
    assert row == {"key": key.id, "file": "connector.key"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read(installed("token", "issue", "alice").out.strip()).key == key.id
    assert "File exists" in installed("token", "key", "connector.key", code=2).err


def test_a_program_named_in_the_configuration(installed: Run, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import json, sys; question = json.load(sys.stdin)\n"
        "said = dict(user='alice', id='p1', issued='2026-01-01T00:00:00Z',"
        " expires='2026-12-01T00:00:00Z', token='tok')\n"
        "good = question['ask'] == 'issue' or question['token'] == 'tok'\n"
        "print(json.dumps(said if good else {'refused': 'unknown'}))\n"
    )
    with (tmp_path / "accord.toml").open("a") as file:
        file.write(
            f'[tokens]\nprovider = "command"\ncommand = ["{sys.executable}", "program.py"]\n'
        )
    assert installed("token", "issue", "alice").out == "tok\n"
    assert "refused (unknown)" in installed("token", "check", "other", code=1).out
    assert "no keys" in installed("token", "rotate", code=2).err
    program.unlink()
    assert "exit code 2" in installed("token", "check", "tok", code=3).err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('provider = "magic"', "magic"),
        ("skew = -1", "from 0 to 3600"),
        ('command = "one two"', "list of texts"),
        ("skwe = 1", "did you mean skew?"),
        ('provider = "command"', "names none"),
    ],
)
def test_settings_that_are_wrong(installed: Run, tmp_path: Path, text: str, message: str) -> None:
    with (tmp_path / "accord.toml").open("a") as file:
        file.write(f"[tokens]\n{text}\n")
    result = installed("token", "issue", "alice", code=2)
    assert message in result.err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("8h", 28_800), ("1d12h", 129_600), ("2w", 1_209_600)],
)
def test_lengths_of_time(text: str, seconds: int) -> None:
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "h", "8", "8 h", "-8h", "8h ", "٣h", "1.5h", "0s"])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(Usage, match="length of time"):
        duration(text)
