"""Where things stand in a TOML text: `tomllib` tells values, this tells their lines.

Everything that reads Accord's one configuration text names faults with it.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any, TypeAlias

from accord.rules.problem import Problem, RuleErrors

Path: TypeAlias = tuple[str | int, ...]

TEXT_LIMIT = 1_000_000
"""Characters a configuration text may have."""

KEY_LIMIT = 16
"""Parts a dotted key may have."""

_AT = re.compile(r" \(at [^()]*\)$")
_PLACE = re.compile(r"line (\d+), column (\d+)\)$")
_QUOTED = r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
_PART = rf"(?:[A-Za-z0-9_-]+|{_QUOTED})"
_KEY = re.compile(rf"[ \t]*({_PART}(?:[ \t]*\.[ \t]*{_PART})*)[ \t]*")
_HEADER = re.compile(rf"[ \t]*(\[\[?){_KEY.pattern}\]")
_VALUE = re.compile(
    r'"""(?:\\.|[^\\])*?"""+|' + r"'''(?:.)*?'''+|" + _QUOTED + r"|\#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)
_PIECE = re.compile(_PART)
# of texts that may be no TOML: each of these ends somewhere, so that none is looked at twice
_LONG = r'"""(?:\\.|[^\\])*?(?:"""+|\\?\Z)' + r"|'''.*?(?:'''+|\Z)"
_LINK = r'(?:[A-Za-z0-9_-]++|"(?:\\.|[^"\\\n])*+"?|' + r"'[^'\n]*+'?)"
_LINKS = re.compile(_LINK, re.DOTALL)
_CHAIN = re.compile(rf"{_LONG}|\#[^\n]*|({_LINK}(?:[ \t]*+\.[ \t]*+{_LINK})*+)", re.DOTALL)


class Source:
    """Be one text with its values and the lines they stand on.

    Raises RuleErrors where the text is no TOML, with line and column.
    """

    def __init__(self, text: str, file: str = "") -> None:
        self.file = file
        self.data = _parsed(text, file)
        self._lines = _lines(text)
        self._text = text.split("\n")

    def line(self, path: Path) -> int:
        """Return the line of a value, or of the nearest thing that holds it; 0 for none."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return 0

    def begins_below(self, path: Path) -> bool:
        """Tell whether a text value of several lines begins in the line below its key."""
        line = self._text[self.line(path) - 1].removesuffix("\r")
        return any(line.endswith(mark) and line.count(mark) == 1 for mark in ("'''", '"""'))

    def problem(self, path: Path, message: str, **more: Any) -> Problem:
        """Return a Problem with the value at `path`, at its place."""
        line = self.line(path) + more.pop("below", 0)
        return Problem(message=message, path=dotted(path), file=self.file, line=line, **more)


def dotted(path: Path) -> str:
    """Return a path as people write it: `rule[0].fields."crm:region"`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        bare = re.fullmatch(r"[A-Za-z0-9_-]+", part)
        text += ("." if text else "") + (part if bare else f'"{part}"')
    return text


def _parsed(text: str, file: str) -> dict[str, Any]:
    if len(text) > TEXT_LIMIT:
        message = f"the text is longer than {TEXT_LIMIT:,} characters"
        raise RuleErrors([Problem(message=message, file=file)])
    if (line := _overlong_key(text)) is not None:
        message = f"a key has more than {KEY_LIMIT} parts"
        raise RuleErrors([Problem(message=message, file=file, line=line)])
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleErrors([_misread(str(error), text, file)]) from error
    except ValueError as error:
        message = "not TOML: a number has too many digits"
        raise RuleErrors([Problem(message=message, file=file)]) from error
    except RecursionError as error:
        raise RuleErrors([Problem(message="not TOML: nested too deeply", file=file)]) from error


def _misread(message: str, text: str, file: str) -> Problem:
    """Return what `tomllib` says of a text as a Problem at its place."""
    found = _PLACE.search(message)
    line, column = map(int, found.groups()) if found else (text.count("\n") + 1, 0)
    said = f"not TOML: {_AT.sub('', message)}"
    return Problem(message=said, file=file, line=line, column=column)


def _overlong_key(text: str) -> int | None:
    """Return the line of a key with too many parts: reading those takes squared time."""
    for chain in _CHAIN.finditer(text):
        if chain[1] and len(_LINKS.findall(chain[1])) > KEY_LIMIT:
            return text[: chain.start()].count("\n") + 1
    return None


def _lines(text: str) -> dict[Path, int]:
    """Return the line of every key and table of a text that is known to be TOML."""
    lines: dict[Path, int] = {}
    tables: dict[Path, int] = {}
    here: Path = ()
    at, line = 0, 1
    while at < len(text):
        if header := _HEADER.match(text, at):
            here = _table(_pieces(header.group(2)), len(header.group(1)) == 2, tables)
            for parts, _ in enumerate(here, 1):
                lines.setdefault(here[:parts], line)
            at = header.end()
        elif key := _KEY.match(text, at):
            path: Path = here
            for piece in _pieces(key.group(1)):
                path = (*path, piece)
                lines.setdefault(path, line)
            at = key.end()
        end = _end(text, at)
        line += text.count("\n", at, end)
        at = end
    return lines


def _table(pieces: list[str], many: bool, tables: dict[Path, int]) -> Path:
    """Return the path of a header; entries of arrays of tables are counted in `tables`."""
    path: Path = ()
    for here, piece in enumerate(pieces, 1):
        path = (*path, piece)
        if here == len(pieces) and many:
            tables[path] = tables.get(path, -1) + 1
        if path in tables:
            path = (*path, tables[path])
    return path


def _pieces(key: str) -> list[str]:
    """Return the parts of a dotted key, unquoted."""
    return [
        next(iter(tomllib.loads(f"{piece} = 0"))) if piece[0] in "\"'" else piece
        for piece in _PIECE.findall(key)
    ]


def _end(text: str, at: int) -> int:
    """Return where the line goes on after a value, behind its newline."""
    depth = 0
    for match in _VALUE.finditer(text, at):
        sign = match.group()
        if sign in ("[", "{"):
            depth += 1
        elif sign in ("]", "}"):
            depth -= 1
        elif sign == "\n" and depth <= 0:
            return match.end()
    return len(text)
