"""Plans as people read them: a line a step, its reason, the fields beneath, mail named in red."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from accord.cli.words import plural, short
from accord.model.kinds import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accord.cli.call import Call
    from accord.engine.plan import Plan, Step
    from accord.model.diff import FieldChange
    from accord.service.report import Replied
    from accord.state.records import Entry

SIGNS = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
    "attach": ("+", "green"),
    "replace": ("~", "yellow"),
    "detach": ("-", "red"),
    "pair": ("=", "cyan"),
    "unpair": ("/", "magenta"),
    "conflict": ("!", "bold yellow"),
    "clash": ("!", "yellow"),
    "skip": (".", "dim"),
    "unreadable": ("?", "yellow"),
    "failed": ("?", "bold red"),
    "withheld": ("?", "yellow"),
    "hold": ("?", "bold magenta"),
}
_REPLIES = {"set": ("~", "yellow"), "restore": ("~", "yellow"), "leave": (".", "dim")}
QUIET = ("skip",)
_SAID = {
    "hold": "held",
    "unpair": "let go",
    "conflict": "in conflict",
    "clash": "settled",
    "failed": "failed",
}


def show_plan(call: Call, plan: Plan | None, name: str, *, everything: bool = False) -> None:
    """Print a plan; skips are only counted unless `everything` is wanted."""
    if plan is None or call.json or call.quiet:
        return
    shown = [step for step in plan.steps if everything or step.name not in QUIET]
    call.say(Text.assemble((name, "bold"), f": {_summary(plan)}"))
    for step in shown:
        show_step(call, step)
    rest = len(plan.steps) - len(shown)
    if rest:
        call.say(f"  {plural(rest, 'item')} left alone; --all-steps shows why", style="dim")
    if plan.mails:
        who = ", ".join(plan.mails)
        call.say(Text.assemble(("  mail would go to: ", "bold red"), who))


def show_step(call: Call, step: Step, indent: str = "  ") -> None:
    """Print one step with its reason and its fields."""
    from accord.service.view import step_view

    view = step_view(step)
    held = view.get("held")
    what = held or view
    sign, style = SIGNS[view["step"]]
    call.say(Text.assemble(indent, (f"{sign} ", style), _title(view, what)))
    call.say(Text(f"{indent}    {_reason(view)}", style="dim"))
    for line in what.get("fields", ()):
        call.say(Text.assemble(f"{indent}    {line['label']}: ", *_values(line, what)))
    if what.get("mails"):
        who = ", ".join(what["mails"])
        call.say(Text.assemble(f"{indent}    ", ("mail to: ", "red"), who))


def show_replies(call: Call, replied: Replied | None) -> None:
    """Print what becomes of a mailbox's automatic replies, with its reason."""
    if replied is None:
        return
    sign, style = _REPLIES[replied.act]
    call.say(Text.assemble("  ", (f"{sign} ", style), f"automatic replies: {replied.act}"))
    call.say(Text(f"      {replied.why}", style="dim"))
    show_changes(call, replied.fields, "      ")
    if replied.error:
        call.say(Text(f"      {replied.error}", style="red"))


def show_changes(call: Call, fields: Sequence[FieldChange], indent: str) -> None:
    """Print what becomes of each field."""
    for change in fields:
        values = (short(change.before), "red"), " → ", (short(change.after), "green")
        call.say(Text.assemble(f"{indent}{change.field}: ", *values))


def _summary(plan: Plan) -> str:
    counts: dict[str, int] = {}
    for step in plan.steps:
        name = step.name
        if name not in QUIET:
            counts[name] = counts.get(name, 0) + 1
    parts = (f"{count:,} {_words(name)}" for name, count in counts.items())
    return ", ".join(parts) or "nothing to do"


def _words(name: str) -> str:
    return _SAID.get(name, f"to {name}")


def _title(view: dict[str, Any], what: dict[str, Any]) -> str:
    words = "held: " if view is not what else ""
    words += what["step"]
    if what["step"] == "withheld":
        words += f" from the {Side.GROUPWARE.place}"
    elif what.get("side") and what["step"] != "failed":
        words += f" in the {Side(what['side']).place}"
    label = what.get("label") or what.get("ref") or what.get("crm") or what.get("groupware") or ""
    when = f" ({short(what['when'])})" if what.get("when") else ""
    return f"{words}: {label}{when}"


def _reason(view: dict[str, Any]) -> str:
    return f"{view['cause']} ({view['why']})" if view["step"] == "hold" else str(view["why"])


def both_sides(crm: Any, mailbox: Any, loser: str = "") -> list[Any]:
    """Return both sides' values of a field, naming which of them lost."""
    lost = {side: " (lost)" if loser == side else "" for side in Side}
    return [
        "CRM ",
        (short(crm), "cyan"),
        f"{lost[Side.CRM]}, mailbox ",
        (short(mailbox), "magenta"),
        lost[Side.GROUPWARE],
    ]


def fields_of(entry: Entry) -> list[Text]:
    """Return a line for each field of a journal entry: what became of it, or both sides' values."""
    lines = []
    for change in entry.fields:
        if entry.step in ("conflict", "clash"):
            loser = str(entry.side) if entry.step == "clash" else ""
            values = both_sides(change.before, change.after, loser)
        else:
            values = [f"{short(change.before)} → {short(change.after)}"]
        lines.append(Text.assemble(f"{change.field}: ", *values))
    return lines


def _values(line: dict[str, Any], what: dict[str, Any]) -> list[Any]:
    step = what["step"]
    if step == "create":
        return [(short(line["after"]), "green")]
    if "winner" in what:
        loser = {"crm": "groupware", "groupware": "crm"}.get(what["winner"], "")
        return both_sides(line["crm"], line["groupware"], loser)
    return [(short(line["before"]), "red"), " → ", (short(line["after"]), "green")]
