"""What all schemas share: the names of constraints, so that migrations can speak of them.

A package with tables has a `schema` module with `METADATA` and `HEAD`; `migrate` reads both.
"""

from __future__ import annotations

from sqlalchemy import MetaData

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def new_metadata() -> MetaData:
    """Return metadata in which every constraint gets the same name on both databases."""
    return MetaData(naming_convention=_NAMES)
