"""Run a parsed command and word its end; everything that goes wrong arrives here."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cyclopts import CycloptsError, UnknownCommandError

from accord.cli import exits
from accord.cli.call import STDIN, Call
from accord.cli.commands import NAMES
from accord.cli.errors import Usage, tell
from accord.rules.problem import instead

if TYPE_CHECKING:
    from cyclopts import App


def run(app: App, words: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    # A lone - would be taken for an option.
    words = [str(STDIN) if word == "-" else word for word in words]
    try:
        result = app.meta(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return tell(Call(json="--json" in words), _worded(error, words))
    return result if isinstance(result, int) else exits.OK


def start(app: App, words: Sequence[str], call: Call) -> int:
    """Run one command with its Call; raises CycloptsError for arguments it doesn't know."""
    command, bound, unparsed = app.parse_args(list(words), exit_on_error=False, print_error=False)
    extra = {"call": call} if "call" in unparsed else {}
    try:
        result = command(*bound.args, **bound.kwargs, **extra)
    except BrokenPipeError:
        return _stop_quietly()
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 (the edge: all ends in words)
        return tell(call, error)
    return result if isinstance(result, int) else exits.OK


def _worded(error: CycloptsError, words: Sequence[str]) -> Usage:
    first = next((word for word in words if not word.startswith("-")), "")
    if isinstance(error, UnknownCommandError) and first not in NAMES:
        # Its own text would load every command.
        return Usage(f"there is no command {first!r}", instead(first, NAMES))
    command = f"accord {first}" if first in NAMES else "accord"
    return Usage(str(error), f"`{command} --help` lists what is possible.")


def _stop_quietly() -> int:
    """End as other programs do when the reader of a pipe, such as `head`, has gone."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.OK
