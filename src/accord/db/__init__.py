"""Relational storage for state and the built-in CRM: SQLite or PostgreSQL, one schema for both.

Everything that outlasts a run goes through here; nothing above knows which database it is.
"""

from accord.db.database import Database, translating
from accord.db.errors import Contended, InUse, Taken, TooNew
from accord.db.migrate import migrate
from accord.db.open import open_database
from accord.db.schema import new_metadata
from accord.db.tx import Tx
from accord.db.types import Foreign, Instant, Json, Line, folded

__all__ = [
    "Contended",
    "Database",
    "Foreign",
    "InUse",
    "Instant",
    "Json",
    "Line",
    "Taken",
    "TooNew",
    "Tx",
    "folded",
    "migrate",
    "new_metadata",
    "open_database",
    "translating",
]
