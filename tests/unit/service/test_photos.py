"""Photos of contacts go both ways, once, where the rule lets them; Exchange, DAV and the CRM."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accord.groupware.dav import photos
from accord.groupware.exchange.client import Client
from accord.groupware.memory import build as build_memory
from accord.model.files import files_of
from accord.model.item import Contact
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Attachment, Privacy
from accord.ports.adapter import Adapter, Draft
from accord.ports.errors import Rejected
from accord.rules.rule import Clash, OneWay, Private
from accord.sandbox.radicale import Radicale
from accord.service.explain import explain
from accord.service.undo import select, undo
from accord.testing.photos import JPEG, PNG
from tests.contract.test_groupware_dav import adapter_for as dav_for
from tests.exchange import House
from tests.peers import new_account
from tests.unit.service.test_files import World

OTHER = b"\xff\xd8\xff another face" * 900


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone; what is stored is tried on both beside the tables."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


class Faces(World):
    """Be a person's address book and their contacts in the CRM, linked both ways by default."""

    def __init__(self, folder: Path, house: House, build: Any = None, **rule: Any) -> None:
        super().__init__(folder, house, Kind.CONTACT, **{"direction": Direction.BOTH, **rule})
        self.other = build(self.address) if build else None
        if self.other is not None:
            self.hand = self.exchange = self.other

    def close(self) -> None:
        super().close()
        if self.other is not None:
            self.other.close()

    def meet(self, side: Side = Side.CRM, **values: Any) -> None:
        item = Contact(full_name="Ada Byron", given="Ada", family="Byron", **values)
        with self.sessions(side) as session:
            session.create(self.folder(session), self.kind, [Draft(item=item, key="k")])

    def give(self, side: Side, content: bytes = JPEG, media_type: str = "image/jpeg") -> None:
        digest = hashlib.sha256(content).hexdigest()
        file = Attachment(name="me", media_type=media_type, size=len(content), digest=digest)
        ref = self.item(side).ref
        with self.sessions(side) as session:
            session.attach(self.folder(session), self.kind, ref, file, io.BytesIO(content))

    def strip(self, side: Side) -> None:
        found = self.item(side)
        (photo,) = files_of(found.item)
        with self.sessions(side) as session:
            session.detach(self.folder(session), self.kind, found.ref, photo.uri)

    def face(self, side: Side) -> bytes | None:
        found = self.item(side)
        with self.sessions(side) as session:
            content = [
                b"".join(session.open_file(self.folder(session), self.kind, found.ref, each.uri))
                for each in files_of(found.item)
            ]
        return next(iter(content), None)

    def faces(self) -> list[bytes | None]:
        return [self.face(Side.CRM), self.face(Side.GROUPWARE)]

    def told(self) -> str:
        return "\n".join(
            line for one in explain(self.accord, self.item(Side.CRM).ref) for line in one.waiting
        )


Make = Callable[..., Faces]


@pytest.fixture(params=["exchange", "dav"])
def world(tmp_path: Path, house: House, request: pytest.FixtureRequest) -> Iterator[Make]:
    made: list[Faces] = []

    def make(**rule: Any) -> Faces:
        build = None
        if request.param == "dav":
            radicale: Radicale = request.getfixturevalue("radicale")
            account = new_account(radicale)

            def build(address: str) -> Adapter:
                return dav_for(account, users={address: account.user})

        made.append(Faces(tmp_path, house, build, **rule))
        return made[0]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def exchange(tmp_path: Path, house: House) -> Iterator[Make]:
    made: list[Faces] = []

    def make(build: Callable[[str], Adapter] | None = None, **rule: Any) -> Faces:
        made.append(Faces(tmp_path, house, build, **rule))
        return made[0]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("side", list(Side))
def test_a_photo_goes_over_with_a_new_contact(world: Make, side: Side) -> None:
    here = world()
    here.meet(side)
    here.give(side, PNG, "image/png")
    here.sync()
    assert here.faces() == [PNG, PNG]
    # The versions that carrying made are known as one's own.
    with here.accord.state.read() as tx:
        (pairing,) = tx.pairings.all("l")
    assert [pairing.side(one).version for one in Side] == [here.item(one).version for one in Side]
    here.quiet()
    assert here.faces() == [PNG, PNG]


@pytest.mark.parametrize("side", list(Side))
def test_a_photo_is_given_changed_and_taken_off(world: Make, side: Side) -> None:
    here = world()
    here.meet()
    here.sync()
    here.give(side)
    here.sync()
    assert here.faces() == [JPEG, JPEG]
    here.quiet()
    here.give(side, OTHER)
    here.change(side, nickname="Countess")
    here.sync()
    assert here.faces() == [OTHER, OTHER]
    assert [here.item(one).item.nickname for one in Side] == ["Countess"] * 2  # type: ignore[union-attr]
    here.quiet()
    here.strip(side)
    here.sync()
    assert here.faces() == [None, None]
    here.quiet()
    here.give(side.other, PNG)
    here.sync()
    assert here.faces() == [PNG, PNG]


def test_a_photo_taken_off_in_the_mailbox_by_mistake_comes_back(world: Make) -> None:
    here = world()
    here.meet()
    here.give(Side.CRM)
    here.sync()
    here.change(Side.CRM, nickname="Countess")  # or else the card is again what Accord wrote once
    here.sync()
    here.strip(Side.GROUPWARE)
    run = here.sync().run
    assert here.faces() == [None, None]
    (report,) = undo(here.accord, select(here.accord, run))
    assert not report.error and not report.left
    assert here.faces() == [JPEG, JPEG]
    here.quiet()
    assert here.faces() == [JPEG, JPEG]


def test_by_default_photos_go_out_only(world: Make) -> None:
    here = world(direction=Direction.OUTBOUND)
    here.meet()
    here.give(Side.CRM)
    here.sync()
    assert here.faces() == [JPEG, JPEG]
    here.give(Side.GROUPWARE, PNG)
    here.sync()
    here.quiet()
    assert here.faces() == [JPEG, PNG], "a person's own picture stands"
    here.strip(Side.CRM)
    here.sync()
    assert here.faces() == [None, PNG], "and is worth more than none"
    here.give(Side.CRM, OTHER)
    here.sync()
    assert here.faces() == [OTHER, OTHER], "until there is another one in the CRM"


def test_a_rule_may_put_the_photo_back(exchange: Make) -> None:
    here = exchange(direction=Direction.OUTBOUND, one_way=OneWay.RESTORE)
    here.meet()
    here.give(Side.CRM)
    here.sync()
    here.give(Side.GROUPWARE, PNG)
    here.sync()
    assert here.faces() == [JPEG, JPEG]
    here.strip(Side.GROUPWARE)
    here.sync()
    assert here.faces() == [JPEG, JPEG]
    here.quiet()


@pytest.mark.parametrize(("clash", "kept"), [(Clash.CRM, PNG), (Clash.GROUPWARE, OTHER)])
def test_where_both_changed_it_the_rule_decides(exchange: Make, clash: Clash, kept: bytes) -> None:
    here = exchange(clash=clash)
    here.meet()
    here.give(Side.CRM)
    here.sync()
    here.give(Side.CRM, PNG)
    here.give(Side.GROUPWARE, OTHER)
    here.sync()
    assert here.faces() == [kept, kept]
    here.quiet()


def test_two_that_never_agreed_are_left_and_named(world: Make) -> None:
    here = world()
    here.meet()
    here.sync()
    here.give(Side.CRM)
    here.give(Side.GROUPWARE, PNG)
    here.sync()
    assert here.faces() == [JPEG, PNG]
    assert "both have a photo, and they differ" in here.told()
    here.quiet()
    here.give(Side.GROUPWARE, OTHER)
    here.sync()
    assert here.faces() == [OTHER, OTHER]
    assert here.told() == ""


def test_the_same_photo_on_both_sides_is_left_alone(world: Make) -> None:
    here = world()
    here.meet()
    here.sync()
    for side in Side:
        here.give(side)
    here.sync()
    assert here.faces() == [JPEG, JPEG]
    assert here.told() == ""
    here.quiet()


def test_a_photo_that_is_too_large_holds_nothing_up(world: Make) -> None:
    here = world()
    if here.other is None:
        here.exchange = here.adapter(attachment_megabytes=1)
    here.meet()
    here.give(Side.CRM, JPEG * 4_000)
    here.sync()
    assert here.face(Side.GROUPWARE) is None
    assert "the photo for the mailbox: too large" in here.told()
    here.change(Side.CRM, nickname="Countess")
    here.sync()
    assert here.item(Side.GROUPWARE).item.nickname == "Countess"  # type: ignore[union-attr]
    here.quiet()
    here.give(Side.CRM)
    here.sync()
    assert here.faces() == [JPEG, JPEG]
    assert here.told() == ""


def test_one_that_grew_too_large_is_taken_off_all_the_same(world: Make) -> None:
    here = world()
    if here.other is None:
        here.exchange = here.adapter(attachment_megabytes=1)
    here.meet()
    here.give(Side.CRM)
    here.sync()
    here.give(Side.CRM, JPEG * 4_000)
    here.sync()
    assert here.face(Side.GROUPWARE) == JPEG
    here.strip(Side.CRM)
    here.sync()
    assert here.faces() == [None, None]


@pytest.mark.parametrize("world", ["dav"], indirect=True)
def test_a_server_that_makes_pictures_its_own_gets_them_once(
    world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world()
    pictured = photos.pictured

    def resized(contact: Contact, file: Attachment, content: bytes) -> Contact:
        return pictured(contact, file, content + b"smaller")

    monkeypatch.setattr(photos, "pictured", resized)
    here.meet()
    here.give(Side.CRM)
    here.sync()
    here.quiet()
    assert here.faces() == [JPEG, JPEG + b"smaller"]
    here.change(Side.GROUPWARE, nickname="Countess")
    here.sync()
    here.quiet()
    assert here.faces() == [JPEG, JPEG + b"smaller"]
    here.strip(Side.CRM)
    here.sync()
    assert here.faces() == [None, None]


@pytest.mark.parametrize("world", ["dav"], indirect=True)
def test_what_a_server_made_of_a_picture_is_undone_with_it(
    world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world()
    pictured = photos.pictured

    def resized(contact: Contact, file: Attachment, content: bytes) -> Contact:
        return pictured(contact, file, content + b"smaller")

    monkeypatch.setattr(photos, "pictured", resized)
    here.meet()
    here.sync()
    here.give(Side.CRM)
    run = here.sync().run
    assert here.faces() == [JPEG, JPEG + b"smaller"]
    (report,) = undo(here.accord, select(here.accord, run))
    assert not report.error and not report.left and not report.held
    assert here.faces() == [JPEG, None]
    here.quiet()


def test_the_photo_of_a_private_contact_stays_where_it_is(exchange: Make) -> None:
    here = exchange(private=Private.BUSY)
    here.meet(Side.GROUPWARE)
    here.give(Side.GROUPWARE)
    here.sync()
    assert here.faces() == [JPEG, JPEG]
    here.change(Side.GROUPWARE, privacy=Privacy.PRIVATE)
    here.sync()
    assert here.faces() == [None, JPEG], "what came from the mailbox is taken back"
    assert "the photo in the mailbox: its contact is private" in here.told()
    here.quiet()


def test_a_copy_made_private_costs_the_crm_nothing(exchange: Make) -> None:
    here = exchange(direction=Direction.OUTBOUND, private=Private.BUSY)
    here.meet()
    here.give(Side.CRM)
    here.sync()
    here.change(Side.GROUPWARE, privacy=Privacy.PRIVATE)
    here.sync()
    here.give(Side.CRM, PNG)
    here.sync()
    assert here.faces() == [PNG, JPEG]
    assert "the photo: the contact in the mailbox is private" in here.told()


def test_a_photo_that_cant_be_read_holds_nothing_up(
    exchange: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = exchange()
    here.meet(Side.GROUPWARE)
    here.give(Side.GROUPWARE)

    def unreadable(*_given: Any) -> Iterator[bytes]:
        raise Rejected("its content can't be read", code="base64")

    opened = here.exchange.open

    def spoiled(principal: str) -> Any:
        session = opened(principal)
        session.open_file = unreadable
        return session

    monkeypatch.setattr(here.exchange, "open", spoiled)
    here.sync()
    assert here.item(Side.CRM).item.full_name == "Ada Byron"  # type: ignore[union-attr]
    assert here.face(Side.CRM) is None
    assert "the photo in the mailbox: its content can't be read" in here.told()
    monkeypatch.setattr(here.exchange, "open", opened)
    here.change(Side.GROUPWARE, nickname="Countess")
    here.sync()
    assert here.faces() == [JPEG, JPEG]
    assert here.told() == ""
    monkeypatch.setattr(here.exchange, "open", spoiled)
    here.give(Side.GROUPWARE, PNG)
    here.sync()
    assert here.faces() == [JPEG, PNG], "what can't be read is not gone"


def test_the_former_picture_goes_first(exchange: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    here = exchange()
    here.meet(Side.GROUPWARE)
    here.give(Side.GROUPWARE)
    asked: list[str] = []

    def noted(name: str) -> Callable[..., Any]:
        real = getattr(Client, name)

        def call(*given: Any, **more: Any) -> Any:
            asked.append(name)
            return real(*given, **more)

        return call

    for name in ("attach", "detach"):
        monkeypatch.setattr(Client, name, noted(name))
    here.give(Side.GROUPWARE, PNG)
    assert asked == ["detach", "attach"]
    assert here.face(Side.GROUPWARE) == PNG


def test_a_mailbox_that_keeps_no_photos_is_named(exchange: Make) -> None:
    memory = build_memory({"omitted": "contact.photo"})
    here = exchange(lambda _address: memory)
    here.meet()
    here.give(Side.CRM)
    here.sync()
    assert here.item(Side.GROUPWARE).item.full_name == "Ada Byron"  # type: ignore[union-attr]
    assert "the photo in the CRM: none can be kept in the mailbox" in here.told()
    here.quiet()
    here.strip(Side.CRM)
    here.sync()
    assert here.told() == ""


@pytest.mark.parametrize("world", ["dav"], indirect=True)
def test_the_address_of_a_photo_travels_as_a_field(world: Make) -> None:
    here = world()
    link = Attachment(uri="https://example.com/ada.jpg")
    here.meet(photo=link)
    here.sync()
    assert here.item(Side.GROUPWARE).item.photo.uri == link.uri  # type: ignore[union-attr]
    here.quiet()
    here.give(Side.CRM)
    here.sync()
    assert here.faces() == [JPEG, JPEG]
    here.quiet()
