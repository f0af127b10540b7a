"""Xandikos as a peer: the second opinion, with token habits of its own (412 for a lost token).

It is GPL software, so it is only ever started as a program (`python -m xandikos`), never imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from accord.sandbox.process import HOST, Peer, PeerMissing, free_port
from accord.sandbox.radicale import answers

INSTALL = "Xandikos is not installed: pip install 'xandikos>=0.4'"


class Xandikos(Peer):
    """Serve one principal without asking for a password, as Xandikos does without TLS.

    `/USER/calendars/calendar/` and `/USER/contacts/addressbook/` exist from the start. Data is
    kept in git repositories below `folder`, or in a temporary one.
    Raises PeerMissing where Xandikos is not installed.
    """

    name = "xandikos"

    def __init__(
        self, user: str = "alice", folder: Path | None = None, *, port: int | None = None
    ) -> None:
        if find_spec("xandikos") is None:
            raise PeerMissing(INSTALL)
        super().__init__(folder)
        self.users: dict[str, str] = {user: ""}
        self.principal = f"/{user}/"
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}/"

    def command(self) -> Sequence[str]:
        where = ["-d", str(self.folder / "data"), "--state-dir", str(self.folder / "state")]
        reach = ["-l", HOST, "-p", str(self.port), "--no-detect-systemd"]
        serve = ["serve", *where, *reach, "--defaults", "--current-user-principal", self.principal]
        return [sys.executable, "-m", "xandikos", *serve]

    def ready(self) -> bool:
        return answers(self.url, "", "")
