"""Rules in plain words: what a rule does, and why it lets one item in or leaves it out.

Console, `accord explain` and `accord import --plan` print these sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from accord.model.fields import FIELDS
from accord.model.item import Item
from accord.model.kinds import Direction, Kind, Side
from accord.model.names import ABSENT_TITLE
from accord.model.replies import Audience
from accord.rules import defaults
from accord.rules.admit import (
    filtered,
    hides,
    private_why,
    unfit,
    unscoped,
    untimely,
)
from accord.rules.defaults import field_direction, groupware_kind
from accord.rules.facts import Facts
from accord.rules.failure import RuleFailed, in_words
from accord.rules.program import Program
from accord.rules.routes import item_values
from accord.rules.rule import (
    Clash,
    Deletion,
    Invitations,
    Leaving,
    Meetings,
    OneWay,
    Private,
    Rule,
    Scope,
    Unfit,
)
from accord.rules.shape import is_private, reduced


class Reason(Struct, frozen=True, kw_only=True):
    """Be one question a rule asks about an item, with its answer.

    `passed` None says that the question wasn't asked, because an earlier one decided.
    """

    question: str
    passed: bool | None
    why: str


def describe(rule: Rule) -> tuple[str, ...]:
    """Return what a rule does, a sentence each."""
    return (
        *_travel(rule),
        *_entering(rule),
        *_fields(rule),
        *_deciding(rule),
        *_meeting(rule),
        *_repeating(rule),
        *_answering(rule),
        *_guard(rule),
    )


def explain_scope(
    program: Program, side: Side, item: Item, facts: Facts, *, paired: bool = False
) -> tuple[Reason, ...]:
    """Return every question the rule asks about an item of `side`, in order, with answers.

    They lead to the same verdict as `Program.scope`; a filter that can't be worked out is a
    no with its message, or of a private item with which part fails.
    """
    rule = program.rule
    questions: tuple[tuple[str, Callable[[], tuple[bool, str]]], ...] = (
        ("Is the rule for it?", lambda: _fit(rule, side, item)),
        ("May its content be read?", lambda: _private(rule, side, item, facts, paired)),
        (f"Does it pass the filter for the {side.place}?",
         lambda: _filter(program, side, item, facts)),
        ("May it enter the CRM?", lambda: _scope(rule, side, item, facts, paired)),
        ("Is it within the window?", lambda: _window(program, item, facts)),
    )  # fmt: skip
    reasons: list[Reason] = []
    for question, ask in questions:
        if reasons and reasons[-1].passed is not True:
            reasons.append(Reason(question=question, passed=None, why="not asked any more"))
            continue
        try:
            passed, why = ask()
        except RuleFailed as error:
            passed, why = False, in_words(error, [item])
        reasons.append(Reason(question=question, passed=passed, why=why))
    return tuple(reasons)


def _fit(rule: Rule, side: Side, item: Item) -> tuple[bool, str]:
    why = unfit(rule, side, item)
    return why is None, why or f"the rule is for {rule.kind}s"


def _private(rule: Rule, side: Side, item: Item, facts: Facts, paired: bool) -> tuple[bool, str]:
    if side is Side.CRM:
        return True, "what the CRM shows its user may go to that user's mailbox"
    if not is_private(item.privacy):
        return True, "it is not private"
    if not hides(rule, item, facts):
        return True, "it is private, and its owner agreed to share it"
    reduced = "it is private: only its time enters the CRM"
    if paired or rule.private is Private.BUSY:
        return True, reduced
    return False, private_why(rule, facts)


def _filter(program: Program, side: Side, item: Item, facts: Facts) -> tuple[bool, str]:
    expression = program.filter(side)
    if expression is None:
        return True, "there is no filter"
    if side is Side.GROUPWARE and hides(program.rule, item, facts):
        item = reduced(item)
    why = filtered(expression, side, item, facts)
    text = f"{why or 'it passes'}: {expression.text.strip()}"
    if is_private(item.privacy):
        return why is None, text
    values = item_values(expression, item, facts)
    seen = ", ".join(f"{name} = {_shown(values[name])}" for name in sorted(values))
    return why is None, f"{text} ({seen})" if seen else text


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return f"{value!r:.80}"


def _scope(rule: Rule, side: Side, item: Item, facts: Facts, paired: bool) -> tuple[bool, str]:
    if side is Side.CRM:
        return True, "it is in the CRM"
    if paired:
        return True, "it has its counterpart in the CRM already"
    why = unscoped(rule, item, facts)
    if why is None and hides(rule, item, facts):
        return True, "its time may enter whoever takes part"
    return why is None, why or f"the scope is {defaults.scope_of(rule)}"


def _window(program: Program, item: Item, facts: Facts) -> tuple[bool, str]:
    why = untimely(program.rule, item, facts)
    enters, leaves = program.window_times(item)
    times = [
        f"{word} {moment:%Y-%m-%d %H:%M} UTC"
        for word, moment in (("enters it", enters), ("leaves it", leaves))
        if moment is not None
    ]
    if not times:
        return True, "it is within the window for ever"
    return why is None, "; ".join([*([why] if why else []), *times])


def _travel(rule: Rule) -> Iterator[str]:
    direction, creates = defaults.direction_of(rule), defaults.creates_in(rule)
    name = f"{rule.kind.capitalize()}s"
    yield f"{name} {_WAYS[direction]}."
    if direction is Direction.NONE:
        return
    if rule.kind is Kind.ABSENCE:
        yield f'In the mailbox they are out-of-office entries titled "{ABSENT_TITLE}".'
    made = [side.place for side in Side if creates.reaches(side)]
    yield (
        f"New ones are created in the {' and the '.join(made)}."
        if made
        else ("New ones are created nowhere.")
    )
    for side in Side:
        deletion = defaults.deletion_of(rule, side)
        yield f"When one is deleted in the {side.other.place}, {_DELETIONS[deletion]}.".replace(
            "THERE", side.place
        )


def _entering(rule: Rule) -> Iterator[str]:
    for side in Side:
        text = rule.filter.crm if side is Side.CRM else rule.filter.groupware
        if text:
            yield f"From the {side.place} only those take part where {text.strip()}."
    if defaults.creates_in(rule).reaches(Side.CRM):
        yield f"Of the mailbox's items {_scoped(rule)}."
    if defaults.direction_of(rule).reaches(Side.CRM):
        yield f"Private entries of the mailbox {_PRIVATE[rule.private]}."
    if rule.filter.crm or rule.filter.groupware:
        yield f"When an item leaves the filter, {_LEAVINGS[rule.leaving]}."
    window = rule.window
    ends = [f"{_days(window.past)} back"] if window.past is not None else []
    ends += [f"{_days(window.future)} ahead"] if window.future is not None else []
    if ends:
        yield f"Only what happens within {' and '.join(ends)}; {_LEAVINGS[window.leaving]} later."


def _scoped(rule: Rule) -> str:
    """Return which items of the mailbox enter the CRM."""
    scope, chosen = defaults.scope_of(rule), ", ".join(rule.categories)
    if scope is Scope.ALL:
        return "every one enters the CRM"
    if scope is Scope.CATEGORY:
        return f"those enter the CRM that have one of these categories: {chosen or 'none named'}"
    people = "those enter the CRM that name a contact or another user of it"
    return f"{people}, or have one of these categories: {chosen}" if chosen else people


def _fields(rule: Rule) -> Iterator[str]:
    kind = groupware_kind(rule.kind)
    usual = defaults.direction_of(rule)
    known = defaults.ABSENCE_FIELDS if rule.kind is Kind.ABSENCE else tuple(FIELDS[kind])
    for direction in Direction:
        names = [
            FIELDS[kind][name].label
            for name in known
            if name != "extras"
            and direction is not usual
            and field_direction(rule, name) is direction
        ]
        if names:
            yield f"{', '.join(names)}: {_WAYS[direction]}."
    for name, part in rule.fields.items():
        if part.source:
            yield f"{name} in the mailbox is {part.source} in the CRM."
        if part.outbound:
            yield f"{name} becomes, on its way out of the CRM, {part.outbound.strip()}."
        if part.inbound:
            yield f"{name} becomes, on its way into the CRM, {part.inbound.strip()}."
        if part.one_way is OneWay.RESTORE:
            yield f"{name}: an edit on the side it doesn't come from is put back."


def _deciding(rule: Rule) -> Iterator[str]:
    kind = groupware_kind(rule.kind)
    both = [name for name in FIELDS[kind] if field_direction(rule, name) is Direction.BOTH]
    if not both:
        return
    usual = rule.clash or Clash.CRM
    yield f"Where both sides changed the same field, {_CLASHES[usual]}."
    groups: dict[Clash, list[str]] = {}
    for group in dict.fromkeys(defaults.group_of(kind, name) for name in both):
        groups.setdefault(defaults.clash_of(rule, group), []).append(group)
    for clash, names in groups.items():
        if clash is not usual:
            yield f"For {', '.join(names)}, {_CLASHES[clash]}."


def _meeting(rule: Rule) -> Iterator[str]:
    if rule.kind is not Kind.EVENT:
        return
    if rule.meetings is Meetings.MIRROR:
        yield "Copies of meetings name the people, but have no attendees: nobody is invited."
    else:
        yield "The organizer's mailbox alone holds the attendees of a meeting."
    if rule.invitations is Invitations.ALLOW:
        yield "The server may mail attendees."
    else:
        yield "Nothing is written that would make the server mail attendees."


def _repeating(rule: Rule) -> Iterator[str]:
    if rule.kind is not Kind.EVENT or not defaults.direction_of(rule).reaches(Side.GROUPWARE):
        return
    series = "A series that the mailbox's server has no pattern for"
    if rule.series.unfit is Unfit.WITHHOLD:
        yield f"{series} stays out of the mailbox."
    else:
        yield f"{series} is written as single entries, {_days(rule.series.days)} ahead."


def _answering(rule: Rule) -> Iterator[str]:
    said = rule.replies
    if rule.kind is not Kind.ABSENCE or not said.inside:
        return
    who = "colleagues"
    if said.outside and said.audience is not Audience.NONE:
        who = f"colleagues and {_AUDIENCES[said.audience]}"
    yield (
        f"During an absence the mailbox answers {who} by itself, where its automatic replies were "
        "off before; afterwards what stood there comes back, unless somebody changed it."
    )


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _guard(rule: Rule) -> Iterator[str]:
    guard = rule.guard
    items = "item" if guard.deletes == 1 else "items"
    yield (
        f"What would delete more than {guard.deletes} {items} of a side or {guard.share:.0%} of "
        f"all pairs within an hour waits for approval, as does what would change more than "
        f"{guard.updates} at once."
    )
    pairs = "the last pair" if guard.emptied == 1 else f"all of {guard.emptied} or more pairs"
    yield (
        f"Deletions wait where {pairs} would be gone, where the history is lost and more than "
        f"{guard.lost:.0%} are missing, and where all links of the target together would delete "
        f"more than {guard.target} within an hour."
    )
    yield (
        f"Changes wait where all links of the target together would change more than "
        f"{guard.target_updates} {'item' if guard.target_updates == 1 else 'items'} of a side "
        f"within an hour, or {guard.mailbox_updates} for each of its mailboxes where that is more."
    )
    if rule.invitations is Invitations.ALLOW:
        yield (
            f"What would mail people waits after {guard.mails} times within an hour, or "
            f"{guard.target} of all links of the target."
        )


_WAYS = {
    Direction.BOTH: "travel both ways",
    Direction.INBOUND: "travel into the CRM only",
    Direction.OUTBOUND: "travel out of the CRM only",
    Direction.NONE: "don't travel",
}
_DELETIONS = {
    Deletion.PROPAGATE: "it is deleted in the THERE too",
    Deletion.KEEP: "the one in the THERE stays",
    Deletion.UNLINK: "the one in the THERE stays and is no longer kept in agreement",
}
_PRIVATE = {
    Private.SKIP: "stay out of the CRM",
    Private.BUSY: 'enter it as "Busy", without their content',
    Private.FULL: "enter it in full where their owner agreed, and stay out where not",
}
_AUDIENCES = {
    Audience.KNOWN: "people outside whom the person has among the contacts",
    Audience.ALL: "everybody outside",
}
_LEAVINGS = {
    Leaving.KEEP: "the copy stays as it is",
    Leaving.UNLINK: "the copy stays and is no longer kept in agreement",
    Leaving.DELETE_COPY: "an unedited copy is deleted",
}
_CLASHES = {
    Clash.CRM: "the CRM wins",
    Clash.GROUPWARE: "the mailbox wins",
    Clash.ORGANIZER: "the organizer's copy wins, and the CRM where nobody organizes",
    Clash.NEWEST: "the later edit wins if the clocks are known to agree",
    Clash.HOLD: "both stay as they are until somebody decides",
}
