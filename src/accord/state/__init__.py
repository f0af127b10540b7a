"""What must outlast a run: pairings, cursors, intents, pending changes, journal, blobs.

Written by the service alone; SQLite or PostgreSQL through ``db``.
"""

from accord.state.codec import decode_step, encode_step
from accord.state.ids import new_id
from accord.state.leases import LeaseLost
from accord.state.records import (
    Cause,
    Claim,
    Decision,
    Entry,
    Erasure,
    Intent,
    Lease,
    Link,
    Mode,
    Pending,
    Run,
    Target,
    Trouble,
)
from accord.state.rules import Activation
from accord.state.state import State, Tx

__all__ = [
    "Activation",
    "Cause",
    "Claim",
    "Decision",
    "Entry",
    "Erasure",
    "Intent",
    "Lease",
    "LeaseLost",
    "Link",
    "Mode",
    "Pending",
    "Run",
    "State",
    "Target",
    "Trouble",
    "Tx",
    "decode_step",
    "encode_step",
    "new_id",
]
