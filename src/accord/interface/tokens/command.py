"""The provider that asks a program of yours: one start per question, JSON in, JSON out.

Asked by the desk. docs/tokens.md has the protocol and an example.

    {"ask": "issue", "user": …, "seconds": …, "once": …}  →  {"token": …, "user": …, "id": …, …}
    {"ask": "check", "token": …, "user": …, "peer": …}    →  {"user": …, "id": …, …}
                                                          or {"refused": REASON, "why": …}
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from accord.interface.tokens.converse import converse
from accord.model.learning import learnt
from accord.ports.errors import AccordError, ConfigError, Retry
from accord.ports.token import Claims, Refusal, Token, TokenRefused

LONGEST_ANSWER = 65_536
"""How many bytes a program may answer, and may write to standard error."""

LONGEST_TOKEN = 8_192
"""How many characters of a token a program is asked about."""

LONGEST_USER = 256

TRY_AGAIN = 75
"""The exit code for "not now" (EX_TEMPFAIL of sysexits.h)."""

MISCONFIGURED = 78
"""The exit code for "my own settings are wrong" (EX_CONFIG of sysexits.h)."""


class CommandTokens:
    """Let a program issue and check tokens; nobody else knows what they look like."""

    guessable = True

    def __init__(self, command: Sequence[str], timeout: float, folder: Path) -> None:
        """Keep the program with its arguments, its time in seconds and where it is started.

        Raises ConfigError where no program is named.
        """
        if not command or not command[0]:
            raise ConfigError(
                "[tokens] asks a command, but names none",
                field="tokens.command",
                hint='write command = ["/path/to/program", "argument"]',
            )
        self._command = list(command)
        self._timeout = timeout
        self._folder = folder

    def issue(self, user: str, lifetime: timedelta, *, once: bool = False) -> Token:
        """Return the token that the program gives."""
        seconds = int(lifetime.total_seconds())
        answer = self._ask({"ask": "issue", "user": user, "seconds": seconds, "once": once})
        claims = self._claims(answer)
        if isinstance(answer.token, UnsetType) or not 0 < len(answer.token) <= LONGEST_TOKEN:
            raise self._wrong("gives no token", f"1 to {LONGEST_TOKEN} characters are expected")
        return Token(text=answer.token, claims=claims)

    def check(self, text: str, *, user: str = "", peer: str = "") -> Claims:
        """Return what the program says of a token."""
        if not 0 < len(text) <= LONGEST_TOKEN or not text.isprintable() or len(user) > LONGEST_USER:
            raise TokenRefused(Refusal.MALFORMED, "that is no token")
        return self._claims(self._ask({"ask": "check", "token": text, "user": user, "peer": peer}))

    def _claims(self, answer: _Answer) -> Claims:
        if not isinstance(answer.refused, UnsetType):
            raise TokenRefused(
                answer.refused, f"the token program says: {answer.why or answer.refused}"
            )
        given = {
            name: getattr(answer, name)
            for name in ("user", "id", "issued", "expires")
            if getattr(answer, name)
        }
        missing = {"user", "id", "issued", "expires"} - given.keys()
        if missing:
            raise self._wrong(f"doesn't say: {', '.join(sorted(missing))}")
        for name in ("issued", "expires"):
            if given[name].tzinfo is None:
                raise self._wrong(f"gives {name} without a time zone", "write 2027-03-01T09:00:00Z")
        return Claims(**given, once=answer.once)

    def _ask(self, question: dict[str, Any]) -> _Answer:
        answer = self._run(msgspec.json.encode(question) + b"\n")
        try:
            return _DECODER.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # The text itself may hold a token, so it is not shown.
            raise self._wrong(f"answers something else than the protocol says: {error}") from error

    def _run(self, question: bytes) -> bytes:
        """Return what the program prints for a question; however it ends, nothing runs on."""
        try:
            program = subprocess.Popen(
                self._command,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigError(
                f"the token program {self._command[0]} could not be started: {error.strerror}",
                field="tokens.command",
                hint="name it with its path, and make it executable",
            ) from error
        with program:
            try:
                out, err = converse(program, question, self._timeout, LONGEST_ANSWER)
                code = program.wait(1)
            except (TimeoutError, subprocess.TimeoutExpired) as error:
                _end(program)
                raise Retry(
                    f"the token program {self._command[0]} gave no answer in {self._timeout:g} s",
                    after=self._timeout,
                ) from error
            except OverflowError as error:
                _end(program)
                raise self._wrong(f"answers more than {LONGEST_ANSWER} bytes") from error
        if code != 0:
            raise self._failed(code, err)
        return out

    def _failed(self, code: int, err: bytes) -> AccordError:
        lines = err.decode("utf-8", "replace").strip().splitlines()
        said = f": {lines[-1][:300]}" if lines else ""
        if code == MISCONFIGURED:
            return ConfigError(
                f"the token program {self._command[0]} is not set up{said}",
                field="tokens.command",
                code=str(code),
            )
        words = "asks to be asked later" if code == TRY_AGAIN else f"ended with exit code {code}"
        return Retry(
            f"the token program {self._command[0]} {words}{said}", after=30, code=str(code)
        )

    def _wrong(self, what: str, hint: str = "") -> ConfigError:
        return ConfigError(
            f"the token program {self._command[0]} {what}",
            field="tokens.command",
            hint=hint or "docs/tokens.md has the protocol and an example",
        )


class _Answer(Struct, frozen=True, kw_only=True):
    """Be what a program may say; unknown words are left alone, so that they may be added."""

    token: str | UnsetType = UNSET
    user: str = ""
    id: str = ""
    issued: datetime | None = None
    expires: datetime | None = None
    once: bool = False
    refused: Refusal | UnsetType = UNSET
    why: str = ""


_DECODER = msgspec.json.Decoder(learnt(_Answer))


def _end(program: subprocess.Popen[bytes]) -> None:
    """End a program that isn't done, and whatever it has started."""
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
