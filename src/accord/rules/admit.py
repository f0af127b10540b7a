"""Whether an item takes part under a rule: kind, privacy, filter, inbound scope and window.

`Program.scope` asks in this order and the first no decides; its reason is shown to people.
"""

from __future__ import annotations

from msgspec import Struct

from accord.model.item import Event, Item, kind_of
from accord.model.kinds import Direction, Kind, Side
from accord.model.recurrence import Busy, Override
from accord.rules import defaults
from accord.rules.expression import Expression, Variable, compile_expression
from accord.rules.facts import Facts
from accord.rules.failure import RuleFailed
from accord.rules.routes import OWNER, item_values, item_variables
from accord.rules.rule import Leaving, Private, Rule, Scope
from accord.rules.shape import is_private, reduced
from accord.rules.values import everyone
from accord.rules.window import window_times

FILTER_VARIABLES = (*OWNER, Variable("now", "timestamp"), Variable("today", "timestamp"))


class Verdict(Struct, frozen=True, kw_only=True):
    """Say whether an item takes part, and why.

    `leaving` says what becomes of its copy if it took part before. `private` marks an item
    whose content may not be stored: `project` gives no more than its time.
    """

    inside: bool
    why: str
    leaving: Leaving = Leaving.KEEP
    private: bool = False


def admit(
    rule: Rule,
    condition: Expression | None,
    side: Side,
    item: Item,
    facts: Facts,
    paired: bool,
) -> Verdict:
    """Return whether an item of `side` takes part; raises RuleFailed where a filter fails."""
    why = unfit(rule, side, item)
    if why is not None:
        return Verdict(inside=False, why=why)
    private = side is Side.GROUPWARE and hides(rule, item, facts)
    if private and not paired and rule.private is not Private.BUSY:
        return Verdict(inside=False, why=private_why(rule, facts), private=True)
    if private:
        item = reduced(item)
    why = filtered(condition, side, item, facts)
    if why is None and side is Side.GROUPWARE and not paired:
        why = unscoped(rule, item, facts)
    if why is not None:
        return Verdict(inside=False, why=why, leaving=rule.leaving, private=private)
    why = untimely(rule, item, facts)
    if why is not None:
        return Verdict(inside=False, why=why, leaving=rule.window.leaving, private=private)
    return Verdict(inside=True, why="the rule lets it in", private=private)


def hides(rule: Rule, item: Item | Override, facts: Facts) -> bool:
    """Tell whether the content of a mailbox item (or one occurrence) may not enter the CRM."""
    return is_private(item.privacy) and not (rule.private is Private.FULL and facts.consents)


def compile_filter(rule: Rule, side: Side) -> Expression | None:
    """Return the compiled filter of one side, None for none; raises InvalidExpression."""
    text = rule.filter.crm if side is Side.CRM else rule.filter.groupware
    if not text:
        return None
    return compile_expression(f"filter.{side}", text, filter_variables(rule, side), rule.lookups)


def filter_variables(rule: Rule, side: Side) -> tuple[Variable, ...]:
    """Return what the filter of one side may ask for."""
    return (*item_variables(defaults.kind_on(rule.kind, side)), *FILTER_VARIABLES)


def unfit(rule: Rule, side: Side, item: Item) -> str | None:
    """Return why a rule isn't for such an item at all; None where it is."""
    kind = defaults.kind_on(rule.kind, side)
    if kind_of(item) is not kind:
        return f"the rule is for {kind}s, this is a {kind_of(item)}"
    if defaults.direction_of(rule) is Direction.NONE:
        return "the rule is switched off (direction none)"
    return None


def private_why(rule: Rule, facts: Facts) -> str:
    """Return why a private item stays out."""
    if rule.private is Private.FULL:
        return f"private, and {facts.owner.name or 'its owner'} has not agreed to share it"
    return "private"


def filtered(expression: Expression | None, side: Side, item: Item, facts: Facts) -> str | None:
    """Return why the filter leaves an item out; None where it doesn't. Raises RuleFailed."""
    if expression is None:
        return None
    result = expression.evaluate(item_values(expression, item, facts), facts)
    if not isinstance(result, bool):
        raise RuleFailed(expression.field, "gave neither true nor false")
    return None if result else f"the rule's filter for the {side.place} leaves it out"


def unscoped(rule: Rule, item: Item, facts: Facts) -> str | None:
    """Return why a mailbox item doesn't enter the CRM; None where it may.

    A private one whose time may enter does so whoever takes part: nothing else is known of it.
    """
    if rule.kind is Kind.ABSENCE and not _out_of_office(item):
        return "not an out-of-office entry"
    scope = defaults.scope_of(rule)
    if scope is Scope.ALL or hides(rule, item, facts):
        return None
    wanted = {category.casefold() for category in rule.categories}
    if any(category.casefold() in wanted for category in item.categories):
        return None
    if scope is Scope.CATEGORY:
        return "in none of the chosen categories"
    others = (address for address in everyone(item) if address not in facts.addresses)
    if any(address in facts.contacts or address in facts.users for address in others):
        return None
    why = "no contact or user of the CRM takes part"
    if not rule.categories:
        return why
    which = "not in the category" if len(rule.categories) == 1 else "in none of the categories"
    return f"{why}, and it is {which} {', '.join(rule.categories)}"


def _out_of_office(item: Item) -> bool:
    return isinstance(item, Event) and item.busy is Busy.OUT_OF_OFFICE


def untimely(rule: Rule, item: Item, facts: Facts) -> str | None:
    """Return why an item is outside of the window; None where it is within."""
    enters, leaves = window_times(rule.window, item)
    if enters is not None and facts.now < enters:
        return f"begins more than {rule.window.future} days from now"
    if leaves is not None and facts.now >= leaves:
        return f"ended more than {rule.window.past} days ago"
    return None
