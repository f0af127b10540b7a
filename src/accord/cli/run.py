"""Run a parsed command and word its end; everything that goes wrong arrives here."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cyclopts import CycloptsError

from accord.cli import exits
from accord.cli.call import Call
from accord.cli.errors import Usage, tell

if TYPE_CHECKING:
    from cyclopts import App


def run(app: App, words: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        result = app.meta(list(words), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        rough = Call(json="--json" in words)
        return tell(rough, Usage(str(error), "`accord --help` lists commands and options."))
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


def _stop_quietly() -> int:
    """End as other programs do when the reader of a pipe, such as `head`, has gone."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.OK
