"""A CalDAV/CardDAV target as the port has it: traits, sessions, checks.

`build` makes one from settings; `server` holds what it knows, `session` the calls of the port.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accord.groupware.dav.check import findings
from accord.groupware.dav.server import Server
from accord.groupware.dav.session import DavSession
from accord.groupware.dav.settings import configure
from accord.groupware.dav.traits import traits
from accord.model.traits import Traits
from accord.ports.adapter import Finding


class DavAdapter(Server):
    """Be one configured server; safe to share between threads, its sessions aren't."""

    @property
    def traits(self) -> Traits:
        """Return what this server can do; asks it once whether it mails attendees.

        While the server can't be asked, it counts as one that mails.
        """
        return traits(self.config, self.mails())

    @property
    def instance(self) -> str:
        """Return host and path of the target: servers have no id of their own."""
        return f"dav:{self.http.url(self.http.start)}"

    @property
    def requests(self) -> int:
        """Return how many requests this thread has had made, those for signing in included."""
        return self.http.requests.own

    def open(self, principal: str) -> DavSession:
        """Open the collections of a person; raises ConfigError where no login is set for them."""
        return DavSession(self, principal)

    @property
    def visits(self) -> int:
        """Return how many visits may be under way at once, of all processes; 0 for any number."""
        return self.config.visits

    def share(self, processes: int) -> None:
        """Send one part of so many of the requests that are allowed in a minute."""
        self.http.budget.share(processes)

    def check(self, principal: str = "") -> tuple[Finding, ...]:
        """Try connection, certificate, login, discovery and each folder; say how to mend."""
        return findings(self, principal)


def build(settings: Mapping[str, Any], *, where: str = "dav") -> DavAdapter:
    """Return the adapter that the settings describe; raises ConfigError naming a wrong one."""
    return DavAdapter(configure(settings, where))
