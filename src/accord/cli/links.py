"""`accord links`, `pause`, `resume` and `mode`: how links stand, whether they write; removal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.ask import agreed, user
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage, advise
from accord.cli.words import moment, plural
from accord.state.records import Mode

if TYPE_CHECKING:
    from accord.service.accord import Accord
    from accord.service.report import Report
    from accord.service.standing import LinkStanding
    from accord.state.records import Link


class _Extent(NamedTuple):
    """Say how far a withdrawal goes."""

    include_held: bool
    even_paused: bool


Names = Annotated[str, Parameter(help="Links by name, or all of a user or target.")]
All = Annotated[bool, Parameter(name="--all", help="All links, also those added later.")]


links = App(name="links", help="List links and how they stand; remove some.")


@links.default
def list_(*names: Names, call: CallArgument) -> int:
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


@links.command
def remove(
    *names: Annotated[str, Parameter(help="Links, users or targets.", required=True)],
    withdraw: Annotated[
        bool, Parameter(help="First delete the copies that the links made in mailboxes.")
    ] = False,
    include_held: Annotated[
        bool, Parameter(help="With --withdraw, delete also what the guard would hold.")
    ] = False,
    even_paused: Annotated[
        bool, Parameter(help="With --withdraw, also of links that are paused or only observe.")
    ] = False,
    plan: Annotated[bool, Parameter(help="Only show what would be done.")] = False,
    yes: Annotated[bool, Parameter(help="Don't ask.")] = False,
    call: CallArgument,
) -> int:
    """Remove links: from then on Accord leaves both sides alone and forgets what it paired.

    Without --withdraw nothing is written, and copies stay where they are. With it the copies that
    Accord made in the mailbox are deleted, unless somebody changed them there since, and its
    markers are taken off; what came from the mailbox stays in the CRM. The journal is kept.
    Links that are paused or only observe keep their copies unless --even-paused is given; while
    everything is paused nothing is deleted at all.
    """
    from accord.service.choose import choose

    with call.accord() as accord:
        chosen = choose(accord, names)
        if withdraw:
            extent = _Extent(include_held=include_held, even_paused=even_paused)
            return _withdraw(call, accord, chosen, extent, plan=plan, yes=yes)
        _tell_removal(call, accord, chosen)
        if plan:
            call.data({"remove": [link.name for link in chosen]})
            return exits.OK
        if not agreed(call, f"Remove {plural(len(chosen), 'link')}?", yes=yes):
            call.note("Nothing was changed.")
            return exits.OK
        return _removed(call, [_remove(accord, link) for link in chosen])


def withdraw(
    *names: Annotated[str, Parameter(help="Links, users or targets.", required=True)],
    include_held: Annotated[bool, Parameter(help="Delete also what the guard would hold.")] = False,
    even_paused: Annotated[
        bool, Parameter(help="Also of links that are paused or only observe.")
    ] = False,
    plan: Annotated[bool, Parameter(help="Only show what would be done.")] = False,
    yes: Annotated[bool, Parameter(help="Don't ask.")] = False,
    call: CallArgument,
) -> int:
    """Take Accord out of mailboxes and CRM again: the same as `links remove --withdraw`.

    The copies that Accord made in the mailbox are deleted, unless somebody changed them there, and
    its markers are taken off what stays, on both sides. Then the links are gone. So it is, too,
    with links of people whom the CRM no longer lets in; only its records keep their markers.
    """
    from accord.service.choose import choose

    extent = _Extent(include_held=include_held, even_paused=even_paused)
    with call.accord() as accord:
        return _withdraw(call, accord, choose(accord, names), extent, plan=plan, yes=yes)


def pause(*names: Names, all_links: All = False, call: CallArgument) -> int:
    """Stop all writes of some links, or of everything at once.

    Nothing is lost: what changes meanwhile is found when they go on.
    """
    return _set_paused(call, names, everything=all_links, paused=True)


def resume(*names: Names, all_links: All = False, call: CallArgument) -> int:
    """Let links write again; with --all the stop of everything ends.

    Links that were paused by name, or because their users left, then stay so, and are named.
    """
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

    A pilot link is watched: up to 20 changes on a side go by themselves in one visit. More than
    that wait for approval (`accord held`), and so does everything that deletes or mails.
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
            still = [link.name for link in pause_all(accord, paused=paused) if not paused]
            call.data({word: "all", "still_paused": still} if still else {word: "all"})
            call.say(f"everything {word}")
            if still:
                hint = "`accord resume LINK` lets one go on"
                call.say(f"still paused: {', '.join(still)}; {hint}", markup=False)
            return exits.OK
        changed = pause_links(accord, names, paused=paused)
    call.data({word: [link.name for link in changed]})
    call.say(f"{plural(len(changed), 'link')} {word}: {', '.join(x.name for x in changed)}")
    return exits.OK


def _tell_removal(call: Call, accord: Accord, chosen: Sequence[Link]) -> None:
    with accord.state.read() as tx:
        for link in chosen:
            pairs = plural(tx.pairings.live(link.id), "pair")
            call.say(f"- {link.name}: {pairs}; both sides stay as they are", markup=False)


def _remove(accord: Accord, link: Link) -> Report:
    from accord.service.removal import remove_link

    return remove_link(accord, link, by=user())


def _withdraw(
    call: Call,
    accord: Accord,
    chosen: Sequence[Link],
    extent: _Extent,
    *,
    plan: bool,
    yes: bool,
) -> int:
    """Show what goes, ask, and do it; nothing is done where a plan fails or is held."""
    from accord.cli.show import show_plan, show_replies
    from accord.cli.sync import with_plan
    from accord.service.removal import require_working, withdraw

    held_too = extent.include_held
    previews = [withdraw(accord, link, dry=True, approved=held_too) for link in chosen]
    for link, report in zip(chosen, previews, strict=True):
        show_plan(call, report.plan, report.name, everything=True)
        show_replies(call, report.replies)
        if plan:
            call.data(with_plan(link, report))
    codes = [advise(call, report) for report in previews if report.error]
    if plan or codes:
        return exits.worst(codes)
    for link in () if extent.even_paused else chosen:
        require_working(link)
    held = sum(report.held for report in previews)
    if held:
        hint = "look at the plan; --include-held deletes them too"
        raise Usage(f"the guard holds {plural(held, 'deletion')}: nothing was done", hint)
    question = f"Delete these copies and remove {plural(len(chosen), 'link')}?"
    if not agreed(call, question, yes=yes):
        call.note("Nothing was changed.")
        return exits.OK
    return _removed(
        call,
        [
            withdraw(accord, link, approved=held_too, even_paused=extent.even_paused, by=user())
            for link in chosen
        ],
    )


def _removed(call: Call, reports: Sequence[Report]) -> int:
    codes = []
    for report in reports:
        gone = not (report.error or report.failed or report.held)
        call.data({**report.as_json(), "removed": gone})
        deleted = report.groupware.deleted
        copies = f", {plural(deleted, 'copy', 'copies')} deleted" if deleted else ""
        if report.error:
            codes.append(advise(call, report))
        elif gone:
            pairs = plural(report.unpaired, "pair")
            call.say(f"{report.name}: removed, {pairs} let go{copies}", markup=False)
            for line in report.left:
                call.say(f"    {line}", markup=False)
        else:
            codes.append(exits.FAILED)
            left = plural(report.failed + report.held, "copy is", "copies are")
            stays = "it stays, paused; --even-paused goes on" if report.failed else "it stays"
            call.say(f"{report.name}: {left} left, so {stays}{copies}", markup=False)
    return exits.worst(codes)


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
