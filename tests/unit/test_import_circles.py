"""No module needs itself by way of others, imports for types and inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src"

NAMED = ("accord.formats.syncml.errors",)
"""Errors that carry what they refuse: their imports for types lead upwards."""


def test_no_module_imports_itself_by_way_of_others() -> None:
    circle(graph(SOURCE))


@pytest.mark.parametrize("line", ["import a.two", "from a import two", "from a.two import x"])
@pytest.mark.parametrize("frame", ["{}", "def f():\n    {}", "if TYPE_CHECKING:\n    {}"])
def test_a_circle_is_noticed(tmp_path: Path, line: str, frame: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "__init__.py").touch()
    (tmp_path / "a" / "one.py").write_text(frame.format(line))
    (tmp_path / "a" / "two.py").write_text("x = 1\n")
    circle(graph(tmp_path))
    (tmp_path / "a" / "two.py").write_text("from a.one import f\n")
    with pytest.raises(pytest.fail.Exception, match=r"a\.one → a\.two|a\.two → a\.one"):
        circle(graph(tmp_path))


def graph(source: Path) -> dict[str, set[str]]:
    """Return what each module imports of the others."""
    modules = {}
    for path in source.rglob("*.py"):
        parts = path.relative_to(source).with_suffix("").parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    return {name: _imported(name, path, modules.keys()) for name, path in modules.items()}


def circle(imports: dict[str, set[str]]) -> None:
    """Fail with a circle, if there is one."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " → ".join(reversed(error.args[1])))


def _imported(name: str, path: Path, modules: Collection[str]) -> set[str]:
    found = set()
    for node in ast.walk(_tree(name, path)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                inner = f"{node.module}.{each.name}"
                found.add(inner if inner in modules else node.module)
    return {each for each in found if each in modules} - {name}


def _tree(name: str, path: Path) -> ast.Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if name in NAMED:
        tree.body = [node for node in tree.body if not isinstance(node, ast.If)]
    return tree
