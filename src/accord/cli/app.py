"""All commands by name, loaded when called, and what is always possible beside them.

`main` runs this; the reference in the documentation renders from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from accord import __version__
from accord.cli.call import Call
from accord.cli.run import start as begin

HELP = """\
Keep a CRM and people's mailboxes in agreement.

Begin with `accord init`, then `accord import FILE`, `accord check`, `accord plan`
and `accord sync`. Every command knows `--json`.
"""

COMMANDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Set up": (
        ("init", "setup:init", "Write a commented accord.toml, the key file and the database."),
        ("import", "transfer:import_", "Bring targets, links and rules of a file into Accord."),
        ("export", "transfer:export", "Print targets, links and rules, without secrets."),
        ("check", "check:check", "Test every connection; say what is wrong and how to mend it."),
        ("rules", "rules:rules", "List rules; show one, explain it, or tell its history."),
    ),
    "Work": (
        ("plan", "sync:plan", "Show what a synchronization would do, and write nothing."),
        ("sync", "sync:sync", "Synchronize links."),
        ("undo", "undo:undo", "Undo a step, an item, a user or a run, on both sides."),
        ("pause", "links:pause", "Stop all writes of a link, or of all."),
        ("resume", "links:resume", "Let a link, or all, write again."),
        ("mode", "links:mode", "Say how far a link goes: observe, pilot or active."),
    ),
    "Decide": (
        ("held", "decide:held", "List what waits for approval; approve or reject it."),
        ("conflicts", "decide:conflicts", "List open conflicts; resolve one."),
    ),
    "Look": (
        ("explain", "look:explain", "Say why an item did or did not synchronize."),
        ("journal", "look:journal", "List what was done, newest first."),
        ("links", "links:links", "List links and how they stand."),
        ("schema", "look:schema", "Print the JSON schema of items."),
    ),
    "CRM": (("crm", "crm:crm", "Read and edit the built-in CRM."),),
    "Try": (("demo", "demo:demo", "Play a week against a real CalDAV server on this machine."),),
}
"""The commands by group: name, module and function, and what each does."""


def make_app(called: str = "") -> App:
    """Return all commands, none of them loaded; `called` is the one that will be.

    That one's help is its own docstring; of the others the line here is enough.
    """
    app = App(
        name="accord",
        help=HELP,
        help_format="markdown",
        version=__version__,
        default_parameter=Parameter(negative=()),
    )
    for number, (title, commands) in enumerate(COMMANDS.items()):
        group = Group(title, sort_key=number)
        for order, (name, place, text) in enumerate(commands):
            line = None if name == called else text
            place = f"accord.cli.{place}"
            app.command(place, name=name, help=line, group=group, sort_key=order)
    _add_common(app)
    return app


NAMES = frozenset(name for commands in COMMANDS.values() for name, *_ in commands)
"""The names of all commands."""


def _add_common(app: App) -> None:
    app.meta.group_parameters = Group("Always possible", sort_key=99)
    app.meta.result_action = "return_value"

    @app.meta.default
    def start(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        config: Annotated[Path | None, Parameter(help="The accord.toml to use.")] = None,
        json: Annotated[bool, Parameter(help="Print JSON, one object a line.")] = False,
        quiet: Annotated[bool, Parameter(help="Print nothing but errors.")] = False,
        verbose: Annotated[bool, Parameter(help="Log every request to standard error.")] = False,
    ) -> object:
        return begin(app, tokens, Call(config=config, json=json, quiet=quiet, verbose=verbose))
