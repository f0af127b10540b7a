"""People learn which of their edits were lost, put back or refused; each thing is told once."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from accord.model.kinds import Direction
from accord.ports.errors import Rejected
from accord.rules.rule import FieldRule, OneWay
from accord.service.digest import Digest, Fate, digests, tell
from accord.service.undo import select, undo
from tests.unit.service.kit import GROUPWARE, World, event
from tests.unit.service.watched import WatchedWorld


def clashed() -> World:
    """Return a world in which Alice's title in the mailbox lost to the CRM's."""
    world = World("alice", "bob")
    record = world.person().add(event("Old"))
    world.sync()
    world.wait(hours=1)
    (item,) = world.items()
    world.person().edit(record.ref, title="CRM")
    world.mailbox().edit(item.ref, title="Mailbox")
    world.sync()
    assert world.titles() == (["CRM"],) * 2
    return world


def test_a_lost_edit_is_told_to_its_owner_with_the_way_back() -> None:
    world = clashed()
    (one,) = digests(world.accord)
    assert (one.user, one.address) == ("alice", "alice@x.test")
    (line,) = one.lines
    assert (line.fate, line.kind, line.made, line.fields) == (
        Fate.LOST,
        "event",
        "groupware",
        ("title",),
    )
    assert line.label in ("CRM", "Old") and "Mailbox" not in str(one), "no values"
    (entry,) = world.journal(step="clash")
    assert str(entry.id) in line.hint
    assert digests(world.accord, user="bob") == ()
    assert digests(world.accord, user="alice") == (one,)


def test_what_was_brought_back_is_lost_no_more() -> None:
    world = clashed()
    (entry,) = world.journal(step="clash")
    undo(world.accord, select(world.accord, str(entry.id)))
    assert digests(world.accord) == ()


def test_a_week_is_looked_back() -> None:
    world = clashed()
    world.wait(days=8)
    assert digests(world.accord) == ()
    assert len(digests(world.accord, since=world.now - timedelta(days=9))) == 1


def test_a_round_tells_each_thing_once() -> None:
    world = clashed()
    sent: list[Digest] = []
    world.wait(minutes=1)
    assert tell(world.accord, sent.append) == 1
    assert [one.user for one in sent] == ["alice"]
    world.wait(minutes=1)
    assert tell(world.accord, sent.append) == 0
    (item,) = world.items()
    (record,) = world.records()
    world.person().edit(record.ref, title="CRM again")
    world.mailbox().edit(item.ref, title="Mailbox again")
    world.sync()
    world.wait(minutes=1)
    assert tell(world.accord, sent.append) == 1
    assert len(sent[-1].lines) == 1


def test_what_is_entered_by_a_visit_that_began_before_the_round_is_told() -> None:
    world = WatchedWorld("alice", "bob")
    record = world.person().add(event("Old"))
    world.sync()
    sent: list[Digest] = []

    def clash(said: str) -> None:
        world.wait(hours=1)
        world.person().edit(record.ref, title=f"CRM {said}")
        world.mailbox().edit(world.items()[0].ref, title=f"Mailbox {said}")
        world.sync()

    def meanwhile(phase: str, *_: int) -> None:
        if phase == "reading" and not sent:
            world.wait(seconds=1)
            tell(world.accord, sent.append)

    clash("once")
    world.on_progress = meanwhile
    clash("twice")
    assert len(sent) == 1 and world.journal(step="clash")[0].at < world.now
    assert tell(world.accord, sent.append) == 1
    assert [len(one.lines) for one in sent] == [1, 1]
    assert tell(world.accord, sent.append) == 0


def test_what_was_put_back_is_told_however_much_was_written_since() -> None:
    title = FieldRule(direction=Direction.OUTBOUND, one_way=OneWay.RESTORE)
    world = World(rule={"fields": {"title": title}})
    world.person().add(event("Ours"))
    world.sync()
    world.wait(hours=1)
    world.mailbox().edit(world.items()[0].ref, title="Mine")
    world.sync()
    (put_back,) = world.journal(step="update")
    with world.state.begin() as tx:
        tx.journal.append_many([msgspec.structs.replace(put_back, fields=(), why="so")] * 1001)
    assert [line.fate for one in digests(world.accord) for line in one.lines] == [Fate.PUT_BACK]


def test_a_refusal_that_stands_is_told_once() -> None:
    world = WatchedWorld()
    record = world.person().add(event("Review"))
    world.sync()
    world.wait(hours=1)
    world.person().edit(record.ref, location="Room 5")
    world.answer(GROUPWARE, "update", Rejected("no places here"))
    world.sync()
    sent: list[Digest] = []
    assert tell(world.accord, sent.append) == 1
    assert tell(world.accord, sent.append) == 0


def test_what_could_not_be_sent_is_told_the_next_time() -> None:
    world = clashed()

    def broken(_: Digest) -> None:
        raise OSError("no mail server")

    with pytest.raises(OSError, match="no mail server"):
        tell(world.accord, broken)
    world.wait(days=10)
    sent: list[Digest] = []
    assert tell(world.accord, sent.append) == 1


def test_an_edit_that_was_put_back_is_told() -> None:
    title = FieldRule(direction=Direction.OUTBOUND, one_way=OneWay.RESTORE)
    world = World(rule={"fields": {"title": title}})
    world.person().add(event("Ours"))
    world.sync()
    world.wait(hours=1)
    world.mailbox().edit(world.items()[0].ref, title="Mine")
    world.sync()
    (one,) = digests(world.accord)
    (line,) = one.lines
    assert (line.fate, line.fields) == (Fate.PUT_BACK, ("title",))
    assert line.why == "title put back: only the CRM may change that"


def test_an_edit_that_the_other_side_refuses_is_told() -> None:
    world = WatchedWorld()
    record = world.person().add(event("Review"))
    world.sync()
    world.wait(hours=1)
    world.person().edit(record.ref, location="Room 5")
    world.answer(GROUPWARE, "update", Rejected("no places here"))
    world.sync()
    (one,) = digests(world.accord)
    (line,) = one.lines
    assert (line.fate, line.label) == (Fate.REFUSED, "Review")
    assert "no places here" in line.why
    assert f"accord explain {record.ref}" in line.hint
