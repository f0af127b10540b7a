"""`accord check`: everything tested, each fault with the way to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.ask import user
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import plural

if TYPE_CHECKING:
    from accord.service.accord import Accord
    from accord.service.check import Checked


def check(
    *,
    accept: Annotated[
        bool,
        Parameter(
            help="Accept a restored or copied CRM or mailbox store, and targets that moved, as "
            "those to use."
        ),
    ] = False,
    accept_mailbox: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(),
            help="Accept the mailbox that answers now to the address of this link, or of all links "
            "of this user or target; again for more. They begin anew there, and only observe.",
        ),
    ] = (),
    mailbox: Annotated[
        str,
        Parameter(
            help="Send one item of every kind, an e-mail and automatic replies through this test "
            "mailbox, and take all away again. Nothing is sent to anybody."
        ),
    ] = "",
    target: Annotated[
        str, Parameter(help="The target on which that mailbox is, where there are several.")
    ] = "",
    call: CallArgument,
) -> int:
    """Test every connection and say what is wrong and how to mend it.

    Configuration, key file, database, CRM, every target and mailbox, folders, clocks, rules and
    what was left open. Writes on no side, except into the mailbox that `--mailbox` names. Exit
    code 1 says that something is wrong.
    """
    if mailbox:
        if accept or accept_mailbox:
            raise Usage("--mailbox and accepting exclude each other")
        return _round_trip(call, mailbox, target)
    if target:
        raise Usage("--target goes with --mailbox")
    from accord.service.check import check as service
    from accord.service.identity import accept as accept_systems

    config = call.config()
    with call.accord() as accord:
        if accept:
            accept_systems(accord)
        if accept_mailbox:
            _rebind(call, accord, accept_mailbox)
        faults = _told(call, service(accord, config))
    if _ended(call, faults) != exits.OK:
        return exits.FAILED
    if accept:
        call.say(
            "CRM and targets are accepted as they are now. Look at `accord plan --all-steps` "
            "before you synchronize: what they lack, or have in older versions, is told there."
        )
    return exits.OK


def _rebind(call: Call, accord: Accord, names: tuple[str, ...]) -> None:
    """Let the named links begin anew, and say of each at once what became of it."""
    from accord.service.choose import choose
    from accord.service.rebinding import rebind

    chosen = choose(accord, names)
    moved = set()
    for link in rebind(accord, chosen, by=user()):
        moved.add(link.id)
        call.data({"moved": link.name, "mode": link.mode})
        call.say(
            f"{link.name} begins anew in another mailbox, and only observes: look at `accord plan "
            f"{link.name} --all-steps`, then `accord mode {link.name} active`.",
            markup=False,
        )
    for link in chosen:
        if link.id not in moved:
            call.note(f"{link.name} stays with its mailbox: no other one answers to its address.")


def _round_trip(call: Call, mailbox: str, target: str) -> int:
    from accord.service.roundtrip.mailbox import choose_target, round_trip

    with call.accord() as accord:
        steps = round_trip(accord, choose_target(accord, target), mailbox)
        with closing(steps):  # who stops it in the middle leaves nothing behind
            faults = _told(call, steps)
    return _ended(call, faults)


def _told(call: Call, found: Iterable[Checked]) -> int:
    """Show each finding as it comes, and return how many are faults."""
    faults, area = 0, ""
    for one in found:
        call.data(one)
        if one.area != area:
            area = one.area
            call.say(area, style="bold", markup=False)
        _show(call, one)
        faults += not one.ok
    return faults


def _ended(call: Call, faults: int) -> int:
    if faults:
        call.say(f"\n{plural(faults, 'fault')} found.", style="red")
        return exits.FAILED
    call.say("\nAll is well.", style="green")
    return exits.OK


def _show(call: Call, one: Checked) -> None:
    sign, style = ("✓", "green") if one.ok else ("✗", "bold red")
    call.say(f"  {sign} ", style=style, end="")
    call.say(f"{one.subject}: {one.detail}" if one.detail else one.subject, markup=False)
    if one.hint:
        call.say(f"      {one.hint}", style="yellow", markup=False)
