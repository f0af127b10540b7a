"""What is wrong with a rule text, and where; import, console and command line show these.

`read` and `check` gather Problems; the first raises them together as RuleErrors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import StrEnum

from msgspec import Struct

_COMPARED = 80


class Severity(StrEnum):
    """Say whether a problem keeps a rule from being used."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Be one fault of a text: where it is, what is wrong and what would mend it.

    `path` is the dotted name from the rule on (`rule[0].fields.title.outbound`); `line` and
    `column` count from 1, 0 means unknown.
    """

    message: str
    severity: Severity = Severity.ERROR
    path: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    hint: str = ""

    def __str__(self) -> str:
        """Return it as one line: place, severity, path, message and hint."""
        place = ":".join([self.file or "rules", *(str(n) for n in (self.line, self.column) if n)])
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {self.severity}: {path}{self.message}{hint}"


class RuleErrors(ValueError):
    """Say everything that is wrong with a rule text, at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def instead(given: object, choices: Iterable[str]) -> str:
    """Return a hint that names the choice probably meant, or all of them."""
    return meant(given, {choice: choice for choice in choices})


def meant(given: object, choices: Mapping[str, str]) -> str:
    """Return a hint as `instead`, for choices that are compared by another text: their keys."""
    close = get_close_matches(str(given)[:_COMPARED], sorted(choices))
    if close:
        return f"did you mean {choices[close[0]]}?"
    return f"use one of: {', '.join(sorted(choices.values()))}"
