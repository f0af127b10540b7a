"""The histories notice planted faults: without that, their silence would say nothing."""

from __future__ import annotations

import pytest

from tests.fuzz.bugs import BUGS
from tests.fuzz.play import play, write

ENOUGH = 1000


@pytest.mark.long
@pytest.mark.fuzz
@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("name", sorted(BUGS))
def test_the_histories_notice(name: str) -> None:
    with BUGS[name]():
        for seed in range(ENOUGH):
            complaint = play(write(seed))
            if complaint:
                print(f"{name}: noticed in history {seed}: {complaint.splitlines()[-1]}")
                return
    pytest.fail(f"{ENOUGH} histories went well in spite of {name}")
