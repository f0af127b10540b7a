"""What the CRM's and the database's codes mean to the rest of Accord: one table.

Refusals carry these codes; `db` has the table of what concerns a whole transaction.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy import exc

from accord.db import Taken
from accord.ports.errors import Denied, Gone, ItemError, Rejected, Stale

CODES: dict[str, type[ItemError]] = {
    "changed-meanwhile": Stale,
    "not-there": Gone,
    "deleted-since": Gone,
    "erased": Gone,
    "no-right": Denied,
    "wrong-kind": Rejected,
    "text": Rejected,
    "too-large": Rejected,
    "times": Rejected,
    "zone": Rejected,
    "number": Rejected,
    "rule": Rejected,
    "dependants": Rejected,
    "refused-by-database": Rejected,
}

_DATA = ("22", "23")
"""SQLSTATE classes: data exception, integrity constraint violation."""


def refusal(code: str, message: str) -> ItemError:
    """Return the error by reaction for a refusal of the CRM."""
    return CODES[code](message, code=code)


def rejected(error: exc.DBAPIError | OverflowError | Taken) -> ItemError | None:
    """Return the refusal of one item's data; None where the data isn't to blame."""
    if isinstance(error, Taken | OverflowError):
        return refusal("refused-by-database", str(error))
    origin = error.orig
    state = getattr(origin, "sqlstate", None) or ""
    about_data = isinstance(error, exc.DataError | exc.IntegrityError) or state[:2] in _DATA
    about_data = about_data or isinstance(origin, sqlite3.DataError)
    if not about_data:
        return None
    text = str(origin).split("\n")[0]
    return refusal("refused-by-database", f"the database refuses it: {text}")
