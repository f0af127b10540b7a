"""Links on calendars of mailboxes that aren't the user's own: a team's, a room's, by delegation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.model.item import Event, Item
from accord.model.kinds import Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.model.parts import Attendee, Person
from accord.ports.adapter import Ask, Draft, Revision
from accord.rules.rule import Rule, Scope
from accord.service.bootstrap import open_accord
from accord.service.check import check
from accord.service.init import init
from accord.service.report import Report
from accord.service.sync import sync
from accord.state.records import Link, Mode, Target
from accord.testing.samples import at
from tests.contract.test_groupware_exchange import adapter_for
from tests.exchange import House


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone: what is stored is the same as for any link."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


class World:
    """Be alice, whose links are on her own calendar and on those of a team and a room."""

    def __init__(self, folder: Path, house: House) -> None:
        self.house = house
        self.alice, self.team, self.room = (house.person() for _ in range(3))
        self.account = house.person()
        for mailbox in (self.alice, self.team, self.room):
            self.grant(mailbox, "editor")
        self.exchange = adapter_for(house.url, access="delegate", user=self.account)
        self.hand = adapter_for(house.url)
        self.accord = open_accord(init(folder).config)
        self.accord._build = lambda _target: self.exchange
        assert isinstance(self.accord.crm, DatabaseCrm)
        Administration(self.accord.crm).add_user("alice", self.alice)
        with self.accord.state.begin() as tx:
            tx.targets.put(Target(id="t", name="t", adapter="any", side=Side.GROUPWARE))
            rule = Rule(name="r", kind=Kind.EVENT, scope=Scope.ALL)
            tx.rules.activate("r", tx.rules.put(rule))
        self.links: list[Link] = []

    def grant(self, mailbox: str, level: str) -> None:
        people = self.house.exchange.people
        owner, to = people.by_address(mailbox), people.by_address(self.account)
        assert owner is not None
        assert to is not None
        people.grant(owner, to, level)

    def link(self, principal: str, folder: str = "") -> Link:
        made = Link(
            id=f"l{len(self.links)}",
            name=f"alice-{len(self.links)}",
            user="alice",
            kind=Kind.EVENT,
            target="t",
            principal=principal,
            folder=folder,
            rule="r",
            mode=Mode.ACTIVE,
        )
        with self.accord.state.begin() as tx:
            tx.links.put(made)
        self.links.append(made)
        return made

    def sync(self) -> list[Report]:
        return sync(self.accord, self.links)

    def close(self) -> None:
        self.accord.close()
        self.exchange.close()
        self.hand.close()

    def add(self, mailbox: str, item: Item, folder: str = "") -> None:
        with self.hand.open(mailbox) as session:
            place = self.place(session, folder)
            session.create(place, Kind.EVENT, [Draft(item=item, key=mailbox, notify=True)])

    def edit(self, mailbox: str, folder: str, **values: Any) -> None:
        (before,) = self.held(mailbox, folder)
        with self.hand.open(mailbox) as session:
            change(session, self.place(session, folder), before, values)

    def held(self, mailbox: str, folder: str = "") -> list[Snapshot]:
        with self.hand.open(mailbox) as session:
            return listed(session, self.place(session, folder))

    def records(self) -> list[Snapshot]:
        with self.accord.crm.open("alice") as session:
            return listed(session, session.folders()[0].id)

    @staticmethod
    def place(session: Any, name: str) -> str:
        found = [one for one in session.folders() if Kind.EVENT in one.kinds]
        return next(one.id for one in found if (one.name == name if name else one.default))


def listed(session: Any, folder: str) -> list[Snapshot]:
    pages = list(session.changes(folder, Kind.EVENT, "", lambda _refs: {}))
    refs = [one.ref for page in pages for one in page.observations]
    found = session.fetch(folder, Kind.EVENT, [Ask(ref=ref) for ref in refs])
    return [one.snapshot for one in found if isinstance(one, Seen)]


def change(session: Any, folder: str, before: Snapshot, values: dict[str, Any]) -> None:
    after = msgspec.structs.replace(before.item, **values)
    revision = Revision(
        ref=before.ref,
        version=before.version,
        before=before.item,
        after=after,
        changed=tuple(values),
    )
    (answer,) = session.update(folder, Kind.EVENT, [revision])
    assert not isinstance(answer, Exception), answer


def titles(found: list[Snapshot]) -> list[str]:
    return sorted(one.item.title for one in found if isinstance(one.item, Event))


def entry(title: str, **more: Any) -> Event:
    start, end = at("2030-03-01T10:00"), at("2030-03-01T11:00")
    return Event(title=title, start=start, end=end, time_zone="Europe/Berlin", **more)


@pytest.fixture
def world(tmp_path: Path, house: House) -> Iterator[World]:
    made = World(tmp_path, house)
    yield made
    made.close()


def test_a_calendar_of_a_team_is_linked_like_ones_own(world: World, house: House) -> None:
    with world.hand.open(world.team) as session:
        session.make_folder("Fairs", Kind.EVENT)
    world.link(world.team, "Fairs")
    world.add(world.team, entry("Stand at the fair"), "Fairs")
    world.add(world.team, entry("not shared"))
    assert [one.error for one in world.sync()] == [""]
    assert titles(world.records()) == ["Stand at the fair"]

    (record,) = world.records()
    with world.accord.crm.open("alice") as session:
        change(session, session.folders()[0].id, record, {"title": "Stand 12"})
        session.create(session.folders()[0].id, Kind.EVENT, [Draft(item=entry("Set-up"), key="k")])
    world.sync()
    assert titles(world.held(world.team, "Fairs")) == ["Set-up", "Stand 12"]
    assert titles(world.held(world.team)) == ["not shared"]
    assert titles(world.held(world.alice)) == []
    assert house.exchange.mails(world.team) == []
    found = [one for one in check(world.accord) if one.subject == "link alice-0"]
    assert [(one.ok, one.detail) for one in found] == [(True, "works in Fairs")]


def test_the_calendar_of_a_room_gives_its_meetings_and_is_never_written(
    world: World, house: House
) -> None:
    host = house.person()
    world.link(world.room)
    meeting = entry(
        "Board", organizer=Person(address=host), attendees=(Attendee(address=world.room),)
    )
    world.add(host, meeting)
    (before,) = world.held(world.room)
    mails = len(house.exchange.mails())
    world.sync()
    (record,) = world.records()
    assert titles([record]) == ["Board"]
    with world.accord.crm.open("alice") as session:
        change(session, session.folders()[0].id, record, {"title": "Ours", "location": "Moon"})
    for _ in range(2):
        world.sync()
    (after,) = world.held(world.room)
    assert (after.version, after.item) == (before.version, before.item)
    assert len(house.exchange.mails()) == mails


def test_a_meeting_seen_in_ones_own_calendar_and_a_rooms_is_one_record(
    world: World, house: House
) -> None:
    world.link(world.alice)
    world.link(world.room)
    people = (Attendee(address=world.room), Attendee(address=world.alice))
    host = house.person()
    world.add(host, entry("Board", organizer=Person(address=host), attendees=people))
    for _ in range(2):
        world.sync()
    assert titles(world.records()) == ["Board"]


@pytest.mark.parametrize("level", ["none", "reader"])
def test_rights_that_are_taken_away_delete_nothing(world: World, level: str) -> None:
    world.link(world.team)
    world.add(world.team, entry("Fair"))
    world.sync()
    world.grant(world.team, level)
    world.exchange.close()
    world.exchange = adapter_for(world.house.url, access="delegate", user=world.account)
    world.accord._adapters.clear()
    (report,) = world.sync()
    assert bool(report.error) is (level == "none")
    assert titles(world.records()) == ["Fair"]
    bad = [one for one in check(world.accord) if not one.ok and world.team in one.area]
    assert bad
    assert all(one.hint for one in bad)
    world.grant(world.team, "editor")
    world.edit(world.team, "", title="Fair again")
    world.exchange.close()
    world.exchange = adapter_for(world.house.url, access="delegate", user=world.account)
    world.accord._adapters.clear()
    assert [one.error for one in world.sync()] == [""]
    assert titles(world.records()) == ["Fair again"]
