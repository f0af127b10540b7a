"""All commands by name, loaded when called, and what is always possible beside them.

`main` runs this; the reference in the documentation renders from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter

from accord import __version__
from accord.cli.call import Call
from accord.cli.commands import COMMANDS, HELP
from accord.cli.run import start as begin


def make_app(called: str = "") -> App:
    """Return all commands, none of them loaded; `called` is the one that will be.

    That one's help is its own docstring; of the others the line here is enough.
    """
    app = App(
        name="accord",
        help=HELP,
        help_format="markdown",
        version=__version__,
        default_parameter=Parameter(negative=(), show_default=False),
    )
    for number, (title, commands) in enumerate(COMMANDS.items()):
        group = Group(title, sort_key=number)
        for order, (name, place, text) in enumerate(commands):
            line = None if name == called else text
            place = f"accord.cli.{place}"
            app.command(place, name=name, help=line, group=group, sort_key=order)
    _add_common(app)
    return app


WAIT = 30
"""Seconds that a command waits for visits under way, unless told."""

_ALWAYS = Group("Always possible", sort_key=99)


def _add_common(app: App) -> None:
    app.meta.result_action = "return_value"

    @app.meta.default
    def start(
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        config: Annotated[
            Path | None, Parameter(group=_ALWAYS, help="The accord.toml to use.")
        ] = None,
        json: Annotated[
            bool, Parameter(group=_ALWAYS, help="Print JSON, one object a line.")
        ] = False,
        quiet: Annotated[bool, Parameter(group=_ALWAYS, help="Print nothing but errors.")] = False,
        verbose: Annotated[
            bool, Parameter(group=_ALWAYS, help="Log every request to standard error.")
        ] = False,
        wait: Annotated[
            int, Parameter(group=_ALWAYS, help="Seconds to wait in all for visits under way.")
        ] = WAIT,
    ) -> object:
        call = Call(config=config, json=json, quiet=quiet, verbose=verbose, wait=wait)
        return begin(app, tokens, call)
