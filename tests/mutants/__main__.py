"""`make mutants`: run mutmut over the rooms that decide, in a copy of the tree, and judge.

The copy in .cache/mutants keeps results: a stopped run goes on where it was, and a later one
tests anew only what changed and what lived.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

from tests.mutants.survivors import (
    KILLED,
    UNTESTED,
    Verdict,
    as_toml,
    from_diff,
    judge,
    load_reasons,
)

ROOT = Path(__file__).resolve().parents[2]
WORKSPACE = ROOT / ".cache" / "mutants"
EXPLAINED = ROOT / "tests" / "mutants" / "explained.toml"

# the code to plant faults in, and the tests that must notice
ROOMS = {
    "engine": ("src/accord/engine/*.py", "tests/unit/engine"),
    "rules": ("src/accord/rules/*.py", "tests/unit/rules"),
    "apply": ("src/accord/service/apply*.py", "tests/unit/service"),
}


def main() -> int:
    """Return 0 when every mutant is killed or explained, 1 when not, 2 when time ran out."""
    options = parse()
    rooms = {name: ROOMS[name] for name in options.room or ROOMS}
    if options.fresh:
        shutil.rmtree(WORKSPACE, ignore_errors=True)
    prepare(rooms)
    forget_survivors()
    finished = plant(options.workers, options.minutes)
    os.chdir(WORKSPACE)
    results = read_results(rooms)
    alive = [from_diff(name, status, diff_of(name)) for name, status in living(results)]
    complete = finished and not UNTESTED & set(results.values()) and rooms.keys() == ROOMS.keys()
    verdict = judge(alive, load_reasons(EXPLAINED), complete=complete)
    report(results, verdict)
    if verdict.unexplained or verdict.stale:
        return 1
    return 0 if finished and not UNTESTED & set(results.values()) else 2


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--room", action="append", choices=ROOMS, help="only this room")
    parser.add_argument("--minutes", type=float, default=90, help="stop after so long (resumable)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fresh", action="store_true", help="forget all earlier results")
    return parser.parse_args()


def prepare(rooms: dict[str, tuple[str, str]]) -> None:
    """Bring the copy up to date. Files keep their times, so that mutmut sees what changed."""
    WORKSPACE.mkdir(parents=True, exist_ok=True)
    for name in ("src", "tests"):
        mirror(ROOT / name, WORKSPACE / name)
    # mutmut copies these once and never again
    shutil.rmtree(WORKSPACE / "mutants" / "tests", ignore_errors=True)
    (WORKSPACE / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (WORKSPACE / "pyproject.toml").write_text(f"{settings}\n{mutmut_settings(rooms)}", "utf-8")


def mirror(source: Path, target: Path) -> None:
    """Copy what changed and remove what is gone."""
    wanted = {
        path.relative_to(source): path
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for old in [path for path in target.rglob("*") if path.is_file()]:
        if old.relative_to(target) not in wanted:
            old.unlink()
            stale = WORKSPACE / "mutants" / old.relative_to(WORKSPACE)
            for each in (stale, Path(f"{stale}.meta"), Path(f"{stale}.spans")):
                each.unlink(missing_ok=True)
    for relative, path in wanted.items():
        copy = target / relative
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def mutmut_settings(rooms: dict[str, tuple[str, str]]) -> str:
    tests = [path for _, path in rooms.values() if (ROOT / path).is_dir()]
    if not tests:
        sys.exit("no unit tests for " + ", ".join(rooms))
    settings: dict[str, Any] = {
        "source_paths": ["src"],
        "only_mutate": [pattern for pattern, _ in rooms.values()],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-p", "no:randomly", "--hypothesis-seed=0", "--timeout=0"],
        "use_git_change_detection": False,
        "on_dependency_change": "ignore",
    }
    return "\n".join(["[tool.mutmut]", *(f"{k} = {json.dumps(v)}" for k, v in settings.items())])


def forget_survivors() -> None:
    """Have all but the killed tested again: the tests may have become better."""
    for meta in WORKSPACE.glob("mutants/src/**/*.meta"):
        data = json.loads(meta.read_text(encoding="utf-8"))
        codes = data["exit_code_by_key"]
        data["exit_code_by_key"] = {
            name: code if status_by_exit_code[code] in KILLED else None
            for name, code in codes.items()
        }
        meta.write_text(json.dumps(data, indent=4), encoding="utf-8")


def plant(workers: int, minutes: float) -> bool:
    """Run mutmut; False when it was stopped before the end."""
    mutmut = str(Path(sys.executable).with_name("mutmut"))
    command = [mutmut, "run", "--max-children", str(workers)]
    log = WORKSPACE / "run.log"
    shown = sys.stdout.isatty()
    with log.open("wb") as sink:
        run = subprocess.Popen(
            command,
            cwd=WORKSPACE,
            stdout=None if shown else sink,
            stderr=subprocess.STDOUT if not shown else None,
            env={**os.environ, "PYTHONPATH": "", "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            code = run.wait(timeout=minutes * 60)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            stop(run)
            return False
    if code != 0:
        tail = "" if shown else log.read_text("utf-8", errors="replace")[-3000:]
        sys.exit(f"{tail}\nmutmut failed with exit code {code}; see {log.relative_to(ROOT)}")
    return True


def stop(run: subprocess.Popen[bytes]) -> None:
    os.killpg(run.pid, signal.SIGINT)
    try:
        run.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    # stopped while it still wrote mutants, it would take half a file for a whole one
    if not (WORKSPACE / "mutants" / "mutmut-stats.json").exists():
        shutil.rmtree(WORKSPACE / "mutants", ignore_errors=True)


def read_results(rooms: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Return the status of every mutant by its name."""
    results = {}
    for pattern, _ in rooms.values():
        for meta in sorted(Path("mutants").glob(f"{pattern}.meta")):
            codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
            results.update({name: status_by_exit_code[code] for name, code in codes.items()})
    if not results:
        sys.exit("mutmut made no mutants: is there code in " + ", ".join(rooms) + "?")
    return results


def living(results: dict[str, str]) -> list[tuple[str, str]]:
    return [pair for pair in results.items() if pair[1] not in KILLED | UNTESTED]


def diff_of(name: str) -> str:
    return get_diff_for_mutant(name)


def report(results: dict[str, str], verdict: Verdict) -> None:
    for mutant, why in verdict.explained:
        print(f"explained  {mutant.function}: {mutant.was!r} -> {mutant.now!r}: {why}")
    for key in verdict.stale:
        print(f"stale      no such survivor any more, remove it from explained.toml: {key}")
    untouched = [mutant for mutant in verdict.unexplained if mutant.status == "no tests"]
    for mutant in verdict.unexplained:
        if mutant not in untouched:
            print(f"\n# {mutant.status}: {mutant.name}\n{as_toml(mutant)}")
    for function, number in Counter(mutant.function for mutant in untouched).items():
        print(f"untested   no unit test of the room runs {function} ({number} mutants)")
    count = Counter(results.values())
    figures = ", ".join(f"{number} {status}" for status, number in count.most_common())
    print(f"\nmutants: {sum(count.values())} ({figures})")
    print(
        f"living: {len(verdict.unexplained)} unexplained, {len(verdict.explained)} explained, "
        f"{len(verdict.wording)} in the wording of messages; "
        f"{sum(count[status] for status in UNTESTED)} not tested yet"
    )


if __name__ == "__main__":
    sys.exit(main())
