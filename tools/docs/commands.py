"""The command reference, `docs/commands.md`, made of the command line's own description."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

from cyclopts import App

from accord.cli import exits
from accord.cli.app import make_app
from accord.cli.commands import COMMANDS

_INTRODUCTION = """\
# Commands

<!-- Made by `make docs`; edit the code, not this page. -->

`accord --help` lists the commands, `accord COMMAND --help` says what this page says of one.
"""
_ADDRESS = re.compile(r"(?<![<`(])(https?://\S+?)(?=[.,;]?(\s|$))")


def render() -> str:
    """Return the whole reference as Markdown."""
    parts = [_INTRODUCTION, *_common(), *_codes()]
    for title, commands in COMMANDS.items():
        parts.append(f"## {title}\n")
        for name, _, _ in commands:
            parts += _command(make_app(name)[name], f"accord {name}")
    return "\n".join(parts).rstrip() + "\n"


def _common() -> Iterator[str]:
    yield "## Always possible\n"
    yield _table(("option", "meaning"), list(_rows(make_app().meta)))


def _codes() -> Iterator[str]:
    """Read codes and meanings from the module of exit codes: each stands above its text."""
    yield "## Exit codes\n"
    body = ast.parse(inspect.getsource(exits)).body
    rows = []
    for above, below in pairwise(body):
        if isinstance(above, ast.Assign) and isinstance(below, ast.Expr):
            code = getattr(exits, ast.unparse(above.targets[0]))
            text = ast.literal_eval(below.value)
            if isinstance(code, int):
                rows.append((f"`{code}`", text))
    yield _table(("code", "meaning"), rows)


def _command(app: App, name: str) -> Iterator[str]:
    children = [each for each in app if not each.startswith("-")]
    if app.default_command is not None or not children:
        yield f"### {name}\n"
        yield f"`{' '.join([name, *_usage(app)])}`\n"
        yield _addressed(inspect.cleandoc(_text(app))) + "\n"
        rows = list(_rows(app))
        if rows:
            yield _table(("argument or option", "meaning"), rows)
    for child in children:
        if app[child].default_command is not app.default_command:  # `list` beside the bare group
            yield from _command(app[child], f"{name} {child}")


def _usage(app: App) -> Iterator[str]:
    arguments = _arguments(app)
    for each in arguments:
        if each.index is not None or each.required:
            yield _name(each) if each.required else f"[{_name(each)}]"
    if any(each.index is None and not each.required for each in arguments):
        yield "[OPTIONS]"


def _text(app: App) -> str:
    own = getattr(app.default_command, "__doc__", None) or ""
    return own or app.help


def _rows(app: App) -> Iterator[tuple[str, str]]:
    for each in _arguments(app):
        yield f"`{_name(each)}`", _meaning(each)


def _arguments(app: App) -> list[Any]:
    return [each for each in app.assemble_argument_collection() if each.show and each.parse]


def _name(argument: Any) -> str:
    if argument.index is not None:
        several = " …" if "tuple" in str(argument.hint) else ""
        return f"{argument.names[0].lstrip('-').upper()}{several}"
    told = argument.parameter.negative or ()
    names = [n for n in argument.names if n in told or not n.startswith(("--no-", "--empty-"))]
    return ", ".join(names) + _value(argument)


def _value(argument: Any) -> str:
    if "bool" in str(argument.hint):
        return ""
    if argument.get_choices():
        return " " + "|".join(argument.get_choices())
    return {int: " NUMBER", Path: " PATH"}.get(_plain(argument.hint), " TEXT")


def _plain(hint: Any) -> Any:
    options = [each for each in getattr(hint, "__args__", ()) if each is not type(None)]
    return options[0] if options else hint


def _meaning(argument: Any) -> str:
    text = _addressed(argument.parameter.help or "")
    default = argument.field_info.default
    if argument.required:
        text += " Required."
    elif default not in (None, "", False, (), inspect.Parameter.empty, Path()):
        shown = default.value if isinstance(default, Enum) else default
        text += f" Without it `{shown}`."
    if argument.get_choices() and argument.index is not None:
        text += f" One of {', '.join(f'`{each}`' for each in argument.get_choices())}."
    return text.strip()


def _addressed(text: str) -> str:
    return _ADDRESS.sub(r"<\1>", text)


def _table(head: tuple[str, ...], rows: list[tuple[str, str]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"
