"""Back up Accord's own database, and put a backup back: rid of who was erased since, and held.

SQLite is copied while others write; PostgreSQL is left to `pg_dump`, `pg_restore` and `psql`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from msgspec import Struct
from sqlalchemy import make_url

from accord.db import open_database
from accord.ports.clock import Clock, system_clock
from accord.ports.errors import ConfigError
from accord.service import erasures
from accord.service.bootstrap import open_crm, open_keys, queue_file
from accord.service.config import Config
from accord.state.processes import at_work
from accord.state.purging import Purged
from accord.state.state import State

_MAGIC = b"SQLite format 3\0"
_PATIENCE = 1.0
"""For how many seconds it is waited until nobody works with the former database any more."""

_BEGIN = """
BEGIN;
SET client_min_messages = warning;
DO $accord$
DECLARE named text;
BEGIN
  FOR named IN SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
      AND c.relname ~ '^({ours})'
  LOOP EXECUTE 'DROP TABLE IF EXISTS ' || named || ' CASCADE'; END LOOP;
  FOR named IN SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = current_schema()::regnamespace AND p.proname ~ '^({ours}).*_refuse$'
  LOOP EXECUTE 'DROP FUNCTION IF EXISTS ' || named || ' CASCADE'; END LOOP;
END $accord$;
"""
"""What goes before a dump: all that is Accord's goes, also what the dump doesn't know."""


class Restored(Struct, frozen=True, kw_only=True):
    """Say what was put back: who was erased from it, and where the former database is, if kept."""

    purged: Purged | None
    former: str = ""


def back_up(config: Config, file: Path) -> int:
    """Write a backup into a new file for its owner's eyes only; return its size in bytes.

    Raises ConfigError where the file is there already, or the tool for it lacks.
    """
    source = _sqlite(config)
    _make(file)
    try:
        if source is None:
            _call(config, "pg_dump", "--format=custom", f"--file={file}")
        else:
            with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(file)) as there:
                here.backup(there)
                # A backup is one file: nothing may wait beside it.
                there.execute("PRAGMA journal_mode = DELETE")
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return file.stat().st_size


def restore(
    config: Config, file: Path, clock: Clock = system_clock, *, even_running: bool = False
) -> Restored:
    """Put a backup in the place of the database, without those who were erased since.

    On SQLite the former database is kept beside it, and the queue's goes: it is of another time. On
    PostgreSQL nothing of the former one stays, and erasures follow right after. Whatever happened
    to it, visits are held until `accord check --accept`. Raises ConfigError where the file is no
    backup of Accord's, and while somebody works with the database; on PostgreSQL, where only signs
    of life tell, `even_running` goes on.
    """
    if not file.is_file():
        raise ConfigError(f"there is no file {file}", field="file")
    target = _sqlite(config)
    if target is None:
        _put_back(config, file, even_running=even_running)
        return Restored(purged=_replay(config, config.database, clock))
    fresh = target.with_name(f"{target.name}.restoring")
    _clear(fresh)
    try:
        _copy(file, fresh)
        purged = _replay(config, f"sqlite:///{fresh}", clock)
        with closing(sqlite3.connect(fresh)) as there:
            there.execute("VACUUM")
            there.execute("PRAGMA journal_mode = DELETE")
        former = _set_aside(target)
        fresh.replace(target)
        queue = queue_file(config)
        assert queue is not None
        _clear(queue)
    finally:
        _clear(fresh)
    return Restored(purged=purged, former=former)


def _require_rest(config: Config) -> None:
    """Raise ConfigError while the service gives signs of life: what it did last would be lost."""
    with closing(open_database(config.database)) as database:
        found = at_work(database)
    if found:
        hint = (
            "stop `accord run` and `accord interface` on all machines, then restore again; of one "
            "that was killed 15 seconds are to pass. With --even-running it is done all the same"
        )
        detail = f"somebody works with the database: {', '.join(found)}"
        raise ConfigError(detail, field="database", hint=hint)


def _replay(config: Config, url: str, clock: Clock) -> Purged | None:
    """Erase anew from a database that was put back, the built-in CRM in it included.

    Who ran when the backup was made is forgotten.
    """
    database = open_database(url)
    try:
        state = State(database, open_keys(config), clock)
        with state.begin() as tx:
            tx.processes.forget_all()
        crm = open_crm(config, database, clock) if config.crm == "database:" else None
        # One in a database of its own has erased them by itself, and isn't asked here.
        return erasures.replay(state, crm, erased=config.crm.startswith("database:"))
    finally:
        database.close()


def _copy(file: Path, fresh: Path) -> None:
    with file.open("rb") as head:
        known = head.read(len(_MAGIC)) == _MAGIC
    if known:
        _make(fresh)
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as backup:
            query = "SELECT 1 FROM sqlite_master WHERE name = 'state_links'"
            known = backup.execute(query).fetchone() is not None
            with closing(sqlite3.connect(fresh)) as there:
                backup.backup(there)
    if not known:
        hint = "name a file that `accord backup` wrote"
        raise ConfigError(f"{file} is no backup of Accord's", field="file", hint=hint)


def _set_aside(target: Path) -> str:
    """Keep what was there under another name; what waits in its log comes along."""
    if not target.exists():
        return ""
    try:
        with closing(sqlite3.connect(target, timeout=_PATIENCE)) as old:
            # This takes what waits in the log into the file, and works only if nobody else has it
            # open: whoever did would go on with the former database.
            old.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        hint = "stop `accord run` and whatever else has it open, then restore again"
        detail = f"somebody works with {target}: {error}"
        raise ConfigError(detail, field="database", hint=hint) from error
    former = target.with_name(f"{target.name}.former")
    _clear(former)
    target.replace(former)
    _clear(target)
    return str(former)


def _clear(file: Path) -> None:
    for more in ("", "-wal", "-shm", "-journal"):
        file.with_name(f"{file.name}{more}").unlink(missing_ok=True)


def _make(file: Path) -> None:
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        hint = "name another one; a backup replaces nothing"
        raise ConfigError(f"there is a file {file} already", field="file", hint=hint) from None
    except OSError as error:
        raise ConfigError(f"can't write {file}: {error.strerror}", field="file") from error


def _sqlite(config: Config) -> Path | None:
    """Return the file of the database, None where it is on a PostgreSQL server."""
    url = make_url(config.database)
    if url.get_backend_name() != "sqlite":
        return None
    if url.database in (None, "", ":memory:"):
        raise ConfigError("a database in memory has no backup", field="database")
    return Path(str(url.database))


def _put_back(config: Config, file: Path, *, even_running: bool) -> None:
    """Put a dump in the place of all that is Accord's, in one transaction.

    An upgrade may have made tables since that the dump doesn't know; they go, too. It is committed
    only once the dump was read to its end.
    """
    reading, putting = _program("pg_restore"), _program("psql")
    if not even_running:
        _require_rest(config)
    address, environment = _address(config)
    ours = "state_|queue_"
    if config.crm == "database:":
        ours += "|crm_|database_revision$"
    with (
        TemporaryFile() as read_said,
        TemporaryFile() as put_said,
        subprocess.Popen(
            [reading, "--clean", "--if-exists", "--file=-", str(file)],
            stdout=subprocess.PIPE,
            stderr=read_said,
        ) as read,
        subprocess.Popen(
            [putting, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", address],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=put_said,
        ) as put,
    ):
        assert read.stdout is not None and put.stdin is not None
        # Where the pipe breaks psql has ended, and says why.
        with suppress(BrokenPipeError):
            put.stdin.write(_BEGIN.format(ours=ours).encode())
            shutil.copyfileobj(read.stdout, put.stdin)
            if read.wait() == 0:
                put.stdin.write(b"COMMIT;\n")
        with suppress(BrokenPipeError):
            put.stdin.close()
        if put.wait():
            _fail("psql", _said(put_said))
        if read.wait():
            _fail("pg_restore", _said(read_said))


def _said(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _call(config: Config, tool: str, *options: str) -> None:
    program = _program(tool)
    address, environment = _address(config)
    done = subprocess.run(
        [program, *options, address], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        _fail(tool, done.stderr)


def _program(tool: str) -> str:
    found = shutil.which(tool)
    if found is None:
        raise ConfigError(
            f"{tool} isn't installed here, and the database is on PostgreSQL",
            field="database",
            hint="install PostgreSQL's client programs of the server's version, or call them there",
        )
    return found


def _address(config: Config) -> tuple[str, dict[str, str]]:
    """Return where the server is; the password goes where no list of processes shows it."""
    url = make_url(config.database).set(drivername="postgresql")
    shown = url.set(password=None).render_as_string(hide_password=False)
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    return f"--dbname={shown}", environment


def _fail(tool: str, stderr: str) -> None:
    said = "; ".join(stderr.strip().splitlines()[-2:]) or "no reason given"
    hint = "a server needs the programs of its own version, or of a later one"
    raise ConfigError(f"{tool} failed: {said}", field="database", hint=hint)
