"""Secrets in configuration text: references to an environment variable, a file or a command.

Import resolves them; what they give is encrypted in the database and never comes back as text.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FORMS = '{ env = "NAME" }, { file = "PATH" } or { command = "PROGRAM ARGUMENTS" }'
LIMIT = 10_000
PATIENCE = 60


class SecretMissing(ValueError):
    """Say why a reference gives no secret, and what to do (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def is_reference(value: Any) -> bool:
    """Tell whether a value is a reference rather than the secret itself (or a table of such)."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in _RESOLVERS


def resolve(reference: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> str:
    """Return the secret a reference leads to; raises SecretMissing.

    Relative files begin at `folder`. A command is started without a shell and may take a
    minute; the first line of a file or of a command's output counts.
    """
    ((form, given),) = reference.items()
    if not isinstance(given, str | list) or not given:
        raise SecretMissing(f"{form} must name something", f"write {FORMS}")
    return _RESOLVERS[form](given, environ, folder)


def printed(words: Sequence[str], folder: Path, patience: float) -> str:
    """Return what a program prints that is started in `folder`, without a shell.

    Raises SecretMissing where it can't be started, fails, or takes longer than `patience` seconds.
    """
    try:
        done = subprocess.run(
            words, cwd=folder, stdout=subprocess.PIPE, timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        # Not from the error: that one holds what was printed so far.
        detail = f"{words[0]} could not be run: it took longer than {patience:g} s"
        raise SecretMissing(detail) from None
    except OSError as error:
        raise SecretMissing(f"{words[0]} could not be run: {error.strerror}") from error
    if done.returncode != 0:
        raise SecretMissing(f"{words[0]} ended with exit code {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def _from_environment(name: Any, environ: Mapping[str, str], _folder: Path) -> str:
    value = environ.get(str(name), "")
    if not value:
        raise SecretMissing(
            f"the environment variable {name} is not set", f"export {name}=… and try again"
        )
    return value


def _from_file(name: Any, _environ: Mapping[str, str], folder: Path) -> str:
    path = folder / Path(str(name)).expanduser()
    try:
        with path.open(encoding="utf-8") as file:
            return _first_line(file.read(LIMIT), f"the file {path}")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't text"
        raise SecretMissing(f"can't read {path}: {why}", "its first line is the secret") from error


def _from_command(given: Any, _environ: Mapping[str, str], folder: Path) -> str:
    words = [str(word) for word in given] if isinstance(given, list) else shlex.split(given)
    if not words:
        raise SecretMissing("the command is empty", f"write {FORMS}")
    return _first_line(printed(words, folder, PATIENCE), f"the output of {words[0]}")


def _first_line(text: str, what: str) -> str:
    line = text.split("\n", maxsplit=1)[0].rstrip("\r")
    if not line:
        raise SecretMissing(f"{what} is empty", "its first line is the secret")
    return line


_RESOLVERS = {"env": _from_environment, "file": _from_file, "command": _from_command}
