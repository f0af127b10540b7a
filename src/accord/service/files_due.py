"""Note, with the pairs that a batch stores, whose files are to be looked at.

The ledger calls it in its transaction; `files` looks at them afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from accord.engine.plan import Pairing
from accord.model.files import files_of
from accord.model.kinds import Side
from accord.model.parts import Attachment
from accord.state.state import Tx


def expect_files(tx: Tx, link: str, pairings: Sequence[Pairing], removed: Collection[str]) -> None:
    """Note pairs that hold files, or did so; forget those of pairs that are no more."""
    tx.files.remove_many(sorted(removed))
    holding = {one.id for one in pairings if any(files_on(one, side) for side in Side)}
    tx.files.expect(link, holding, {one.id for one in pairings} - holding)


def files_on(pairing: Pairing, side: Side) -> tuple[Attachment, ...]:
    """Return the files that a side keeps with its item of a pair."""
    return files_of(pairing.side(side).item)
