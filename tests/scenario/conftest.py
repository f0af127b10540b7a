"""Stages for the stories: people on Radicale or Cyrus, each with a link per kind.

Every story is played with SQLite behind Accord, and with PostgreSQL; and with the CRM in Accord's
own process, and on another machine behind CRM.interface. Of the latter, `make test` plays those
that are marked `split`, with SQLite; `make split` plays them all.
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
from tests.exchange import House
from tests.peers import new_account
from tests.scenario.exchange import ExchangeStage
from tests.scenario.stage import Stage

Enter = Callable[..., Stage]
EnterExchange = Callable[..., ExchangeStage]


SPLIT = "split"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        given = getattr(item, "callspec", None)
        if given is not None and given.params.get("topology") == SPLIT:
            chosen = item.get_closest_marker(SPLIT) is not None
            if not chosen or given.params.get("databases") == "postgres":
                item.add_marker(pytest.mark.long)


@pytest.fixture(params=["one", SPLIT])
def topology(request: pytest.FixtureRequest) -> str:
    """Connector and CRM on one machine, and on two."""
    return str(request.param)


@pytest.fixture
def enter(
    radicale: Radicale, tmp_path: Path, databases: Databases, topology: str
) -> Iterator[Enter]:
    """Set the stage on Radicale: `enter("anna", "ben", kinds=…, rules=…)`."""
    with ExitStack() as stack:

        def on(*names: str, **more: Any) -> Stage:
            accounts = {name: new_account(radicale, name) for name in names}
            return stack.enter_context(
                Stage(tmp_path, accounts, databases, split=topology == SPLIT, **more)
            )

        yield on


@pytest.fixture
def enter_mailed(
    cyrus: Cyrus, tmp_path: Path, databases: Databases, topology: str
) -> Iterator[Enter]:
    """Set the stage on Cyrus, which mails attendees into their IMAP INBOX."""
    with ExitStack() as stack:

        def on(*names: str, **more: Any) -> Stage:
            accounts = {name: new_account(cyrus, name, mailed=True) for name in names}
            return stack.enter_context(
                Stage(tmp_path, accounts, databases, split=topology == SPLIT, **more)
            )

        yield on


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """A stand-in Exchange."""
    made = House()
    yield made
    made.close()


@pytest.fixture
def enter_exchange(
    house: House, tmp_path: Path, databases: Databases, topology: str
) -> Iterator[EnterExchange]:
    """Set the stage on the stand-in; in the end nothing was mailed that people didn't send."""
    with ExitStack() as stack:
        stages: list[ExchangeStage] = []

        def on(*names: str, **more: Any) -> ExchangeStage:
            split = topology == SPLIT
            stage = ExchangeStage(tmp_path, house, names, databases, split=split, **more)
            stages.append(stack.enter_context(stage))
            return stage

        yield on
        for stage in stages:
            assert sum(stage.mails().values()) == stage.allowed, stage.mails()
