"""A desk on both databases in turn, for a CRM that lets in anna and bob."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from accord.interface.tokens.desk import Desk
from accord.interface.tokens.hmac import HmacTokens
from accord.interface.tokens.settings import TokenSettings
from accord.ports.errors import AuthFailed
from accord.ports.token import TokenProvider
from accord.state import State
from tests.unit.state.conftest import (  # noqa: F401 (fixtures)
    clock,
    database,
    key_file,
    state,
    state_url,
)

HOUR = timedelta(hours=1)
USERS = {"anna", "bob", "Łukasz O'Brien"}

MakeDesk: TypeAlias = Callable[..., Desk]


def enter(user: str) -> None:
    """Let in whom the CRM knows."""
    if user not in USERS:
        raise AuthFailed(f"there is no CRM user {user!r}", code="user")


@pytest.fixture
def make_desk(state: State) -> MakeDesk:  # noqa: F811
    """Open a desk with these settings; several stand for several processes."""

    def make(provider: TokenProvider | None = None, **settings: Any) -> Desk:
        return Desk(state, provider or HmacTokens(state), enter, TokenSettings(**settings))

    return make


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk()
