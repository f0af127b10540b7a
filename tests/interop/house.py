"""CRM.interface as its operator runs it: `accord interface` over a database of its own.

The server is a process that tests restart, kill and bereave of its memory; passwords and its log
come from the command line. Records are read and written beside it, as `accord crm` does.
"""

from __future__ import annotations

import http.client
import io
import json
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import msgspec

from accord.cli.main import main
from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.db import open_database
from accord.model import canonical
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.sandbox.process import HOST, Peer, free_port

ACCORD = str(Path(sys.executable).with_name("accord"))
STATE, CRM = "sqlite:///accord.db", "sqlite:///crm.db"


class House(Peer):
    """Serve the built-in CRM through CRM.interface; a context manager with a `url`.

    A folder with an installation in it (a copy of another house's, say) is taken as it is. The CRM
    has a database of its own, `crm.db`, so that `forget` can take the server's memory of devices
    away and leave people's records alone.
    """

    name = "interface"

    def __init__(self, folder: Path, database: str = STATE) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}/CRM.interface"
        self._database = database
        self._desk: Administration | None = None
        if not (folder / "accord.toml").exists():
            self._init()

    # ---- the server ----

    def command(self) -> Sequence[str]:
        return [ACCORD, "interface", "--listen", f"{HOST}:{self.port}"]

    def environment(self) -> Mapping[str, str]:
        usual = super().environment().items()
        return {name: value for name, value in usual if not name.startswith("ACCORD_")}

    def ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def close(self) -> None:
        self.leave()
        super().close()

    def forget(self, *, records: bool = False) -> Self:
        """Lose all that the server knows of devices and tokens, or the CRM's records, too."""
        self.stop()
        self.leave()
        for pattern in ("accord.db*", "crm.db*")[: 1 + records]:
            for path in self.folder.glob(pattern):
                path.unlink()
        self._init("--force")
        return self.start()

    def lock(self, database: str) -> sqlite3.Connection:
        """Let nobody write to one of the databases in the folder until what is returned closes."""
        connection = self._look(database)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    def answers(self, store: str, *, slow: bool) -> bool:
        """Tell whether the server is at a device's changes of a store: next it writes to the CRM.

        Looked up in its tables. Before a slow sync's first changes it forgets the last sync.
        """
        with closing(self._look("accord.db")) as state:
            # Leases that were given back ran out long ago.
            query = "SELECT count(*) FROM state_leases WHERE name LIKE ? AND until > ?"
            (held,) = state.execute(query, ("syncml:%", "2000-01-01")).fetchone()
            query = "SELECT count(*) FROM state_anchors WHERE store = ?"
            (anchors,) = state.execute(query, (store,)).fetchone()
        return bool(held) and not (slow and anchors)

    def _look(self, database: str) -> sqlite3.Connection:
        path = self.folder / database
        return sqlite3.connect(path, 60, isolation_level=None, check_same_thread=False)

    # ---- the command line ----

    def run(self, *words: str, stdin: str = "") -> list[Any]:
        """Run an `accord` command; return what it prints, a value for each line."""
        config = ["--config", str(self.folder / "accord.toml")]
        if words[0] == "init":
            config = ["--folder", str(self.folder)]
        said, failed = io.StringIO(), io.StringIO()
        given = patch.object(sys, "stdin", io.StringIO(stdin))
        with given, redirect_stdout(said), redirect_stderr(failed):
            code = main(["--json", *words, *config])
        assert code == 0, (words, said.getvalue(), failed.getvalue())
        return [json.loads(line) for line in said.getvalue().splitlines()]

    def password(self, name: str) -> str:
        """Return a new password for somebody's devices."""
        (row,) = self.run("interface", "device", name)
        password: str = row["password"]
        return password

    def _init(self, *words: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run("init", "--database", self._database, "--crm", f"database:{CRM}", *words)

    # ---- the records ----

    @property
    def desk(self) -> Administration:
        """The built-in CRM by hand, in this process beside the server's; open until `leave`."""
        if self._desk is None:
            database = open_database(f"sqlite:///{self.folder / 'crm.db'}")
            self._desk = Administration(DatabaseCrm(database))
        return self._desk

    def leave(self) -> None:
        """Close the CRM in this process, before its database is taken away."""
        if self._desk is not None:
            self._desk.crm.close()
            self._desk = None

    def hire(self, name: str) -> str:
        """Add a person to the CRM; return a password for their devices."""
        self.desk.add_user(name, f"{name}@example.com")
        return self.password(name)

    def put(self, user: str, *items: Mapping[str, Any]) -> list[str]:
        """Create records as one of the users; return their refs."""
        return [self.desk.put(user, _item(item)).ref for item in items]

    def change(self, user: str, kind: str, ref: str, **fields: Any) -> None:
        """Change fields of a record as one of the users."""
        now = _plain(self.desk.show(user, Kind(kind), ref).item)
        self.desk.put(user, _item(now | fields), ref)

    def delete(self, user: str, kind: str, *refs: str) -> None:
        """Delete records as one of the users."""
        for ref in refs:
            self.desk.delete(user, Kind(kind), ref)

    def records(self, user: str, kind: str) -> dict[str, Any]:
        """Return what a user has of a kind: items by ref."""
        return {one.ref: _plain(one.item) for one in self.desk.list(user, Kind(kind))}

    def titles(self, user: str, kind: str) -> list[str]:
        """Return the title, or the name, of each of a user's records, in order."""
        name = "full_name" if kind == "contact" else "title"
        return sorted(item.get(name, "") for item in self.records(user, kind).values())

    def ref(self, user: str, kind: str, title: str) -> str:
        """Return the ref of the one record with a title or name."""
        name = "full_name" if kind == "contact" else "title"
        found = [r for r, item in self.records(user, kind).items() if item.get(name) == title]
        assert len(found) == 1, f"{title!r}: {len(found)} records of {user}"
        return found[0]


def _item(fields: Mapping[str, Any]) -> Item:
    return canonical.decode(msgspec.json.encode(fields))


def _plain(item: Item) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(canonical.encode(item))
    return fields
