"""Whether the service can do its work: its database, the tables, and somebody who visits.

`/readyz` asks; what is missing is said in words that tell a stranger nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from accord.db.migrate import revision
from accord.ports.fault import contained
from accord.service.accord import Accord
from accord.service.status import WORKING
from accord.state.state import Tx

PACKAGE = "accord.state"


def missing(accord: Accord) -> tuple[str, ...]:
    """Return what keeps the service from its work; nothing where all is there."""
    try:
        with accord.state.read() as tx:
            return _missing(tx)
    except Exception as error:  # noqa: BLE001 (the edge: whoever asks is told so much)
        contained(error, "asking whether the service is ready")
        return ("the database can't be reached",)


def _missing(tx: Tx) -> tuple[str, ...]:
    found = []
    schema: Any = import_module(f"{PACKAGE}.schema")
    stand = revision(tx.db, PACKAGE)
    # Tables may be ahead while another version is brought in beside this one.
    if stand is None or stand < schema.HEAD:
        found.append("the tables are not at head")
    elif not any(WORKING in one.parts and not one.gone for one in tx.processes.all()):
        found.append("nobody serves the queue")
    return tuple(found)
