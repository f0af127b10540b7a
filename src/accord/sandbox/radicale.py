"""Radicale as a peer: the simplest real CalDAV and CardDAV server, for tests, trials and the demo.

It is GPL software, so it is only ever started as a program (`python -m radicale`), never imported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import httpx2

from accord.sandbox.process import HOST, Peer, PeerMissing, free_port, no_tls

INSTALL = "Radicale is not installed: pip install 'radicale>=3.9'"
_COMPONENTS = "C:supported-calendar-component-set"
# Radicale syncs six files per PUT and takes no setting against that from a file.
_NO_FSYNC = """import os, runpy
os.fsync = lambda _: None
runpy.run_module("radicale", run_name="__main__", alter_sys=True)"""


class Radicale(Peer):
    """Serve the given users; each may see and change only what is below `/NAME/`.

    `users` maps login names to passwords. `folder` holds configuration and data and stays;
    without one all is temporary. `fsync=False` makes writes faster and is unsafe only when the
    machine itself loses power. `strict` makes a PUT over an existing object without `If-Match`
    fail, as few servers do.
    Raises PeerMissing where Radicale is not installed.
    """

    name = "radicale"

    def __init__(
        self,
        users: Mapping[str, str] | None = None,
        folder: Path | None = None,
        *,
        fsync: bool = False,
        strict: bool = False,
        port: int | None = None,
    ) -> None:
        if find_spec("radicale") is None:
            raise PeerMissing(INSTALL)
        super().__init__(folder)
        self.users: dict[str, str] = dict(users or {"alice": "secret"})
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}/"
        self._fsync, self._strict = fsync, strict

    def add_user(self, name: str, password: str) -> str:
        """Let one more person log in, also while it runs; return the person's principal URL."""
        self.users[name] = password
        self._write_users()
        return f"{self.url}{name}/"

    def fill(self, user: str, collection: str, objects: Mapping[str, str]) -> str:
        """Put many objects (file name to text) into a collection at once and return its URL.

        A PUT reads every object of the collection to look for a twin UID, so ten thousand of
        them take an hour; this writes the files that those PUTs would have left, unchecked.
        The collection is an address book if the first object is a vCard, otherwise a calendar.
        """
        place = self.folder / "collections" / "collection-root" / user / collection
        place.mkdir(parents=True, exist_ok=True)
        card = next(iter(objects.values()), "").startswith("BEGIN:VCARD")
        properties = (
            {"tag": "VADDRESSBOOK"}
            if card
            else {
                "tag": "VCALENDAR",
                "D:displayname": collection,
                _COMPONENTS: "VEVENT,VTODO,VJOURNAL",
            }
        )
        (place / ".Radicale.props").write_text(json.dumps(properties), encoding="utf-8")
        for name, text in objects.items():
            (place / name).write_text(text, encoding="utf-8", newline="")
        return f"{self.url}{user}/{collection}/"

    def prepare(self) -> None:
        self._write_users()
        settings = f"""
[server]
hosts = {HOST}:{self.port}
max_connections = 100
delay_on_error = 0
[auth]
type = htpasswd
htpasswd_filename = {self._passwords}
htpasswd_encryption = plain
htpasswd_cache = True
delay = 0
[rights]
type = owner_only
[storage]
filesystem_folder = {self.folder / "collections"}
strict_preconditions = {self._strict}
[web]
type = none
[logging]
level = warning
"""
        self._config.write_text(settings, encoding="utf-8")

    def command(self) -> Sequence[str]:
        program = ["-m", "radicale"] if self._fsync else ["-c", _NO_FSYNC]
        return [sys.executable, *program, "--config", str(self._config)]

    def ready(self) -> bool:
        name, password = next(iter(self.users.items()))
        return answers(self.url, name, password)

    @property
    def _config(self) -> Path:
        return self.folder / "radicale.conf"

    @property
    def _passwords(self) -> Path:
        return self.folder / "htpasswd"

    def _write_users(self) -> None:
        new = self._passwords.with_suffix(".new")
        new.touch(0o600)
        new.write_text(
            "".join(f"{name}:{word}\n" for name, word in self.users.items()), encoding="utf-8"
        )
        new.replace(self._passwords)


def answers(url: str, name: str, password: str) -> bool:
    """Tell whether a DAV server answers a PROPFIND by this user."""
    try:
        reply = httpx2.request(
            "PROPFIND", url, auth=(name, password), headers={"Depth": "0"}, verify=no_tls()
        )
    except httpx2.TransportError:
        return False
    return reply.status_code == httpx2.codes.MULTI_STATUS
