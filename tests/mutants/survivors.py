"""What mutmut's result files say: which mutants live, and which of them are explained.

A mutant is known by its function and the lines it changed, never by its number, so an
explanation outlives edits elsewhere in the file.
"""

from __future__ import annotations

import ast
import io
import token
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

KILLED = frozenset({"killed", "caught by type check", "skipped", "timeout", "segfault"})
UNTESTED = frozenset({"not checked", "check was interrupted by user"})
LAYOUT = frozenset({token.NEWLINE, token.NL, token.INDENT, token.DEDENT, token.ENDMARKER})
# the tokens of f-strings, which are strings before Python 3.12
F_TEXT = getattr(token, "FSTRING_MIDDLE", None)


class Mutant(NamedTuple):
    """One planted fault: the lines it took out and the lines it put in, and where."""

    function: str
    was: str
    now: str
    name: str = ""
    status: str = "survived"
    file: str = ""
    line: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.function, self.was, self.now)


class Verdict(NamedTuple):
    """The survivors sorted by what to do about them."""

    unexplained: list[Mutant]
    explained: list[tuple[Mutant, str]]
    wording: list[Mutant]
    stale: list[tuple[str, str, str]]


def judge(
    survivors: Iterable[Mutant], reasons: dict[tuple[str, str, str], str], *, complete: bool
) -> Verdict:
    """Sort survivors; in a complete run an explanation without a survivor is stale."""
    verdict = Verdict([], [], [], [])
    for mutant in survivors:
        if mutant.key in reasons:
            verdict.explained.append((mutant, reasons[mutant.key]))
        elif is_wording(mutant):
            verdict.wording.append(mutant)
        else:
            verdict.unexplained.append(mutant)
    if complete:
        met = {mutant.key for mutant, _ in verdict.explained}
        verdict.stale.extend(key for key in reasons if key not in met)
    return verdict


def is_wording(mutant: Mutant) -> bool:
    """Tell whether only the letters of a sentence differ.

    Tests that pin the wording of messages would break with every better sentence. A text
    without a space is a name or a code, one without a letter parts others: both must be tested.
    """
    return mutant.was != mutant.now and without_prose(mutant.was) == without_prose(mutant.now)


def without_prose(code: str) -> list[str]:
    """Return the tokens of some lines, each sentence among them as an empty text."""
    tokens: list[str] = []
    row, column = 1, 0
    try:
        for each in tokenize.generate_tokens(io.StringIO(code).readline):
            row, column = each.end
            if each.type == token.STRING:
                tokens += _literal(each.string)
            elif each.type == F_TEXT:
                tokens.append(_text(each.string))
            elif each.type not in LAYOUT:
                tokens.append(each.string)
    except tokenize.TokenError:
        # Some lines of a statement: they may close what they didn't open, and the other way round.
        lines = code.splitlines(keepends=True)[row - 1 :]
        rest = "".join(lines)[column:].lstrip()
        if rest.startswith((")", "]", "}")):
            return [*tokens, rest[0], *without_prose(rest[1:])]
        tokens.append(rest)
    return tokens


def _literal(text: str) -> list[str]:
    """Return a literal without its prose; what an f-string computes stays."""
    whole = ast.parse(text, mode="eval").body
    if not isinstance(whole, ast.JoinedStr):
        return [_text(text)]
    parts: list[str] = []
    for part in whole.values:
        if isinstance(part, ast.FormattedValue):
            format_ = ast.dump(part.format_spec) if part.format_spec else ""
            parts += [*without_prose(ast.unparse(part.value)), str(part.conversion), format_]
        elif isinstance(part, ast.Constant):
            parts.append(_text(str(part.value)))
    return parts


def _text(text: str) -> str:
    return "" if " " in text and any(map(str.isalpha, text)) else text


def load_reasons(path: Path) -> dict[tuple[str, str, str], str]:
    """Read explained.toml: `[[mutant]]` tables with function, was, now and why.

    Raises ValueError where one is incomplete or doubled.
    """
    reasons: dict[tuple[str, str, str], str] = {}
    for entry in tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", []):
        if entry.keys() != {"function", "was", "now", "why"} or not entry["why"].strip():
            raise ValueError(f"{path}: each needs function, was, now and why: {entry}")
        key = (entry["function"], entry["was"].strip(), entry["now"].strip())
        if key in reasons:
            raise ValueError(f"{path}: explained twice: {key}")
        reasons[key] = entry["why"]
    return reasons


def as_toml(mutant: Mutant) -> str:
    """Print a survivor as the entry that would explain it."""
    lines = ["[[mutant]]"]
    for field in ("function", "was", "now"):
        text = getattr(mutant, field)
        quotes = "'''" if "\n" in text or "'" in text else "'"
        lines.append(f"{field} = {quotes}{text}{quotes}")
    return "\n".join([*lines, 'why = ""'])


def from_diff(name: str, status: str, diff: str, source: str = "") -> Mutant:
    """Read mutmut's unified diff of one mutant of a function in `source`."""
    lines = diff.splitlines()
    body = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    function = function_of(name)
    return Mutant(
        function=function,
        was="\n".join(taken(body, "-")),
        now="\n".join(taken(body, "+")),
        name=name,
        status=status,
        file=lines[0].removeprefix("--- ") if lines else "",
        line=line_of(function, lines, source),
    )


def line_of(function: str, diff: list[str], source: str) -> int:
    """Return where in its file a mutant is; a diff counts from the head of the function."""
    after = 0
    for line in diff[2:]:
        if line.startswith("@@"):
            after = int(line.split()[1].removeprefix("-").partition(",")[0])
        elif line.startswith(" "):
            after += 1
        else:
            break
    for node in functions_of(ast.parse(source)):
        if function.endswith(f".{node[0]}"):
            return head_of(node[1], source.splitlines()) + after - 1
    return after


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_of(module: ast.Module) -> Iterator[tuple[str, Function]]:
    """Yield functions and methods, methods first: their names end in names of functions, too."""
    for each in module.body:
        if isinstance(each, ast.ClassDef):
            yield from ((f"{each.name}.{m.name}", m) for m in each.body if isinstance(m, Function))
    yield from ((each.name, each) for each in module.body if isinstance(each, Function))


def head_of(function: Function, lines: list[str]) -> int:
    """Return the first line of a function: a decorator's, or a comment's above it."""
    first = min([function.lineno, *(each.lineno for each in function.decorator_list)])
    above = first - 1
    while above and lines[above - 1].strip()[:1] in ("", "#"):
        above -= 1
        if lines[above].strip():
            first = above + 1
    return first


def taken(lines: list[str], sign: str) -> Iterator[str]:
    return (line[1:].strip() for line in lines if line.startswith(sign))


def function_of(name: str) -> str:
    """Turn `a.b.xǁClassǁmethod__mutmut_3` and `a.b.x_function__mutmut_3` into dotted names."""
    module, _, mangled = name.rpartition("__mutmut_")[0].rpartition(".")
    if mangled.startswith("xǁ"):
        return ".".join([module, *mangled.split("ǁ")[1:]])
    return f"{module}.{mangled.removeprefix('x_')}"
