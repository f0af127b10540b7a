"""The rule reference, `docs/rules.md`, made of the code it describes.

`python -m accord.rules.reference` prints it.
"""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import fields as struct_fields

from accord.model.fields import FIELDS, Merge
from accord.model.kinds import Direction, Kind, Side
from accord.rules import defaults, rule
from accord.rules.examples import EXAMPLES, Example
from accord.rules.explain import describe
from accord.rules.expression import EXPRESSION_LIMIT, LOOP_LIMIT, LOOPS, MACRO_LIMIT
from accord.rules.functions import FUNCTIONS, LIST_LIMIT, TEXT_LIMIT
from accord.rules.replies import PLACEHOLDERS
from accord.rules.rule import Rule
from accord.rules.text import parse_rules
from accord.rules.values import VIEW_TEXT, shapes
from accord.rules.wording import CEL_FUNCTIONS

_BY_KIND = ("direction", "scope")
_TOLD = ("clash", "creates", "inbound", "outbound", "one_way")
NONE = "-"
PIPE = "\\|"
KINDS = (Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE)
USUAL = {kind: Rule(name=kind.value, kind=kind) for kind in KINDS}


def render() -> str:
    """Return the whole reference as Markdown."""
    told = (*_keys(), *_words(), *_kinds(), *_replies(), *_expressions(), *_examples())
    return "\n".join((_INTRODUCTION, *told)).rstrip() + "\n"


def _keys() -> Iterator[str]:
    yield "## Keys\n"
    yield _table(("key", "value", "default", "meaning"), _key_rows(Rule, ""))


def _key_rows(part: type[Struct], prefix: str) -> Iterator[tuple[str, ...]]:
    hints = typing.get_type_hints(part)
    for info in struct_fields(part):
        name, hint = f"{prefix}{info.name}", _given(hints[info.name])
        if name == "fields":
            yield from _key_rows(rule.FieldRule, "fields.FIELD.")
        elif isinstance(hint, type) and issubclass(hint, Struct):
            yield from _key_rows(hint, f"{name}.")
        else:
            default = _default(info)
            yield f"`{_named(name)}`", _valued(hint), default, MEANINGS[name]


def _named(name: str) -> str:
    return {"ownership": "ownership.ADDRESS", "lookups": "lookups.TABLE.KEY"}.get(name, name)


def _given(hint: Any) -> Any:
    options = [each for each in typing.get_args(hint) if each is not type(None)]
    return options[0] if type(None) in typing.get_args(hint) else hint


def _valued(hint: Any) -> str:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return " ".join(f"`{each.value}`" for each in hint)
    if typing.get_origin(hint) is tuple:
        return "list of texts"
    return {str: "text", int: "number", float: "0 to 1"}.get(hint, "text")


def _default(info: Any) -> str:
    if info.required:
        return "required"
    if info.default is None and info.name in _BY_KIND:
        return "by kind"
    if info.default is None and info.name in _TOLD:
        return "see meaning"
    if info.default in (None, "", ()) or callable(info.default_factory):
        return "none"
    return f"`{info.default}`"


def _words() -> Iterator[str]:
    yield "## Words\n"
    for word, meanings in WORDS.items():
        yield f"**{word}**\n"
        yield "\n".join(f"- `{value}`: {meaning}" for value, meaning in meanings.items()) + "\n"


def _kinds() -> Iterator[str]:
    yield "## Kinds and their fields\n"
    rows = []
    for kind in KINDS:
        said = USUAL[kind]
        window = "yes" if kind in (Kind.EVENT, Kind.ABSENCE) else "no"
        rows.append(
            (str(kind), str(defaults.direction_of(said)), str(defaults.scope_of(said)), window)
        )
    yield _table(("kind", "direction", "scope", "window"), rows)
    yield _KINDS
    for kind in KINDS:
        yield f"### {kind.capitalize()}\n"
        yield " ".join(describe(USUAL[kind])) + "\n"
        yield _table(("field", "group", "merge", "travels", "in expressions"), _fields(kind))


def _fields(kind: Kind) -> Iterator[tuple[str, ...]]:
    seen = shapes(kind)
    said = USUAL[kind]
    for name, spec in FIELDS[kind].items():
        shape = seen.get(name)
        word = NONE if shape is None else shape.word
        if word == "choice" and shape is not None:
            word = " ".join(f"`{each.value}`" for each in shape.annotation)
        if shape is not None and not shape.writable:
            word += ", to read"
        if name in defaults.INTERNAL:
            word = "text, in `filter.crm` only"
        travels = str(defaults.field_direction(said, name))
        if kind is Kind.ABSENCE and name not in defaults.ABSENCE_FIELDS:
            travels = str(Direction.NONE)
        merge = "as a whole" if spec.merge is Merge.REPLACE else _MERGES[spec.merge]
        yield f"`{name}`", spec.group or NONE, merge, travels, word
    for name in (each for each in seen if each not in FIELDS[kind]):
        yield f"`{name}`", NONE, NONE, NONE, f"{seen[name].word}, to read"


def _replies() -> Iterator[str]:
    yield _REPLIES
    rows = [(f"`{{{name}}}`", meaning) for name, meaning in PLACEHOLDERS.items()]
    yield _table(("placeholder", "stands for"), rows)


def _expressions() -> Iterator[str]:
    yield _EXPRESSIONS.format(
        expression=EXPRESSION_LIMIT,
        loops=MACRO_LIMIT,
        turns=f"{LOOP_LIMIT:,}",
        macros=", ".join(f"`{each}`" for each in sorted(LOOPS)),
        view=f"{VIEW_TEXT:,}",
        text=f"{TEXT_LIMIT:,}",
        entries=LIST_LIMIT,
        cel=", ".join(f"`{each}`" for each in CEL_FUNCTIONS),
    )
    rows = [(f"`{f.signature}`", f.doc, f"`{f.example}`", f"`{f.gives}`") for f in FUNCTIONS]
    yield _table(("function", "gives", "example", "is"), rows)


def _examples() -> Iterator[str]:
    yield "## Examples\n"
    for example in EXAMPLES:
        yield f"### {example.title}\n"
        yield f"{example.about}\n"
        yield f"```toml\n{example.text}```\n"
        yield _outcome(example)
        (said,) = parse_rules(example.text)
        usual = describe(USUAL[said.kind])
        special = [sentence for sentence in describe(said) if sentence not in usual]
        if special:
            yield "What is special about it, in Accord's words: " + " ".join(special) + "\n"


def _outcome(example: Example) -> str:
    place = "the CRM" if example.to is Side.GROUPWARE else "the mailbox"
    there = "mailbox" if example.to is Side.GROUPWARE else "CRM"
    shown = f"Of {place}:\n\n{_json(example.item)}\n"
    if example.left_out:
        return f"{shown}is left out: {example.left_out}.\n"
    return f"{shown}becomes in the {there}, among others:\n\n{_json(example.becomes)}"


def _json(value: dict[str, Any]) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False)}\n```\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    first = list(head)
    lines = [first, ["---"] * len(first), *map(list, rows)]
    return "".join(f"| {' | '.join(cell.replace('|', PIPE) for cell in row)} |\n" for row in lines)


_MERGES = {
    Merge.SET: "value by value",
    Merge.KEYED: "entry by entry",
    Merge.OVERRIDES: "occurrence by occurrence",
    Merge.EXTRAS: "own field by own field",
}

MEANINGS: dict[str, str] = {
    "name": "what the rule is called; unique, 1 to 100 characters",
    "kind": "what the rule is for",
    "direction": "which way changes travel: `inbound` is into the CRM, `outbound` out of it; "
    "`none` switches the rule off",
    "creates": "in which directions new items are created; by default as `direction`",
    "filter.crm": "expression: which CRM records take part",
    "filter.groupware": "expression: which mailbox items take part",
    "scope": "which new items of the mailbox enter the CRM",
    "categories": "the categories that `scope` means, in the mailbox's names; case doesn't matter",
    "fields.FIELD.direction": "which way the field (or group) travels; by default as the kind's "
    "table says",
    "fields.FIELD.clash": "who wins where both sides changed it; by default as the rule's `clash`",
    "fields.FIELD.one_way": "what becomes of edits on the side it doesn't come from; by default as "
    "the rule's `one_way`",
    "fields.FIELD.inbound": "expression over `value`: what it becomes on its way into the CRM",
    "fields.FIELD.outbound": "expression over `value`: what it becomes on its way out of the CRM",
    "fields.FIELD.source": "the CRM's field, where it is called otherwise than the mailbox's",
    "clash": "who wins where both sides changed the same field; by default `organizer` for the "
    "schedule and `crm` for all else",
    "one_way": "what becomes of edits on the side that a one-way field doesn't come from",
    "delete.inbound": "what a deletion in the mailbox does to the CRM record; by default "
    "`propagate` where the rule creates in the CRM, else `keep`",
    "delete.outbound": "what a deletion in the CRM does to the mailbox item; by default "
    "`propagate` where the rule creates in the mailbox, else `keep`",
    "window.past": "days after its end during which an item takes part; without it for ever",
    "window.future": "days before its start from which on an item takes part; without it always",
    "window.leaving": "what becomes of the copy of an item that leaves the window",
    "leaving": "what becomes of the copy of an item that no longer passes the filter",
    "private": "what happens to private items of the mailbox",
    "invitations": "whether writing may make the server mail attendees",
    "meetings": "how meetings stand in mailboxes",
    "series.unfit": "what becomes of a series of the CRM that the target has no pattern for",
    "series.days": "how many days ahead its occurrences are written",
    "replies.inside": "template: how the mailbox answers colleagues during an absence; without it "
    "automatic replies are never touched",
    "replies.outside": "template: how it answers others",
    "replies.audience": "which others get an answer",
    "ownership": "the CRM user who owns tasks assigned to this address",
    "lookups": "an entry of a table for `lookup` and `lookupKey`",
    "guard.deletes": "how many items of a side may be deleted within an hour, and how many files "
    "taken off; more wait for approval",
    "guard.share": "the part of all pairs that may be deleted within an hour, or of all their "
    "files taken off, counted from ten up; more waits for approval",
    "guard.updates": "how many items of a side one run may change; more wait for approval",
    "guard.mails": "how many changes may mail people within an hour where `invitations` allows it; "
    "more wait for approval",
    "guard.emptied": "from so many pairs on, the deletion of all of them waits for approval, and "
    "from so many files on, that of all files",
    "guard.lost": "the part of all pairs that may be missing on a side whose history was lost "
    "(a folder made anew, a restored CRM, an expired cursor); where more are, and at least two, "
    "their deletion waits for approval",
    "guard.target": "how many items of a side all links of the target may delete within an hour, "
    "how many files they may take off, and how often they may mail people; more waits for approval",
    "guard.target_updates": "how many items of a side all links of the target may change within an "
    "hour; more wait for approval. A link's first visit doesn't count",
    "guard.mailbox_updates": "so many for each mailbox of the target instead, where that is more",
}
"""What every key of a rule means, for the reference."""

WORDS: dict[str, dict[str, str]] = {
    "clash": {
        "crm": "the CRM's value",
        "groupware": "the mailbox's value",
        "organizer": "the organizer's copy; where nobody organizes, the CRM's value",
        "newest": "the later edit, where both sides' clocks were within 2 seconds of Accord's when "
        "last seen, at most an hour ago; else neither, until somebody decides",
        "hold": "neither, until somebody decides",
    },
    "one_way": {"restore": "put back", "ignore": "left alone until the field changes in the CRM"},
    "delete": {
        "propagate": "the other one is deleted too",
        "keep": "the other one stays",
        "unlink": "the other one stays and is no longer kept in agreement",
    },
    "leaving": {
        "keep": "the copy stays as it is",
        "unlink": "the copy stays and is no longer kept in agreement",
        "delete-copy": "a copy that Accord made and nobody edited is deleted",
    },
    "private": {
        "skip": "stays out of the CRM; one that turns private later is reduced to its time",
        "busy": 'enters as "Busy", with its time and nothing else, whoever takes part',
        "full": "enters in full where the person agreed, and stays out where not",
    },
    "scope": {
        "people": "those with a contact or another user of the CRM among the people, or with one "
        "of `categories`",
        "category": "those with one of `categories`",
        "all": "every one",
    },
    "invitations": {"never": "nothing is written that would mail", "allow": "it may mail"},
    "meetings": {
        "mirror": "each participant has a plain copy that names the people and invites nobody",
        "invite": "the organizer's mailbox alone holds the attendees",
    },
    "series": {
        "withhold": "it stays out of the mailbox, and its plan says why",
        "occurrences": "those of the days ahead are written, each as an entry of its own",
    },
    "replies.audience": {
        "none": "nobody outside",
        "known": "those whom the person has among the contacts",
        "all": "everybody who writes",
    },
}
"""What every word of the closed vocabularies means."""

_INTRODUCTION = """\
# Rules

<!-- Made by `python -m accord.rules.reference`; edit the code, not this page. -->

A rule says which items of one kind a link keeps in agreement, and how. Rules stand as `[[rule]]`
tables in the text that `accord import` reads and `accord export` writes. What a rule doesn't say
holds by default, as told below. Importing a rule checks it against both sides and tells every
fault with its line; a rule in use is never changed, but replaced by a new version whose plan you
see before it counts.

*Inbound* is into the CRM, *outbound* is out of it. A mapping, `[rule.fields.FIELD]`, is called by
the mailbox's field; a group of fields (`schedule`, `name`, `status`) has one direction and one
clash rule and is called by its name.
"""

_KINDS = """\
A field travels as its kind does, unless its table says otherwise. Fields of one group clash and
win together. `extras` are own fields: they travel only where a mapping names them, one by one.
"""

_REPLIES = """\
## Automatic replies

A rule for absences may let the mailbox answer by itself while its owner is away, where the server
has automatic replies (Exchange):

```toml
[[rule]]
name = "absences"
kind = "absence"
replies.inside = "{name} is away until {until}. {message}"
replies.outside = "{name} is back on {back}."
replies.audience = "known"
```

The replies are those of the absence that lasts now or comes next, and the server answers in its
period only. They are touched only while they are off or Accord's own: what a person set stays,
and who switches them off during an absence has said no for it. Afterwards, or when the absence
goes, what stood there before comes back, unless somebody changed the replies since. `accord plan`
shows what would be set, `accord explain ABSENCE` why they were left alone, `accord undo` puts back
what stood before.

No placeholder tells the kind of an absence, and a message that names it is left out. Days are
written as 2026-03-12, times with the hour behind it.
"""

_EXPRESSIONS = """\
## Expressions

Filters and transformations are written in [CEL](https://cel.dev), a small language without
statements or side effects. Literal texts stand in `"…"` or `'…'`; `&&`, `||`, `!`, `==`, `!=`,
`<`, `+`, `in` and `condition ? this : that` do what they do elsewhere. Loops are {macros}:
`item.categories.exists(c, c == "Customer")`.

What an expression sees:

| name | where | what it is |
| --- | --- | --- |
| `item.FIELD` | everywhere | a field of the item, as on the side it comes from |
| `value` | mappings | the value to transform; of one occurrence where that differs |
| `owner.name`, `owner.address`, `owner.user` | everywhere | the link's user |
| `now`, `today` | filters | this moment, and the midnight before it, in UTC |

Times are timestamps in UTC: `item.start.getHours(item.time_zone)` is the hour on the clock.
`item.time_zone` is `"UTC"` for floating and all-day entries, whose times count as UTC. A task's
times may not be there: ask `item.has_due && item.due < now`. A body is its text. Nobody is a
person with an empty address. Own fields are asked for as
`item.extras[?"crm:region"].orValue("")`.

A transformation gives a value of its field's type: a text for a text, a list for a list; a person
may be given as an address. Fields marked "to read" can't be given. A mapping that travels both
ways and is transformed one way needs its inverse.

Where an expression can't be worked out for an item (a lookup without entry, say), the item is
left alone and counted as failed, with that reason; nothing else suffers.

Limits: {expression} characters an expression, {loops} loops with {turns} turns in all; `item`
shows {view} characters of a text and {entries} entries of a list; a `value` has at most {text}
characters and {entries} entries. `matches` takes its pattern as a literal text; what is no pattern
is an error on import, and so is a literal that `timestamp` and the like can't read.

CEL's own functions: {cel}. Besides these:
"""

if __name__ == "__main__":
    sys.stdout.write(render())
