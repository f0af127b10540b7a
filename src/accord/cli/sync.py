"""`accord plan` and `accord sync`: the way of a change, shown before and while it happens."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage, advise
from accord.cli.show import show_replies
from accord.cli.words import plural

if TYPE_CHECKING:
    from accord.service.accord import Accord
    from accord.service.opening import Options
    from accord.service.report import Report
    from accord.service.visit import Progress
    from accord.state.records import Link

_NAMED = 5
"""How many links that are left to another run, or only observe, are named."""

_UNRULED = ("item that the rule can't be applied to", "items that the rule can't be applied to")

WAITS = ("waits for approval", "wait for approval")

LINKS = Parameter(help="Links by name, or all of a user or target.")


def sync(
    *links: Annotated[str, LINKS],
    all_links: Annotated[bool, Parameter(name="--all", help="Synchronize every link.")] = False,
    full: Annotated[bool, Parameter(help="List everything anew.")] = False,
    call: CallArgument,
) -> int:
    """Synchronize links: both sides are read, compared, and brought to agreement.

    Exit codes: 0 done, or left to another run that is at work there; 1 an item failed; 2 wrong
    arguments or configuration; 3 a side could not be reached or refused the credentials; 70 a
    fault of Accord's own ended a link's visit, and the other links were visited. What is held or
    in conflict waits and is no failure: `accord held` and `accord conflicts` list it. A clash
    that the rule has settled is in agreement again; its losing value is kept
    (`accord conflicts --settled`). A visit that is under way at a named link is waited for; with
    --all its folder is left to it at once.
    """
    from accord.service.opening import Options

    if bool(links) == all_links:
        hint = "name links, users or targets, or give --all; `accord links` lists them"
        raise Usage("which links?" if not links else "links and --all exclude each other", hint)
    codes, busy, observing = [], [], []
    # A visit that is under way does the same: it is waited for, and not asked to end.
    with call.accord(waits=not all_links, asks=False) as accord:
        for link, report in visits(call, accord, links, Options(full=full)):
            call.data({**report.as_json(), "mode": link.mode, "paused": link.paused})
            if report.busy:
                busy.append(link.name)
                continue
            if not link.paused:
                show_report(call, report)
            if report.observed and not report.error:
                observing.append(link.name)
            codes.append(ended(call, report))
        if observing:
            _observing(call, accord, observing)
    _leave(call, busy)
    return exits.worst(codes)


def show_report(call: Call, report: Report) -> None:
    """Print a line about one link's visit, and what somebody has to look at.

    Of a link that only observes the counts say what would have been done.
    """
    if report.error:
        return
    parts = [*_side("CRM", report.crm), *_side("mailbox", report.groupware)]
    for count, word in ((report.paired, "paired"), (report.unpaired, "let go")):
        if count:
            parts.append(f"{count:,} {word}")
    if report.files:
        parts.append(f"{plural(report.files, 'file')} carried")
    nothing = "nothing done" if report.refused or report.replies else "nothing to do"
    text = ", ".join(parts) or nothing
    if report.observed:
        text = f"only observed, {'nothing written; would be: ' if parts else ''}{text}"
    cost = f"{plural(report.requests, 'request')}, {report.seconds:.1f} s"
    call.say(f"[bold]{_plain(report.name)}[/]: {text} [dim]({cost})[/]")
    kept = (
        "clash settled, the losing value is kept",
        "clashes settled, the losing values are kept",
    )
    for count, command, *what in (
        (max(report.held, report.waiting), "held", *WAITS),
        (report.conflicts, "conflicts", "in conflict", "in conflict"),
        (report.clashes, "conflicts --settled", *kept),
        (report.failed - report.unruled, "journal", "failed", "failed"),
        (report.unruled, "check", *_UNRULED),
        (report.unreadable, "check", "can't be read", "can't be read"),
        (report.withheld, "check", "withheld", "withheld"),
    ):
        if count:
            call.say(f"  [yellow]{plural(count, *what)}[/]: `accord {command}`")
    show_replies(call, report.replies)
    if report.refused:
        still = plural(len(report.refused), "change is still refused", "changes are still refused")
        call.say(f"  [yellow]{still}[/]: `accord explain {_plain(report.refused[0])}`")
    for line in report.left:
        call.errors.print(f"  {line}", style="red", markup=False)


def say_observing(call: Call, names: Sequence[str], what: str) -> None:
    """Say how links go on that only observe; of many users' links it names none."""
    words = shlex.join(names) if len(names) <= _NAMED else "USER"
    count = plural(len(names), f"{what} only observes", f"{what}s only observe")
    which = "it" if len(names) == 1 else "them"
    call.say(f"{count}: `accord mode {words} active` lets {which} write", markup=False)


def _observing(call: Call, accord: Accord, names: Sequence[str]) -> None:
    """Say how links go on that only observe; a template's by somebody's yes to their plans."""
    from accord.service.first_plans import waiting

    held = {one.link.name for one in waiting(accord)}
    others = [name for name in names if name not in held]
    if others:
        say_observing(call, others, "link")
    if len(others) < len(names):
        count = plural(len(names) - len(others), "link only observes", "links only observe")
        hint = "`accord templates` tells whose plans wait for approval"
        call.say(f"{count} because of a template: {hint}")


def visited(call: Call, reports: Sequence[Report]) -> int:
    """Print the reports of a decision's visits and return the exit code."""
    for report in reports:
        call.data(report.as_json())
        show_report(call, report)
    return exits.worst([ended(call, report) for report in reports])


def visits(
    call: Call, accord: Accord, words: Sequence[str], options: Options
) -> Iterator[tuple[Link, Report]]:
    """Visit links mailbox by mailbox, so that results show as they come."""
    from msgspec.structs import replace

    from accord.service.choose import choose
    from accord.service.report import Report
    from accord.service.sync import sync as synchronize

    chosen = choose(accord, words)
    with accord.state.read() as tx:
        stopped = bool(tx.settings.get("paused", False))
    working = []
    for link in chosen:
        if not options.dry and (link.paused or stopped):
            call.note(f"{link.name}: paused; `accord resume` lets it go on", markup=False)
            yield replace(link, paused=True), Report(link=link.id, name=link.name)
        else:
            working.append(link)
    grouped: dict[tuple[str, str], list[Link]] = {}
    for link in working:
        grouped.setdefault((link.target, link.principal), []).append(link)
    for number, some in enumerate(grouped.values(), 1):
        title = some[0].principal
        if len(grouped) > 1:
            title = f"{title} ({number} of {len(grouped)})"
        with progress_bar(call, title) as progress:
            reports = synchronize(accord, some, options, progress)
        yield from zip(some, reports, strict=True)


@contextmanager
def progress_bar(call: Call, title: str) -> Iterator[Progress]:
    """Show how far the work is, where a terminal can show it."""
    if call.quiet or not call.errors.is_terminal:
        yield _no_progress
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=call.errors, transient=True) as shown:
        bar = shown.add_task(_plain(title), total=None)

        def progress(phase: str, done: int, total: int) -> None:
            text = f"{_plain(title)}: {phase}"
            shown.update(bar, description=text, completed=done, total=total or None)

        yield progress


def _no_progress(_phase: str, _done: int, _total: int) -> None:
    pass


def ended(call: Call, report: Report) -> int:
    """Say why a visit ended early, if it did, and return the exit code."""
    if report.error:
        return advise(call, report)
    return exits.FAILED if report.failed or report.left else exits.OK


def with_plan(link: Link, report: Report) -> dict[str, Any]:
    """Return a report with its plan, for programs."""
    from accord.service.view import plan_view

    plan = plan_view(report.plan) if report.plan is not None else {"steps": [], "mails": []}
    if report.replies is not None:
        plan = {**plan, "replies": msgspec.to_builtins(report.replies)}
    return {**report.as_json(), "mode": link.mode, "paused": link.paused, **plan}


def _leave(call: Call, busy: Sequence[str]) -> None:
    """Say in one line what is left to another run; what that doesn't see, the next one does."""
    if busy:
        more = f" and {len(busy) - _NAMED:,} more" if len(busy) > _NAMED else ""
        names = f"{', '.join(busy[:_NAMED])}{more}"
        call.note(f"left to another run, which is at work there: {names}", markup=False)


def _side(name: str, counts: Any) -> list[str]:
    done = [
        f"{getattr(counts, word):,} {word}"
        for word in ("created", "updated", "deleted", "failed")
        if getattr(counts, word)
    ]
    return [f"{name} {' '.join(done)}"] if done else []


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
