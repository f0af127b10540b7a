"""Stop at once: what every write asks just before it, also in the middle of a visit.

`accord pause` and `accord mode` only set what this reads; other processes see it at their next
batch. So does every write ask whether its visit still has the folder to itself.
"""

from __future__ import annotations

import time

from accord.ports.errors import ConfigError, Retry
from accord.service.accord import Accord
from accord.service.opening import LEASE_SECONDS
from accord.service.visit import Visit
from accord.state.records import Mode
from accord.state.state import Tx

ALL_PAUSED = "everything is paused: nothing was done"
"""What is said of work that no visit does while everything is paused."""

SURE = 10.0
"""Seconds for which nobody can have taken a lease after its holder made sure of it: whoever is cut
off from the database is silent for longer (`state.processes`) before anything is taken from it."""


def require_going(visit: Visit, tx: Tx | None = None) -> None:
    """Raise ConfigError where everything, or the visit's link, may not write any more.

    Raises Retry where the link is a pilot by now and the visit's plan is none of a pilot's, and
    LeaseLost. A withdrawal goes on although its link is paused: it has paused it itself.
    """
    if tx is None:
        require_lease(visit)
        with visit.state.read() as tx:
            require_going(visit, tx)
        return
    if tx.settings.get("paused"):
        raise ConfigError("paused", field="paused", hint="run `accord resume` to go on")
    if visit.parting:
        return
    link = tx.links.get(visit.link.id)
    if link is None:
        raise ConfigError("the link was removed meanwhile", field="link")
    if link.paused:
        raise ConfigError("paused", field="paused", hint="run `accord resume` to go on")
    if link.mode is Mode.OBSERVE:
        hint = "run `accord mode` to let it write"
        raise ConfigError("it only observes since a moment ago", field="mode", hint=hint)
    if link.mode is Mode.PILOT and visit.link.mode is Mode.ACTIVE:
        raise Retry("it is a pilot since a moment ago")


def require_lease(visit: Visit) -> None:
    """Make sure that nobody else can be at work in the visit's folder by now.

    Raises LeaseLost, and Retry where the database is away: a machine that is cut off from it may
    still reach the servers, and must begin no write there.
    """
    lease = visit.lease
    if lease is not None and time.monotonic() - lease.sure > SURE:
        with visit.state.begin(durable=False) as tx:
            visit.lease = tx.leases.renew(lease, LEASE_SECONDS)


def require_unpaused(accord: Accord) -> None:
    """Raise ConfigError while everything is paused: for writes that no visit makes."""
    with accord.state.read() as tx:
        if tx.settings.get("paused"):
            hint = "run `accord resume --all` to go on"
            raise ConfigError(ALL_PAUSED, field="paused", hint=hint)
