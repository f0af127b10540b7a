"""Which field becomes which on the way to one side, worked out once per rule.

`Program` walks these routes for every item; `check` reports what `obstacle` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from accord.model.fields import FIELDS, default_of
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind, Side
from accord.model.recurrence import Override
from accord.rules.defaults import (
    ABSENCE_FIELDS,
    INTERNAL,
    field_direction,
    groupware_kind,
    kind_on,
)
from accord.rules.expression import Expression, Variable, compile_expression
from accord.rules.facts import Facts
from accord.rules.failure import RuleFailed
from accord.rules.rule import FieldRule, Rule
from accord.rules.values import Shape, given, own, returned, shapes, view

OCCURRENCE = frozenset(Override.__struct_fields__) - {"recurrence_id"}
_CARRIED = frozenset({"text", "texts", "number", "yes or no"})


class Move(Struct, frozen=True, kw_only=True):
    """Make `target` on one side from `source` on the other, transformed where told."""

    key: str
    target: str
    source: str
    expression: Expression | None = None


class Route(Struct, frozen=True, kw_only=True):
    """Be the way to one side.

    `plain` fields go over as they are, `moves` are made; `fields` are all that arrive, own
    fields as `extras`.
    """

    source_kind: Kind
    target_kind: Kind
    plain: frozenset[str]
    moves: tuple[Move, ...]

    @property
    def fields(self) -> frozenset[str]:
        """Return the names of the target's fields that arrive."""
        made = {"extras" if ":" in move.target else move.target for move in self.moves}
        return self.plain | made


def route(rule: Rule, to: Side) -> Route:
    """Return the way to side `to`; raises RuleFailed for a mapping that can't be."""
    source_kind, target_kind = kind_on(rule.kind, to.other), kind_on(rule.kind, to)
    plain, moves = [], []
    for pair in pairs(rule, to):
        part = rule.fields.get(pair.key, FieldRule())
        text = part.inbound if to is Side.CRM else part.outbound
        if not text and pair.source == pair.target and ":" not in pair.target:
            plain.append(pair.target)
            continue
        why = obstacle(pair, source_kind, target_kind, bool(text))
        if why:
            raise RuleFailed(f"fields.{pair.key}", why)
        expression = compile_move(rule, to, pair, text) if text else None
        moves.append(replace(pair, expression=expression))
    made = {move.target for move in moves}
    return Route(
        source_kind=source_kind,
        target_kind=target_kind,
        plain=frozenset(plain) - made,
        moves=tuple(moves),
    )


def pairs(rule: Rule, to: Side) -> Iterator[Move]:
    """Yield which field comes from which on the way to side `to`, before transformation."""
    crm, groupware = rule.kind, groupware_kind(rule.kind)
    for name in FIELDS[groupware]:
        source = rule.fields[name].source if name in rule.fields else ""
        if name == "extras" or not field_direction(rule, name).reaches(to):
            continue
        if source or name in (ABSENCE_FIELDS if crm is Kind.ABSENCE else FIELDS[groupware]):
            yield _pair(name, source or name, to)
    for name, part in rule.fields.items():
        if ":" in name and field_direction(rule, name).reaches(to):
            yield _pair(name, part.source or name, to)


def obstacle(pair: Move, source_kind: Kind, target_kind: Kind, transformed: bool) -> str:
    """Return why one field can't become the other; empty where it can."""
    if pair.source in INTERNAL:
        return f"{pair.source} never leaves the CRM"
    source = shapes(source_kind).get(pair.source)
    target = shapes(target_kind).get(pair.target)
    if ":" not in pair.source and (source is None or pair.source == "extras"):
        return f"{pair.source} can't be mapped"
    if ":" not in pair.target and (target is None or not target.writable):
        return f"{pair.target} can't be made by a mapping"
    if transformed or _same(source, target):
        return ""
    return f"{pair.source} needs an expression to become {pair.target}"


def _same(source: Shape | None, target: Shape | None) -> bool:
    """Tell whether values go over as they are; None is an own field."""
    if target is None:
        return source is None or source.word in (*_CARRIED, "choice")
    if source is None:
        return target.word in _CARRIED
    if target.word == "choice":
        return False
    return source.word == target.word or (source.word, target.word) == ("choice", "text")


def compile_move(rule: Rule, to: Side, pair: Move, text: str) -> Expression:
    """Return the compiled expression of a mapping; raises InvalidExpression."""
    variables = move_variables(rule, to, pair)
    return compile_expression(f"fields.{pair.key}", text, variables, rule.lookups)


def move_variables(rule: Rule, to: Side, pair: Move) -> tuple[Variable, ...]:
    """Return what the expression of a mapping may ask for."""
    kind = kind_on(rule.kind, to.other)
    value = "dyn" if ":" in pair.source else shapes(kind)[pair.source].cel
    return (Variable("value", value), *item_variables(kind, INTERNAL), *OWNER)


OWNER = (Variable("owner.address", "string"), Variable("owner.name", "string"),
         Variable("owner.user", "string"))  # fmt: skip


def item_variables(kind: Kind, without: frozenset[str] = frozenset()) -> tuple[Variable, ...]:
    """Return what expressions see of an item of a kind."""
    return tuple(
        Variable(f"item.{name}", shape.cel)
        for name, shape in shapes(kind).items()
        if name not in without
    )


def item_values(expression: Expression, item: Item, facts: Facts) -> dict[str, Any]:
    """Return the values of the variables that an expression names."""
    values: dict[str, Any] = {}
    for name in expression.names:
        if name.startswith("item."):
            field = name[5:]
            if field in shapes(kind_of(item)) and (value := view(item, field)) is not UNSET:
                values[name] = value
        elif name in _FACTS:
            values[name] = _FACTS[name](facts)
    return values


def make(move: Move, item: Item, kind: Kind, facts: Facts, value: Any = UNSET) -> Any:
    """Return what the target field, of an item of `kind`, gets; raises RuleFailed.

    `value` stands for the source's where it is one occurrence's. An own field that isn't
    there stays not there: UNSET for own fields, else the target's default.
    """
    source = _source(move, item) if value is UNSET else value
    if source is UNSET:
        return UNSET if ":" in move.target else default_of(kind, move.target)
    shape = shapes(kind_of(item)).get(move.source)
    result = given(f"fields.{move.key}", shape, source)
    if move.expression is not None:
        values = item_values(move.expression, item, facts)
        values["value"] = result
        result = move.expression.evaluate(values, facts)
    if ":" in move.target:
        return own(f"fields.{move.key}", result)
    return returned(kind, move.target, result, source)


def _source(move: Move, item: Item) -> Any:
    if ":" in move.source:
        return item.extras.get(move.source, UNSET)
    return getattr(item, move.source)


def _pair(groupware: str, crm: str, to: Side) -> Move:
    if to is Side.CRM:
        return Move(key=groupware, target=crm, source=groupware)
    return Move(key=groupware, target=groupware, source=crm)


_FACTS: dict[str, Callable[[Facts], Any]] = {
    "owner.address": lambda facts: facts.owner.address,
    "owner.name": lambda facts: facts.owner.name,
    "owner.user": lambda facts: facts.user,
    "now": lambda facts: facts.now,
    "today": lambda facts: facts.now.replace(hour=0, minute=0, second=0, microsecond=0),
}
