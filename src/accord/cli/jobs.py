"""`accord jobs`: what the service does by itself beside visits, when, and what came of it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.ask import user
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import moment

if TYPE_CHECKING:
    from accord.service.jobs.job import Outcome
    from accord.service.jobs.standing import JobStanding

jobs = App(name="jobs", help="List the service's jobs; switch, schedule or run one.")

Name = Annotated[str, Parameter(help="A job, as the list names it.")]
_COLOURS = {"failed": "red", "unable": "yellow", "cut off": "yellow"}


@jobs.default
@jobs.command(name="list")
def list_(*, call: CallArgument) -> int:
    """List the jobs: switch, schedule, what came of each last, and when it begins next.

    `accord run` does them; of several processes one does each.
    """
    from accord.service.jobs.standing import standing

    with call.accord() as accord:
        found = standing(accord)
    for one in found:
        call.data(one)
        _job(call, one)
    return exits.OK


@jobs.command
def run(
    name: Name,
    /,
    *,
    plan: Annotated[bool, Parameter(help="Only show what would be done.")] = False,
    call: CallArgument,
) -> int:
    """Do a job now, in the foreground, whether or not it is switched on.

    While another process is at it nothing is done, and the exit code is 3.
    """
    from accord.cli.sync import progress_bar
    from accord.service.bootstrap import open_queue
    from accord.service.jobs.running import run_job

    config = call.config()
    with (
        call.accord() as accord,
        closing(open_queue(config)) as queue,
        progress_bar(call, name) as progress,
    ):
        by = user()
        outcome = run_job(accord, config, queue, name, dry=plan, by=by, progress=progress)
    assert outcome is not None
    call.data({"job": name, "planned": plan, "ending": outcome.ending, **_fields(outcome)})
    for line in outcome.lines:
        call.say(f"  {line}", markup=False)
    _say(call, name, outcome)
    if plan:
        call.say("Nothing was changed; leave out --plan to do it.")
    if outcome.unable:
        return exits.WRONG
    return exits.FAILED if outcome.failed else exits.OK


@jobs.command
def on(name: Name, /, *, call: CallArgument) -> int:
    """Switch a job on."""
    return _switch(call, name, on=True)


@jobs.command
def off(name: Name, /, *, call: CallArgument) -> int:
    """Switch a job off; one that is under way goes on to its end."""
    return _switch(call, name, on=False)


@jobs.command
def schedule(
    name: Name,
    /,
    *words: Annotated[str, Parameter(help="every 15m, daily 03:30 or weekly sun 02:00.")],
    call: CallArgument,
) -> int:
    """Say when a job is done: so often, or at an hour of this machine's own time."""
    from accord.service.jobs.schedule import FORMS
    from accord.service.jobs.standing import reschedule

    if not words:
        raise Usage("when?", f"write {FORMS}")
    with call.accord() as accord:
        one = reschedule(accord, name, " ".join(words))
    call.data(one)
    _job(call, one)
    return exits.OK


@jobs.command(name="set")
def set_(
    name: Name,
    /,
    *options: Annotated[str, Parameter(help="OPTION=VALUE; an empty value takes the default.")],
    call: CallArgument,
) -> int:
    """Set options of a job, such as `days=365`; without any, show them."""
    from accord.service.jobs.standing import choose, job_of, standing

    given = {}
    for each in options:
        key, sign, value = each.partition("=")
        if not sign:
            raise Usage(f"{each[:60]!r} says no value", "write OPTION=VALUE")
        given[key] = value
    with call.accord() as accord:
        one = choose(accord, name, given) if given else standing(accord, name)[0]
    call.data(one)
    _job(call, one)
    for setting in job_of(name).options:
        call.say(f"    {setting.name}: {setting.help}", style="dim", markup=False)
    return exits.OK


@jobs.command
def causes(*, call: CallArgument) -> int:
    """List what is wrong, cause by cause, and who was told when."""
    from accord.service.notices.causes import line, standing

    with call.accord() as accord:
        found = standing(accord)
    for row in found:
        call.data(row)
        call.say(line(row), markup=False)
        told = ", ".join(f"{who} {_when(at)}" for who, at in row.told.items())
        call.say(f"    since {moment(row.since)}; told: {told or 'nobody yet'}", style="dim")
        if row.names:
            call.say(f"    {', '.join(row.names)}", style="dim", markup=False)
        if row.hint:
            call.say(f"    {row.hint}", style="yellow", markup=False)
    if not found:
        call.say("Nothing is wrong, as far as the jobs have found.")
    return exits.OK


def told(call: Call, name: str, outcome: Outcome) -> None:
    """Say what came of a job that `accord run` did, where a person would want to read of it."""
    call.data({"job": name, "ending": outcome.ending, **_fields(outcome)})
    if outcome.changed or outcome.failed:
        _say(call, name, outcome)


def _switch(call: Call, name: str, *, on: bool) -> int:
    from accord.service.jobs.standing import switch

    with call.accord() as accord:
        one = switch(accord, name, on=on)
    call.data(one)
    _job(call, one)
    return exits.OK


def _fields(outcome: Outcome) -> dict[str, object]:
    return {
        "words": outcome.words,
        "hint": outcome.hint,
        "counts": outcome.counts,
        "lines": outcome.lines,
        "failed": outcome.failed,
    }


def _say(call: Call, name: str, outcome: Outcome) -> None:
    colour = _COLOURS.get(outcome.ending, "")
    call.say(f"job {name}: {outcome.words}", style=colour or None, markup=False)
    if outcome.hint:
        call.say(f"    {outcome.hint}", style="dim", markup=False)


def _job(call: Call, one: JobStanding) -> None:
    state = "running" if one.running else "on" if one.enabled else "off"
    call.say(one.name, style="bold", markup=False, end="")
    chosen = "".join(f", {key} {value}" for key, value in one.options.items())
    call.say(f"  {state}, {one.schedule}{chosen}: {one.title}", markup=False)
    last = f"last {moment(one.started)}, {one.ending}: {one.words}"
    parts = [last if one.ending else "never done"]
    parts += [f"next {moment(one.due)}"] if one.due else []
    call.say(f"    {'; '.join(parts)}", style=_COLOURS.get(one.ending) or "dim", markup=False)
    if one.hint and one.ending != "done":
        call.say(f"    {one.hint}", style="yellow", markup=False)


def _when(text: str) -> str:
    from datetime import datetime

    return moment(datetime.fromisoformat(text))
