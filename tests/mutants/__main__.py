"""`make mutants`: run mutmut over the rooms that decide, in copies of the tree, and judge.

Room by room, so that each is answered for by its own unit tests, which are quick. The copies in
.cache/mutants keep results: a stopped run goes on where it was, and a later one tests anew only
what changed and what lived.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from mutmut.configuration import reset_config
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

from tests.mutants.survivors import (
    KILLED,
    UNTESTED,
    Mutant,
    Verdict,
    as_toml,
    from_diff,
    judge,
    load_reasons,
)

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "mutants"
EXPLAINED = ROOT / "tests" / "mutants" / "explained.toml"


class Room(NamedTuple):
    """Some code to plant faults in, and the tests that must notice."""

    name: str
    code: tuple[str, ...]
    tests: tuple[str, ...]

    @property
    def workspace(self) -> Path:
        return CACHE / self.name


def service(*names: str) -> tuple[str, ...]:
    return tuple(f"src/accord/service/{name}.py" for name in names)


def service_tests(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/service/test_{name}.py" for name in names)


APPLY = ("apply", "writes", "commit")
ROOMS = {
    room.name: room
    for room in (
        Room("engine", ("src/accord/engine/*.py",), ("tests/unit/engine",)),
        Room("rules", ("src/accord/rules/*.py",), ("tests/unit/rules",)),
        # these take longest: their tests synchronize whole worlds
        Room("recover", service("recover"), service_tests("recover", *APPLY, "lost_value")),
        Room(
            "ledger",
            service("ledger"),
            service_tests("ledger", "ledger_pairs", *APPLY, "conflicts", "decisions", "redaction"),
        ),
        Room(
            "apply",
            service(*APPLY),
            service_tests(*APPLY, "claims", "refused", "rule_change", "undo"),
        ),
    )
}


def main() -> int:
    """Return 0 when every mutant is killed or explained, 1 when not, 2 when time ran out."""
    options = parse()
    rooms = [ROOMS[name] for name in options.room or ROOMS]
    deadline = time.monotonic() + options.minutes * 60
    results: dict[str, dict[str, str]] = {}
    alive: list[Mutant] = []
    through = True
    for room in rooms:
        if options.fresh:
            shutil.rmtree(room.workspace, ignore_errors=True)
        prepare(room)
        forget_survivors(room)
        through &= plant(room, options.workers, deadline - time.monotonic())
        found = read_results(room)
        if through and not found:
            sys.exit(f"no mutants of {room.name}: is there code in {', '.join(room.code)}?")
        print(f"{room.name}: {figures(found)}", flush=True)
        results[room.name] = found
        alive += [read_mutant(room, name, status) for name, status in living(found)]
    every = {name: status for found in results.values() for name, status in found.items()}
    finished = through and not UNTESTED & set(every.values())
    complete = finished and len(rooms) == len(ROOMS)
    verdict = judge(alive, load_reasons(EXPLAINED), complete=complete)
    report(every, verdict)
    print(table(results, verdict))
    if verdict.unexplained or verdict.stale:
        return 1
    return 0 if finished else 2


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("--room", action="append", choices=ROOMS, help="only this room")
    parser.add_argument("--minutes", type=float, default=90, help="stop after so long (resumable)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--fresh", action="store_true", help="forget all earlier results")
    return parser.parse_args()


def prepare(room: Room) -> None:
    """Bring the copy up to date. Files keep their times, so that mutmut sees what changed."""
    room.workspace.mkdir(parents=True, exist_ok=True)
    for name in ("src", "tests"):
        mirror(room.workspace, name)
    # mutmut copies these once and never again
    shutil.rmtree(room.workspace / "mutants" / "tests", ignore_errors=True)
    (room.workspace / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (room.workspace / "pyproject.toml").write_text(f"{settings}\n{mutmut_settings(room)}", "utf-8")


def mirror(workspace: Path, name: str) -> None:
    """Copy what changed and remove what is gone."""
    source, target = ROOT / name, workspace / name
    wanted = {
        path.relative_to(source): path
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for old in [path for path in target.rglob("*") if path.is_file()]:
        if old.relative_to(target) not in wanted:
            old.unlink()
            stale = workspace / "mutants" / old.relative_to(workspace)
            for each in (stale, Path(f"{stale}.meta"), Path(f"{stale}.spans")):
                each.unlink(missing_ok=True)
    for relative, path in wanted.items():
        copy = target / relative
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def mutmut_settings(room: Room) -> str:
    settings: dict[str, Any] = {
        "source_paths": ["src"],
        "only_mutate": list(room.code),
        "pytest_add_cli_args_test_selection": list(room.tests),
        "pytest_add_cli_args": [
            *("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "tests.mutants.swift"),
            *("--hypothesis-profile=swift", "--hypothesis-seed=0", "--timeout=0"),
            *("-m", "not postgres"),
        ],
        "use_git_change_detection": False,
        "on_dependency_change": "ignore",
        # an endless loop is one long before the fifteenfold time
        "timeout_constant": 5.0,
        "timeout_multiplier": 5.0,
    }
    return "\n".join(["[tool.mutmut]", *(f"{k} = {json.dumps(v)}" for k, v in settings.items())])


def forget_survivors(room: Room) -> None:
    """Have all but the killed tested again: the tests may have become better."""
    for meta in room.workspace.glob("mutants/src/**/*.meta"):
        data = json.loads(meta.read_text(encoding="utf-8"))
        codes = data["exit_code_by_key"]
        data["exit_code_by_key"] = {
            name: code if status_by_exit_code[code] in KILLED else None
            for name, code in codes.items()
        }
        meta.write_text(json.dumps(data, indent=4), encoding="utf-8")


def plant(room: Room, workers: int, seconds: float) -> bool:
    """Run mutmut until it is through or the time is; tell whether it is through."""
    mutmut = str(Path(sys.executable).with_name("mutmut"))
    log = room.workspace / "run.log"
    shown = sys.stdout.isatty()
    with log.open("wb") as sink:
        run = subprocess.Popen(
            [mutmut, "run", "--max-children", str(workers)],
            cwd=room.workspace,
            stdout=None if shown else sink,
            stderr=subprocess.STDOUT if not shown else None,
            env={**os.environ, "PYTHONPATH": str(room.workspace), "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            code = run.wait(timeout=max(seconds, 1))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            stop(room, run)
            return False
    if code != 0:
        tail = "" if shown else log.read_text("utf-8", errors="replace")[-3000:]
        sys.exit(f"{tail}\nmutmut failed with exit code {code}; see {log.relative_to(ROOT)}")
    return True


def stop(room: Room, run: subprocess.Popen[bytes]) -> None:
    os.killpg(run.pid, signal.SIGINT)
    try:
        run.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    # stopped while it still wrote mutants, it would take half a file for a whole one
    if not (room.workspace / "mutants" / "mutmut-stats.json").exists():
        shutil.rmtree(room.workspace / "mutants", ignore_errors=True)


def read_results(room: Room) -> dict[str, str]:
    """Return the status of every mutant by its name."""
    results = {}
    for pattern in room.code:
        for meta in sorted((room.workspace / "mutants").glob(f"{pattern}.meta")):
            codes = json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
            results.update({name: status_by_exit_code[code] for name, code in codes.items()})
    return results


def living(results: dict[str, str]) -> list[tuple[str, str]]:
    return [pair for pair in results.items() if pair[1] not in KILLED | UNTESTED]


def read_mutant(room: Room, name: str, status: str) -> Mutant:
    os.chdir(room.workspace)
    reset_config()
    diff = get_diff_for_mutant(name)
    source = diff.partition("\n")[0].removeprefix("--- ")
    return from_diff(name, status, diff, (room.workspace / source).read_text(encoding="utf-8"))


def figures(results: dict[str, str]) -> str:
    count = Counter(results.values())
    killed = sum(count[status] for status in KILLED)
    others = [f"{n} {status}" for status, n in count.most_common() if status not in KILLED]
    return ", ".join([f"{sum(count.values())} mutants", f"{killed} killed", *others])


def report(results: dict[str, str], verdict: Verdict) -> None:
    for mutant in verdict.wording:
        print(f"wording    {mutant.file}:{mutant.line} {mutant.name}: {mutant.now!r}")
    for mutant, why in verdict.explained:
        print(f"explained  {mutant.function}: {mutant.was!r} -> {mutant.now!r}: {why}")
    for key in verdict.stale:
        print(f"stale      no such survivor any more, remove it from explained.toml: {key}")
    untouched = [mutant for mutant in verdict.unexplained if mutant.status == "no tests"]
    for mutant in verdict.unexplained:
        if mutant not in untouched:
            print(
                f"\n# {mutant.file}:{mutant.line} {mutant.status}: {mutant.name}\n{as_toml(mutant)}"
            )
    for function, number in Counter(mutant.function for mutant in untouched).items():
        print(f"untested   no unit test of the room runs {function} ({number} mutants)")
    print(
        f"\n{figures(results)}\n"
        f"living: {len(verdict.unexplained)} unexplained, {len(verdict.explained)} explained, "
        f"{len(verdict.wording)} in the wording of messages"
    )


def table(results: dict[str, dict[str, str]], verdict: Verdict) -> str:
    """Return the figures of each room as docs/mutants.md shows them."""
    kinds = (
        {mutant.name for mutant, _ in verdict.explained},
        {mutant.name for mutant in verdict.wording},
        {mutant.name for mutant in verdict.unexplained},
    )
    lines = [
        "| Room | Mutants | Tested | Killed | Explained | Wording | Open |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for room, found in results.items():
        tested = [status for status in found.values() if status not in UNTESTED]
        killed = sum(status in KILLED for status in tested)
        alive = [len(names & found.keys()) for names in kinds]
        figures = [f"{number:,}" for number in (len(found), len(tested), killed, *alive)]
        lines.append(f"| {' | '.join([f'`{room}`', *figures])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
