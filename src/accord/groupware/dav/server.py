"""One configured server: its connections, and what was discovered of the people on it.

`adapter` is the port over it; `session` and `check` ask it where things are.
"""

from __future__ import annotations

import threading
import time

import httpx2

from accord.groupware.dav import discovery
from accord.groupware.dav.client import Client
from accord.groupware.dav.discovery import Collection, Place
from accord.groupware.dav.http import Http, credentials
from accord.groupware.dav.settings import Config, Login, login
from accord.ports.clock import Reading
from accord.ports.errors import AccordError
from accord.ports.requests import Helpers

REMEMBERED = 600.0
"""Seconds until what was discovered about a person is looked up anew."""


class Server:
    """Be one configured server; safe to share between threads."""

    def __init__(self, config: Config, transport: httpx2.BaseTransport | None = None) -> None:
        """Prepare; nothing is asked before the first call. Raises ConfigError."""
        self.config = config
        self.http = Http(config, transport)
        self.shared: dict[tuple[str, str], Collection] = {}
        self._pool = Helpers(config.concurrency, thread_name_prefix="dav")
        self._lock = threading.Lock()
        self._auths: dict[str, tuple[Login, httpx2.Auth]] = {}
        self._places: dict[str, tuple[Place, float]] = {}
        self._writes: dict[str, int] = {}
        self._schedules: bool | None = None

    def clock(self) -> Reading | None:
        """Return what was seen of the server's clock last."""
        return self.http.clocks.reading()

    def client(self, principal: str) -> Client:
        """Return the client of a person; raises ConfigError where no login is set for them."""
        _, auth = self._login(principal)
        return Client(self.http, auth, self._pool)

    def mails(self) -> bool:
        """Tell whether the server mails attendees; while it can't be asked, it counts as so."""
        if self.config.scheduling != "auto":
            return self.config.scheduling == "yes"
        if self._schedules is None:
            auth = next((auth for _, auth in self._auths.values()), None)
            try:
                self._schedules = discovery.schedules(self.http, auth, self.http.start)
            except AccordError:
                return True
        return self._schedules

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
