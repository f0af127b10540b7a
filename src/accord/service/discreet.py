"""Take private content away before anything is decided or stored.

`cases` and `counterparts` let every mailbox observation through here.
"""

from __future__ import annotations

import msgspec

from accord.model.observe import Observation, Seen
from accord.service.visit import Visit


def discreet(visit: Visit, observation: Observation) -> Observation:
    """Return a mailbox observation without private content, which is stored nowhere.

    What was reduced can't be written back, so it is read-only to Accord from here on.
    """
    if not isinstance(observation, Seen):
        return observation
    snapshot = observation.snapshot
    item = visit.policy.program.discreet(snapshot.item, visit.policy.facts)
    if item == snapshot.item:
        return observation
    return Seen(msgspec.structs.replace(snapshot, item=item, readonly=True))
