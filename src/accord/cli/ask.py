"""Questions to the person at the terminal; where nobody is there, answers come by option."""

from __future__ import annotations

import getpass

from accord.cli.call import Call
from accord.cli.errors import Usage


def agreed(call: Call, question: str, *, yes: bool) -> bool:
    """Tell whether somebody agrees; raises Usage where nobody can be asked."""
    if yes:
        return True
    if not call.interactive:
        raise Usage("nobody is there to agree", "give --yes to go on without being asked")
    call.errors.print(f"{question} [y/N] ", markup=False, end="")
    return input().strip().casefold() in ("y", "yes")


def asked(call: Call, question: str, usual: str = "") -> str:
    """Return what somebody types, or `usual` where they only press enter."""
    shown = f" [{usual}]" if usual else ""
    call.errors.print(f"{question}{shown}: ", markup=False, end="")
    return input().strip() or usual


def user() -> str:
    """Return who works at this terminal; empty where the system doesn't tell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
