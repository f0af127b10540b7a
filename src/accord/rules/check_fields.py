"""What is wrong with a rule's mappings: names, types, inverses, and what a side can store.

`check` calls it for every rule.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from accord.model.fields import FIELDS
from accord.model.kinds import Direction, Kind, Side
from accord.model.traits import KindTraits
from accord.rules import defaults
from accord.rules.check_text import Place, check_expression
from accord.rules.expression import Expression
from accord.rules.failure import InvalidExpression
from accord.rules.problem import Problem, Severity, instead
from accord.rules.routes import Move, compile_move, move_variables, obstacle, pairs
from accord.rules.rule import Clash, FieldRule, OneWay, Rule
from accord.rules.values import shapes

SideTraits = Mapping[Side, KindTraits | None]

WARNING = Severity.WARNING
_OUT = (Direction.BOTH, Direction.OUTBOUND)
WORDS = {Side.CRM: "inbound", Side.GROUPWARE: "outbound"}
_SHOWN = 60
_OWN = re.compile(r"[a-z][a-z0-9-]*:\S.*")
_SIMPLE = re.compile(r"\s*value\.(prefix|stripPrefix|suffix|stripSuffix)\((.*)\)\s*")
_INVERSES = {
    "prefix": "stripPrefix", "stripPrefix": "prefix",
    "suffix": "stripSuffix", "stripSuffix": "suffix",
}  # fmt: skip
_RESULTS: dict[str, tuple[str, ...]] = {
    "text": ("STRING",),
    "choice": ("STRING",),
    "number": ("INT",),
    "yes or no": ("BOOL",),
    "texts": ("LIST<STRING>", "LIST<DYN>"),
    "person": ("STRING", "MAP<"),
    "people": ("LIST<MAP<", "LIST<DYN>"),
    "entries": ("LIST<MAP<", "LIST<DYN>"),
    "own field": ("STRING", "INT", "DOUBLE", "BOOL", "NULL", "LIST<STRING>", "LIST<DYN>"),
}


_MEANT = {
    "text": "a text",
    "choice": "one of the field's words",
    "number": "a number",
    "yes or no": "true or false",
    "texts": "a list of texts",
    "person": "a person or an address",
    "people": "a list of people",
    "entries": "a list of entries",
    "own field": "a text, a number, true or false, or a list of texts",
}


def check_fields(rule: Rule, traits: SideTraits, place: Place) -> Iterator[Problem]:
    """Yield what is wrong with the mappings of a rule."""
    wrong = set()
    for name, part in rule.fields.items():
        problem = _misnamed(rule, name, part, place)
        if problem is not None:
            wrong.add(name)
            yield problem
            continue
        yield from _unused(rule, name, part, place)
        yield from _without_inverse(rule, name, part, place)
    yield from _parted_groups(rule, place)
    for side in (Side.GROUPWARE, Side.CRM):
        yield from _moves(rule, side, traits[side], place, wrong)
    yield from _exposed(rule, place)


def _exposed(rule: Rule, place: Place) -> Iterator[Problem]:
    out = defaults.direction_of(rule) in _OUT and rule.kind is Kind.EVENT
    if out and defaults.field_direction(rule, "privacy") not in _OUT:
        message = "private CRM entries would be open to all who see the mailbox's calendar"
        yield place.problem(message, "fields", "privacy", severity=WARNING)


def _misnamed(rule: Rule, name: str, part: FieldRule, place: Place) -> Problem | None:
    kind = defaults.groupware_kind(rule.kind)
    fields = [field for field in FIELDS[kind] if field != "extras"]
    groups = {spec.group for spec in FIELDS[kind].values() if spec.group}
    maps = bool(part.source or part.inbound or part.outbound)
    path = ("fields", name)
    if ":" in name:
        if _OWN.fullmatch(name) is None:
            hint = 'write "namespace:name", such as "crm:region"'
            return place.problem("is no own field", *path, hint=hint)
        return None
    if name == "extras":
        if part.direction is not None or maps:
            hint = 'write [rule.fields."crm:region"], say'
            return place.problem("own fields are mapped one by one", *path, hint=hint)
        return None
    if name in defaults.INTERNAL and rule.kind is Kind.ABSENCE:
        return place.problem("never leaves the CRM", *path, hint="leave it out")
    if name not in fields and name not in groups:
        hint = instead(name, {*fields, *groups})
        return place.problem(f"{kind}s have no field {name[:_SHOWN]!r}", *path, hint=hint)
    if name not in fields and maps:
        of = ", ".join(defaults.members(kind, name))
        return place.problem("is a group, not a field", *path, hint=f"map one of: {of}")
    shared = rule.kind is not Kind.ABSENCE or name in (*defaults.ABSENCE_FIELDS, *groups)
    if not shared and not part.source:
        hint = 'name the CRM\'s field: source = "crm:…"'
        return place.problem(f"absences have no {name}", *path, hint=hint)
    return None


def _unused(rule: Rule, name: str, part: FieldRule, place: Place) -> Iterator[Problem]:
    direction = defaults.field_direction(rule, name)
    for side, word in WORDS.items():
        if getattr(part, word) and not direction.reaches(side):
            message = f"not used: {name} doesn't travel {word}"
            yield place.problem(
                message,
                "fields",
                name,
                word,
                severity=WARNING,
                hint=f"its direction is {direction}",
            )
    if part.clash is Clash.NEWEST:
        yield place.newest("fields", name, "clash")
    if part.clash is not None and direction is not Direction.BOTH:
        message = f"not used: {name} travels one way ({direction})"
        yield place.problem(message, "fields", name, "clash", severity=WARNING)
    if part.one_way is OneWay.RESTORE and direction is Direction.BOTH:
        message = f"not used: {name} travels both ways"
        yield place.problem(message, "fields", name, "one_way", severity=WARNING)


def _without_inverse(rule: Rule, name: str, part: FieldRule, place: Place) -> Iterator[Problem]:
    if bool(part.inbound) == bool(part.outbound):
        return
    if defaults.field_direction(rule, name) is not Direction.BOTH:
        return
    given, missing = ("inbound", "outbound") if part.inbound else ("outbound", "inbound")
    inverse = "…"
    if simple := _SIMPLE.fullmatch(getattr(part, given)):
        inverse = f"'value.{_INVERSES[simple.group(1)]}({simple.group(2)})'"
    group = _group(rule, name)
    where = "" if group == name else f"fields.{group}."
    yield place.problem(
        f"{name} travels both ways, but is only transformed {given}",
        "fields",
        name,
        given,
        hint=f'add {missing} = {inverse}, or {where}direction = "{given}"',
    )


def _parted_groups(rule: Rule, place: Place) -> Iterator[Problem]:
    """Yield what is said of one field of a group and would hold for all of it."""
    for name, part in rule.fields.items():
        group = _group(rule, name)
        if group == name:
            continue
        for setting in ("direction", "clash", "one_way"):
            said = getattr(part, setting)
            if said is not None:
                others = ", ".join(
                    each for each in defaults.members(_kind(rule), group) if each != name
                )
                yield place.problem(
                    f"would hold for {others} as well: they are one group",
                    "fields",
                    name,
                    setting,
                    hint=f'call the group by its name: fields.{group}.{setting} = "{said}"',
                )


def _group(rule: Rule, name: str) -> str:
    """Return the group of a field, or the name itself where it stands alone."""
    spec = FIELDS[_kind(rule)].get(name)
    return spec.group or name if spec else name


def _kind(rule: Rule) -> Kind:
    return defaults.groupware_kind(rule.kind)


def _moves(
    rule: Rule, to: Side, traits: KindTraits | None, place: Place, wrong: set[str]
) -> Iterator[Problem]:
    source_kind = defaults.kind_on(rule.kind, to.other)
    target_kind = defaults.kind_on(rule.kind, to)
    explicit = [pair for pair in pairs(rule, to) if pair.key in rule.fields.keys() - wrong]
    made: Counter[str] = Counter()
    for pair in explicit:
        part = rule.fields[pair.key]
        text = getattr(part, WORDS[to])
        path = ("fields", pair.key, *([WORDS[to]] if text else ["source"] if part.source else []))
        moves = bool(text) or pair.source != pair.target or ":" in pair.target
        why = obstacle(pair, source_kind, target_kind, bool(text)) if moves else ""
        if why:
            wrong.add(pair.key)
            yield place.problem(why, *path, hint=_fields_hint(pair.source, source_kind))
            continue
        if moves:
            made[pair.target] += 1
            if made[pair.target] == 2:
                yield place.problem(f"{pair.target} has two sources", *path)
        if text:
            yield from _expression(rule, to, pair, text, place, *path)
        if traits is not None and (moves or part.direction is not None):
            yield from _storage(pair, moves, traits, place, to, *path)


def _fields_hint(source: str, kind: Kind) -> str:
    """Return what was probably meant by a source that can't be mapped."""
    if ":" in source or source in FIELDS[kind]:
        return ""
    return instead(source, FIELDS[kind].keys() & shapes(kind).keys() - {"extras"})


def _expression(
    rule: Rule, to: Side, pair: Move, text: str, place: Place, *path: str
) -> Iterator[Problem]:
    try:
        expression = compile_move(rule, to, pair, text)
    except InvalidExpression as error:
        yield place.invalid(error, move_variables(rule, to, pair), *path)
        return
    yield from check_expression(expression, rule, place, *path)
    shape = shapes(defaults.kind_on(rule.kind, to)).get(pair.target)
    word = shape.word if shape else "own field"
    if not _gives(expression, word):
        name = expression.result.name().lower()
        hint = "string(…) makes a text" if word == "text" else ""
        yield place.problem(f"must give {_MEANT[word]}, not {name}", *path, hint=hint)


def _gives(expression: Expression, word: str) -> bool:
    name = expression.result.name()
    return name == "DYN" or any(
        name == wanted or (wanted.endswith("<") and name.startswith(wanted))
        for wanted in _RESULTS[word]
    )


def _storage(
    pair: Move, moves: bool, traits: KindTraits, place: Place, to: Side, *path: str
) -> Iterator[Problem]:
    """Yield what the side can't store; a plain field is merely left out there."""
    where = "the CRM" if to is Side.CRM else "the mailbox"
    severity = Severity.ERROR if moves else WARNING
    if ":" in pair.target:
        namespace = pair.target.partition(":")[0]
        if namespace not in traits.extras:
            kept = ", ".join(sorted(traits.extras)) or "none"
            message = f"{where} keeps no own fields of {namespace!r}"
            yield place.problem(message, *path, hint=f"it keeps: {kept}")
    elif pair.target not in traits.fields:
        yield place.problem(f"{where} can't store {pair.target}", *path, severity=severity)
    elif pair.target in traits.readonly:
        yield place.problem(f"{where} can't change {pair.target}", *path, severity=severity)
