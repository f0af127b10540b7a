"""Places of problems, and what is wrong with expressions: names, tables, lines, hints.

`check` and `check_fields` share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from accord.rules.expression import Expression, Variable, check_literals
from accord.rules.failure import InvalidExpression
from accord.rules.problem import Problem, Severity, instead
from accord.rules.rule import Rule
from accord.rules.source import Path, Source, dotted
from accord.rules.wording import explained


class Place:
    """Be where a rule stands: makes Problems with path, file and line."""

    def __init__(self, rule: Rule, source: Source | None) -> None:
        tables = source.data.get("rule", []) if source else []
        names = [table.get("name") for table in tables]
        number = names.index(rule.name) if rule.name in names else 0
        self._base: Path = ("rule", number)
        self._source = source

    def problem(self, message: str, *path: str, **more: Any) -> Problem:
        """Return a Problem with what stands at `path` within the rule."""
        full = (*self._base, *path)
        if self._source is None:
            more.pop("below", None)
            return Problem(message=message, path=dotted(full), **more)
        return self._source.problem(full, message, **more)

    def invalid(
        self, error: InvalidExpression, variables: Iterable[Variable], *path: str
    ) -> Problem:
        """Return what an expression over these variables that can't be compiled is blamed for."""
        full = (*self._base, *path)
        below = error.line - 1
        if self._source is not None and self._source.begins_below(full):
            below += 1
        message, hint = explained(error.message, [each.name for each in variables])
        return self.problem(message, *path, column=error.column, below=below, hint=hint)

    def newest(self, *path: str) -> Problem:
        """Return the warning that belongs to clashes by time."""
        message = "decides only while the clocks of both sides agree with ours to 2 seconds"
        hint = "clashes at other times wait for you"
        return self.problem(message, *path, severity=Severity.WARNING, hint=hint)


def check_expression(
    expression: Expression, rule: Rule, place: Place, *path: str
) -> Iterator[Problem]:
    """Yield literals that can't work, and what is asked of lookup tables that they can't answer."""
    try:
        check_literals(expression)
    except InvalidExpression as error:
        yield place.invalid(error, (), *path)
    for function, table in expression.tables:
        if table not in rule.lookups:
            hint = instead(table, rule.lookups) if rule.lookups else "add [rule.lookups.…]"
            yield place.problem(f"there is no lookup table {table!r}", *path, hint=hint)
        elif function == "lookupKey":
            entries = rule.lookups[table].values()
            if len(set(entries)) < len(entries):
                message = f"the lookup table {table!r} has one value under several keys"
                hint = "of several keys the alphabetically first comes back"
                yield place.problem(message, *path, severity=Severity.WARNING, hint=hint)
