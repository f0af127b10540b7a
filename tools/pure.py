"""Check that what decides imports nothing but what is listed here: no clock, no network, no files.

`python -m tools.pure` prints a line for each trespass and ends with 1 if there is one. A list of
what is forbidden would let in whatever nobody thought of.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "accord"

_USUAL = ("__future__", "collections", "datetime", "enum", "hashlib", "msgspec", "typing")
_TEXT = ("functools", "html", "itertools", "re")
_EXPRESSIONS = ("cel_expr_python", "contextvars", "difflib", "json", "sys", "tomllib", "types")

ALLOWED = {
    "model": (*_USUAL, *_TEXT, "dateutil", "threading", "zoneinfo", "accord.model"),
    "rules": (*_USUAL, *_TEXT, *_EXPRESSIONS, "accord.model", "accord.rules"),
    "engine": (*_USUAL, "accord.model", "accord.rules", "accord.engine"),
}
"""By room, the modules that it may import, each with all below it."""


def trespasses(source: Path = SOURCE) -> Iterator[str]:
    """Yield a line for each import in a pure room that isn't allowed there."""
    for room, allowed in ALLOWED.items():
        for file in sorted((source / room).rglob("*.py")):
            for line, name in _imports(ast.parse(file.read_text(encoding="utf-8"))):
                if not any(f"{name}.".startswith(f"{each}.") for each in allowed):
                    place = file.relative_to(source.parent)
                    yield f"{place}:{line}: {room} may not import {name}"


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            # `from accord import state` is an import of a room, too.
            rooms = [f"accord.{each.name}" for each in node.names] if module == "accord" else []
            yield from ((node.lineno, name) for name in rooms or [module])


if __name__ == "__main__":
    found = list(trespasses())
    print("\n".join(found), end="\n" if found else "")
    sys.exit(1 if found else 0)
