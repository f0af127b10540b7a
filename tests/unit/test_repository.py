"""The repository speaks only of itself, and its locks and modules keep their form."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import accord

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("runtime", "demo", "dev")
MAX_LINES = 500

# Written with gaps, so that this file does not accuse itself.
STRANGERS = {
    "package index": r"(?i)\b(?:pypi[.]org|pythonhosted[.]org|npmjs[.](?:org|com)|npm[.]pkg\b)"
    r"|\b(?:deb|security|ftp)[.]debian[.]org",
    "index option": r"--(?:extra-)?index-url\b|--find[-]links\b|\b(?:PIP|UV)_[A-Z_]*INDEX",
    "index address": r"https?://[^\s\"']+/simple\b",
    "machine path": r"(?<!\w)/(?:work/(?:main|shared)|root|opt/(?:pypi|wheels)|tmp/brief)\b",
    "home folder": r"(?<!\w)/home/(?!user|alice|accord|you)\w",
}


@pytest.mark.parametrize("what", STRANGERS)
def test_no_tracked_file_names(what: str) -> None:
    pattern = re.compile(STRANGERS[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked_files()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("package index", "https://files.python" + "hosted.org/packages/x.whl"),
        ("package index", "registry.npm" + "js.org"),
        ("index option", "--extra-" + "index-url x"),
        ("index address", "http://10.0.0.1/" + "simple"),
        ("machine path", 'open("/wo' + 'rk/main/x")'),
        ("machine path", "cd /ro" + "ot/x"),
        ("home folder", "/home/" + "bob/accord"),
    ],
)
def test_the_patterns_notice(what: str, line: str) -> None:
    assert re.search(STRANGERS[what], line)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_has_only_pins_with_hashes(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    logical = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text)).splitlines()
    pin = re.compile(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+( +;[^#]*?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert logical
    assert [line for line in logical if not pin.fullmatch(line.strip())] == []
    assert "://" not in text


@pytest.mark.parametrize("lock", ["runtime", "demo"])
def test_smaller_locks_agree_with_dev(lock: str) -> None:
    assert pins(lock).items() <= pins("dev").items()


def test_locks_hold_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert names(project["dependencies"]) <= pins("runtime").keys()
    assert names(project["dependencies"] + extras["demo"]) <= pins("demo").keys()
    every = [each for group in extras.values() for each in group]
    assert names(project["dependencies"] + every) - {"accord-sync"} <= pins("dev").keys()


def test_urllib3_is_the_genuine_one() -> None:
    """urllib3-future installs itself over urllib3, unasked, under everything that uses it."""
    assert not {"urllib3-future", "niquests"} & pins("dev").keys()


def test_every_module_says_its_place() -> None:
    assert [path for path in modules() if not ast.get_docstring(ast.parse(text_of(path)))] == []


def test_no_module_is_long() -> None:
    lengths = {path: len(text_of(path).splitlines()) for path in modules()}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def modules() -> list[Path]:
    found = sorted((ROOT / "src" / "accord").rglob("*.py"))
    assert found
    return found


def tracked_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listing.split("\0") if name]
    assert paths
    return [path for path in paths if path.is_file()]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([a-z0-9._-]+)(?:\[[a-z,]+\])?==(\S+)", text))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0] for each in requirements}


def test_the_package_tells_the_version_it_is_released_under() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["version"] == accord.__version__
