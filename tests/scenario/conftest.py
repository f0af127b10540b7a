"""Stages for the stories: people on Radicale or Cyrus, each with a link per kind.

On every stage nobody gets mail that the story doesn't allow: Cyrus's people are asked over IMAP,
the stand-in Exchange counts, and Radicale mails nobody. What may make mail plays on Cyrus, too.

Every story is played with SQLite behind Accord, and with PostgreSQL; and with the CRM in Accord's
own process, and on another machine behind CRM.interface. Of the latter, `make test` plays those
that are marked `split`, with SQLite; `make split` plays them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from accord.sandbox.cyrus import Cyrus
from accord.sandbox.radicale import Radicale
from tests.databases import Databases
from tests.exchange import House
from tests.peers import new_account
from tests.scenario.exchange import ExchangeStage
from tests.scenario.mailed import MailedStage
from tests.scenario.stage import Stage

S = TypeVar("S", bound=Stage)
Enter = Callable[..., Stage]
EnterMailed = Callable[..., MailedStage]
EnterExchange = Callable[..., ExchangeStage]


SPLIT, CYRUS = "split", "cyrus"


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
    with _silent(_on_radicale(radicale, tmp_path, databases, topology)) as enter:
        yield enter


@pytest.fixture
def enter_mailed(
    cyrus: Cyrus, tmp_path: Path, databases: Databases, topology: str
) -> Iterator[EnterMailed]:
    """Set the stage on Cyrus, which mails attendees into their IMAP INBOX."""
    with _silent(_on_cyrus(cyrus, tmp_path, databases, topology)) as enter:
        yield enter


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.peer) for name in ("radicale", CYRUS)])
def enter_each(
    request: pytest.FixtureRequest, tmp_path: Path, databases: Databases, topology: str
) -> Iterator[Enter]:
    """Set the stage on Radicale, and on Cyrus."""
    server = request.getfixturevalue(request.param)
    on = _on_cyrus if request.param == CYRUS else _on_radicale
    with _silent(on(server, tmp_path, databases, topology)) as enter:
        yield enter


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
    """Set the stage on the stand-in."""

    def make(*names: str, **more: Any) -> ExchangeStage:
        split = topology == SPLIT
        return ExchangeStage(tmp_path, house, names, databases, split=split, **more)

    with _silent(make) as enter:
        yield enter


def _on_radicale(
    server: Radicale, folder: Path, databases: Databases, topology: str
) -> Callable[..., Stage]:
    def make(*names: str, **more: Any) -> Stage:
        accounts = {name: new_account(server, name) for name in names}
        return Stage(folder, accounts, databases, split=topology == SPLIT, **more)

    return make


def _on_cyrus(
    server: Cyrus, folder: Path, databases: Databases, topology: str
) -> Callable[..., MailedStage]:
    def make(*names: str, **more: Any) -> MailedStage:
        split = topology == SPLIT
        return MailedStage(folder, server, names, databases, split=split, **more)

    return make


@contextmanager
def _silent(make: Callable[..., S]) -> Iterator[Callable[..., S]]:
    """Yield what sets a stage; in the end nothing was mailed that people didn't send."""
    with ExitStack() as stack:
        stages: list[S] = []

        def on(*names: str, **more: Any) -> S:
            stage = make(*names, **more)
            stack.enter_context(stage)
            stages.append(stage)
            return stage

        yield on
        for stage in stages:
            assert sum(stage.mails().values()) == stage.allowed, stage.mails()
