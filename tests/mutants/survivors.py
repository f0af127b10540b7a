"""What mutmut's result files say: which mutants live, and which of them are explained.

A mutant is known by its function and the lines it changed, never by its number, so an
explanation outlives edits elsewhere in the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

KILLED = frozenset({"killed", "caught by type check", "skipped", "timeout", "segfault"})
UNTESTED = frozenset({"not checked", "check was interrupted by user"})


class Mutant(NamedTuple):
    """One planted fault: the lines it took out and the lines it put in."""

    function: str
    was: str
    now: str
    name: str = ""
    status: str = "survived"

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
    without a space is a name or a code, and must be tested.
    """
    return mutant.was != mutant.now and without_prose(mutant.was) == without_prose(mutant.now)


def without_prose(code: str) -> str:
    return re.sub(r'"[^"\n]* [^"\n]*"', '""', code)


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


def from_diff(name: str, status: str, diff: str) -> Mutant:
    """Read mutmut's unified diff of one mutant."""
    body = [line for line in diff.splitlines() if not line.startswith(("---", "+++", "@@"))]
    return Mutant(
        function=function_of(name),
        was="\n".join(taken(body, "-")),
        now="\n".join(taken(body, "+")),
        name=name,
        status=status,
    )


def taken(lines: list[str], sign: str) -> Iterator[str]:
    return (line[1:].strip() for line in lines if line.startswith(sign))


def function_of(name: str) -> str:
    """Turn `a.b.xǁClassǁmethod__mutmut_3` and `a.b.x_function__mutmut_3` into dotted names."""
    module, _, mangled = name.rpartition("__mutmut_")[0].rpartition(".")
    if mangled.startswith("xǁ"):
        return ".".join([module, *mangled.split("ǁ")[1:]])
    return f"{module}.{mangled.removeprefix('x_')}"
