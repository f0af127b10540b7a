"""Count what templates let wait for somebody: plans, handovers, withdrawals that could not be done.

`accord templates` names each; status, metrics and `accord held` say how many there are.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from accord.service.leavers import stuck
from accord.state.state import Tx
from accord.state.templates import Given


class TemplateWaits(Struct, frozen=True, kw_only=True):
    """Be how many plans as a whole, offers to successors and leavers' links wait."""

    plans: int = 0
    handovers: int = 0
    withdrawals: int = 0


def count(tx: Tx, given: Collection[Given]) -> TemplateWaits:
    """Return how much waits; `given` is what all templates wrote."""
    return TemplateWaits(
        plans=sum(bool(one.held) and one.left is None for one in given),
        handovers=sum(not one.decided for one in tx.handovers.all()),
        withdrawals=len(stuck(tx, given)),
    )
