"""`accord links`, `pause`, `resume` and `mode`: how links stand, and whether they may write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import moment, plural
from accord.state.records import Mode

if TYPE_CHECKING:
    from accord.service.standing import LinkStanding

Names = Annotated[str, Parameter(help="Links by name, or all of a user or target.")]
All = Annotated[bool, Parameter(name="--all", help="All links, also those added later.")]


def links(*names: Names, call: CallArgument) -> int:
    """List links: what they join, how they stand, what waits on them."""
    from accord.service.standing import standing

    with call.accord() as accord:
        found = standing(accord, names)
    for one in found:
        call.data(one)
        _show(call, one)
    if not found:
        call.say("There are no links yet; `accord import` makes them.")
    return exits.OK


def pause(*names: Names, all_links: All = False, call: CallArgument) -> int:
    """Stop all writes of some links, or of everything at once.

    Nothing is lost: what changes meanwhile is found when they go on.
    """
    return _set_paused(call, names, everything=all_links, paused=True)


def resume(*names: Names, all_links: All = False, call: CallArgument) -> int:
    """Let links write again; with --all the stop of everything ends, and that of each link."""
    return _set_paused(call, names, everything=all_links, paused=False)


def mode(
    *words: Annotated[
        str,
        Parameter(help="Links, users or targets, then observe, pilot or active.", required=True),
    ],
    all_links: Annotated[bool, Parameter(name="--all", help="All links there are.")] = False,
    call: CallArgument,
) -> int:
    """Say how far links go, as in `accord mode alice active`: observe only plans, the others write.

    pilot and active write alike; they tell the first few people from the rest.
    """
    from accord.service.standing import set_mode

    *names, last = words
    if last not in tuple(Mode):
        raise Usage(f"{last!r} is no mode", "end with observe, pilot or active")
    to = Mode(last)
    if bool(names) == all_links:
        raise Usage("which links?", "name links, users or targets before the mode, or give --all")
    with call.accord() as accord:
        changed = set_mode(accord, names, to)
    call.data({"mode": to, "links": [link.name for link in changed]})
    for link in changed:
        call.say(f"{link.name}: {to}", markup=False)
    return exits.OK


def _set_paused(call: Call, names: tuple[str, ...], *, everything: bool, paused: bool) -> int:
    from accord.service.standing import pause_all, pause_links

    if bool(names) == everything:
        raise Usage("which links?", "name links, users or targets, or give --all")
    word = "paused" if paused else "resumed"
    with call.accord() as accord:
        if everything:
            pause_all(accord, paused=paused)
            call.data({word: "all"})
            call.say(f"everything {word}")
            return exits.OK
        changed = pause_links(accord, names, paused=paused)
    call.data({word: [link.name for link in changed]})
    call.say(f"{plural(len(changed), 'link')} {word}: {', '.join(x.name for x in changed)}")
    return exits.OK


def _show(call: Call, one: LinkStanding) -> None:
    state = "paused" if one.paused else one.mode
    call.say(f"{one.name}", style="bold", markup=False, end="")
    where = f"{one.target}, {one.principal}" + (f", folder {one.folder}" if one.folder else "")
    call.say(f"  {one.kind}s of {one.user} ↔ {where}; rule {one.rule}; {state}", markup=False)
    parts = [f"{one.pairings:,} paired"]
    for count, word in ((one.held, "held"), (one.conflicts, "in conflict"), (one.failed, "failed")):
        if count:
            parts.append(f"{count:,} {word}")
    parts.append(f"last visit {moment(one.visited)}")
    call.say(f"    {', '.join(parts)}", style="dim", markup=False)
    if one.error:
        call.say(f"    last visit ended early: {one.error}", style="red", markup=False)
