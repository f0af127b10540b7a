"""`accord preferences`: what a person prefers where their link template leaves it open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import NOTHING

if TYPE_CHECKING:
    from accord.service.preferences import Preference


def preferences(
    user: Annotated[str, Parameter(help="The CRM user.")],
    matter: Annotated[
        str, Parameter(help="kinds, contacts, folder.KIND (such as folder.event) or successor.")
    ] = "",
    value: Annotated[str, Parameter(help="What they choose, such as event,task.")] = "",
    /,
    *,
    clear: Annotated[bool, Parameter(help="Take the choice back.")] = False,
    call: CallArgument,
) -> int:
    """Show what a person may choose about their links, and note a choice.

    What their template doesn't leave open is refused. The next user initialization acts on it
    (`accord templates apply`).
    """
    from accord.service.preferences import prefer
    from accord.service.preferences import preferences as listed

    if clear and (value or not matter):
        raise Usage("which choice?", "name the matter alone, such as kinds --clear")
    with call.accord() as accord:
        if value or clear:
            found = [prefer(accord, user, matter, value)]
        else:
            found = [one for one in listed(accord, user) if matter in ("", one.matter)]
    if not found:
        raise Usage(f"there is no preference {matter!r}", "leave it out to see all there are")
    for one in found:
        call.data({"user": user, "preference": one})
        _show(call, one)
    return exits.OK


def _show(call: Call, one: Preference) -> None:
    said = one.value or NOTHING
    if one.template:
        usual = f"template {one.template} says {one.usual}" if one.usual else ""
        closed = "" if one.open else f"not open in template {one.template}"
        said += "".join(f"  ({part})" for part in (usual, closed) if part)
    elif not one.open:
        said += "  (no template is about it)"
    call.say(f"{one.matter}: {said}", markup=False)
