"""One configured server: its connections, and what was found out of the people on it.

`adapter` is the port over it; `session` and `check` ask it where things are.
"""

from __future__ import annotations

import threading
import time

import httpx2

from accord.groupware.exchange import discovery, wire
from accord.groupware.exchange.client import Client
from accord.groupware.exchange.errors import status_error
from accord.groupware.exchange.folders import Place, discover
from accord.groupware.exchange.http import Http
from accord.groupware.exchange.settings import Config
from accord.groupware.exchange.ways import Login, login
from accord.ports.clock import Reading

REMEMBERED = 600.0
"""Seconds until a person's folders are looked up anew."""


class Server:
    """Be one configured server; safe to share between threads."""

    def __init__(self, config: Config, transport: httpx2.BaseTransport | None = None) -> None:
        """Prepare; nothing is asked before the first call. Raises ConfigError."""
        self.config = config
        self.http = Http(config, transport)
        self._lock = threading.Lock()
        self._places: dict[str, tuple[Place, float]] = {}
        self._urls: dict[str, str] = {}
        self._groupings: dict[str, str] = {}

    def clock(self, principal: str) -> Reading | None:
        """Return what was seen last of the clock where a person's mailbox is; asks nothing."""
        with self._lock:
            url = self.config.url or self._urls.get(principal, "")
        return self.http.clocks.reading(url) if url else None

    def client(self, principal: str) -> Client:
        """Return the client of a person; raises ConfigError where no login is set for them."""
        who = login(self.config, principal)
        return Client(self.http, self.url(principal), who, principal, self.config.access)

    def url(self, principal: str) -> str:
        """Return where a person's mailbox is served: as set, or as Autodiscover tells."""
        if self.config.url:
            return self.config.url
        with self._lock:
            known = self._urls.get(principal)
        if known is None:
            who = login(self.config, principal)
            known, grouping = discovery.discover(self.http, who, principal)
            with self._lock:
                self._urls[principal], self._groupings[principal] = known, grouping
        return known

    def group(self, principal: str) -> str:
        """Return what mailboxes have in common whose subscriptions may share a connection.

        Only `url` asks; where the settings name the address, all are taken for one group.
        """
        with self._lock:
            grouping = self._groupings.get(principal, "")
        return f"{self.url(principal)} {grouping}"

    def known(self, principal: str) -> Place | None:
        """Return a person's folders as they were last looked up, however long ago."""
        with self._lock:
            found = self._places.get(principal)
        return None if found is None else found[0]

    def place(self, principal: str, *, fresh: bool = False) -> Place:
        """Return a person's folders, looked up at most every ten minutes."""
        now = time.monotonic()
        with self._lock:
            known = self._places.get(principal)
        if known is not None and not fresh and now - known[1] < REMEMBERED:
            return known[0]
        found = discover(self.client(principal), self.config)
        with self._lock:
            self._places[principal] = (found, now)
        return found

    def reach(self) -> None:
        """Ask the server for anything at all; a refused login is an answer, too.

        Raises Retry or ConfigError where nothing like Exchange answers.
        """
        nobody = Login(user="", password="")
        request = wire.envelope(wire.m("GetServerTimeZones", ReturnFullTimeZoneData="false"))
        status, headers, _ = self.http.post(self.config.url, nobody, request, "", "connection")
        if status not in (200, 401, 500):
            raise status_error(status, headers, self.config.url)

    def forget(self, principal: str) -> None:
        """Look this person's folders up anew when they are asked for next."""
        with self._lock:
            self._places.pop(principal, None)
            self._urls.pop(principal, None)

    def close(self) -> None:
        """Close all connections."""
        self.http.close()
