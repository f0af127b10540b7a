"""A killed process's folder is taken over at once; a living one's never."""

from __future__ import annotations

import subprocess
import sys

import pytest

from accord.state.holder import is_dead, myself


@pytest.fixture
def on_both() -> None:
    """Nothing here opens a database."""


def test_a_living_holder_keeps_its_lease() -> None:
    assert not is_dead(myself())


def test_a_process_that_ended_on_this_machine_is_dead() -> None:
    code = "from accord.state.holder import myself; print(myself())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert is_dead(ended.stdout.strip())


def test_a_holder_elsewhere_is_never_taken_for_dead() -> None:
    assert not is_dead("other-host:boot:pid/1/abcd")
    assert not is_dead("")
