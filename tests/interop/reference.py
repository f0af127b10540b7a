"""SyncEvolution's own SyncML server, to compare with: where ours differs, who is right?

The stories run against it with ACCORD_INTEROP=reference. It forgets how to serve when killed,
answers in seconds, and listens on every interface: use it only where nobody else can reach it.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from accord.sandbox.process import HOST, Peer, PeerMissing, free_port
from tests.interop.client import FORMATS, PROGRAM, value

INSTALL = (
    "SyncEvolution's server is missing: as root, "
    "apt-get install --no-install-recommends syncevolution-http python3-twisted dbus"
)
SERVER = Path("/usr/bin/syncevo-http-server")
TWISTED = Path("/usr/lib/python3/dist-packages/twisted")  # which its package forgets to ask for
_TITLE = re.compile(r"^((?:SUMMARY|FN)(?:;[^:\r\n]*)?:)(.*?)(\r?)$", re.MULTILINE)


class Reference(Peer):
    """Serve one person's three stores, a file per item; raises PeerMissing."""

    name = "reference"
    stop_signal = "SIGKILL"  # it would wait for the bus

    def __init__(self, folder: Path, user: str = "anna", password: str = "secret") -> None:
        find_server()
        super().__init__(folder)
        self.user_name, self.password = user, password
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}/syncevolution"
        for store, media_type in FORMATS.items():
            (folder / "db" / store).mkdir(parents=True)
            place = (f"databaseFormat={media_type}", f"database=file://{folder}/db/{store}")
            self._configure("keyring=no", "backend=file", *place, "@default", store)

    def command(self) -> Sequence[str]:
        # Its first line names an interpreter that is not there.
        return ["dbus-run-session", "--", "/usr/bin/python3", str(SERVER), self.url]

    def environment(self) -> Mapping[str, str]:
        home = str(self.folder)
        runtime = self.folder / "run"
        runtime.mkdir(mode=0o700, exist_ok=True)
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "HOME": home,
            "XDG_CONFIG_HOME": f"{home}/config",
            "XDG_DATA_HOME": f"{home}/data",
            "XDG_CACHE_HOME": f"{home}/cache",
            "XDG_RUNTIME_DIR": str(runtime),
        }

    def ready(self) -> bool:
        with socket.create_connection((HOST, self.port), 1):
            return True

    def admit(self, device: str, **properties: str) -> None:
        """Let a device in by its id; it serves no other. `properties` are its peer's."""
        values = [f"username={self.user_name}", f"password={self.password}", "keyring=no"]
        values += [f"{name}={value}" for name, value in properties.items()]
        remote = (f"remoteDeviceId={device}", "sync=two-way", f"{device}@default", *FORMATS)
        self._configure("--template", "SyncEvolution Client", *values, *remote)

    def give(self, store: str, name: str, text: str) -> None:
        """Put an item into a store."""
        path = self.folder / "db" / store / name
        path.write_bytes(text.replace("\n", "\r\n").encode())

    def rename(self, store: str, old: str, new: str) -> None:
        """Change the title of an item."""
        path = self._find(store, old)
        text = _TITLE.sub(rf"\g<1>{new}\g<3>", path.read_bytes().decode())
        path.write_bytes(text.encode())

    def drop(self, store: str, title: str) -> None:
        """Delete an item."""
        self._find(store, title).unlink()

    def titles(self, store: str) -> list[str]:
        """Return the titles in a store, in order."""
        return sorted(self._titles(store).values())

    def notes(self, store: str) -> list[str]:
        """Return the notes in a store, in order."""
        name = "NOTE" if store == "addressbook" else "DESCRIPTION"
        return sorted(value(text, name) for text in self._texts(store).values())

    def _find(self, store: str, title: str) -> Path:
        found = [path for path, each in self._titles(store).items() if each == title]
        assert len(found) == 1, f"{title!r}: {len(found)} items"
        return found[0]

    def _titles(self, store: str) -> dict[Path, str]:
        name = "FN" if store == "addressbook" else "SUMMARY"
        return {path: value(text, name) for path, text in self._texts(store).items()}

    def _texts(self, store: str) -> dict[Path, str]:
        paths = (self.folder / "db" / store).iterdir()
        texts = {path: path.read_bytes().decode() for path in paths}
        return {path: re.sub(r"\r?\n[ \t]", "", text) for path, text in texts.items()}

    def _configure(self, *words: str) -> None:
        command = [PROGRAM, "--daemon=no", "--configure", *words]
        environment = dict(self.environment())
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


def find_server() -> None:
    """Look for what the server needs; raises PeerMissing."""
    if not (SERVER.exists() and TWISTED.exists() and shutil.which("dbus-run-session")):
        raise PeerMissing(INSTALL)
