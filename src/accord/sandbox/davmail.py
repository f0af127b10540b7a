"""DavMail as a peer: other people's client of Exchange, seen as CalDAV, CardDAV and IMAP.

It is GPL software, so it is only ever started as a program, of Debian's package.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from accord.sandbox.process import HOST, Peer, PeerMissing, free_port

_JAR = Path("/usr/share/davmail/davmail.jar")
INSTALL = "DavMail is not installed: apt-get install davmail-server"


class DavMail(Peer):
    """Speak to the Exchange at `url` for whoever logs in with an account's name and password.

    Raises PeerMissing where DavMail or Java is not installed.
    """

    name = "davmail"
    patience = 60.0

    def __init__(self, url: str, folder: Path | None = None) -> None:
        if not _JAR.is_file() or shutil.which("java") is None:
            raise PeerMissing(INSTALL)
        super().__init__(folder)
        self.exchange = url
        self.dav_port, self.imap_port = free_port(), free_port()
        self.url = f"http://{HOST}:{self.dav_port}/"

    def prepare(self) -> None:
        settings = {
            "davmail.mode": "EWS",
            "davmail.url": self.exchange,
            "davmail.server": "true",
            "davmail.allowRemote": "false",
            "davmail.bindAddress": HOST,
            "davmail.caldavPort": self.dav_port,
            "davmail.imapPort": self.imap_port,
            "davmail.popPort": "",
            "davmail.smtpPort": "",
            "davmail.ldapPort": "",
            "davmail.disableUpdateCheck": "true",
            "davmail.folderSizeLimit": "0",
            "davmail.logFilePath": self.folder / "davmail-own.log",
            "log4j.rootLogger": "WARN",
            "log4j.logger.davmail": "INFO",
            "log4j.logger.httpclient.wire": "WARN",
            "log4j.logger.org.apache.http": "WARN",
        }
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.folder / "davmail.properties").write_text(text, encoding="ascii")

    def command(self) -> Sequence[str]:
        java = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        home = f"-Duser.home={self.folder}"
        settings = str(self.folder / "davmail.properties")
        return [*java, home, "-jar", str(_JAR), "-server", settings]

    def ready(self) -> bool:
        for port in (self.dav_port, self.imap_port):
            with socket.create_connection((HOST, port), timeout=5):
                pass
        return True
