"""Everything that is wrong with a rule, told before it is used: on import and while editing.

`check` looks at one rule beside the traits of both adapters; `check_fields` does the mappings.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from accord.model.kinds import Direction, Kind, Side
from accord.model.replies import Audience
from accord.model.traits import KindTraits, Traits
from accord.rules import defaults
from accord.rules.admit import compile_filter, filter_variables
from accord.rules.check_fields import check_fields
from accord.rules.check_text import Place, check_expression
from accord.rules.failure import InvalidExpression
from accord.rules.problem import Problem, RuleErrors, Severity, instead
from accord.rules.replies import PLACEHOLDERS, TEXT_LIMIT, strangers
from accord.rules.rule import (
    AutoReplies,
    Clash,
    Deletion,
    Invitations,
    Meetings,
    Private,
    Rule,
    Scope,
    SeriesRule,
    Unfit,
    Window,
)
from accord.rules.source import Source

ERROR, WARNING = Severity.ERROR, Severity.WARNING


class Adapters(Struct, frozen=True, kw_only=True):
    """Be the traits of both sides of a link; None where a side isn't known yet."""

    crm: Traits | None = None
    groupware: Traits | None = None

    def side(self, side: Side) -> Traits | None:
        """Return the traits of one side."""
        return self.crm if side is Side.CRM else self.groupware


def check(
    rule: Rule,
    crm: Traits | None = None,
    groupware: Traits | None = None,
    source: Source | None = None,
) -> tuple[Problem, ...]:
    """Return what is wrong with a rule, errors first; nothing where all is well.

    Without traits only what any adapter would refuse is found; `source` is the text the rule
    was read from, for file and line.
    """
    place = Place(rule, source)
    if rule.kind is Kind.MAIL:
        hint = "use event, task, contact or absence"
        return (place.problem("e-mails are no matter of rules", "kind", hint=hint),)
    adapters = Adapters(crm=crm, groupware=groupware)
    problems = [
        *_directions(rule, place),
        *_kinds(rule, adapters, place),
        *_filters(rule, place),
        *_scope(rule, place),
        *_people(rule, place),
        *_meetings(rule, adapters.groupware, place),
        *_series(rule, place),
        *_replies(rule, adapters.groupware, place),
        *_others(rule, place),
        *check_fields(rule, _kind_traits(rule, adapters), place),
    ]
    return tuple(sorted(problems, key=lambda each: (each.severity is not ERROR, each.line)))


def require(problems: tuple[Problem, ...]) -> None:
    """Raise RuleErrors if there are errors among `problems`; warnings pass."""
    if any(each.severity is ERROR for each in problems):
        raise RuleErrors(problems)


def _kind_traits(rule: Rule, adapters: Adapters) -> dict[Side, KindTraits | None]:
    found: dict[Side, KindTraits | None] = {}
    for side in Side:
        traits = adapters.side(side)
        found[side] = traits.kinds.get(defaults.kind_on(rule.kind, side)) if traits else None
    return found


def _directions(rule: Rule, place: Place) -> Iterator[Problem]:
    direction, creates = defaults.direction_of(rule), defaults.creates_in(rule)
    if direction is Direction.NONE:
        yield place.problem("the rule is switched off", "direction", severity=WARNING)
    for side in Side:
        if creates.reaches(side) and not direction.reaches(side):
            yield place.problem(
                f"items can't be created where the direction ({direction}) doesn't go",
                "creates",
                hint=f'set direction = "{creates}"',
            )
        word = "inbound" if side is Side.CRM else "outbound"
        said = getattr(rule.delete, word)
        if said is Deletion.PROPAGATE and not creates.reaches(side):
            what = "CRM records" if side is Side.CRM else "mailbox items"
            message = f"deletions will delete {what}, although none are created {word}"
            yield place.problem(message, "delete", word, severity=WARNING)


def _kinds(rule: Rule, adapters: Adapters, place: Place) -> Iterator[Problem]:
    for side in Side:
        traits = adapters.side(side)
        kind = defaults.kind_on(rule.kind, side)
        if traits is not None and kind not in traits.kinds:
            carried = ", ".join(sorted(f"{each}s" for each in traits.kinds))
            message = f"{traits.adapter} holds no {kind}s"
            yield place.problem(message, "kind", hint=f"it holds {carried}" if carried else "")


def _filters(rule: Rule, place: Place) -> Iterator[Problem]:
    for side in Side:
        yield from _filter(rule, side, place)


def _filter(rule: Rule, side: Side, place: Place) -> Iterator[Problem]:
    path = ("filter", side.value)
    try:
        expression = compile_filter(rule, side)
    except InvalidExpression as error:
        yield place.invalid(error, filter_variables(rule, side), *path)
        return
    if expression is None:
        return
    if expression.result.name() not in ("BOOL", "DYN"):
        word = expression.result.name().lower()
        hint = 'compare it with something, such as item.title != ""'
        yield place.problem(f"must give true or false, not a {word}", *path, hint=hint)
    yield from check_expression(expression, rule, place, *path)


def _scope(rule: Rule, place: Place) -> Iterator[Problem]:
    scope = defaults.scope_of(rule)
    if scope is Scope.CATEGORY and not rule.categories:
        hint = 'add categories = ["Customer"], say'
        yield place.problem(
            "no category is named, so nothing would enter the CRM", "scope", hint=hint
        )
    if scope is Scope.ALL and rule.categories:
        message = "not used: the scope lets every item in"
        yield place.problem(
            message, "categories", severity=WARNING, hint='set scope = "category" or "people"'
        )
    said = [name for name in ("scope", "categories") if getattr(rule, name)]
    if said and not defaults.creates_in(rule).reaches(Side.CRM):
        message = "not used: the rule creates nothing in the CRM"
        yield place.problem(message, said[0], severity=WARNING)


def _people(rule: Rule, place: Place) -> Iterator[Problem]:
    if rule.private is Private.FULL:
        message = "needs consent: private items of those who have not agreed are skipped"
        yield place.problem(message, "private", severity=WARNING)
    for address in rule.ownership:
        if "@" not in address:
            yield place.problem("is no address", "ownership", address)
    if rule.ownership and rule.kind is not Kind.TASK:
        message = f"not used: {rule.kind}s have no assignee"
        yield place.problem(message, "ownership", severity=WARNING)


def _meetings(rule: Rule, groupware: Traits | None, place: Place) -> Iterator[Problem]:
    allows = rule.invitations is Invitations.ALLOW
    invites = rule.meetings is Meetings.INVITE
    if rule.kind is not Kind.EVENT:
        for name, said in (("invitations", allows), ("meetings", invites)):
            if said:
                yield place.problem("is for events only", name, hint=f"leave {name} out")
        return
    kind = groupware.kinds.get(Kind.EVENT) if groupware else None
    if allows and not invites:
        message = "nobody would be invited: mirror copies have no attendees"
        yield place.problem(
            message, "invitations", severity=WARNING, hint='add meetings = "invite"'
        )
    if allows and groupware and kind and not (kind.schedules or kind.notifies):
        message = f"{groupware.adapter} mails nobody: the server does no scheduling"
        yield place.problem(
            message, "invitations", severity=WARNING, hint='set invitations = "never"'
        )


def _series(rule: Rule, place: Place) -> Iterator[Problem]:
    said = rule.series
    if said == SeriesRule():
        return
    if rule.kind is not Kind.EVENT:
        yield place.problem("is for events only", "series", hint="leave it out")
    elif not defaults.direction_of(rule).reaches(Side.GROUPWARE):
        message = "not used: nothing goes into the mailbox"
        yield place.problem(message, "series", severity=WARNING)
    elif said.unfit is Unfit.WITHHOLD:
        hint = 'set series.unfit = "occurrences"'
        message = "not used: no occurrences are written"
        yield place.problem(message, "series", "days", severity=WARNING, hint=hint)


def _replies(rule: Rule, groupware: Traits | None, place: Place) -> Iterator[Problem]:
    said = rule.replies
    if said == AutoReplies():
        return
    if rule.kind is not Kind.ABSENCE:
        yield place.problem("is for absences only", "replies", hint="leave it out")
        return
    for name in ("inside", "outside"):
        yield from _template(getattr(said, name), place, name)
    if not said.inside:
        hint = 'add replies.inside = "{name} is away until {until}.", say'
        yield place.problem("colleagues would be told nothing", "replies", hint=hint)
    if said.outside and said.audience is Audience.NONE:
        message = "nobody outside would get it"
        hint = 'add replies.audience = "known" or "all"'
        yield place.problem(message, "replies", "outside", hint=hint)
    if said.audience is not Audience.NONE and not said.outside:
        hint = "add replies.outside = …"
        yield place.problem("others would be told nothing", "replies", "audience", hint=hint)
    if groupware is not None and not groupware.replies:
        message = f"not used: {groupware.adapter} has no automatic replies that could be set"
        yield place.problem(message, "replies", severity=WARNING)


def _template(text: str, place: Place, name: str) -> Iterator[Problem]:
    if len(text) > TEXT_LIMIT:
        message = f"has more than {TEXT_LIMIT:,} characters"
        yield place.problem(message, "replies", name)
    for each in strangers(text):
        if each.removeprefix("absence_") == "kind":
            message = "the kind of an absence never leaves the CRM"
            yield place.problem(message, "replies", name, hint=f"leave {{{each}}} out")
            continue
        message = f"there is no placeholder {{{each[:40]}}}"
        yield place.problem(message, "replies", name, hint=instead(each, PLACEHOLDERS))


def _others(rule: Rule, place: Place) -> Iterator[Problem]:
    if rule.clash is Clash.NEWEST:
        yield place.newest("clash")
    if rule.window != Window() and rule.kind not in (Kind.EVENT, Kind.ABSENCE):
        yield place.problem(f"{rule.kind}s have no window", "window", hint="use a filter")
    if rule.window.past is None and rule.window.future is None and rule.window != Window():
        message = "not used: the window has no ends"
        yield place.problem(message, "window", "leaving", severity=WARNING)
