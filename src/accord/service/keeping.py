"""Keep a visit's folder to itself for as long as one call to a side takes, however long that is.

`writes` does so around every call that writes. Before each call it asks whether the lease still
stands (`pausing.require_lease`), and what comes of it is committed under the lease's fence.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from accord.ports.errors import AccordError
from accord.service.opening import LEASE_SECONDS
from accord.service.pausing import require_lease
from accord.service.visit import Visit
from accord.state.leases import LeaseLost

RENEW = 30.0
"""Seconds between two renewals: some may fail before the lease runs out."""


@contextmanager
def kept(visit: Visit) -> Iterator[None]:
    """Make sure of the visit's lease, and renew it until the end; raises LeaseLost, Retry.

    A batch may take longer than leases last: of many items each may wait for a slow server.
    """
    require_lease(visit)
    if visit.lease is None:
        yield
        return
    over = threading.Event()
    keeper = threading.Thread(target=_renew, args=(visit, over), name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _renew(visit: Visit, over: threading.Event) -> None:
    while not over.wait(RENEW):
        assert visit.lease is not None
        try:
            with visit.state.begin(durable=visit.state.shared) as tx:
                visit.lease = tx.leases.renew(visit.lease, LEASE_SECONDS)
        except LeaseLost:
            # Whoever sends or commits more hears of it.
            return
        except AccordError:
            # The database is away: nobody can take the lease meanwhile.
            continue
