"""`accord targets`: the servers Accord knows, and the removal of one that no link uses."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.ask import agreed
from accord.cli.call import CallArgument
from accord.cli.words import plural
from accord.ports.tls import danger, is_readable, is_unchecked

targets = App(name="targets", help="List targets; remove one without links.")


@targets.default
@targets.command(name="list")
def list_(*, call: CallArgument) -> int:
    """List targets: how each is reached, and how many links use it."""
    with call.accord() as accord, accord.state.read() as tx:
        found = tx.targets.all()
        used = [link.target for link in tx.links.all()]
    for target in found:
        count = used.count(target.id)
        unchecked, readable = is_unchecked(target.settings), is_readable(target.settings)
        told = {"name": target.name, "adapter": target.adapter, "links": count}
        told |= {"unchecked": True} if unchecked else {}
        call.data(told | ({"readable": True} if readable else {}))
        call.say(f"{target.name}  {target.adapter}  {plural(count, 'link')}", markup=False)
        if unsafe := danger(unchecked=unchecked, readable=readable):
            call.say(f"    {unsafe}", style="bold red", markup=False)
    if not found:
        call.say("There are no targets yet; `accord import` makes them.")
    return exits.OK


@targets.command
def remove(
    name: Annotated[str, Parameter(help="The target's name.")],
    /,
    *,
    yes: Annotated[bool, Parameter(help="Don't ask.")] = False,
    call: CallArgument,
) -> int:
    """Remove a target that no link uses, with its settings and passwords."""
    from accord.service.removal import find_unused, remove_target

    with call.accord() as accord:
        target = find_unused(accord, name)
        question = f"Remove the target {target.name} with its passwords?"
        if not agreed(call, question, yes=yes):
            call.note("Nothing was changed.")
            return exits.OK
        remove_target(accord, name)
    call.data({"removed": target.name})
    call.say(f"{target.name}: removed", markup=False)
    return exits.OK
