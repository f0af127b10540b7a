"""What goes wrong while a compiled rule works on an item; the engine makes a Skip of it."""

from __future__ import annotations


class RuleFailed(Exception):
    """Say that a rule's expression can't be worked out for one item.

    `field` names the mapping or filter (`title`, `filter.crm`), `message` says what is wrong.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidExpression(ValueError):
    """Say where an expression is wrong; `line` and `column` count from 1 within its text."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
