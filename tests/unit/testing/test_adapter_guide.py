"""The adapter author's guide tells the truth: its examples run, its names exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import accord.testing.crm
import accord.testing.groupware
from accord.ports.adapter import Session

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python *(\S*)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_examples_run() -> None:
    scope: dict[str, Any] = {"__name__": "guide"}
    examples = [text for name, text in BLOCKS if not name]
    for text in examples:
        exec(compile(text, "docs/adapters.md", "exec"), scope)
    assert len(examples) >= 5


def test_the_whole_test_module_passes_and_is_short(tmp_path: Path) -> None:
    ((name, text),) = [(name, text) for name, text in BLOCKS if name]
    assert len([line for line in text.splitlines() if line.strip()]) <= 17
    (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    result = subprocess.run(
        [*command, "-p", "no:randomly", "--rootdir", str(tmp_path), str(tmp_path / name)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:]
    passed = re.search(r"(\d+) passed", result.stdout)
    assert passed
    assert int(passed[1]) > 150
    assert "skipped" not in result.stdout


def test_every_call_of_a_session_is_explained() -> None:
    calls = {name for name in vars(Session) if not name.startswith("_")} - {"folders", "close"}
    explained = set(re.findall(r"^ +\| `(\w+)` \|", GUIDE, re.MULTILINE))
    assert calls <= explained


@pytest.mark.parametrize("name", re.findall(r"^\| `(\w+Contract)`", GUIDE, re.MULTILINE))
def test_every_contract_named_exists(name: str) -> None:
    found = getattr(accord.testing.groupware, name, None) or getattr(accord.testing.crm, name, None)
    assert any(case.startswith("test_") for case in vars(found))


def test_every_contract_there_is_is_named() -> None:
    modules = (accord.testing.groupware, accord.testing.crm)
    names = {name for module in modules for name in vars(module) if name.endswith("Contract")}
    assert len(names) >= 9
    assert {name for name in names if name not in GUIDE} == set()


def test_files_and_tricks_named_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", GUIDE):
        assert (ROOT / "docs" / target).exists()
    for name in re.findall(r"^ +\| `(\w+\.py)` \|", GUIDE, re.MULTILINE):
        if name != "codec.py":
            assert (ROOT / "src" / "accord" / "groupware" / "memory" / name).exists()
