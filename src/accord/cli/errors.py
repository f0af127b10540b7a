"""The wording of failures: what went wrong, how to mend it, which exit code; never a traceback
for what was to be expected.

`main` catches everything here; commands raise.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from accord.cli import exits
from accord.cli.call import Call
from accord.ports.errors import AccordError, AuthFailed, ConfigError, Gone, Retry
from accord.ports.redact import clean
from accord.rules.problem import RuleErrors, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accord.rules.problem import Problem
    from accord.service.report import Report

ADVICE = {
    "retry": "Nothing is wrong with the data; try again later.",
    "authenticate": "Check login name and password; `accord check` tests every connection.",
    "relist": "Run `accord sync --full` once.",
    "replan": "It was changed meanwhile; run the command again.",
    "denied": "Ask the owner of the record, or use --as with another CRM user.",
    "reject": "Change what it complains about and try again.",
    "taken": "Use another name.",
    "bug": "Please report it with the lines above; all else went on.",
    "in-use": "Remove what still refers to it first.",
}
"""What to do about an error, by its reaction, where the error itself has no hint."""


class Usage(Exception):
    """Say what is wrong with how a command was called, and how to call it (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def tell(call: Call, error: BaseException) -> int:
    """Say what went wrong and return the exit code."""
    match error:
        case RuleErrors():
            show_problems(call, error.problems)
            return exits.WRONG
        case Usage():
            return _say(call, str(error), error.hint, "usage", exits.WRONG)
        case AuthFailed() if _is_stranger(error):
            return _say(call, str(error), advice(error), error.action, exits.WRONG)
        case AccordError():
            code = exits.BY_ACTION.get(error.action, exits.FAILED)
            return _say(call, str(error), advice(error), error.action, code)
        case KeyboardInterrupt():
            return _say(
                call,
                "interrupted",
                "What was begun is settled by the next run.",
                "interrupted",
                exits.INTERRUPTED,
            )
        case _:
            return _report(call, error)


def advice(error: AccordError) -> str:
    """Return what to do about it."""
    if isinstance(error, ConfigError | AuthFailed) and error.hint:
        return error.hint
    if isinstance(error, Gone):
        return "It was deleted, or never was there; `accord crm list` shows what is."
    if isinstance(error, Retry) and error.after >= 1:
        return f"Nothing is wrong with the data; try again in {error.after:.0f} s."
    return ADVICE.get(error.action, "")


def _is_stranger(error: AuthFailed) -> bool:
    """Tell whether somebody was named whom the CRM doesn't know, or doesn't let in."""
    return "user" in error.code


def advise(call: Call, report: Report) -> int:
    """Say why a visit ended early and what to do about it; return its exit code."""
    if not call.json:
        call.errors.print(report.name, style="bold", markup=False, end="")
        call.errors.print(": ", end="")
        call.errors.print(report.error, style="red", markup=False)
        advice = report.hint or ADVICE.get(report.action, "")
        if advice:
            call.errors.print(f"    {advice}", style="dim", markup=False)
    return exits.BY_ACTION.get(report.action, exits.FAILED)


def show_problems(call: Call, problems: Iterable[Problem]) -> None:
    """Print what is wrong with a text, a line each: file, line, what, hint."""
    for problem in problems:
        if call.json:
            call.data({"problem": problem})
            continue
        if call.quiet and problem.severity is not Severity.ERROR:
            continue
        place = ":".join(filter(None, [problem.file, str(problem.line or "")]))
        colour = "red" if problem.severity is Severity.ERROR else "yellow"
        path = f"{problem.path}: " if problem.path else ""
        text = f"{place}: " if place else ""
        call.errors.print(text, style="bold", markup=False, end="")
        call.errors.print(f"{problem.severity}: ", style=colour, markup=False, end="")
        call.errors.print(f"{path}{problem.message}", markup=False)
        if problem.hint:
            call.errors.print(f"    {problem.hint}", style="dim", markup=False)


def _say(call: Call, message: str, hint: str, action: str, code: int) -> int:
    if call.json:
        call.data({"error": message, "hint": hint, "action": action})
        return code
    call.errors.print("error: ", style="bold red", end="")
    call.errors.print(message, markup=False)
    if hint:
        call.errors.print(f"    {hint}", style="dim", markup=False)
    return code


def _report(call: Call, error: BaseException) -> int:
    text = clean("".join(traceback.format_exception(error)))
    call.errors.print(text, markup=False, style="dim", end="")
    message = f"This is a fault of Accord, not yours: {type(error).__name__}."
    hint = "Please report it with the lines above; remove names and addresses you want to keep."
    return _say(call, message, hint, "bug", exits.BUG)
