"""Histories from plain numbers: the same number gives the same history, and a small core of it.

`python -m tests.fuzz.play FIRST COUNT` plays some and shows the core of the first that fails.
"""

from __future__ import annotations

import random
import sys
import traceback
from typing import Any

from accord.model.kinds import Kind, Side
from accord.rules.rule import Clash
from tests.fuzz.test_histories import ACTS, LINKS, SHAPES, STANDS, STOCKS, History

Act = tuple[str, dict[str, Any]]
OFTEN = {
    "add": 4, "edit": 6, "change_entries": 2, "delete": 3, "disturb": 3, "sync": 6, "crash": 3,
    "expire": 0.3, "leave": 1.5, "stand": 1.5,
}  # fmt: skip


def write(seed: int, length: int = 14) -> list[Act]:
    """Return the acts of history `seed`."""
    chance = random.Random(seed)
    acts: list[Act] = [
        (
            "begin",
            {
                "kind": chance.choice([Kind.EVENT, Kind.EVENT, Kind.TASK, Kind.CONTACT]),
                "clash": chance.choice([None, Clash.CRM, Clash.GROUPWARE, Clash.HOLD]),
                "rate": chance.choice([0.0, 0.0, 0.03, 0.15]),
                "seed": seed,
                "shape": chance.choice(SHAPES),
                "stock": chance.choice(STOCKS),
            },
        )
    ]
    for _ in range(chance.randint(4, length)):
        side, pick, which = chance.choice(list(Side)), chance.randint(0, 5), chance.randint(0, 11)
        name = chance.choices(list(OFTEN), list(OFTEN.values()))[0]
        given: dict[str, dict[str, Any]] = {
            "add": {"side": side, "which": which},
            "edit": {"side": side, "pick": pick, "which": which},
            "change_entries": {"side": side, "pick": pick, "which": which},
            "delete": {"side": side, "pick": pick, "which": which},
            "disturb": {"act": chance.choice(ACTS), "side": side, "pick": pick, "which": which},
            "sync": {
                "full": chance.random() < 0.2,
                "minutes": chance.choice([1, 1, 400]),
                "links": chance.choice(LINKS),
            },
            "crash": {"after": chance.randint(0, 40), "links": chance.choice(LINKS)},
            "expire": {"side": side},
            "leave": {"pick": pick, "which": which},
            "stand": {
                "link": chance.choice(["alice", "absences"]),
                "stand": chance.choice(STANDS),
            },
        }
        acts.append((name, given[name]))
    return acts


def play(acts: list[Act]) -> str:
    """Play acts to their end; return what is wrong then, empty for nothing."""
    history = History()
    try:
        for name, values in acts:
            getattr(history, name)(**values)
    except Exception:  # noqa: BLE001 (whatever it is, the history went wrong)
        return traceback.format_exc()
    try:
        history.teardown()
    except AssertionError as error:
        return str(error)
    except Exception:  # noqa: BLE001 (whatever it is, the history went wrong)
        return traceback.format_exc()
    return ""


def core(acts: list[Act]) -> list[Act]:
    """Return the fewest acts that still go wrong."""
    changed = True
    while changed:
        changed = False
        for index in range(len(acts) - 1, 0, -1):
            fewer = acts[:index] + acts[index + 1 :]
            if play(fewer):
                acts, changed = fewer, True
    calm = [("begin", {**acts[0][1], "rate": 0.0}), *acts[1:]]
    return calm if play(calm) else acts


def main(first: int, count: int) -> int:
    for seed in range(first, first + count):
        acts = write(seed)
        wrong = play(acts)
        if wrong:
            small = core(acts)
            print(f"history {seed}:")
            for name, values in small:
                print("   ", name, values)
            print(play(small))
            return 1
    print(f"{count} histories went well")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
