"""Files on items and photos of contacts on their way between a connector and CRM.interface."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from accord.crm.memory import MemoryCrm
from accord.crm.memory import build as memory
from accord.crm.memory.store import Right
from accord.formats.syncml import message as m
from accord.formats.syncml.message import Item, Location
from accord.model.files import files_of
from accord.model.item import Contact, Task
from accord.model.parts import Attachment
from accord.ports import errors
from accord.ports.clock import system_clock
from accord.ports.token import CONNECTOR
from accord.state import State
from accord.testing.files import hang, held, read, session
from accord.testing.photos import JPEG, give, shown
from tests.connector import Endpoint
from tests.databases import Sqlite
from tests.unit.interface.test_connector import USERS, _ask, _statuses, contacts, tasks

CONTENT = bytes(range(256)) * 200


@pytest.fixture
def crm() -> MemoryCrm:
    return memory({"users": USERS})


@pytest.fixture
def house(tmp_path: Path, crm: MemoryCrm) -> Iterator[Endpoint]:
    with closing(Sqlite().blank()) as database:
        made = Endpoint(State(database, tmp_path / "accord.key", system_clock))
        made.serve(crm)
        yield made


def test_a_photo_goes_both_ways(house: Endpoint, crm: MemoryCrm) -> None:
    there, here = contacts(house.direct()), contacts(crm)
    (made,) = there.create(Contact(full_name="Ada"))
    give(there, made.ref, JPEG)
    assert shown(here, made.ref) == JPEG
    give(here, made.ref, JPEG[::-1])
    assert shown(there, made.ref) == JPEG[::-1]
    (file,) = files_of(there.read(made.ref).item)
    session(there).detach(there.folder, there.kind, made.ref, file.uri)
    assert files_of(here.read(made.ref).item) == ()


def test_a_file_larger_than_a_message_goes_in_pieces_both_ways(house: Endpoint) -> None:
    place = tasks(house.direct(max_message=8_000))
    (made,) = place.create(Task(title="with a file"))
    hang(place, made.ref, "plan", CONTENT)
    assert read(place, made.ref, place.read(made.ref).item) == {"plan": CONTENT}
    assert max(map(len, house.told)) <= 8_000


def test_a_file_larger_than_the_interface_takes_is_refused_before_it_is_sent(
    house: Endpoint, crm: MemoryCrm
) -> None:
    house.serve(crm, max_object=20_000)
    place = tasks(house.direct())
    (made,) = place.create(Task(title="with a file"))
    room = session(place).room
    assert 10_000 < room < 15_000
    hang(place, made.ref, "fits", b"x" * room)
    sent = len(house.seen)
    with pytest.raises(errors.Rejected, match="max_object"):
        hang(place, made.ref, "larger", b"x" * (room + 1))
    assert len(house.seen) == sent
    assert [each.name for each in held(place.read(made.ref).item)] == ["fits"]


def test_there_is_no_more_room_than_the_crm_has(house: Endpoint, crm: MemoryCrm) -> None:
    crm.store.room = 1_000
    assert session(tasks(house.direct())).room == 1_000


def test_who_may_not_see_an_item_gets_nothing_of_its_files(house: Endpoint, crm: MemoryCrm) -> None:
    place, stranger = tasks(house.direct()), tasks(house.direct(), "bob")
    (made,) = place.create(Task(title="with a file"))
    hang(place, made.ref, "plan", CONTENT)
    (file,) = held(place.read(made.ref).item)
    crm.person("ann").allow(made.ref, "bob", Right.NONE)
    where = (stranger.folder, stranger.kind, made.ref)
    with pytest.raises(errors.ItemError):
        list(session(stranger).open_file(*where, file.uri))
    with pytest.raises(errors.ItemError):
        session(stranger).attach(*where, Attachment(name="x"), io.BytesIO(b"x"))
    with pytest.raises(errors.ItemError):
        session(stranger).detach(*where, file.uri)
    assert read(place, made.ref, place.read(made.ref).item) == {"plan": CONTENT}


def test_files_are_no_matter_of_all_users(house: Endpoint) -> None:
    item = Item(target=Location("./files"))
    reply = _ask(house, CONNECTOR, m.Get(cmd_id="2", items=(item,)))
    assert _statuses(reply)[-1].code >= 400


def test_an_older_interface_takes_no_files(
    house: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise errors.Rejected("there is no './files'", code="resource")

    monkeypatch.setattr("accord.interface.connector.files.keeping", unknown)
    assert session(tasks(house.direct())).room == 0
