"""What nobody expected of one item, here or in the CRM, leaves the others of a sync as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from accord.crm.memory.session import MemorySession
from accord.interface.server import render
from accord.interface.server.matching import Matcher
from accord.model import canonical
from accord.model.item import Contact
from accord.ports.adapter import Draft, Question, Revision
from accord.ports.errors import Retry
from tests.unit.interface.phone import card, header_status
from tests.unit.interface.world import World, make_world

SECRET = ["Words", "of a person"]


class Poisoned(Exception):
    """Be what no code of ours knows; its words may quote a person's."""


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


pytestmark = pytest.mark.usefixtures("faults")


@contextmanager
def fails(owner: Any, name: str, where: Callable[[str], bool]) -> Iterator[None]:
    """Let a function fail whenever one of its arguments shows the poisoned item."""
    real = getattr(owner, name)

    def odd(*arguments: Any, **named: Any) -> Any:
        if any(where(repr(each)) for each in arguments):
            raise Poisoned(*SECRET)
        return real(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, odd)
        yield


def shows(word: str) -> Callable[[str], bool]:
    return lambda text: word in text


@pytest.mark.parametrize(
    ("owner", "name", "code"),
    [
        (render, "read", 200),
        (canonical, "digest", 200),
        (render, "fresh", 200),
        (Matcher, "find", 201),
        (MemorySession, "create", 200),
    ],
)
def test_a_new_item_that_meets_a_fault_is_refused_and_the_others_go_on(
    world: World, faults: list[str], owner: Any, name: str, code: int
) -> None:
    phone = world.phone()
    phone.sync()
    phone.items = {str(n): card(f"Number {n}") for n in range(5)}
    phone.items["bad"] = card("Poison Ivy")
    with fails(owner, name, shows("Poison")):
        phone.sync(code)
    assert phone.codes == {**{str(n): 201 for n in range(5)}, "bad": 500}
    assert {header_status(reply).code for reply in phone.seen} <= {200, 212, 401, 407}
    (note,) = world.notes("refused")
    assert (note.luid, "Poisoned" in note.why) == ("bad", True)
    (fault,) = faults
    assert "test_faults.py" in fault, "with all lines of the way"
    assert SECRET[1] not in fault
    del phone.before["bad"]
    phone.sync()
    assert phone.codes["bad"] == 201
    assert phone.names == world.names()
    assert len(phone.names) == 6


def test_a_fault_in_looking_for_an_earlier_try_is_kept_to_the_item(world: World) -> None:
    phone = world.phone()
    phone.sync()
    phone.items = {str(n): card(f"Number {n}") for n in range(3)}
    asked: list[str] = []
    lookup = MemorySession.lookup

    def odd(self: MemorySession, folder: str, kind: Any, questions: Sequence[Question]) -> Any:
        asked.append(questions[0].key)
        if len(questions) > 1 or questions[0].key == asked[0]:
            raise Poisoned
        return lookup(self, folder, kind, questions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemorySession, "lookup", odd)
        phone.sync()
    assert sorted(phone.codes.values()) == [201, 201, 500]
    assert len(world.names()) == 2


@pytest.mark.parametrize(("owner", "name"), [(render, "changed"), (MemorySession, "update")])
def test_a_change_that_meets_a_fault_is_refused_and_the_others_go_on(
    world: World, owner: Any, name: str
) -> None:
    phone = world.phone()
    phone.items = {"1": card("Ada Lovelace"), "2": card("Grace Hopper")}
    phone.sync()
    before = dict(phone.items)
    phone.items = {"1": card("Ada Poison"), "2": card("Grace Murray")}
    with fails(owner, name, shows("Poison")):
        phone.sync()
    assert phone.codes == {"1": 500, "2": 200}
    assert world.names() == ["Ada Lovelace", "Grace Murray"]
    phone.before["1"] = before["1"]
    phone.sync()
    assert phone.codes == {"1": 200}
    assert phone.names == world.names() == ["Ada Poison", "Grace Murray"]


@pytest.mark.parametrize("fault", [Poisoned, ConnectionError])
def test_what_a_broken_batch_did_is_no_conflict(world: World, fault: type[Exception]) -> None:
    phone = world.phone()
    phone.items = {"1": card("Ada Lovelace"), "2": card("Grace Hopper")}
    phone.sync()
    phone.items = {"1": card("Ada King"), "2": card("Grace Murray")}
    update = MemorySession.update

    def odd(self: MemorySession, folder: str, kind: Any, revisions: Sequence[Revision]) -> Any:
        done = update(self, folder, kind, revisions[:1])
        if len(revisions) > 1:
            raise fault
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemorySession, "update", odd)
        phone.sync()
    assert phone.codes == {"1": 200, "2": 200}
    assert phone.names == world.names() == ["Ada King", "Grace Murray"]
    assert not world.notes("conflict")


@pytest.mark.parametrize("fault", [ConnectionResetError, TimeoutError])
def test_a_crm_that_is_away_is_left_alone_for_a_while(
    world: World, faults: list[str], fault: type[Exception]
) -> None:
    phone = world.phone()
    phone.sync()
    phone.items = {str(n): card(f"Number {n}") for n in range(50)}
    tries: list[int] = []

    def away(*arguments: Any) -> list[Draft]:
        tries.append(len(arguments[-1]))
        raise fault(*SECRET)

    phone.begin()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemorySession, "create", away)
        assert header_status(phone.send_changes(200)).code == 417
    assert tries == [50, 1, 1]
    assert len(faults) == 1
    assert phone.sync() == 200
    assert set(phone.codes.values()) == {201}
    assert phone.names == world.names()


def test_one_item_that_breaks_the_connection_leaves_the_others(world: World) -> None:
    phone = world.phone()
    phone.sync()
    phone.items = {str(n): card(f"Number {n}") for n in range(3)}
    phone.items["bad"] = card("Poison Ivy")
    create = MemorySession.create

    def odd(self: MemorySession, folder: str, kind: Any, drafts: Sequence[Draft]) -> Any:
        if "Poison" in repr(drafts):
            raise ConnectionResetError
        return create(self, folder, kind, drafts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemorySession, "create", odd)
        phone.sync()
    assert phone.codes == {"0": 201, "1": 201, "2": 201, "bad": 500}


@pytest.mark.parametrize("name", ["fetch", "delete"])
def test_a_deletion_that_meets_a_fault_brings_the_item_back(world: World, name: str) -> None:
    phone = world.phone()
    bad = world.add(Contact(full_name="Ada Lovelace"))
    world.add(Contact(full_name="Grace Hopper"))
    phone.sync()
    phone.items = {}
    with fails(MemorySession, name, shows(f"'{bad}'")):
        phone.sync()
    assert sorted(phone.codes.values()) == [200, 506 if name == "fetch" else 500]
    phone.sync()
    assert phone.names == world.names() == ["Ada Lovelace"]


@pytest.mark.parametrize("code", [200, 201, 205])
@pytest.mark.parametrize("ours", [True, False])
def test_what_cannot_be_sent_by_a_fault_comes_later_and_the_others_now(
    world: World, ours: bool, code: int
) -> None:
    phone = world.phone()
    phone.sync()
    bad = world.add(Contact(full_name="Poison Ivy"))
    world.add(Contact(full_name="Grace Hopper"))
    world.add(Contact(full_name="Ada Lovelace"))
    owner, name = (render, "write") if ours else (MemorySession, "fetch")
    with fails(owner, name, shows("Poison" if ours else f"'{bad}'")):
        phone.sync(code)
        assert phone.names == ["Ada Lovelace", "Grace Hopper"]
        phone.sync()
    assert phone.names == ["Ada Lovelace", "Grace Hopper"]
    assert {(note.ref, "Poisoned" in note.why) for note in world.notes("unsent")} == {(bad, True)}
    phone.sync()
    assert phone.names == ["Ada Lovelace", "Grace Hopper", "Poison Ivy"]


def test_a_refresh_takes_away_all_but_what_meets_a_fault(world: World) -> None:
    bad = world.add(Contact(full_name="Ada Lovelace"))
    world.add(Contact(full_name="Grace Hopper"))
    with fails(MemorySession, "delete", shows(f"'{bad}'")):
        world.phone().sync(203)
    assert world.names() == ["Ada Lovelace"]
    assert [note.ref for note in world.notes("refused")] == [bad]


def test_a_crm_that_is_busy_in_the_middle_is_no_fault_of_an_item(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.begin()

    def busy(*_: Any) -> list[Draft]:
        raise Retry("come back later", after=5)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemorySession, "create", busy)
        assert header_status(phone.send_changes(201)).code == 417
    assert phone.sync() == 201
    assert world.names() == ["Ada Lovelace"]


@pytest.mark.parametrize("code", [201, 203])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (render, "read"),
        (canonical, "digest"),
        (Matcher, "find"),
        (render, "changed"),
        (MemorySession, "update"),
    ],
)
def test_an_item_that_meets_a_fault_where_all_is_compared_is_not_doubled(
    world: World, owner: Any, name: str, code: int
) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    world.add(Contact(full_name="Ada Lovelace"))
    phone = world.phone()
    phone.sync()
    (luid,) = (each for each, text in phone.items.items() if "Grace" in text)
    phone.items[luid] = card("Grace Hopper", "grace@example.test")
    with fails(owner, name, shows("Grace")):
        phone.sync(code)
    assert phone.codes[luid] == 500
    assert phone.names == world.names() == ["Ada Lovelace", "Grace Hopper"]
    del phone.before[luid]
    assert phone.sync() == 201, "what it is shows once all is compared again"
    assert phone.names == world.names() == ["Ada Lovelace", "Grace Hopper"]
    assert "grace@example.test" in phone.items[luid]
    assert phone.sync() == 200
    assert not phone.codes


def test_a_fault_that_stays_holds_nothing_up_for_ever(world: World) -> None:
    world.add(Contact(full_name="Ada Lovelace"))
    phone = world.phone()
    phone.items = {"bad": card("Poison Ivy")}
    with fails(render, "read", shows("Poison")):
        assert phone.sync() == 201
        assert phone.names == ["Poison Ivy"]
        assert phone.sync() == 201
        assert phone.names == ["Ada Lovelace", "Poison Ivy"]
        assert phone.sync() == 200
    assert world.names() == ["Ada Lovelace"]
