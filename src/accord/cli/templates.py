"""`accord templates`: links for all members of a CRM group, from joining to leaving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.ask import agreed, user
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.sync import visited
from accord.cli.words import plural, short

if TYPE_CHECKING:
    from accord.service.accord import Accord
    from accord.service.first_plans import Approval
    from accord.service.initialize import Done, Initialization
    from accord.service.leavers import Decided
    from accord.state.records import Link
    from accord.state.templates import Handover

templates = App(name="templates", help="Give links to all members of a CRM group.")

Yes = Annotated[bool, Parameter(help="Don't ask.")]
User = Annotated[str, Parameter(help="The CRM user who left.")]
SIGNS = {
    "add": ("+", "green"),
    "change": ("~", "yellow"),
    "hold": ("?", "yellow"),
    "plan": ("?", "yellow"),
    "pause": ("-", "red"),
    "resume": ("+", "green"),
    "withdraw": ("-", "red"),
}


@templates.default
@templates.command
def show(*, call: CallArgument) -> int:
    """List templates with their links, what waits for approval, and who doesn't get what."""
    from accord.service.first_plans import waiting
    from accord.service.overview import overview

    with call.accord() as accord:
        found = overview(accord)
        held = waiting(accord)
        with accord.state.read() as tx:
            offers = sum(not one.decided for one in tx.handovers.all())
    for one in found:
        call.data(one)
        call.say(one.name, style="bold", markup=False, end="")
        kinds = ", ".join(f"{kind}s" for kind in one.kinds)
        call.say(f"  {kinds} of {one.group} ↔ {one.target}", markup=False)
        parts = [plural(one.members, "member"), plural(len(one.links), "link")]
        parts += [f"{one.left} of people who left"] if one.left else []
        call.say(f"    {', '.join(parts)}", style="dim", markup=False)
        for trouble in one.troubles:
            call.say(f"    {trouble}", markup=False)
        for stuck in one.stuck:
            call.say(f"    not withdrawn yet: {stuck}", style="red", markup=False)
    for each in held:
        steps = "not planned yet" if each.steps is None else plural(each.steps, "write")
        call.say(f"? {each.link.name}: {each.why} ({steps})", style="yellow", markup=False)
    if offers:
        count = plural(offers, "handover waits", "handovers wait")
        call.say(f"{count}: `accord templates handovers`")
    if not found:
        call.say("There are no templates yet; `accord import` brings them.")
    elif held:
        call.say("`accord plan LINK` shows a plan, `accord templates approve` lets it go.")
    return exits.OK


@templates.command
def apply(
    *,
    plan: Annotated[bool, Parameter(help="Only show what would be done.")] = False,
    leavers: Annotated[
        bool, Parameter(help="Part from people even if very many leave at once.")
    ] = False,
    call: CallArgument,
) -> int:
    """Give links to who is new, change what templates own, part from who left: at once.

    This is the user initialization. A link that was made by hand is never touched.
    """
    from accord.service.initialize import initialize

    with call.accord() as accord:
        result = initialize(accord, dry=plan, leavers=leavers, by=user())
    call.data(result)
    _tell(call, result)
    return exits.FAILED if result.failed else exits.OK


@templates.command
def approve(
    *names: Annotated[str, Parameter(help="Links by name, or all of a user or target.")],
    all_links: Annotated[bool, Parameter(name="--all", help="All that wait.")] = False,
    yes: Yes = False,
    call: CallArgument,
) -> int:
    """Let links go on whose plans wait: of a first synchronization, or of another rule.

    Each plan is made again first. One that has more to do than what was shown waits anew, and
    `accord plan` shows it.
    """
    from accord.service.first_plans import approve as let_go
    from accord.service.first_plans import waiting

    if bool(names) == all_links:
        raise Usage("which links?", "name links, users or targets, or give --all")
    with call.accord() as accord:
        chosen = _chosen(accord, names)
        held = [one for one in waiting(accord) if one.link in chosen]
        for one in held:
            steps = "not planned yet" if one.steps is None else plural(one.steps, "write")
            call.say(f"{one.link.name}: {one.why} ({steps})", markup=False)
        if not held:
            call.say("Nothing waits for approval there.")
            return exits.OK
        if not agreed(call, f"Let {plural(len(held), 'link')} go on?", yes=yes):
            call.note("Nothing was changed.")
            return exits.OK
        done = let_go(accord, [one.link for one in held], by=user())
    return _approved(call, done)


@templates.command
def remove(
    name: Annotated[str, Parameter(help="The template's name.")], /, *, call: CallArgument
) -> int:
    """Forget a template; its links stay, from now on as if they were made by hand."""
    with call.accord() as accord, accord.state.begin() as tx:
        known = [one.name for one in tx.templates.all()]
        count = sum(one.template == name for one in tx.given_links.all())
        if not tx.templates.remove(name):
            raise Usage(f"there is no template {name!r}", f"there are: {', '.join(known)}")
    call.data({"removed": name, "links": count})
    call.say(f"{name}: removed; {plural(count, 'link')} of it stay as they are", markup=False)
    return exits.OK


handovers = App(name="handovers", help="What people who left leave to a successor.")
templates.command(handovers)


@handovers.default
def list_(*, call: CallArgument) -> int:
    """List the future appointments of people who left, offered to their successors."""
    with call.accord() as accord, accord.state.read() as tx:
        found = tx.handovers.all()
    for one in found:
        call.data(one)
        _offer(call, one)
    if not found:
        call.say("Nothing waits to be handed over.")
    return exits.OK


@handovers.command(name="approve")
def approve_handover(who: User, /, *, call: CallArgument) -> int:
    """Hand what lies ahead of somebody who left over to their successor.

    What has grown or changed since it was offered is offered anew. Nobody is mailed: who organizes
    a meeting stays.
    """
    return _decide(call, who, approve=True)


@handovers.command(name="reject")
def reject_handover(who: User, /, *, call: CallArgument) -> int:
    """Leave what lies ahead of somebody who left as it is; it isn't offered again."""
    return _decide(call, who, approve=False)


def _decide(call: Call, who: str, *, approve: bool) -> int:
    from accord.service.leavers import decide_handover

    with call.accord() as accord:
        done = decide_handover(accord, who, approve=approve, by=user())
    call.data(done)
    return _decided(call, done)


def _decided(call: Call, done: Decided) -> int:
    handover = done.handover
    if done.again:
        call.say("It has changed since it was offered; look at it again:")
        _offer(call, handover)
        return exits.FAILED
    if handover.decided == "rejected":
        call.say(f"{handover.user}: nothing is handed over", markup=False)
        return exits.OK
    count = plural(len(done.done), "appointment")
    call.say(f"{handover.user}: {count} handed over to {handover.successor}", markup=False)
    for ref, why in done.left.items():
        call.say(f"    {ref}: {why}", style="red", markup=False)
    return exits.FAILED if done.left else exits.OK


def _offer(call: Call, one: Handover) -> None:
    state = one.decided or "waits"
    count = plural(len(one.appointments), "appointment")
    call.say(f"{one.user} → {one.successor}: {count}; {state}", markup=False)
    for each in one.appointments:
        call.say(f"    {each.start:%Y-%m-%d %H:%M}  {short(each.title)}", markup=False)


def _chosen(accord: Accord, names: tuple[str, ...]) -> list[Link]:
    from accord.service.choose import choose

    return choose(accord, names)


def _tell(call: Call, result: Initialization) -> None:
    for one in result.done:
        _done(call, one)
    for trouble in result.troubles:
        about = [part for part in (trouble.user, trouble.kind and f"{trouble.kind}s") if part]
        about += [f"(template {trouble.template})"] if trouble.template else []
        call.say(f"! {' '.join(about)}: {trouble.why}", markup=False)
    if result.held:
        call.say(f"! nobody was parted from: {result.held}; --leavers says it is meant")
    if result.offers:
        count = plural(len(result.offers), "handover waits", "handovers wait")
        call.say(f"{count}: `accord templates handovers`")
    if not result.done:
        call.say("Nothing to do: all links are as their templates say.")
    elif result.planned:
        call.say("\nNothing was changed; leave out --plan to do it.")


def _done(call: Call, one: Done) -> None:
    sign, colour = SIGNS[one.what]
    call.say(f"{sign} {one.link or one.user}: {one.what}, {one.why}", style=colour, markup=False)
    for name, (before, after) in one.changes.items():
        call.say(f"    {name}: {short(before)} → {short(after)}", markup=False)
    if one.steps is not None:
        call.say(
            f"    {plural(one.steps, 'write waits', 'writes wait')} for approval", markup=False
        )
    if one.error:
        call.say(f"    {one.error}", style="red", markup=False)


def _approved(call: Call, done: Sequence[Approval]) -> int:
    grown = [one for one in done if one.grown]
    for one in grown:
        call.data({"link": one.link.name, "grown": True})
        call.say(f"{one.link.name}: its plan has grown and waits anew", markup=False)
    reports = [one.report or one.plan for one in done if not one.grown]
    code = visited(call, reports) if reports else exits.OK
    return exits.FAILED if grown else code
