"""What the exit codes mean; scripts and service managers stand on them."""

from __future__ import annotations

OK = 0
"""Done. What is held or in conflict waits for somebody, but nothing failed; a folder in which
another `sync` is at work is left to that one."""

FAILED = 1
"""Done in part: at least one item failed, or `check` found a fault."""

WRONG = 2
"""Not begun: wrong arguments, configuration or input."""

UNREACHABLE = 3
"""A target or the CRM could not be reached, refused the credentials or is busy: try again later."""

BUG = 70
"""An error that nobody expected (EX_SOFTWARE of sysexits.h)."""

INTERRUPTED = 130
"""Stopped by Ctrl-C; what was begun is settled by the next run."""

BY_ACTION = {
    "retry": UNREACHABLE,
    "authenticate": UNREACHABLE,
    "configure": WRONG,
    "bug": BUG,
}
"""The code for an error by its reaction (`ports.errors`); all others are FAILED."""


def worst(codes: list[int]) -> int:
    """Return the code that says most: wrong configuration, then unreachable, then failed."""
    return max(codes, default=OK)
