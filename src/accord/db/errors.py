"""What a database answers, as errors by reaction; one table of both databases' codes.

Raised by `Database.begin`, read by services that retry and by people.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import exc

from accord.ports.errors import AccordError, ConfigError, Retry


class Contended(Retry):
    """Another transaction was in the way; the same work may simply be done again."""


class Taken(AccordError):
    """Another record already holds this unique value."""

    action = "taken"


class InUse(AccordError):
    """A record refers to one that isn't there, or is still referred to."""

    action = "in-use"


class TooNew(ConfigError):
    """The database was written by a newer Accord."""


_CONTENDED = {
    "40001",  # serialization_failure
    "40P01",  # deadlock_detected
    "55P03",  # lock_not_available
    "SQLITE_BUSY",
    "SQLITE_BUSY_SNAPSHOT",
    "SQLITE_LOCKED",
    "SQLITE_BUSY_TIMEOUT",
}
_UNIQUE = {
    "23505",  # unique_violation
    "SQLITE_CONSTRAINT_UNIQUE",
    "SQLITE_CONSTRAINT_PRIMARYKEY",
}
_REFERENCE = {
    "23503",  # foreign_key_violation
    "SQLITE_CONSTRAINT_FOREIGNKEY",
}
_FULL = {"53100", "SQLITE_FULL"}
_DISK = ("SQLITE_IOERR", "SQLITE_CANTOPEN")
_SHORT = {
    "53",  # insufficient resources: memory, connections
    "58",  # system error: its own disk or files
}


def translated(error: exc.DBAPIError) -> AccordError | None:
    """Return what the caller should do about `error`; None where it is a fault of ours."""
    code = _code(error)
    text = str(error.orig).strip().split("\n")[0]
    if code in _CONTENDED:
        return Contended(f"the database is busy: {text}", after=0.05, code=code)
    if code in _UNIQUE:
        return Taken(f"already taken: {text}", code=code)
    if code in _REFERENCE:
        return InUse(f"in use, or refers to nothing: {text}", code=code)
    if code in _FULL:
        return Retry("the database's disk is full", after=60, code=code)
    if code.startswith(_DISK):
        # So does SQLite call a quota, or a file that may not grow.
        return Retry(f"the database's file can't be used now: {text}", after=60, code=code)
    if code[:2] in _SHORT:
        return Retry(f"the database's server is short of something: {text}", after=10, code=code)
    if error.connection_invalidated or code[:2] in ("08", "57"):
        return Retry(f"the database went away: {text}", after=2, code=code)
    if not code and isinstance(error, exc.OperationalError):
        # No server answered: what it says itself has a code.
        return Retry(f"the database can't be reached: {text}", after=2, code="unreachable")
    return None


def unreachable(error: exc.DBAPIError, url: str) -> ConfigError:
    """Return the error for a database that can't be opened at all."""
    text = str(error.orig).strip().split("\n")[0]
    return ConfigError(
        f"can't open the database {url}: {text}",
        field="database",
        hint="check the address, that the server runs, and the rights on the file or database",
        code=_code(error),
    )


def _code(error: exc.DBAPIError) -> str:
    origin = error.orig
    if isinstance(origin, sqlite3.Error):
        return getattr(origin, "sqlite_errorname", "") or ""
    return getattr(origin, "sqlstate", "") or ""
