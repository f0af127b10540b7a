"""What goes wrong while a compiled rule works on an item; the engine makes a Skip of it."""

from __future__ import annotations

from collections.abc import Iterable

from accord.model.item import Item
from accord.model.zones import UnknownZone
from accord.rules.shape import is_marked


class RuleFailed(Exception):
    """Say that a rule's expression can't be worked out for one item.

    `field` names the mapping or filter (`title`, `filter.crm`), `message` says what is wrong.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def in_words(error: RuleFailed | UnknownZone | OverflowError, items: Iterable[Item]) -> str:
    """Return what fails; where one of the items is private only which part: words may quote it.

    `items` are all whose values the rule may have met.
    """
    if not any(map(is_marked, items)):
        return str(error)
    part = error.field if isinstance(error, RuleFailed) else "its times"
    return f"{part}; what is wrong with it is not kept, for the entry is private"


def unruled(error: RuleFailed | UnknownZone | OverflowError, items: Iterable[Item]) -> str:
    """Return why nothing is done about an item; `items` as for `in_words`."""
    return f"the rule can't be applied: {in_words(error, items)}"


class InvalidExpression(ValueError):
    """Say where an expression is wrong; `line` and `column` count from 1 within its text."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
