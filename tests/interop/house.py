"""CRM.interface as its operator runs it: `accord interface` over a database of its own.

Everything goes through the command line: people, records and tokens by `accord crm` and
`accord token`, the server as a process that tests restart, kill and bereave of its memory.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

import httpx2

from accord.cli.main import main
from accord.sandbox.process import HOST, Peer, free_port

ACCORD = str(Path(sys.executable).with_name("accord"))
CRM = "sqlite:///crm.db"


class House(Peer):
    """Serve the built-in CRM through CRM.interface; a context manager with a `url`.

    The CRM has a database of its own, `crm.db`, so that `forget` can take the server's memory of
    devices away and leave people's records alone.
    """

    name = "interface"

    def __init__(self, folder: Path, database: str = "sqlite:///accord.db") -> None:
        super().__init__(folder)
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}/CRM.interface"
        self._database = database
        self._init()

    # ---- the server ----

    def command(self) -> Sequence[str]:
        return [ACCORD, "interface", "--listen", f"{HOST}:{self.port}"]

    def environment(self) -> Mapping[str, str]:
        usual = super().environment().items()
        return {name: value for name, value in usual if not name.startswith("ACCORD_")}

    def ready(self) -> bool:
        try:
            reply = httpx2.get(f"http://{HOST}:{self.port}/healthz")
        except httpx2.TransportError:
            return False
        return reply.is_success

    def forget(self) -> Self:
        """Lose all that the server knows of devices and tokens, and serve the same CRM again."""
        self.stop()
        for path in self.folder.glob("accord.db*"):
            path.unlink()
        self._init("--force")
        return self.start()

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

    def hire(self, name: str) -> str:
        """Add a person to the CRM; return a password for their devices."""
        self.run("crm", "users", "add", name, "--address", f"{name}@example.com")
        return self.password(name)

    def password(self, name: str) -> str:
        """Return a new password for somebody's devices."""
        (row,) = self.run("interface", "device", name)
        password: str = row["password"]
        return password

    def put(self, user: str, *items: Mapping[str, Any], **place: str) -> list[str]:
        """Create records as one of the users; return their refs."""
        words = [word for key, value in place.items() for word in (f"--{key}", value)]
        lines = "\n".join(json.dumps(item) for item in items)
        rows = self.run("crm", "put", "--as", user, *words, stdin=lines)
        return [row["ref"] for row in rows]

    def change(self, user: str, ref: str, **fields: Any) -> None:
        """Change fields of a record as one of the users."""
        (row,) = self.run("crm", "show", ref, "--as", user)
        line = json.dumps({"ref": ref, "item": row["item"] | fields})
        self.run("crm", "put", "--as", user, stdin=line)

    def delete(self, user: str, *refs: str) -> None:
        """Delete records as one of the users."""
        self.run("crm", "delete", *refs, "--as", user)

    def records(self, user: str, kind: str) -> dict[str, Any]:
        """Return what a user has of a kind: items by ref."""
        rows = self.run("crm", "list", kind, "--as", user)
        return {row["ref"]: row["item"] for row in rows}

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

    def _init(self, *words: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run("init", "--database", self._database, "--crm", f"database:{CRM}", *words)
