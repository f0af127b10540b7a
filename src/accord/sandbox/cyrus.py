"""Cyrus IMAP as a peer: CalDAV with scheduling that really delivers, CardDAV and IMAP in one.

The place to prove silence: what a write makes the server send is read back over IMAP, per person.
"""

from __future__ import annotations

import imaplib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx2
import msgspec

from accord.sandbox.process import HOST, Peer, PeerMissing, free_port, no_tls
from accord.sandbox.radicale import answers

PACKAGES = "cyrus-imapd cyrus-caldav cyrus-admin sasl2-bin libsasl2-modules"
INSTALL = f"Cyrus IMAP is missing: as root, apt-get install --no-install-recommends {PACKAGES}"
SCHEDULED, MAILED = "example.test", "mail.test"
_BIN = Path("/usr/lib/cyrus/bin")
_INBOX = '"#calendars/Inbox"'


class Mail(msgspec.Struct, frozen=True):
    """One message that the server gave to its mail transfer agent, with the envelope."""

    sender: str
    recipients: tuple[str, ...]
    message: bytes


class Cyrus(Peer):
    """Serve mailboxes, calendars and address books; needs root and the Debian packages.

    A user's address is `NAME@example.test`: invitations among these people go straight into the
    scheduling Inbox and the Default calendar (RFC 6638). A user added with `mailed=True` is
    `NAME@mail.test`: invitations to such people leave as e-mails (RFC 6047) and land in their
    IMAP INBOX. Mail to all other domains is only recorded. Past events schedule as future ones
    do. Delivery is complete when the answer to the PUT arrives.
    Raises PeerMissing where Cyrus is not installed or this process is not root.
    """

    name = "cyrus"
    stop_signal = "SIGQUIT"

    def __init__(self, users: Mapping[str, str] | None = None) -> None:
        if not (_BIN / "httpd").exists() or shutil.which("saslpasswd2") is None:
            raise PeerMissing(INSTALL)
        if os.geteuid() != 0:
            raise PeerMissing(
                "Cyrus IMAP can only be started by root, who hands it over to the user cyrus"
            )
        super().__init__(user="cyrus")
        self.users: dict[str, str] = {}
        self.port, self.imap_port = free_port(), free_port()
        self.url = f"http://{HOST}:{self.port}/"
        self._mailed: set[str] = set()
        self._wanted = dict(users or {})

    # ---- people ----

    def add_user(self, name: str, password: str = "secret", *, mailed: bool = False) -> str:
        """Create a person with INBOX, calendar and address book; return the person's address."""
        self._set_password(name, password)
        self.users[name] = password
        with self.imap(name):
            pass  # the first login creates the INBOX, without which HTTP answers 500
        self._dav("PROPFIND", name)  # creates Default, Inbox and Outbox
        if mailed:
            self._mailed.add(name)
            self._dav("PROPPATCH", name, _ADDRESS.format(address=self.address(name)))
        return self.address(name)

    def address(self, name: str) -> str:
        """Return a person's e-mail and calendar user address."""
        return f"{name}@{MAILED if name in self._mailed else SCHEDULED}"

    def calendar(self, name: str) -> str:
        """Return the URL of a person's default calendar."""
        return f"{self.url}dav/calendars/user/{name}/Default/"

    def address_book(self, name: str) -> str:
        """Return the URL of a person's default address book."""
        return f"{self.url}dav/addressbooks/user/{name}/Default/"

    # ---- what reached whom ----

    def messages(self, name: str) -> list[bytes]:
        """Return all messages of a person's INBOX, read over IMAP."""
        with self.imap(name) as session:
            return _read(session, "INBOX")

    def scheduled(self, name: str) -> list[bytes]:
        """Return the CalDAV scheduling Inbox of a person, read over IMAP, as iCalendar texts.

        Cyrus adds a message for a changed meeting only if SEQUENCE rose above what it sent
        before, and what it first sends for SEQUENCE 0 says 1; the copy in the Default calendar
        changes in any case.
        """
        with self.imap(name, dav=True) as session:
            return [message.partition(b"\r\n\r\n")[2] for message in _read(session, _INBOX)]

    def delivered(self, name: str) -> list[bytes]:
        """Return all a person was sent and still holds: e-mails and scheduling messages."""
        return self.messages(name) + self.scheduled(name)

    def received(self, name: str) -> int:
        """Return how many messages ever reached a person, deleted ones too (IMAP UIDNEXT)."""
        with self.imap(name, dav=True) as session:
            return sum(_ever(session, mailbox) for mailbox in ("INBOX", _INBOX))

    def sent(self) -> list[Mail]:
        """Return every e-mail that the server handed out, in order, to people here and outside."""
        return [
            _mail(path.read_bytes()) for path in sorted((self.folder / "outgoing").glob("[0-9]*"))
        ]

    def sent_outside(self) -> list[Mail]:
        """Return the e-mails to people who have no mailbox here."""
        here = {self.address(name) for name in self.users}
        return [mail for mail in self.sent() if not here.issuperset(mail.recipients)]

    @contextmanager
    def imap(self, name: str, *, dav: bool = False) -> Iterator[imaplib.IMAP4]:
        """Open an IMAP session; with `dav`, calendars and address books are mailboxes too."""
        with imaplib.IMAP4(HOST, self.imap_port, timeout=30) as session:
            session.login(f"{name}+dav" if dav else name, self.users[name])
            yield session

    # ---- the server ----

    def prepare(self) -> None:
        for folder in ("conf", "conf/socket", "outgoing", "mail", "proc", "lock"):
            (self.folder / folder).mkdir(exist_ok=True)
            self.own(self.folder / folder)
        self._put("imapd.conf", _IMAPD)
        self._put("cyrus.conf", _MASTER)
        self._put("sendmail", Path(__file__).with_name("sendmail.sh").read_text(encoding="utf-8"))
        (self.folder / "sendmail").chmod(0o755)
        self._set_password(
            "cyrus", "secret"
        )  # so that the password file exists before the server reads it

    def command(self) -> Sequence[str]:
        settings = [
            f"{self.folder}/imapd.conf",
            "-M",
            f"{self.folder}/cyrus.conf",
            "-p",
            f"{self.folder}/pid",
        ]
        return [str(_BIN / "master"), "-C", *settings, "-D"]

    def ready(self) -> bool:
        try:
            imaplib.IMAP4(HOST, self.imap_port, timeout=5).shutdown()
        except imaplib.IMAP4.error:
            return False
        for name, password in self._wanted.items():
            self.add_user(name, password)
        self._wanted.clear()
        return not self.users or answers(
            f"{self.url}dav/principals/", *next(iter(self.users.items()))
        )

    def _put(self, name: str, template: str) -> None:
        values = {
            "FOLDER": self.folder,
            "BIN": _BIN,
            "HOST": HOST,
            "HTTP": self.port,
            "IMAP": self.imap_port,
        }
        values |= {"SCHEDULED": SCHEDULED, "MAILED": MAILED}
        for key, value in values.items():
            template = template.replace(f"@{key}@", str(value))
        (self.folder / name).write_text(template, encoding="utf-8")

    def _set_password(self, name: str, password: str) -> None:
        database = self.folder / "sasldb2"
        command = ["saslpasswd2", "-p", "-c", "-f", str(database), "-u", "localhost", name]
        done = subprocess.run(command, input=password.encode(), capture_output=True, check=False)
        if done.returncode:
            raise self.fail(f"no password for {name}: {done.stderr.decode(errors='replace')}")
        self.own(database)

    def _dav(self, method: str, name: str, body: str | None = None) -> None:
        """Send a request to a person's calendar home as that person."""
        reply = httpx2.request(
            method,
            f"{self.url}dav/calendars/user/{name}/",
            auth=(name, self.users[name]),
            headers={"Depth": "0", "Content-Type": "text/xml"},
            content=body,
            timeout=30,
            verify=no_tls(),
        )
        if reply.status_code != httpx2.codes.MULTI_STATUS:
            raise self.fail(f"{method} for {name} answered {reply.status_code} {reply.text}")


def _read(session: imaplib.IMAP4, mailbox: str) -> list[bytes]:
    session.select(mailbox, readonly=True)
    _, parts = session.fetch("1:*", "(BODY.PEEK[])")
    return [part[1] for part in parts if isinstance(part, tuple)]


def _ever(session: imaplib.IMAP4, mailbox: str) -> int:
    _, (status,) = session.status(mailbox, "(UIDNEXT)")
    return int(status.decode().rpartition("UIDNEXT ")[2].rstrip(")")) - 1


def _mail(text: bytes) -> Mail:
    envelope, _, message = text.partition(b"\n")
    sender, *recipients = envelope.decode().split(" ")
    return Mail(sender, tuple(recipients), message)


_ADDRESS = """<?xml version="1.0" encoding="utf-8"?>
<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>
<C:calendar-user-address-set><D:href>mailto:{address}</D:href></C:calendar-user-address-set>
</D:prop></D:set></D:propertyupdate>"""

_IMAPD = """configdirectory: @FOLDER@/conf
proc_path: @FOLDER@/proc
mboxname_lockpath: @FOLDER@/lock
defaultpartition: default
partition-default: @FOLDER@/mail
altnamespace: yes
unixhierarchysep: yes
virtdomains: off
defaultdomain: @SCHEDULED@
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: @FOLDER@/sasldb2
sasl_mech_list: PLAIN
servername: localhost
autocreate_quota: 1000000
autocreate_inbox_folders: Drafts | Sent | Trash
imapmagicplus: yes
duplicatesuppression: no
httpmodules: caldav carddav freebusy
caldav_allowscheduling: on
caldav_historical_age: -1d
calendar_user_address_set: @SCHEDULED@
sendmail: @FOLDER@/sendmail
lmtpsocket: @FOLDER@/conf/socket/lmtp
idlesocket: @FOLDER@/conf/socket/idle
notifysocket: @FOLDER@/conf/socket/notify
"""

_MASTER = """START {
  recover cmd="@BIN@/ctl_cyrusdb -C @FOLDER@/imapd.conf -r"
}
SERVICES {
  imap cmd="@BIN@/imapd -C @FOLDER@/imapd.conf" listen="@HOST@:@IMAP@" prefork=1
  http cmd="@BIN@/httpd -C @FOLDER@/imapd.conf" listen="@HOST@:@HTTP@" prefork=1
  lmtp cmd="@BIN@/lmtpd -C @FOLDER@/imapd.conf" listen="@FOLDER@/conf/socket/lmtp" prefork=1
}
DAEMON {
  idled cmd="@BIN@/idled -C @FOLDER@/imapd.conf"
}
"""
