"""A CalDAV/CardDAV target: its connections, what was discovered of it, and the sessions on it.

`build` makes one from settings; `session` holds the calls of the port.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from accord.groupware.dav import discovery
from accord.groupware.dav.check import findings
from accord.groupware.dav.client import Client
from accord.groupware.dav.discovery import Collection, Place
from accord.groupware.dav.http import Http, credentials
from accord.groupware.dav.session import DavSession
from accord.groupware.dav.settings import Config, Login, configure, login
from accord.groupware.dav.traits import traits
from accord.model.traits import Traits
from accord.ports.adapter import Finding
from accord.ports.errors import AccordError

REMEMBERED = 600.0
"""Seconds until what was discovered about a person is looked up anew."""


class DavAdapter:
    """Be one configured server; safe to share between threads, its sessions aren't."""

    def __init__(self, config: Config, transport: httpx2.BaseTransport | None = None) -> None:
        """Prepare; nothing is asked before the first call. Raises ConfigError."""
        self.config = config
        self.http = Http(config, transport)
        self.shared: dict[tuple[str, str], Collection] = {}
        self._pool = ThreadPoolExecutor(config.concurrency, thread_name_prefix="dav")
        self._lock = threading.Lock()
        self._auths: dict[str, tuple[Login, httpx2.Auth]] = {}
        self._places: dict[str, tuple[Place, float]] = {}
        self._writes: dict[str, int] = {}
        self._schedules: bool | None = None

    @property
    def traits(self) -> Traits:
        """Return what this server can do; asks it once whether it mails attendees.

        While the server can't be asked, it counts as one that mails.
        """
        return traits(self.config, self._mails())

    @property
    def instance(self) -> str:
        """Return host and path of the target: servers have no id of their own."""
        return f"dav:{self.http.url(self.http.start)}"

    @property
    def requests(self) -> int:
        """Return how many requests have been made so far, those for signing in included."""
        return self.http.requests

    @property
    def clock_skew(self) -> float | None:
        """Return the seconds by which the server's Date was ahead of ours in its last answer."""
        return self.http.skew

    def open(self, principal: str) -> DavSession:
        """Open the collections of a person; raises ConfigError where no login is set for them."""
        _, auth = self._login(principal)
        return DavSession(self, principal, Client(self.http, auth, self._pool))

    def check(self, principal: str = "") -> tuple[Finding, ...]:
        """Try connection, certificate, login, discovery and each folder; say how to mend."""
        return findings(self, principal)

    def close(self) -> None:
        """Close all connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.http.close()

    def place(self, principal: str, *, fresh: bool = False) -> Place:
        """Return what a person has on the server, discovered at most every ten minutes."""
        now = time.monotonic()
        with self._lock:
            known = self._places.get(principal)
        if known is not None and not fresh and now - known[1] < REMEMBERED:
            return known[0]
        who, auth = self._login(principal)
        found = discovery.discover(self.http, auth, who)
        with self._lock:
            self._places[principal] = (found, now)
            self._schedules = found.schedules
        return found

    def forget(self, principal: str) -> None:
        """Discover anew when this person's place is asked for next."""
        with self._lock:
            self._places.pop(principal, None)
            for key in [each for each in self.shared if each[0] == principal]:
                del self.shared[key]

    def wrote(self, folder: str) -> None:
        """Note that something is being written into a folder."""
        with self._lock:
            self._writes[folder] = self._writes.get(folder, 0) + 1

    def writes(self, folder: str) -> int:
        """Return how often somebody was about to write into a folder."""
        return self._writes.get(folder, 0)

    def _login(self, principal: str) -> tuple[Login, httpx2.Auth]:
        with self._lock:
            if principal not in self._auths:
                who = login(self.config, principal)
                self._auths[principal] = (who, credentials(who, self.config.auth))
            return self._auths[principal]

    def _mails(self) -> bool:
        if self.config.scheduling != "auto":
            return self.config.scheduling == "yes"
        if self._schedules is None:
            auth = next((auth for _, auth in self._auths.values()), None)
            try:
                self._schedules = discovery.schedules(self.http, auth, self.http.start)
            except AccordError:
                return True
        return self._schedules


def build(settings: Mapping[str, Any], *, where: str = "dav") -> DavAdapter:
    """Return the adapter that the settings describe; raises ConfigError naming a wrong one."""
    return DavAdapter(configure(settings, where))
