"""Taking a marker off leaves an item in which nothing speaks of Accord any more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accord.groupware.dav import DavSession
from accord.model.item import Contact, Event
from accord.model.kinds import Kind
from accord.ports.adapter import Draft, Mark, Written
from accord.testing.samples import plain
from tests.unit.dav.fake import FakeDav

FOLDERS = {Kind.EVENT: "/alice/cal/", Kind.CONTACT: "/alice/book/"}


@pytest.fixture
def dav() -> FakeDav:
    return FakeDav()


@pytest.fixture
def session(dav: FakeDav) -> Iterator[DavSession]:
    adapter = dav.adapter()
    with adapter.open("alice") as session:
        session.folders()
        yield session
    adapter.close()


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("marker", ["crm/event/1", ""])
def test_a_marker_that_is_taken_off_takes_the_key_with_it(
    dav: FakeDav, session: DavSession, kind: Kind, marker: str
) -> None:
    folder = FOLDERS[kind]
    item = plain(kind, "kept")
    assert isinstance(item, Event | Contact)
    (made,) = session.create(folder, kind, [Draft(item=item, key="k1", marker=marker)])
    assert isinstance(made, Written) and made.snapshot is not None
    assert "X-ACCORD-KEY" in dav.text(made.ref)
    (off,) = session.mark(folder, kind, [Mark(ref=made.ref, marker="")])
    assert isinstance(off, Written) and off.snapshot is not None
    assert "ACCORD-" not in dav.text(made.ref)
    assert off.version == dav.items[made.ref][0]
    assert off.snapshot.item == made.snapshot.item
    count = len(dav.asked)
    (again,) = session.mark(folder, kind, [Mark(ref=made.ref, marker="")])
    assert isinstance(again, Written) and again.version == off.version
    assert not [line for line in dav.since(count) if line.startswith("PUT")]
