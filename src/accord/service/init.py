"""Make a new installation: a commented `accord.toml`, the key file and the database.

Writes only what isn't there; a key file or database that exists is never touched.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from accord.db import Database
from accord.ports.errors import ConfigError
from accord.rules.render import render_value
from accord.service import connector
from accord.service.bootstrap import open_crm
from accord.service.config import FILE, Config, load
from accord.service.connector import KEY_FILE, is_elsewhere

DATABASE = "sqlite:///accord.db"
TEMPLATE = """\
# Accord's start-up settings. Each may also be given by the environment: ACCORD_DATABASE,
# ACCORD_KEY_FILE or ACCORD_KEY_COMMAND, ACCORD_CRM. Relative paths begin at this file.
# Targets, links and rules are not here: `accord import FILE` puts them into the database.

# Where Accord keeps what it remembers: a file of its own, or a PostgreSQL server
# (postgresql://user:password@host/name).
database = {database}

# The key that encrypts passwords and private entries in the database. Back it up apart from
# the database: without it they can't be read again. Only you may read it (mode 600).
key_file = {key_file}
# Or, in its place, a program that prints what a key file holds (docs/operations.md):
# key_command = ["/path/to/program", "argument"]   # no shell reads them

# The CRM. "database:" is the built-in one, in the same database;
# "database:sqlite:///crm.db" keeps it in another;
# "interface+https://crm.example.com/CRM.interface" is one on another machine.
crm = {crm}

# How a CRM on another machine is reached (docs/interface.md). The key is a password: with it
# this machine acts in the name of the CRM's users. `accord token key FILE` writes it there.
{on}[connector]
{on}token_key = {{ file = {token_key} }}
{on_ca}ca_file = {ca_file}{remark}{open}

# The tokens by which people and connectors sign in to CRM.interface (docs/tokens.md).
# [tokens]
# provider = "command"               # "hmac": Accord's own; "command": a program of yours
# command = ["/path/to/program"]     # the program and its arguments; no shell reads them
# skew = 60                          # by how many seconds clocks may differ

# Where `accord interface` serves phones and connectors (docs/interface.md).
# [interface]
# listen = "0.0.0.0:8443"            # 127.0.0.1:8640 unless you say otherwise
# certificate = "interface.pem"      # needed on any address but this machine's own
# key = "interface.key"
# address = "https://crm.example.com/CRM.interface"  # where a server stands in front of it

# How often `accord run` looks at what it doesn't hear of, in seconds (docs/operations.md).
# [run]
# interval = 300                     # a folder whose changes are heard of
# poll = 60                          # a folder whose changes are not
# interface = true                   # serve CRM.interface meanwhile (docs/interface.md)

# Who is told what is wrong, beside the log, and the server that takes mail (docs/operations.md).
# [smtp]
# server = "mail.example.com:587"
# security = "starttls"              # or "tls"; "none" only to a server on this machine
# user = "accord"
# password = {{ env = "SMTP_PASSWORD" }}
# sender = "accord@example.com"
# [notify]
# mail = ["admin@example.com"]
# webhook = "https://hooks.example.com/accord"  # or secret_webhook, by reference

# Where `accord run` says whether it lives, is ready, and its figures (docs/operations.md); each
# installation on one machine needs a port of its own.
[web]
listen = "127.0.0.1:8641"
# metrics_token = {{ file = "metrics.token" }}  # who reads the metrics shows it
# certificate = "accord.pem"         # on any address but this machine's own, with its key
# key = "accord-key.pem"             # or `without_tls = true`
"""


class Made(Struct, frozen=True, kw_only=True):
    """Say what `init` made, and what was there before.

    `token_key` is the file that has to hold the key of a CRM on another machine, and doesn't yet.
    """

    config: Config
    file: Path
    made: tuple[str, ...]
    kept: tuple[str, ...]
    token_key: Path | None = None


def init(
    folder: Path,
    *,
    database: str = DATABASE,
    key_file: str = "accord.key",
    crm: str = "database:",
    token_key: str = KEY_FILE,
    ca_file: str = "",
    without_tls: bool = False,
    force: bool = False,
) -> Made:
    """Write `accord.toml` into `folder`, which is made if need be; prepare key file and database.

    A CRM on another machine is asked nothing yet: its `token_key` need not be there. Raises
    ConfigError where there is an `accord.toml` already (unless `force`), or where the database
    can't be opened; then nothing new is left behind but what worked.
    """
    from accord.db import open_database
    from accord.state.state import State

    _make(folder)
    file = folder / FILE
    if file.exists() and not force:
        raise ConfigError(
            f"{file} is there already",
            field="config",
            hint="edit it, or write a fresh one with --force (key and database stay)",
        )
    text = written(database, key_file, crm, token_key, ca_file, without_tls=without_tls)
    fresh = file.with_name(f".{FILE}.new")
    _write(fresh, text)
    try:
        config = load(fresh, {}, folder)
        kept = [str(path) for path in _files(config) if path.exists()]
        opened = open_database(config.database)
        try:
            State(opened, config.key_file)
            missing = _open(config, opened)
        finally:
            opened.close()
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    made = [str(path) for path in (file, *_files(config)) if str(path) not in kept]
    return Made(
        config=load(file, {}, folder),
        file=file,
        made=tuple(made),
        kept=tuple(kept),
        token_key=missing,
    )


def written(
    database: str = DATABASE,
    key_file: str = "accord.key",
    crm: str = "database:",
    token_key: str = KEY_FILE,
    ca_file: str = "",
    *,
    without_tls: bool = False,
) -> str:
    """Return the text of an `accord.toml`; what a CRM here doesn't need is commented out."""
    away = is_elsewhere(crm)
    return TEMPLATE.format(
        database=render_value(database),
        key_file=render_value(key_file),
        crm=render_value(crm),
        on="" if away else "# ",
        on_ca="" if away and ca_file else "# ",
        token_key=render_value(token_key),
        ca_file=render_value(ca_file or "crm-ca.pem"),
        open="\nwithout_tls = true" if away and without_tls else "",
        remark="" if ca_file else "               # where its certificate is your own authority's",
    )


def _open(config: Config, database: Database) -> Path | None:
    """Open the CRM once, as far as that can be; return the token key's file if it is missing."""
    file = connector.key_file(config.connector, config.folder)
    if is_elsewhere(config.crm) and file is not None and not file.exists():
        connector.check(config.crm, config.connector)
        return file
    open_crm(config, database).close()
    return None


def _files(config: Config) -> list[Path]:
    found = [config.key_file]
    if config.database.startswith("sqlite:///"):
        found.append(Path(config.database.removeprefix("sqlite:///").partition("?")[0]))
    return found


def _make(folder: Path) -> None:
    """Make a folder that only its owner may look into; leave one that is there as it is."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"can't make the folder {folder}: {error.strerror}",
            field="folder",
            hint="the folder above it has to exist, and you must be allowed to write into it",
        ) from error


def _write(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"can't write into {path.parent}: {error.strerror}",
            field="config",
            hint="choose a folder that exists and that you may write into",
        ) from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
