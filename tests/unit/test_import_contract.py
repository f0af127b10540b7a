"""The import contract (pyproject.toml, tools/pure.py) holds, and notices each kind of trespass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.pure import trespasses

ROOT = Path(__file__).resolve().parents[2]

DOWN = "Imports go down only"
INDEPENDENT = "An adapter never imports another adapter"
STATELESS = "An adapter never imports service or state"
APART = "The stand-in servers share no code with the adapters"

# planted file -> its import, and the contracts that must break (what the imported
# room imports in its turn may break more)
TRESPASSES = [
    ("groupware/planted/adapter.py", "accord.service", {DOWN, STATELESS}),
    ("groupware/planted/adapter.py", "accord.state", {STATELESS}),
    ("crm/planted/adapter.py", "accord.state.planted", {STATELESS}),
    ("crm/planted/adapter.py", "accord.groupware.planted", {DOWN, INDEPENDENT}),
    ("groupware/planted/adapter.py", "accord.groupware.another", {INDEPENDENT}),
    ("sandbox/planted.py", "accord.groupware.planted", {APART}),
    ("engine/planted.py", "accord.state", {DOWN}),
    ("engine/planted.py", "accord.ports", {DOWN}),
    ("rules/planted.py", "accord.engine", {DOWN}),
    ("attic/planted.py", "accord.model", {DOWN}),
]


# room that decides -> what it may not import; nobody need have thought of it before
OUTSIDE = {
    "engine": ("sqlalchemy", "icalendar", "shelve", "re", "accord.ports", "accord"),
    "rules": ("uvicorn", "importlib", "accord.engine"),
    "model": ("socket", "json", "collectionsx", "accord.rules"),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy the package and the contract beside each other, outside the repository."""
    shutil.copytree(
        ROOT / "src" / "accord", tmp_path / "accord", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_package_keeps_the_contract(tree: Path) -> None:
    assert broken_contracts(tree) == set()


@pytest.mark.parametrize(("path", "imported", "contracts"), TRESPASSES)
def test_a_trespass_breaks_the_contract(
    tree: Path, path: str, imported: str, contracts: set[str]
) -> None:
    plant(tree, path, f"import {imported}\n")
    if imported.startswith("accord."):
        plant(tree, imported.replace(".", "/").removeprefix("accord/") + "/__init__.py", "")
    assert broken_contracts(tree) >= contracts


def test_a_detour_breaks_the_contract(tree: Path) -> None:
    plant(tree, "state/planted.py", "")
    plant(tree, "testing/planted.py", "import accord.state.planted\n")
    plant(tree, "crm/planted/adapter.py", "import accord.testing.planted\n")
    assert STATELESS in broken_contracts(tree)


def test_what_decides_imports_only_what_is_listed() -> None:
    assert list(trespasses()) == []


@pytest.mark.parametrize(
    ("room", "imported"), [(room, name) for room, names in OUTSIDE.items() for name in names]
)
@pytest.mark.parametrize("text", ["import {}", "from {} import planted", "def f():\n    import {}"])
def test_what_decides_imports_nothing_else(
    tmp_path: Path, room: str, imported: str, text: str
) -> None:
    (tmp_path / room).mkdir()
    (tmp_path / room / "planted.py").write_text(f"{text.format(imported)}\n", encoding="utf-8")
    (found,) = trespasses(tmp_path)
    assert f"{room} may not import {imported}" in found


def test_make_check_asks_what_is_imported() -> None:
    assert "-m tools.pure" in (ROOT / "Makefile").read_text(encoding="utf-8").partition("check:")[2]


def plant(tree: Path, path: str, text: str) -> None:
    """Write one module, and the packages above it where they are missing."""
    file = tree / "accord" / path
    for package in (*reversed(file.relative_to(tree).parents[:-2]), file.relative_to(tree).parent):
        (tree / package).mkdir(exist_ok=True)
        (tree / package / "__init__.py").touch()
    if text or not file.exists():
        file.write_text(text, encoding="utf-8")


def broken_contracts(tree: Path) -> set[str]:
    """Run the linter as `make check` does and return the names of the broken contracts."""
    command = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [command, "--config", tree / "pyproject.toml", "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    broken = {
        line.removesuffix(" BROKEN") for line in run.stdout.splitlines() if line.endswith(" BROKEN")
    }
    assert run.returncode == (1 if broken else 0), run.stdout + run.stderr
    return broken
