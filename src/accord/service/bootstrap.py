"""The only place that builds things: from start-up settings to Accord, ready to work.

Commands and later the service's processes begin here; `init` prepares what this opens.
"""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from accord.db import Database, open_database
from accord.ports.adapter import Adapter
from accord.ports.clock import Clock, system_clock
from accord.ports.errors import ConfigError
from accord.ports.queue import Queue
from accord.ports.token import TokenProvider
from accord.service import connector, outside, registry
from accord.service.accord import Accord, Crm
from accord.service.config import Config, without_password
from accord.service.secret_refs import SecretMissing, printed
from accord.service.vault import StateVault
from accord.state.records import Target
from accord.state.secrets import CommandKeys, FileKeys, Keys
from accord.state.state import State

if TYPE_CHECKING:
    from accord.interface.server.server import Server
    from accord.interface.tokens.desk import Desk

ERASURES = "accord.erasures"
"""The file of erasures beside accord.toml, where there is no key file beside which it could be."""

KEY_PATIENCE = 8.0
"""For how many seconds a program may look for keys: a transaction may be open meanwhile, and
others wait for ten."""

_BESIDE, _MOST = 4, 25
"""How many connections to PostgreSQL there are beside one for each visit, and at most."""


def open_accord(config: Config, clock: Clock = system_clock) -> Accord:
    """Open state and CRM; targets are built when first needed.

    Raises ConfigError for what is missing or wrong, TooNew for a database of a newer Accord.
    """
    if not (config.key_command or config.key_file.exists()):
        # Never made here: a fresh key beside an old database would hide that the real one is gone.
        raise ConfigError(
            f"there is no key file {config.key_file}",
            field="key_file",
            hint="restore it from where you keep it; for a new installation run `accord init`",
        )
    keys = open_keys(config)
    database = open_database(config.database, _of_state(config.run.workers))
    try:
        state = State(database, keys, clock)
        crm = open_crm(config, database, clock)
    except BaseException:
        database.close()
        raise
    return Accord(state, crm, lambda target: _build(state, target), clock)


def open_keys(config: Config) -> Keys:
    """Return the keys of a program or of a file, which is made if missing; raises ConfigError."""
    if not config.key_command:
        return FileKeys(config.key_file)
    words, folder = config.key_command, config.folder

    def ask() -> str:
        try:
            return printed(words, folder, KEY_PATIENCE)
        except SecretMissing as error:
            raise ConfigError(
                f"no key to be had: {error}",
                field="key_command",
                hint=error.hint or "call it by hand, as the user that Accord runs as",
            ) from error

    return CommandKeys(ask, f"what {words[0]} prints", folder / ERASURES)


def connections(workers: int) -> int:
    """Return how many connections to PostgreSQL a process of `accord run` has at most.

    A built-in CRM in another database than Accord's has as many as state there, besides.
    """
    from accord.queue.connections import most

    return _of_state(workers) + most(workers)


def _of_state(workers: int) -> int:
    # No transaction lasts while a side is talked to, so that more visits than that don't wait.
    return min(workers + _BESIDE, _MOST)


def open_queue(config: Config) -> Queue:
    """Return the queue of folders to visit, which other processes share; raises ConfigError.

    On PostgreSQL it lives in state's database. On SQLite it has a file of its own beside state's:
    a file has one writer at a time, and a queue writes all the time; whoever puts an old state
    back has no old jobs with it. What is lost with the file, the next start asks for anew.
    """
    from accord.queue.durable import DurableQueue
    from accord.queue.memory import MemoryQueue

    url = make_url(config.database)
    if url.get_backend_name() != "sqlite":
        return DurableQueue(config.database)
    file = queue_file(config)
    if file is None:
        return MemoryQueue()
    return DurableQueue(url.set(database=str(file)).render_as_string(hide_password=False))


def queue_file(config: Config) -> Path | None:
    """Return the queue's own file, None where it is on a server or in memory."""
    url = make_url(config.database)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    state = Path(str(url.database))
    return state.with_name(f"{state.stem}-queue{state.suffix}")


def _build(state: State, target: Target) -> Adapter:
    return registry.build(target, StateVault(state, target.id))


def open_crm(config: Config, database: Database, clock: Clock = system_clock) -> Crm:
    """Open the CRM that `crm = "…"` names; `database` is the one state lives in.

    `database:` is the built-in CRM in that same database, `database:ADDRESS` in another one,
    `interface+https://…` one behind CRM.interface, which is asked nothing yet, `python:PACKAGE`
    one of somebody else's, and `memory:` one that forgets everything in the end. Raises
    ConfigError.
    """
    scheme, colon, rest = config.crm.partition(":")
    if scheme == outside.SCHEME and rest:
        return outside.build(rest, config.folder)
    if scheme not in registry.CRM or not colon:
        raise ConfigError(
            f"there is no CRM {without_password(config.crm)!r}",
            field="crm",
            hint='use "database:" for the built-in CRM in Accord\'s own database, '
            '"database:sqlite:///crm.db" for one in another, '
            'or "interface+https://host/CRM.interface" for one on another machine',
        )
    if scheme == "database":
        return _built_in(rest, database, clock, _of_state(config.run.workers))
    if connector.is_elsewhere(config.crm):
        return _elsewhere(config, clock)
    crm: Crm = import_module(registry.CRM[scheme]).build({"instance": rest} if rest else {})
    return crm


def open_desk(accord: Accord, config: Config) -> Desk:
    """Return the desk that issues and checks tokens for CRM.interface; raises ConfigError."""
    from accord.interface.tokens.command import CommandTokens
    from accord.interface.tokens.desk import Desk
    from accord.interface.tokens.hmac import HmacTokens
    from accord.interface.tokens.settings import Provider

    require_near(config, "tokens are issued and checked there")
    settings = config.tokens
    provider: TokenProvider
    match settings.provider:
        case Provider.HMAC:
            provider = HmacTokens(accord.state)
        case Provider.COMMAND:
            provider = CommandTokens(settings.command, settings.timeout, config.folder)

    def enter(user: str) -> None:
        with accord.crm.open(user):
            pass

    return Desk(accord.state, provider, enter, settings)


def open_interface(accord: Accord, config: Config) -> Server:
    """Return the server of CRM.interface; raises ConfigError."""
    from accord.interface.server.house import House
    from accord.interface.server.server import Server
    from accord.interface.server.signin import SignIn

    sign_in = SignIn(accord.state, open_desk(accord, config))
    return Server(House(accord.state, accord.crm, sign_in, config.interface))


def require_near(config: Config, why: str) -> None:
    """Raise ConfigError where the CRM is on another machine."""
    if connector.is_elsewhere(config.crm):
        raise ConfigError(
            f"the CRM is behind {connector.url_of(config.crm)}: {why}",
            field="crm",
            hint="run this command on the machine where CRM.interface runs",
        )


def _elsewhere(config: Config, clock: Clock) -> Crm:
    from accord.crm.syncml import build, signed
    from accord.crm.syncml.settings import configure

    settings = connector.settings(config.crm, config.connector, config.folder)
    lifetime = timedelta(minutes=configure(settings).token_minutes)
    return build(settings, signed(settings[connector.KEY], lifetime, clock))


def _built_in(address: str, database: Database, clock: Clock, connections: int) -> Crm:
    from accord.crm.database import DatabaseCrm

    if not address:
        return DatabaseCrm(database, clock=clock, shared=True)
    other = open_database(address, connections)
    try:
        return DatabaseCrm(other, clock=clock)
    except BaseException:
        other.close()
        raise
