"""What looks like an item is not taken for it: copies that people make in their mailbox."""

from __future__ import annotations

import msgspec
import pytest

from tests.unit.service.kit import World, event


@pytest.mark.parametrize("hard", [True, False])
def test_a_copy_that_still_bears_its_originals_marker_is_not_taken_for_it(hard: bool) -> None:
    """Deleting the original is a deletion, although the copy could be found by that marker."""
    world = World()
    world.person().add(event("original"))
    world.sync()
    mailbox = world.mailbox()
    (original,) = world.items()
    copy = mailbox.copy(original.ref)
    mailbox.edit(copy, title="copy")
    world.sync()
    entries = world.groupware.store.mailbox("alice@x.test").entries
    entries[copy] = msgspec.structs.replace(entries[copy], marker=original.marker)
    mailbox.delete(original.ref, hard=hard)
    world.wait(minutes=400)
    world.sync()
    assert world.titles() == (["copy"], ["copy"])
