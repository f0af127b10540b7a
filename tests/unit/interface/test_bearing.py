"""One item is refused, and the others go on: also with devices that can't bear every status."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accord.crm.memory.errors import Refused
from accord.crm.memory.session import MemorySession
from accord.formats.syncml.status import StatusCode
from accord.interface.server.devinf import bearable
from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.ports.adapter import Draft, Revision, Written
from tests.unit.interface.phone import card
from tests.unit.interface.world import World, make_world


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    forbid(monkeypatch)
    with make_world() as world:
        yield world


def forbid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody make, or change anything to, what is called forbidden or odd."""
    create, update = MemorySession._create, MemorySession._update

    def check(item: object) -> None:
        name = getattr(item, "full_name", "")
        if name.startswith("Forbidden"):
            raise Refused("no-right", "that is for others")
        if name.startswith("Odd"):
            raise Refused("wrong-kind", "nobody is called that")

    def created(self: MemorySession, kind: Kind, draft: Draft) -> Written:
        check(draft.item)
        return create(self, kind, draft)

    def updated(self: MemorySession, revision: Revision) -> Written:
        check(revision.after)
        return update(self, revision)

    monkeypatch.setattr(MemorySession, "_create", created)
    monkeypatch.setattr(MemorySession, "_update", updated)


@pytest.mark.parametrize(
    ("oem", "codes"),
    [
        (None, [201, 403, 201, 400, 400, 201]),
        ("Anybody", [201, 403, 201, 400, 400, 201]),
        ("Synthesis AG", [201, 500, 201, 500, 500, 201]),
    ],
)
def test_a_new_item_that_may_not_be_is_refused_and_the_rest_goes_on(
    world: World, oem: str | None, codes: list[int]
) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.oem = oem
    names = ["Ada Lovelace", "Forbidden One", "Lise Meitner", "Odd One"]
    phone.items = {str(number): card(name) for number, name in enumerate(names)}
    phone.items |= {"4": "BEGIN:VCARD", "5": card("Hedy Lamarr")}
    assert phone.sync() == 201
    assert [phone.codes[str(number)] for number in range(6)] == codes
    assert world.names() == ["Ada Lovelace", "Grace Hopper", "Hedy Lamarr", "Lise Meitner"]
    assert "Grace Hopper" in phone.names
    said = {note.luid: note.why for note in world.notes("refused")}
    assert said["1"] == "that is for others"
    assert said["3"] == "nobody is called that"
    assert "END" in said["4"]
    assert phone.sync() == 200


def test_a_change_that_may_not_be_is_put_back_for_everybody(world: World) -> None:
    for oem, code in ((None, 403), ("Anybody", 403), ("Synthesis AG", 419)):
        phone = world.phone(f"phone of {oem}")
        phone.oem = oem
        phone.items["1"] = card("Ada Lovelace")
        phone.sync()
        phone.items["1"] = card("Forbidden Lovelace")
        phone.sync()
        assert phone.codes == {"1": code}
        assert phone.names == ["Ada Lovelace"]


BORNE = {404, 415, 418, 419, 420, 424, 500, 506, 510}
"""What libsynthesis goes on after, of all that says that something failed."""


def test_only_what_is_not_borne_is_said_otherwise() -> None:
    with make_world() as world:
        phone = world.phone()
        phone.oem = "Synthesis AG"
        told = {code: bearable(phone.devinf(), code) for code in StatusCode}
        assert {code for code in told if code >= 400 and told[code] == code} == BORNE
        assert all(said in {code, 500} for code, said in told.items())
        assert all(said == code for code, said in told.items() if code < 400)
        phone.oem = "Anybody"
        for code in StatusCode:
            assert bearable(phone.devinf(), code) == bearable(None, code) == code
