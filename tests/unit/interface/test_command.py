"""The provider that asks a program: what it says, and everything it may do wrong."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from accord.interface.tokens.command import LONGEST_ANSWER, CommandTokens
from accord.ports.errors import AccordError, ConfigError, Retry
from accord.ports.token import Claims, Refusal, TokenRefused

SAID = {
    "user": "anna",
    "id": "t1",
    "issued": "2026-03-02T09:00:00Z",
    "expires": "2026-03-02T19:00:00+02:00",
}
CLAIMS = Claims(
    user="anna",
    id="t1",
    issued=datetime(2026, 3, 2, 9, tzinfo=UTC),
    expires=datetime(2026, 3, 2, 17, tzinfo=UTC),
)

Program = Callable[..., CommandTokens]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Write a program of these lines and return the provider that asks it."""

    def write(*lines: str, timeout: float = 30, arguments: tuple[str, ...] = ()) -> CommandTokens:
        file = tmp_path / "program.py"
        file.write_text("import json, os, sys, time\n" + "\n".join(lines), encoding="utf-8")
        return CommandTokens((sys.executable, str(file), *arguments), timeout, tmp_path)

    return write


def says(answer: dict[str, Any]) -> str:
    """Return the line of a program that says this."""
    return f"print({json.dumps(json.dumps(answer))})"


def test_it_issues(program: Program, tmp_path: Path) -> None:
    tokens = program(
        "open('asked', 'w').write(sys.stdin.read())", says({**SAID, "token": "secret"})
    )
    token = tokens.issue("anna", timedelta(hours=8), once=True)
    assert (token.text, token.claims) == ("secret", CLAIMS)
    assert json.loads((tmp_path / "asked").read_text()) == {
        "ask": "issue", "user": "anna", "seconds": 28_800, "once": True,
    }  # fmt: skip


def test_it_checks(program: Program, tmp_path: Path) -> None:
    tokens = program(
        "open('asked', 'w').write(sys.stdin.read())", says({**SAID, "once": True, "more": 1})
    )
    claims = tokens.check('"é\\ secret', user="anna", peer="192.0.2.1")
    assert (claims.user, claims.once) == ("anna", True)
    assert json.loads((tmp_path / "asked").read_text()) == {
        "ask": "check", "token": '"é\\ secret', "user": "anna", "peer": "192.0.2.1",
    }  # fmt: skip


@pytest.mark.parametrize("refusal", Refusal)
def test_it_refuses(program: Program, refusal: Refusal) -> None:
    tokens = program(says({"refused": refusal.value, "why": "as I say"}))
    with pytest.raises(TokenRefused, match="as I say") as caught:
        tokens.check("x")
    assert caught.value.refusal is refusal


def test_no_shell_reads_its_arguments(program: Program, tmp_path: Path) -> None:
    odd = ("$(touch evil)", "; touch evil", "a b", "*")
    tokens = program(
        "open('given', 'w').write(json.dumps(sys.argv[1:]))", says(SAID), arguments=odd
    )
    tokens.check("$(touch evil)")
    assert json.loads((tmp_path / "given").read_text()) == list(odd)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("lines", "kind", "words"),
    [
        (["sys.exit(75)"], Retry, "asked later"),
        (["sys.exit('no database today')"], Retry, "exit code 1: no database today"),
        (["sys.stderr.write('no key'); sys.exit(78)"], ConfigError, "not set up: no key"),
        (["os.kill(os.getpid(), 9)"], Retry, "exit code -9"),
        (["pass"], ConfigError, "something else than the protocol"),
        (["print('hello')"], ConfigError, "something else than the protocol"),
        (["print('[]')"], ConfigError, "something else than the protocol"),
        (["sys.stdout.buffer.write(b'\\xff')"], ConfigError, "something else than the protocol"),
        ([says({"refused": "whim"})], ConfigError, "something else than the protocol"),
        ([says({**SAID, "issued": "noon"})], ConfigError, "something else than the protocol"),
        ([says({**SAID, "issued": "2026-03-02T09:00:00"})], ConfigError, "without a time zone"),
        ([says({"user": "anna", "id": "t1"})], ConfigError, "doesn't say: expires, issued"),
        ([says({})], ConfigError, "doesn't say: expires, id, issued, user"),
        ([says({**SAID, "user": ""})], ConfigError, "doesn't say: user"),
        (["print('x' * 10**6)"], ConfigError, "more than 65536 bytes"),
        (["while True: print('x' * 10**5)"], ConfigError, "more than 65536 bytes"),
    ],
)
def test_whatever_it_does_wrong_lets_nobody_in(
    program: Program, lines: list[str], kind: type[AccordError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        program(*lines).check("the-token-itself")
    assert "the-token-itself" not in str(caught.value)


@pytest.mark.parametrize("token", [None, "", "x" * 8193])
def test_an_answer_without_a_token_is_none(program: Program, token: str | None) -> None:
    with pytest.raises(ConfigError, match=r"gives no token|something else"):
        program(says({**SAID, "token": token})).issue("anna", timedelta(hours=1))


def test_complaints_are_bounded_and_in_nobodys_way(program: Program) -> None:
    tokens = program("sys.stderr.write('x' * 10**6)", says(SAID))
    assert tokens.check("x") == CLAIMS


def test_it_needn_not_read_its_question(program: Program) -> None:
    tokens = program("os.close(0)", says(SAID))
    assert tokens.check("x" * 8000) == CLAIMS


def test_the_largest_answer(program: Program) -> None:
    text = json.dumps(SAID)
    tokens = program(f"sys.stdout.write({text!r} + ' ' * {LONGEST_ANSWER - len(text)})")
    assert tokens.check("x") == CLAIMS


@pytest.mark.parametrize("lines", [["time.sleep(60)"], ["os.close(1); time.sleep(60)"]])
def test_who_does_not_answer_in_time_is_ended(
    program: Program, tmp_path: Path, lines: list[str]
) -> None:
    tokens = program("open('pid', 'w').write(str(os.getpid()))", *lines, timeout=2)
    with pytest.raises(Retry, match="no answer in 2 s"):
        tokens.check("x")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_what_it_has_started_is_ended_too(program: Program, tmp_path: Path) -> None:
    tokens = program(
        "pid = os.fork()",
        "if pid: open('pid', 'w').write(str(pid))",
        "time.sleep(60)",
        timeout=2,
    )
    with pytest.raises(Retry, match="no answer"):
        tokens.check("x")
    status = Path("/proc") / (tmp_path / "pid").read_text() / "status"
    for _ in range(100):  # whoever inherits it buries it, sooner or later
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    raise AssertionError("it still runs")


@pytest.mark.parametrize("token", ["", "a\nb", "a\0b", "\ud800", "x" * 8193])
def test_what_can_be_no_token_is_not_asked_about(program: Program, token: str) -> None:
    with pytest.raises(TokenRefused, match="no token"):
        program("open('asked', 'w')").check(token)


@pytest.mark.parametrize("command", [(), ("",)])
def test_no_program_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="names none") as caught:
        CommandTokens(command, 1, tmp_path)
    assert caught.value.field == "tokens.command"


def test_there_is_no_such_program(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="could not be started: No such file"):
        CommandTokens((str(tmp_path / "nothing"),), 1, tmp_path).check("x")
