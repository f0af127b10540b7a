"""Stages for the stories: people on Radicale or Cyrus, each with a link per kind.

Every story is played with SQLite behind Accord, and with PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from accord.sandbox.cyrus import Cyrus
from accord.sandbox.radicale import Radicale
from tests.databases import Databases
from tests.peers import new_account
from tests.scenario.stage import Stage

Enter = Callable[..., Stage]


@pytest.fixture
def enter(radicale: Radicale, tmp_path: Path, databases: Databases) -> Iterator[Enter]:
    """Set the stage on Radicale: `enter("anna", "ben", kinds=…, rules=…)`."""
    with ExitStack() as stack:

        def on(*names: str, **more: Any) -> Stage:
            accounts = {name: new_account(radicale, name) for name in names}
            return stack.enter_context(Stage(tmp_path, accounts, databases, **more))

        yield on


@pytest.fixture
def enter_mailed(cyrus: Cyrus, tmp_path: Path, databases: Databases) -> Iterator[Enter]:
    """Set the stage on Cyrus, which mails attendees into their IMAP INBOX."""
    with ExitStack() as stack:

        def on(*names: str, **more: Any) -> Stage:
            accounts = {name: new_account(cyrus, name, mailed=True) for name in names}
            return stack.enter_context(Stage(tmp_path, accounts, databases, **more))

        yield on
