"""The witness beside Accord's database: how far its journal had come when a visit ended.

A database in one file may be overwritten by an older one and be none the wiser; this isn't.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from accord.db import Database
from accord.db.whereabouts import file_of

_log = logging.getLogger("accord.service")


def seen(database: Database) -> int:
    """Return the newest journal entry that was ever told of; 0 where nobody was there to see."""
    file = _file(database)
    try:
        return 0 if file is None else int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def tell(database: Database, newest: int, *, anew: bool = False) -> None:
    """Note the newest journal entry; never an older one than before, except `anew`."""
    file = _file(database)
    if file is None or (newest <= seen(database) and not anew):
        return
    aside = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        aside.write_text(f"{newest}\n", encoding="ascii")
        aside.replace(file)
    except OSError as error:
        # Nothing depends on it but that a later step back would be noticed.
        _log.warning("witness.unwritten", extra={"file": str(file), "error": str(error)})


def _file(database: Database) -> Path | None:
    file = file_of(database)
    return None if file is None else file.with_name(f"{file.name}-stand")
