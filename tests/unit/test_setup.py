"""`make setup` says first of all what to install where Python, or a part of it, is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("awk", "cat", "cksum", "dirname", "make", "rm", "sh", "tr")
DEBIANS = "/usr/bin/python3"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The tree as it is fetched, on a machine whose every Python is the one in `bin`, if any."""
    tree = tmp_path / "tree"
    for each in ("Makefile", "pyproject.toml", "requirements", "tools/setup"):
        (tree / each).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / each).is_dir() else shutil.copy
        copy(ROOT / each, tree / each)
    setup = tree / "tools" / "setup"
    text = setup.read_text(encoding="utf-8")
    assert DEBIANS in text
    setup.write_text(text.replace(DEBIANS, str(tmp_path / "bin" / "python3")), encoding="utf-8")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (tmp_path / "bin" / tool).symlink_to(found)
    return tree


def python(tree: Path, lacks: str = "", **modules: str) -> None:
    """Put a python3 on the path that lacks a module, as Debian's does, or has others of a name."""
    shadow = tree.parent / "shadow"
    shadow.mkdir()
    if lacks:
        modules[lacks] = f"raise ModuleNotFoundError(name={lacks!r})"
    for name, text in modules.items():
        (shadow / f"{name}.py").write_text(f"{text}\n", encoding="utf-8")
    script = tree.parent / "bin" / "python3"
    text = f'#!/bin/sh\nPYTHONPATH={shadow} exec {sys.executable} "$@"\n'
    script.write_text(text, encoding="utf-8")
    script.chmod(0o755)


def said(tree: Path, target: str) -> list[str]:
    """Return what `make TARGET` printed, which failed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    kept.pop("PYTHON", None)
    done = subprocess.run(
        ["make", target],
        cwd=tree,
        env={**kept, "PATH": str(tree.parent / "bin"), "LC_ALL": "C"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode != 0, done.stdout
    assert not (tree / ".venv").exists()
    return done.stdout.splitlines()


@pytest.mark.parametrize("target", ["setup", "demo", "test"])
@pytest.mark.parametrize("lacks", ["ensurepip", "venv"])
def test_python_without_venv(tree: Path, target: str, lacks: str) -> None:
    python(tree, lacks=lacks)
    first, *rest = said(tree, target)
    assert first == "Please install python3-venv first: apt-get install python3-venv"
    assert all(line.startswith("make: ") for line in rest), "and nothing else goes on"


def test_an_old_python(tree: Path) -> None:
    python(tree, sitecustomize="import sys; sys.version_info = (3, 9, 2)")
    first, *_ = said(tree, "setup")
    assert first.startswith("Please install Python 3.11 or newer first: apt-get install python3")


def test_no_python(tree: Path) -> None:
    first, *_ = said(tree, "setup")
    assert first.startswith("Please install Python 3.11 or newer first: apt-get install python3")


def test_a_complete_python_is_asked_for_an_environment(tree: Path) -> None:
    python(tree, venv="if __name__ == '__main__': raise SystemExit('asked for it')")
    first, second, *_ = said(tree, "setup")
    assert first.startswith("Making .venv with Python 3") and second == "asked for it"
