"""What the tests of the desk share: refusals as blocks, forged tokens, states of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from accord.ports.token import Refusal, Token, TokenRefused
from accord.state import State
from tests.databases import Sqlite
from tests.unit.state.build import Clock

LONG = 86_400.0 * 400
"""Seconds after which everything about a token is over."""


@contextmanager
def refused(refusal: Refusal) -> Iterator[None]:
    with pytest.raises(TokenRefused) as caught:
        yield
    assert caught.value.refusal is refusal
    assert caught.value.hint


def forged(token: Token) -> str:
    """Return the token with another MAC."""
    return token.text[:-1] + ("A" if token.text[-1] != "A" else "E")


def rows(state: State, table: Any) -> int:
    with state.read() as tx:
        return len(tx.db.execute(select(table)).all())


@contextmanager
def another() -> Iterator[tuple[State, Clock]]:
    """Open an empty state in this process, with keys of its own."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder, closing(Sqlite().blank()) as database:
        yield State(database, Path(folder) / "accord.key", clock), clock
