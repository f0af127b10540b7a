"""Files on entries and tasks go both ways, once, whatever happens in between; over a real port."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET
from sqlalchemy import select

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.crm.database.schema import FILES
from accord.groupware.exchange import ExchangeAdapter
from accord.groupware.exchange.client import Shape, field
from accord.model.item import Event
from accord.model.kinds import Direction, Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.model.parts import STORED, Attachment, Attendee, Person, files
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.ports.adapter import Ask, Draft, Revision
from accord.ports.errors import Retry
from accord.rules.rule import FieldRule, Filters, Rule, Scope
from accord.service.bootstrap import open_accord
from accord.service.decisions import approve
from accord.service.explain import explain
from accord.service.files_due import occurrence_files
from accord.service.init import init
from accord.service.report import Report
from accord.service.sync import preview, sync
from accord.service.waiting import FORMER_LOST_FILE
from accord.state.records import Cause, Link, Mode, Target
from accord.testing.samples import at
from tests.contract.test_groupware_exchange import adapter_for
from tests.exchange import House

PLAN = b"%PDF-1.7 the plan\x00\xff" * 50_000
"""A file of nearly a megabyte that is no text."""


class Ended(BaseException):
    """The process is gone."""


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone; what is stored is tried on both beside the tables."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


class World:
    """Be alice's mailbox on Exchange and her records in the CRM, linked."""

    def __init__(self, folder: Path, house: House, kind: Kind = Kind.EVENT, **rule: Any) -> None:
        self.house = house
        self.kind = kind
        self.address = house.person()
        self.adapters: list[ExchangeAdapter] = []
        self.hand = self.adapter()
        self.exchange: Any = self.adapter()
        self.accord = open_accord(init(folder).config)
        self.accord._build = lambda _target: self.exchange
        assert isinstance(self.accord.crm, DatabaseCrm)
        Administration(self.accord.crm).add_user("alice", self.address)
        with self.accord.state.begin() as tx:
            tx.targets.put(Target(id="t", name="t", adapter="any", side=Side.GROUPWARE))
            made = Rule(name="r", kind=kind, scope=Scope.ALL, **rule)
            tx.rules.activate("r", tx.rules.put(made))
            self.link = Link(
                id="l",
                name="alice",
                user="alice",
                kind=kind,
                target="t",
                principal=self.address,
                rule="r",
                mode=Mode.ACTIVE,
            )
            tx.links.put(self.link)

    def adapter(self, **settings: Any) -> ExchangeAdapter:
        self.adapters.append(adapter_for(self.house.url, **settings))
        return self.adapters[-1]

    def close(self) -> None:
        self.accord.close()
        for each in self.adapters:
            each.close()

    def sync(self) -> Report:
        (report,) = sync(self.accord, [self.link])
        assert not report.error, report.error
        assert not report.failed
        return report

    # the two sides

    def sessions(self, side: Side) -> Any:
        if side is Side.CRM:
            return self.accord.crm.open("alice")
        return self.hand.open(self.address)

    def folder(self, session: Any) -> str:
        return next(one.id for one in session.folders() if self.kind in one.kinds and one.default)

    def items(self, side: Side) -> list[Snapshot]:
        with self.sessions(side) as session:
            pages = list(session.changes(self.folder(session), self.kind, "", lambda _refs: {}))
            seen = [one.ref for page in pages for one in page.observations]
            found = session.fetch(self.folder(session), self.kind, [Ask(ref=ref) for ref in seen])
        return [one.snapshot for one in found if isinstance(one, Seen)]

    def item(self, side: Side) -> Snapshot:
        (item,) = self.items(side)
        return item

    def files(self, side: Side) -> dict[str, bytes]:
        snapshot = self.item(side)
        held = files(snapshot.item.attachments)  # type: ignore[union-attr]
        with self.sessions(side) as session:
            folder = self.folder(session)
            content = {
                one.name: b"".join(session.open_file(folder, self.kind, snapshot.ref, one.uri))
                for one in held
            }
        assert len(content) == len(held), held
        return content

    def put(self, side: Side, name: str = "plan.pdf", content: bytes = PLAN) -> None:
        file = Attachment(
            name=name,
            media_type="application/pdf",
            size=len(content),
            digest=hashlib.sha256(content).hexdigest(),
        )
        with self.sessions(side) as session:
            folder, ref = self.folder(session), self.item(side).ref
            session.attach(folder, self.kind, ref, file, io.BytesIO(content))

    def take(self, side: Side, name: str) -> None:
        snapshot = self.item(side)
        with self.sessions(side) as session:
            for one in files(snapshot.item.attachments):  # type: ignore[union-attr]
                if one.name == name:
                    session.detach(self.folder(session), self.kind, snapshot.ref, one.uri)

    def add(self, side: Side, **values: Any) -> None:
        given = {"title": "Kick-off", "start": at("2030-03-01T10:00"), **values}
        item = Event(**{"end": at("2030-03-01T11:00"), "time_zone": "Europe/Berlin", **given})
        with self.sessions(side) as session:
            session.create(self.folder(session), self.kind, [Draft(item=item, key="k")])

    def rename(self, side: Side, title: str) -> None:
        self.change(side, title=title)

    def change(self, side: Side, **values: Any) -> None:
        before = self.item(side)
        after = msgspec.structs.replace(before.item, **values)
        revision = Revision(
            ref=before.ref,
            version=before.version,
            before=before.item,
            after=after,
            changed=tuple(values),
        )
        with self.sessions(side) as session:
            session.update(self.folder(session), self.kind, [revision])

    def told(self) -> str:
        return "\n".join(line for one in explain(self.accord, "Kick-off") for line in one.waiting)

    def both(self) -> dict[str, bytes]:
        crm, mailbox = self.files(Side.CRM), self.files(Side.GROUPWARE)
        assert crm == mailbox
        return crm

    def quiet(self) -> None:
        """Two more visits find nothing to do, and write on neither side."""
        self.sync()
        before = self.item(Side.CRM).version, self.item(Side.GROUPWARE).version
        report = self.sync()
        for counts in (report.crm, report.groupware):
            assert (counts.created, counts.updated, counts.deleted) == (0, 0, 0)
        assert (self.item(Side.CRM).version, self.item(Side.GROUPWARE).version) == before


Make = Callable[..., World]


@pytest.fixture
def world(tmp_path: Path, house: House) -> Iterator[Make]:
    made: list[World] = []

    def make(**rule: Any) -> World:
        made.append(World(tmp_path, house, **rule))
        return made[0]

    yield make
    for each in made:
        each.close()
        assert house.exchange.mails(each.address) == []


@pytest.mark.parametrize("side", list(Side))
def test_a_file_goes_over_with_a_new_entry(world: Make, side: Side) -> None:
    here = world()
    here.add(side)
    here.put(side)
    here.sync()
    assert here.both() == {"plan.pdf": PLAN}
    # The versions that carrying made are known as one's own.
    with here.accord.state.read() as tx:
        (pairing,) = tx.pairings.all("l")
    assert [pairing.side(one).version for one in Side] == [here.item(one).version for one in Side]
    here.quiet()
    assert here.both() == {"plan.pdf": PLAN}


@pytest.mark.parametrize("side", list(Side))
def test_a_file_comes_and_goes_on_an_entry_that_is_there(world: Make, side: Side) -> None:
    here = world()
    here.add(Side.CRM)
    here.sync()
    here.put(side)
    here.put(side, "notes.txt", b"")
    here.sync()
    assert here.both() == {"plan.pdf": PLAN, "notes.txt": b""}
    here.quiet()
    here.take(side, "plan.pdf")
    here.put(side.other, "more.txt", b"more")
    here.rename(side, "Kick-off, moved")
    here.sync()
    assert here.both() == {"notes.txt": b"", "more.txt": b"more"}
    assert [here.item(one).item.title for one in Side] == ["Kick-off, moved"] * 2  # type: ignore[union-attr]
    here.quiet()


@pytest.mark.parametrize("side", list(Side))
def test_a_changed_file_replaces_the_former_one(world: Make, side: Side) -> None:
    here = world()
    here.add(Side.CRM)
    here.put(Side.CRM)
    here.sync()
    here.take(side, "plan.pdf")
    here.put(side, "plan.pdf", b"another plan")
    here.sync()
    assert here.both() == {"plan.pdf": b"another plan"}
    here.quiet()


def test_a_file_waits_where_the_rule_of_its_pair_works_no_longer(world: Make) -> None:
    here = world()
    here.add(Side.CRM)
    here.sync()
    lost = Rule(name="r", kind=Kind.EVENT, filter=Filters(crm="gone(item.title)"))
    new = Rule(name="r", kind=Kind.EVENT, fields={"title": FieldRule(outbound="'Busy'")})
    with here.accord.state.begin() as tx:
        (pairing,) = tx.pairings.all("l")
        tx.pairings.put("l", msgspec.structs.replace(pairing, rule=tx.rules.put(lost)))
        tx.rules.activate("r", tx.rules.put(new))
    here.put(Side.CRM)
    (shown,) = preview(here.accord, [here.link])
    assert shown.plan is not None and [step.name for step in shown.plan.steps][-1] == "hold"
    for _ in range(2):
        here.sync()
        assert here.files(Side.GROUPWARE) == {}
        with here.accord.state.read() as tx:
            (held,) = tx.pending.by_link("l", Cause.FILE)
        assert held.why == FORMER_LOST_FILE
    approve(here.accord, [held.id])
    assert here.both() == {"plan.pdf": PLAN}
    here.quiet()


def test_a_file_left_by_a_visit_cut_off_goes_by_the_rule_its_pair_stands_under(
    world: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = world()
    here.add(Side.CRM)
    here.sync()
    here.put(Side.CRM)
    fields = {
        "title": FieldRule(outbound="'Busy'"),
        "attachments": FieldRule(direction=Direction.NONE),
    }
    new = Rule(name="r", kind=Kind.EVENT, scope=Scope.ALL, fields=fields)
    with monkeypatch.context() as patch:
        patch.setattr("accord.service.sync.carry_files", lambda *_: None)
        here.sync()
        with here.accord.state.begin() as tx:
            tx.rules.activate("r", tx.rules.put(new))
        here.sync()
    here.sync()
    assert here.both() == {"plan.pdf": PLAN}


def test_changed_on_both_sides_both_stay(world: Make) -> None:
    here = world()
    here.add(Side.CRM)
    here.put(Side.CRM)
    here.sync()
    for side in Side:
        here.take(side, "plan.pdf")
        here.put(side, f"{side}.pdf", str(side).encode())
    here.sync()
    assert here.both() == {"crm.pdf": b"crm", "groupware.pdf": b"groupware"}


def test_the_same_file_on_both_sides_is_one(world: Make) -> None:
    here = world()
    here.add(Side.CRM)
    here.sync()
    for side in Side:
        here.put(side)
    here.sync()
    assert here.both() == {"plan.pdf": PLAN}
    here.quiet()


def test_what_is_too_large_is_left_out_and_said(world: Make, house: House) -> None:
    here = world()
    here.exchange = here.adapter(attachment_megabytes=1)
    here.add(Side.CRM)
    here.sync()
    here.put(Side.GROUPWARE, "small.pdf", b"small")
    here.put(Side.GROUPWARE, "large.pdf", PLAN + PLAN)
    here.put(Side.CRM, "huge.pdf", PLAN + PLAN + PLAN)
    here.sync()
    assert sorted(here.files(Side.CRM)) == ["huge.pdf", "small.pdf"]
    assert sorted(here.files(Side.GROUPWARE)) == ["large.pdf", "small.pdf"]
    assert "large.pdf in the mailbox: too large" in here.told()
    assert "huge.pdf for the mailbox: too large" in here.told()
    here.quiet()
    here.take(Side.GROUPWARE, "large.pdf")
    here.take(Side.CRM, "huge.pdf")
    here.sync()
    assert here.told() == ""
    assert here.both() == {"small.pdf": b"small"}


def test_a_smaller_limit_takes_nothing_off(world: Make, house: House) -> None:
    here = world()
    here.add(Side.CRM)
    here.put(Side.CRM)
    here.put(Side.CRM, "more.txt", b"more")
    here.sync()
    here.exchange = here.adapter(attachment_megabytes=0.001)
    here.accord._adapters.clear()
    here.rename(Side.GROUPWARE, "Kick-off again")
    here.sync()
    assert sorted(here.both()) == ["more.txt", "plan.pdf"]


def test_a_file_that_grew_too_large_takes_nothing_off(world: Make) -> None:
    here = world()
    here.exchange = here.adapter(attachment_megabytes=1)
    here.add(Side.CRM)
    here.put(Side.CRM, "plan.pdf", b"plan")
    here.sync()
    here.take(Side.GROUPWARE, "plan.pdf")
    here.put(Side.GROUPWARE, "plan.pdf", PLAN + PLAN)
    here.sync()
    assert here.files(Side.CRM) == {"plan.pdf": b"plan"}
    assert here.files(Side.GROUPWARE) == {"plan.pdf": PLAN + PLAN}
    assert "plan.pdf in the mailbox: too large" in here.told()


def test_no_files_are_carried_where_the_settings_say_none(world: Make, house: House) -> None:
    here = world()
    here.exchange = here.adapter(attachment_megabytes=0)
    here.add(Side.CRM)
    here.put(Side.CRM)
    here.sync()
    assert here.files(Side.GROUPWARE) == {}


def test_an_invitation_gives_its_files_and_gets_none(world: Make, house: House) -> None:
    here = world()
    host = house.person()
    with here.hand.open(host) as session:
        meeting = Event(
            title="Kick-off",
            start=at("2030-03-01T10:00"),
            end=at("2030-03-01T11:00"),
            time_zone="Europe/Berlin",
            organizer=Person(address=host),
            attendees=(Attendee(address=here.address),),
        )
        calendar = next(one.id for one in session.folders() if Kind.EVENT in one.kinds)
        session.create(calendar, Kind.EVENT, [Draft(item=meeting, key="m", notify=True)])
    here.put(Side.GROUPWARE, "agenda.pdf", b"agenda")
    before = here.item(Side.GROUPWARE).version
    here.sync()
    assert here.files(Side.CRM) == {"agenda.pdf": b"agenda"}
    here.put(Side.CRM, "internal.pdf", b"internal")
    here.take(Side.CRM, "agenda.pdf")
    here.sync()
    here.sync()
    assert here.files(Side.GROUPWARE) == {"agenda.pdf": b"agenda"}
    assert here.files(Side.CRM) == {"internal.pdf": b"internal"}
    assert here.item(Side.GROUPWARE).version == before


def test_a_rule_may_let_files_go_one_way(world: Make) -> None:
    here = world(direction=Direction.INBOUND)
    here.add(Side.GROUPWARE)
    here.put(Side.GROUPWARE, "in.pdf", b"in")
    here.sync()
    here.put(Side.CRM, "out.pdf", b"out")
    here.sync()
    assert sorted(here.files(Side.CRM)) == ["in.pdf", "out.pdf"]
    assert sorted(here.files(Side.GROUPWARE)) == ["in.pdf"]


def test_a_private_entry_keeps_its_files_to_itself(world: Make) -> None:
    from accord.model.parts import Privacy
    from accord.rules.rule import Private

    here = world(private=Private.BUSY)
    here.add(Side.GROUPWARE, privacy=Privacy.PRIVATE)
    here.put(Side.GROUPWARE, "secret.pdf", b"secret")
    here.sync()
    assert here.files(Side.CRM) == {}


def test_the_files_of_an_entry_that_turns_private_leave_the_crm(world: Make) -> None:
    from accord.model.parts import Privacy
    from accord.rules.rule import Private

    here = world(private=Private.BUSY)
    here.add(Side.GROUPWARE)
    here.put(Side.GROUPWARE, "now secret.pdf", b"secret")
    here.sync()
    record = here.item(Side.CRM)
    (file,) = files(record.item.attachments)  # type: ignore[union-attr]
    here.put(Side.CRM, "of the CRM.pdf", b"its own")
    here.change(Side.GROUPWARE, privacy=Privacy.PRIVATE)
    here.put(Side.GROUPWARE, "secret, too.pdf", b"secret, too")
    here.sync()
    assert here.files(Side.CRM) == {"of the CRM.pdf": b"its own"}
    assert sorted(here.files(Side.GROUPWARE)) == ["now secret.pdf", "secret, too.pdf"]
    assert isinstance(here.accord.crm, DatabaseCrm)
    with here.accord.crm.store.read() as tx:
        kept = set(tx.execute(select(FILES.c.id)).scalars())
    assert file.uri.removeprefix(STORED) not in kept
    here.quiet()


def test_files_on_tasks_go_both_ways(world: Make) -> None:
    from accord.model.item import Task

    here = world(kind=Kind.TASK, direction=Direction.BOTH)
    with here.sessions(Side.CRM) as session:
        item = Task(title="Call")
        session.create(here.folder(session), Kind.TASK, [Draft(item=item, key="k")])
    here.put(Side.CRM)
    here.sync()
    here.put(Side.GROUPWARE, "answer.txt", b"yes")
    here.sync()
    assert here.both() == {"plan.pdf": PLAN, "answer.txt": b"yes"}


def occurrence_names(here: World, title: str = "Kick-off, once more") -> list[str]:
    """Return the names of the files on the only changed occurrence in the mailbox."""
    (override,) = here.item(Side.GROUPWARE).item.overrides  # type: ignore[union-attr]
    assert override.title == title
    return [each.name for each in occurrence_files(override)]


@pytest.mark.parametrize("usual", [{}, {"agenda.pdf": b"agenda"}])
def test_a_file_on_a_single_occurrence_stays_there_and_holds_nothing_up(
    world: Make, usual: dict[str, bytes]
) -> None:
    here = world()
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, count=4)
    third = at("2030-03-15T10:00")
    moved = Override(recurrence_id=third, title="Kick-off, once more")
    here.add(Side.GROUPWARE, rule=weekly, overrides=(moved,))
    for name, whole in usual.items():
        here.put(Side.GROUPWARE, name, whole)
    with here.hand.open(here.address) as session:
        shape = Shape((field("calendar:ModifiedOccurrences"),))
        (message,) = session._client.get([here.item(Side.GROUPWARE).ref], shape)
        (one,) = message.all("Items", "*", "ModifiedOccurrences", "*", "ItemId")
        content = base64.b64encode(b"map").decode()
        assert session._client.attach(str(one.get("Id")), "map.pdf", "", content).error is None
    assert "map.pdf" in occurrence_names(here)
    here.sync()
    assert here.both() == usual
    (copy,) = here.item(Side.CRM).item.overrides  # type: ignore[union-attr]
    assert (copy.title, copy.attachments) == ("Kick-off, once more", UNSET)
    assert here.told() == (
        "left out: map.pdf on the occurrence of 2030-03-15 in the mailbox: files of single "
        "occurrences stay where they are"
    )
    here.quiet()
    here.change(Side.CRM, overrides=(msgspec.structs.replace(copy, title="Once more"),))
    here.put(Side.CRM, "more.txt", b"more")
    here.sync()
    assert "map.pdf" in occurrence_names(here, "Once more")
    assert here.both() == {**usual, "more.txt": b"more"}


def test_links_travel_as_a_field_beside_files(world: Make) -> None:
    here = world()
    link = Attachment(uri="https://example.com/plan", name="plan online")
    here.add(Side.CRM, attachments=(link,))
    here.put(Side.CRM)
    here.sync()
    here.quiet()
    stands = here.item(Side.CRM).item
    assert link in stands.attachments  # type: ignore[union-attr]
    assert here.files(Side.CRM) == {"plan.pdf": PLAN}


class Dying:
    """Be an adapter whose sessions end the process, or fail, at a call about files."""

    def __init__(self, inner: Any, at: Callable[[str], None]) -> None:
        self.inner = inner
        self.at = at

    def open(self, principal: str) -> Any:
        session = self.inner.open(principal)
        at = self.at

        class Session(type(session)):  # type: ignore[misc]
            def attach(self, *given: Any) -> str:
                at("before attach")
                uri: str = super().attach(*given)
                at("after attach")
                return uri

            def detach(self, *given: Any) -> None:
                at("before detach")
                super().detach(*given)
                at("after detach")

            def open_file(self, *given: Any) -> Iterator[bytes]:
                at("before reading")
                yield from super().open_file(*given)
                at("after reading")

        session.__class__ = Session
        return session

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


POINTS = [
    f"{when} {what}" for when in ("before", "after") for what in ("attach", "detach", "reading")
]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("end", [Ended, Retry])
def test_killed_anywhere_nothing_hangs_twice_and_nothing_is_lost(
    world: Make, house: House, point: str, end: type[BaseException]
) -> None:
    here = world()
    here.add(Side.CRM)
    here.put(Side.CRM, "old.pdf", b"old")
    here.sync()
    here.take(Side.CRM, "old.pdf")
    here.put(Side.CRM, "one.pdf", b"one")
    here.put(Side.CRM, "two.pdf", b"two")
    here.put(Side.GROUPWARE, "three.pdf", b"three")
    passed: list[str] = []

    def dies(here_now: str) -> None:
        passed.append(here_now)
        if here_now == point:
            raise end("no more")

    sound = here.exchange
    here.exchange = Dying(sound, dies)
    here.accord._adapters.clear()
    if end is Ended:
        with pytest.raises(Ended):
            here.sync()
    else:
        (report,) = sync(here.accord, [here.link])
        assert report.error
    assert point in passed
    here.exchange = sound
    here.accord._adapters.clear()
    here.sync()
    assert here.both() == {"one.pdf": b"one", "two.pdf": b"two", "three.pdf": b"three"}
    here.quiet()
    assert len(files(here.item(Side.GROUPWARE).item.attachments)) == 3  # type: ignore[union-attr]


def test_a_file_that_is_refused_harms_no_other(world: Make) -> None:
    from accord.ports.errors import Rejected

    here = world()
    here.add(Side.CRM)
    here.put(Side.CRM, "bad.exe", b"bad")
    here.put(Side.CRM, "good.pdf", b"good")

    class Picky(Dying):
        def open(self, principal: str) -> Any:
            session = self.inner.open(principal)

            class Session(type(session)):  # type: ignore[misc]
                def attach(self, *given: Any) -> str:
                    if given[3].name == "bad.exe":
                        raise Rejected("programs aren't taken")
                    return str(super().attach(*given))

            session.__class__ = Session
            return session

    here.exchange = Picky(here.exchange, lambda _point: None)
    here.sync()
    assert here.files(Side.GROUPWARE) == {"good.pdf": b"good"}
    assert "bad.exe for the mailbox: programs aren't taken" in here.told()
    here.sync()
    assert sorted(here.files(Side.CRM)) == ["bad.exe", "good.pdf"]


def test_what_is_carried_is_read_once(world: Make) -> None:
    here = world()
    here.add(Side.CRM)
    here.put(Side.CRM, "one.pdf", b"one")
    here.sync()
    reads: list[str] = []
    here.exchange = Dying(here.exchange, reads.append)
    here.accord._adapters.clear()
    here.put(Side.GROUPWARE, "two.pdf", b"two")
    here.sync()
    here.rename(Side.GROUPWARE, "Kick-off again")
    here.sync()
    assert reads.count("before reading") == 1
