"""An Exchange target as the port has it: traits, sessions, checks.

`build` makes one from settings; `server` holds what it knows, `session` the calls of the port.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accord.groupware.exchange import trees
from accord.groupware.exchange.check import findings
from accord.groupware.exchange.server import Server
from accord.groupware.exchange.session import ExchangeSession
from accord.groupware.exchange.settings import configure
from accord.groupware.exchange.signin import check_kerberos
from accord.groupware.exchange.traits import traits
from accord.groupware.exchange.watch import ExchangeWatch
from accord.groupware.exchange.ways import renewable
from accord.model.traits import Traits
from accord.ports.adapter import Finding
from accord.ports.vault import Vault


class ExchangeAdapter(Server):
    """Be one configured server; safe to share between threads, its sessions aren't."""

    @property
    def traits(self) -> Traits:
        """Return what Exchange can do."""
        return traits(self.config)

    @property
    def instance(self) -> str:
        """Return the target's address: Exchange tells no id of the organization."""
        return f"exchange:{self.config.url or 'autodiscover'}"

    @property
    def requests(self) -> int:
        """Return how many requests this thread has had made, those for signing in included."""
        return self.http.requests.own

    def open(self, principal: str) -> ExchangeSession:
        """Open a person's mailbox; raises ConfigError where no login is set for them."""
        return ExchangeSession(self, principal)

    def watch(self) -> ExchangeWatch:
        """Return a watch over mailboxes (`ports.watcher`) that covers nobody yet."""
        return ExchangeWatch(self)

    def keep_in(self, vault: Vault) -> None:
        """Keep the tokens that the authority renews in a vault from now on."""
        self.http.vault = vault

    def sign_ins(self) -> tuple[str, ...]:
        """Return the logins whose refresh tokens the authority renews."""
        return tuple(one.user for one in renewable(self.config))

    def renew(self, name: str) -> None:
        """Renew the token of a login now; raises AuthFailed, ConfigError or Retry."""
        for one in renewable(self.config):
            if one.user == name:
                self.http.renew(one)

    @property
    def visits(self) -> int:
        """Return how many visits may be under way at once, of all processes; 0 for any number."""
        return self.config.visits

    def share(self, processes: int) -> None:
        """Send one part of so many of the requests that are allowed in a minute."""
        self.http.budget.share(processes)

    def check(self, principal: str = "") -> tuple[Finding, ...]:
        """Try connection, certificate, login, rights and each folder; say how to mend."""
        return findings(self, principal)


def build(settings: Mapping[str, Any], *, where: str = "exchange") -> ExchangeAdapter:
    """Return the adapter that the settings describe; raises ConfigError naming a wrong one.

    Raises it, too, where exchangelib isn't installed.
    """
    config = configure(settings, where)
    trees.check_installed()
    if config.auth == "kerberos":
        check_kerberos(config.where)
    return ExchangeAdapter(config)
