"""`make test` plays each story on one database; what is about a database runs on both."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from tests.conftest import _other_database


class Item(NamedTuple):
    """A test, as far as its name tells."""

    nodeid: str


STORIES = [
    f"tests/{room}/test_story.py::test_{number}[{name}{more}]"
    for room in ("unit/cli", "unit/service", "scenario")
    for number in range(20)
    for more in ("", "-split")
    for name in ("sqlite", "postgres")
]
KEPT = [
    "tests/unit/cli/test_story.py::test_plain",
    "tests/unit/service/test_connections.py::test_counts[postgres]",
    "tests/unit/state/test_journal.py::test_order[sqlite]",
    "tests/unit/state/test_journal.py::test_order[postgres]",
    "tests/fuzz/test_histories.py::test_histories[sqlite]",
    "tests/fuzz/test_histories.py::test_histories[postgres]",
]


def test_each_story_is_played_once_half_of_them_on_either_database() -> None:
    items = [Item(name) for name in (*STORIES, *KEPT)]
    gone = {item.nodeid for item in _other_database(cast(Any, items))}
    played = [name for name in STORIES if name not in gone]
    assert len(played) == len(STORIES) / 2
    assert len({name.replace("postgres", "sqlite") for name in played}) == len(played)
    assert 0.3 < sum("postgres" in name for name in played) / len(played) < 0.7
    assert gone.isdisjoint(KEPT)
