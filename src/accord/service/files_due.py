"""Note, with the pairs that a batch stores, whose files are to be looked at.

The ledger calls it in its transaction; `files` looks at them afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import UNSET

from accord.engine.plan import Pairing
from accord.model.files import files_of
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.model.parts import Attachment, files
from accord.model.recurrence import Override
from accord.state.state import Tx


def expect_files(tx: Tx, link: str, pairings: Sequence[Pairing], removed: Collection[str]) -> None:
    """Note pairs that hold files, or did so; forget those of pairs that are no more."""
    tx.files.remove_many(sorted(removed))
    holding = {one.id for one in pairings if any(files_on(one, side) for side in Side)}
    tx.files.expect(link, holding, {one.id for one in pairings} - holding)


def files_on(pairing: Pairing, side: Side) -> tuple[Attachment, ...]:
    """Return the files that a side keeps with its item of a pair, single occurrences included."""
    item = pairing.side(side).item
    single = [occurrence_files(each) for each in getattr(item, "overrides", ())]
    return (*files_of(item), *(one for some in single for one in some))


def occurrence_files(override: Override) -> tuple[Attachment, ...]:
    """Return the files that a side keeps with a single occurrence of a series."""
    return () if override.attachments is UNSET else files(override.attachments)


def of_occurrences(items: Mapping[Side, Snapshot]) -> Iterator[str]:
    """Yield, of each file that single occurrences alone have, why it stays there."""
    for side, now in items.items():
        usual = {(each.name, each.size) for each in files_of(now.item)}
        for override in getattr(now.item, "overrides", ()):
            for each in occurrence_files(override):
                if (each.name, each.size) not in usual:
                    yield (
                        f"{each.name or 'a file'} on the occurrence of "
                        f"{override.recurrence_id:%Y-%m-%d} in the {side.place}: files of "
                        "single occurrences stay where they are"
                    )
