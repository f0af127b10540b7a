"""Where adapters keep the secrets that their servers replace: in state, one renewal at a time.

`registry` hands one to an adapter that asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from accord.ports.errors import Busy
from accord.ports.redact import hide
from accord.state.state import State
from accord.state.taking import take

PATIENCE = 30.0
"""Seconds to wait while another process renews the same secret."""
_LEASE = 90.0
_LOOK = 0.1
_NOTED = timedelta(days=1)


class StateVault:
    """Keep the renewed secrets of one target; safe between threads, processes and machines."""

    def __init__(self, state: State, target: str) -> None:
        """Keep them with the target of that id."""
        self._state = state
        self._target = target

    def renew(self, name: str, first: str, exchange: Callable[[str], str]) -> None:
        """Exchange the newest secret and keep what comes; nobody else renews it meanwhile.

        Raises what `exchange` raises, Busy where another process is at it for too long.
        """
        until = time.monotonic() + PATIENCE
        place = f"renewal:{self._target}/{name}"
        while True:
            lease = self._state.run(lambda tx: take(tx.leases, place, _LEASE))
            if lease is not None:
                break
            if time.monotonic() > until:
                raise Busy("another process is renewing this sign-in", after=PATIENCE)
            time.sleep(_LOOK)
        try:
            with self._state.read() as tx:
                newest = tx.renewals.newest(self._target, name, first)
                noted = tx.renewals.renewed(self._target, name)
                now = tx.context.now()
            hide(newest)
            fresh = exchange(newest)
            hide(fresh)
            # What a server takes again and again is as good as new by that, and job `tokens` is to
            # know; once a day, for sign-ins in use are renewed each hour.
            if fresh != newest or noted is None or now - noted >= _NOTED:
                put = (self._target, name, first, fresh)
                self._state.run(lambda tx: tx.renewals.put(*put))
        finally:
            self._state.run(lambda tx: tx.leases.release(lease))
