"""What was done about files stands in the journal, file by file, whatever happens in between."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from accord.model.kinds import Side
from accord.model.parts import Privacy
from accord.rules.rule import Private
from accord.service.explain import explain
from accord.service.standing import pause_all
from accord.state.records import Entry
from tests.unit.service.filing import content, filled, hang, item, take
from tests.unit.service.kit import CRM, GROUPWARE, Crash, World


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone; what is stored is tried on both beside the tables."""


def filed(world: World) -> list[Entry]:
    """Return the entries about files, oldest first."""
    steps = ("attach", "detach", "replace")
    return [entry for entry in world.journal() if entry.step in steps][::-1]


def told(entry: Entry) -> tuple[str, Side, str, str]:
    """Return step, side, and the names of the file before and after."""
    (change,) = entry.fields
    before, after = (each["name"] if each else "" for each in (change.before, change.after))
    return entry.step, entry.side, before, after


@pytest.mark.parametrize("side", list(Side))
def test_each_file_is_a_step_with_what_it_was(side: Side) -> None:
    world = filled(count=1, size=0)
    hang(world, side, "plan.pdf", b"plan")
    hang(world, side, "old.pdf", b"old")
    report = world.sync()
    assert report.files == 2
    take(world, side)
    hang(world, side, "plan.pdf", b"other")
    world.sync()
    there = side.other
    steps = sorted(told(entry) for entry in filed(world))
    assert steps == [
        ("attach", there, "", "old.pdf"),
        ("attach", there, "", "plan.pdf"),
        ("detach", there, "old.pdf", ""),
        ("replace", there, "plan.pdf", "plan.pdf"),
    ]
    replaced = next(entry for entry in filed(world) if entry.step == "replace")
    (change,) = replaced.fields
    assert (change.before["size"], change.after["size"]) == (4, 5)
    assert change.before["digest"] == hashlib.sha256(b"plan").hexdigest()
    assert change.before["kept"].startswith("stored:") and "kept" not in (change.after or {})
    assert replaced.ref == item(world, there).ref
    assert replaced.counterpart == item(world, side).ref
    assert replaced.version == item(world, there).version
    assert replaced.why == f"another file took its place in the {side.place}"
    (found,) = explain(world.accord, replaced.ref)
    assert {entry.id for entry in filed(world)} <= {entry.id for entry in found.history}


def test_where_the_bytes_are_kept_is_where_they_are() -> None:
    world = filled(count=1)
    take(world, CRM)
    world.sync()
    (change,) = filed(world)[-1].fields
    with world.crm.open("alice") as opened:
        pieces = opened.open_kept("", world.kind, item(world, CRM).ref, change.before["kept"])
        assert b"".join(pieces) == b"0.pdf"


def test_what_was_done_before_a_kill_is_entered_after_it(monkeypatch: Any) -> None:
    world = filled(count=1)
    take(world, GROUPWARE)
    hang(world, GROUPWARE, "new.pdf")
    hang(world, CRM, "other.pdf")
    known = len(filed(world))
    session: Any = type(world.crm.open("alice"))
    attach = session.attach

    def dies(*given: Any) -> str:
        attach(*given)
        raise Crash("no more")

    monkeypatch.setattr(session, "attach", dies)
    with pytest.raises(Crash):
        world.sync()
    monkeypatch.undo()
    assert len(filed(world)) == known
    world.restart()
    world.sync()
    assert sorted(told(entry) for entry in filed(world)[known:]) == [
        ("attach", CRM, "", "new.pdf"),
        ("attach", GROUPWARE, "", "other.pdf"),
        ("detach", CRM, "0.pdf", ""),
    ]
    assert content(world, CRM) == content(world, GROUPWARE)
    world.sync()
    assert len(filed(world)) == known + 3


def test_a_pause_is_heard_between_two_files(monkeypatch: Any) -> None:
    world = filled(count=1)
    hang(world, GROUPWARE, "new.pdf")
    hang(world, GROUPWARE, "other.pdf")
    known = len(filed(world))
    session: Any = type(world.crm.open("alice"))
    attach = session.attach

    def then_paused(*given: Any) -> Any:
        uri = attach(*given)
        pause_all(world.accord, paused=True)
        return uri

    with monkeypatch.context() as patched:
        patched.setattr(session, "attach", then_paused)
        assert world.sync().error == "paused"
    assert len(content(world, CRM)) == 2 and len(filed(world)) == known
    pause_all(world.accord, paused=False)
    assert not world.sync().error
    assert content(world, CRM) == content(world, GROUPWARE)
    assert sorted(told(entry) for entry in filed(world)[known:]) == [
        ("attach", CRM, "", "new.pdf"),
        ("attach", CRM, "", "other.pdf"),
    ]


def test_a_pass_without_files_enters_nothing() -> None:
    world = filled(count=2)
    known = len(filed(world))
    assert known == 2
    assert world.sync(full=True).files == 0
    assert len(filed(world)) == known


def test_the_files_of_a_private_entry_leave_no_names(tmp_path: Path) -> None:
    world = filled(count=1, key_file=tmp_path / "key", private=Private.BUSY)
    ref = item(world, GROUPWARE).ref
    record = item(world, CRM).ref
    world.mailbox().edit(ref, privacy=Privacy.PRIVATE)
    world.sync()
    assert world.person().list(world.kind)[0].item.attachments == ()  # type: ignore[union-attr]
    steps = filed(world)
    assert [entry.step for entry in steps] == ["attach", "detach"]
    assert [entry.fields for entry in steps] == [(), ()]
    assert steps[-1].ref == record and "private" in steps[-1].why
