"""`accord import` and `accord export`: the configuration as one readable text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from accord.cli import exits
from accord.cli.ask import user
from accord.cli.call import STDIN, Call, CallArgument
from accord.cli.errors import Usage, show_problems
from accord.cli.sync import say_observing
from accord.cli.words import short

if TYPE_CHECKING:
    from accord.service.transfer_diff import Difference, Outcome

SIGNS = {"add": ("+", "green"), "change": ("~", "yellow")}


def import_(
    file: Annotated[Path, Parameter(help="The text to read; - is standard input.")],
    /,
    *,
    plan: Annotated[bool, Parameter(help="Only say what would change.")] = False,
    call: CallArgument,
) -> int:
    """Bring targets, links, templates and rules of a file into Accord.

    What the file doesn't mention stays as it is. New links only observe unless the file says
    another mode; those that are there keep theirs. Of a rule that links use already a draft is
    made: `accord plan` shows what it would change, `accord rules activate` puts it into force.
    Of links that are there already the CRM may no longer let the user in: that is a warning.
    """
    from accord.cli.trial import say_next
    from accord.service import transfer

    text, name, folder = _read(call, file)
    with call.accord() as accord:
        outcome = transfer.import_(
            accord, text, name, plan=plan, by=user(), folder=folder, environ=call.environ
        )
    call.data(_view(outcome))
    if not call.json:
        show_problems(call, outcome.warnings)
    for each in outcome.differences:
        _show(call, each)
    if not outcome.differences:
        call.say("Nothing to change: everything stands as the file says.")
    elif plan:
        call.say("\nNothing was changed; leave out --plan to do it.")
    else:
        call.say(f"\nDone: {len(outcome.differences)} changed. `accord plan` shows what follows.")
    if outcome.observing and not plan:
        say_observing(call, outcome.observing, "new link")
    for name in () if plan else outcome.drafts:
        call.say(f"The draft of rule {name} waits. ", markup=False, end="")
        say_next(call, name)
    return exits.OK


def export(
    *,
    output: Annotated[Path | None, Parameter(help="Write into this file instead.")] = None,
    call: CallArgument,
) -> int:
    """Print targets, links, templates and rules as text, without secrets.

    `accord import` reads it again; secrets stay in the database and needn't be given anew.
    """
    from accord.service import transfer

    with call.accord() as accord:
        text = transfer.export(accord)
    if output is not None:
        (call.here / output).write_text(text, encoding="utf-8")
        call.note(f"wrote {output}", markup=False)
    if call.json:
        call.data({"text": text})
    elif output is None:
        call.raw(text)
    return exits.OK


def _read(call: Call, file: Path) -> tuple[str, str, Path]:
    if file == STDIN:
        return sys.stdin.read(), "standard input", call.here
    path = call.here / file
    try:
        return path.read_text(encoding="utf-8"), str(file), path.resolve().parent
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise Usage(f"can't read {file}: {why}") from error


def _view(outcome: Outcome) -> object:
    return msgspec.to_builtins(outcome)


def _show(call: Call, difference: Difference) -> None:
    sign, colour = SIGNS[difference.action]
    call.say(f"{sign} {difference.what} {difference.name}", style=colour, markup=False)
    for turn in difference.turns:
        before = "" if difference.action == "add" else f"{short(turn.before)} → "
        call.say(f"    {turn.field}: {before}{short(turn.after)}", markup=False)
    if difference.note:
        call.say(f"    {difference.note}", style="dim", markup=False)
