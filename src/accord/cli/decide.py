"""`accord held` and `accord conflicts`: what waits for a person, and their decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.text import Text

from accord.cli import exits
from accord.cli.ask import agreed
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.show import fields_of, show_step
from accord.cli.sync import progress_bar, visited
from accord.cli.words import moment, of_templates, plural
from accord.model.kinds import Side

if TYPE_CHECKING:
    from accord.service.accord import Accord
    from accord.service.decisions import Settled, Waiting
    from accord.state.records import Cause

held = App(name="held", help="List what waits for approval; approve or reject it.")
conflicts = App(name="conflicts", help="List open conflicts; resolve one.")

Ids = Annotated[str, Parameter(help="Ids, as the list shows them.")]
Link = Annotated[str, Parameter(help="Only of this link.")]
All = Annotated[bool, Parameter(name="--all", help="All that wait.")]
Yes = Annotated[bool, Parameter(help="Don't ask.")]


@held.default
def list_held(*, link: Link = "", call: CallArgument) -> int:
    """List what waits for approval, with what each change would do.

    What templates let wait is only counted: `accord templates` lists it.
    """
    from accord.service.template_waits import count
    from accord.state.records import Cause

    with call.accord() as accord:
        found = _waiting(accord, Cause.HELD, link)
        with accord.state.read() as tx:
            waits = count(tx, tx.given_links.all())
    more = [] if link else of_templates(waits.plans, waits.handovers, waits.withdrawals)
    _list(call, found, "No change is held." if more else "Nothing is held.")
    for line in more:
        call.say(line)
    return exits.OK


@held.command
def approve(
    *ids: Ids, all_held: All = False, link: Link = "", yes: Yes = False, call: CallArgument
) -> int:
    """Approve held changes and carry them out.

    They are planned again first, and only what is still identical is done; what has changed
    meanwhile is held again. Of an undo both sides' halves are done together. Links that are
    paused or only observe refuse, and keep no approval for later.
    """
    from accord.service import decisions
    from accord.state.records import Cause

    with call.accord() as accord:
        chosen = _chosen(accord, Cause.HELD, ids, link, everything=all_held)
        if not ids:
            _list(call, chosen, "Nothing is held.")
        if not chosen:
            return exits.OK
        if not ids and not agreed(call, f"Approve {plural(len(chosen), 'change')}?", yes=yes):
            return exits.OK
        with progress_bar(call, "approved") as progress:
            reports = decisions.approve(accord, [one.pending.id for one in chosen], progress)
        return visited(call, reports)


@held.command
def reject(
    *ids: Ids, all_held: All = False, link: Link = "", yes: Yes = False, call: CallArgument
) -> int:
    """Reject held changes: they are not done, and the very same ones aren't asked about again.

    A held step of an undo is forgotten.
    """
    from accord.service import decisions
    from accord.state.records import Cause

    with call.accord() as accord:
        chosen = _chosen(accord, Cause.HELD, ids, link, everything=all_held)
        if chosen and not ids:
            _list(call, chosen, "")
            if not agreed(call, f"Reject {plural(len(chosen), 'change')}?", yes=yes):
                return exits.OK
        decisions.reject(accord, [one.pending.id for one in chosen])
    call.data({"rejected": [one.pending.id for one in chosen]})
    call.say(f"{plural(len(chosen), 'change')} rejected")
    return exits.OK


@conflicts.default
def list_conflicts(
    *,
    link: Link = "",
    settled: Annotated[bool, Parameter(help="List clashes that the rule has settled.")] = False,
    call: CallArgument,
) -> int:
    """List open conflicts with both sides' values; --settled those that a rule has decided.

    Of what a rule has decided the losing value is kept; `accord undo` brings it back.
    """
    from accord.service.choose import choose
    from accord.service.decisions import settled as decided
    from accord.state.records import Cause

    with call.accord() as accord:
        if settled:
            _list_settled(call, decided(accord, choose(accord, [link]) if link else ()))
        else:
            none = "There are no open conflicts; --settled lists those that a rule has decided."
            _list(call, _waiting(accord, Cause.CONFLICT, link), none)
    return exits.OK


@conflicts.command
def resolve(
    *ids: Ids,
    all_open: All = False,
    link: Link = "",
    take: Annotated[Side, Parameter(help="The side whose values stand from now on.")],
    plan: Annotated[bool, Parameter(help="Only show what would be done.")] = False,
    yes: Yes = False,
    call: CallArgument,
) -> int:
    """Settle conflicts: the values of one side are written on the other.

    Other edits of the item travel with them. It asks before that carries out a change that is
    held; what a changed rule brings goes on waiting. Of links that only observe it says what would
    be written, and the conflict stays open.
    """
    from accord.cli.show import show_plan
    from accord.service import decisions
    from accord.service.view import plan_view
    from accord.state.records import Cause

    with call.accord() as accord:
        chosen = _chosen(accord, Cause.CONFLICT, ids, link, everything=all_open)
        beside = {
            w.pending.id: w for c in chosen for w in decisions.held_beside(accord, c.pending.id)
        }
        if beside and not plan:
            for one in beside.values():
                show_step(call, one.step)
            what = plural(len(beside), "change that is held", "changes that are held")
            if not agreed(call, f"This also carries out {what}. Go on?", yes=yes):
                return exits.OK
        reports = [
            decisions.resolve(accord, one.pending.id, take, dry=plan, held=True) for one in chosen
        ]
        if not plan:
            return visited(call, reports)
        for report in reports:
            show_plan(call, report.plan, report.name, everything=True)
            if report.plan is not None:
                call.data({**report.as_json(), **plan_view(report.plan)})
    return exits.OK


def _list_settled(call: Call, found: list[Settled]) -> None:
    for one in found:
        entry = one.entry
        values = [{"field": c.field, "crm": c.before, "groupware": c.after} for c in entry.fields]
        call.data(
            {
                "id": entry.id,
                "link": one.link.name,
                "at": entry.at,
                "kind": entry.kind,
                "label": one.label,
                "lost": entry.side,
                "ref": entry.ref,
                "why": entry.why,
                "fields": values,
            }
        )
        head = f"#{entry.id}  {one.link.name}  {moment(entry.at)}"
        call.say(head, style="bold", markup=False)
        call.say(f"  ! {entry.kind}: {one.label or entry.ref}", markup=False)
        call.say(f"      {entry.why}", style="dim", markup=False)
        for line in fields_of(entry):
            call.say(Text.assemble("      ", line))
        call.say(f"      `accord undo {entry.id}` brings the lost value back", style="dim")
    if not found:
        call.say("No clash was settled.")


def _waiting(accord: Accord, cause: Cause, link: str) -> list[Waiting]:
    from accord.service.choose import choose
    from accord.service.decisions import waiting

    if not link:
        return waiting(accord, cause)
    return [one for each in choose(accord, [link]) for one in waiting(accord, cause, each.id)]


def _chosen(
    accord: Accord, cause: Cause, ids: tuple[str, ...], link: str, *, everything: bool
) -> list[Waiting]:
    if bool(ids) == (everything or bool(link)):
        raise Usage("which of them?", "name ids as the list shows them, or give --all or --link")
    found = _waiting(accord, cause, link)
    if not ids:
        return found
    chosen = []
    for id_ in ids:
        fitting = [one for one in found if one.pending.id == id_]
        fitting = fitting or [one for one in found if one.pending.id.startswith(id_)]
        if len(fitting) != 1:
            why = "fits several" if fitting else "is not waiting"
            command = "conflicts" if cause == "conflict" else "held"
            raise Usage(f"{id_} {why}", f"`accord {command}` lists what waits")
        chosen += fitting
    return chosen


def _list(call: Call, found: list[Waiting], none: str) -> None:
    from accord.service.view import step_view

    for one in found:
        pending = one.pending
        call.data(
            {
                "id": pending.id,
                "link": one.link.name,
                "since": pending.at,
                "why": pending.why,
                "approved": pending.approved,
                **step_view(one.step),
            }
        )
        head = f"{pending.id}  {one.link.name}  since {moment(pending.at)}"
        call.say(head, style="bold", markup=False)
        show_step(call, one.step)
    if not found and none:
        call.say(none)
