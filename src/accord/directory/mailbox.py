"""Which mailbox belongs to a CRM user: by alias, by a rule in CEL, or by the main address.

`wishes` asks for every member of a template's group, an import for every expression.
"""

from __future__ import annotations

from datetime import UTC, datetime

from accord.model.parts import Person
from accord.ports.users import UserCard
from accord.rules.expression import Expression, Variable, compile_expression
from accord.rules.facts import Facts
from accord.rules.failure import RuleFailed
from accord.state.templates import Template

_VARIABLES = (
    Variable("user.name", "string"),
    Variable("user.display_name", "string"),
    Variable("user.address", "string"),
    Variable("user.addresses", "list<string>"),
    Variable("user.groups", "list<string>"),
)
_FACTS = Facts(now=datetime(2000, 1, 1, tzinfo=UTC), owner=Person())


def compile_mailbox(text: str) -> Expression:
    """Return the compiled expression of a template's mailbox; raises InvalidExpression."""
    return compile_expression("mailbox", text, _VARIABLES, {})


def mailbox_of(template: Template, card: UserCard) -> str:
    """Return a user's mailbox, empty where there is none; raises RuleFailed."""
    alias = template.aliases.get(card.name)
    if alias is not None:
        return alias
    if not template.mailbox:
        return card.address
    values = {
        "user.name": card.name,
        "user.display_name": card.display_name,
        "user.address": card.address,
        "user.addresses": list(card.addresses),
        "user.groups": list(card.groups),
    }
    found = compile_mailbox(template.mailbox).evaluate(values, _FACTS)
    if not isinstance(found, str):
        raise RuleFailed("mailbox", f"it is no text but {type(found).__name__}")
    return found.strip()
