"""The CRM's own machine in the demo: an installation in a folder, CRM.interface in a process.

The connector knows its address and has the token key; nothing else leads there.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2

from accord.formats.token import key_text
from accord.sandbox.process import HOST, Peer, free_port
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord, open_desk
from accord.service.connector import KEY_FILE, PATH
from accord.service.init import init


class Elsewhere(Peer):
    """Be that machine; `accord interface` serves it while this is entered."""

    name = "interface"
    grace = 40.0  # the server itself waits 30 s for the messages it is answering

    def __init__(self, folder: Path) -> None:
        """Install Accord with the built-in CRM in `folder`."""
        super().__init__(folder)
        self.config = init(folder, force=True).config
        self._address = f"{HOST}:{free_port()}"

    @property
    def crm(self) -> str:
        """Return what the connector's accord.toml says of it."""
        return f"interface+http://{self._address}{PATH}"

    def open(self) -> Accord:
        """Return what the people there work with."""
        return open_accord(self.config)

    def hand_over_key(self, connector: Path) -> None:
        """Write the token key and move it to the connector's folder, as an administrator would."""
        accord = self.open()
        try:
            text = key_text(open_desk(accord, self.config).signer().key())
        finally:
            accord.close()
        file = self.folder / KEY_FILE
        file.touch(mode=0o600)
        file.write_text(text + "\n", encoding="ascii")
        shutil.move(file, connector / KEY_FILE)

    def command(self) -> Sequence[str]:
        """Return `accord interface` as an administrator starts it."""
        words = ["--config", str(self.folder / "accord.toml"), "interface"]
        return [sys.executable, "-m", "accord.cli.main", *words, "--listen", self._address]

    def ready(self) -> bool:
        """Tell whether it takes requests."""
        try:
            answer = httpx2.get(f"http://{self._address}/healthz", trust_env=False, timeout=5)
        except httpx2.TransportError:
            return False
        return answer.status_code == httpx2.codes.OK

    def environment(self) -> Mapping[str, str]:
        """Return an environment that says nothing about an installation."""
        given = super().environment()
        return {name: value for name, value in given.items() if not name.startswith("ACCORD_")}
