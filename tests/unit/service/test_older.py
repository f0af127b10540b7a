"""A mailbox store put back from a backup is noticed by what it shows, though it counts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from accord.groupware.memory.adapter import MemoryGroupware
from accord.groupware.memory.session import MemorySession
from accord.groupware.memory.store import Change, Entry
from accord.model.observe import Snapshot
from accord.ports.clock import Reading
from accord.ports.errors import ConfigError
from accord.service import begin
from accord.service.check import check
from accord.service.identity import accept, verify
from accord.service.sync import preview
from accord.state.records import Mode
from tests.unit.service import kit
from tests.unit.service.kit import SOON, MortalSession, World, event

TITLES = [f"Visit {number}" for number in range(6)]
HELD = "held: target mail went back: items that Accord knows stand there as they stood before"


@pytest.fixture(autouse=True)
def countless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the mailbox store count nothing, as Exchange and DAV servers do."""
    monkeypatch.setattr(MemoryGroupware, "revision", 0)


class Office(World):
    """Be a world whose mailboxes are copied and put back."""

    def __init__(self, *users: str) -> None:
        super().__init__(*users)
        for user in users:
            for number, title in enumerate(TITLES):
                self.person(user).add(event(title, SOON + timedelta(days=number)))
            self.sync(user)
        self.copies = {user: self.entries(user) for user in users}
        self.wait(hours=5)

    def entries(self, user: str) -> dict[str, Entry]:
        return dict(self.groupware.store.mailbox(f"{user}@x.test").entries)

    def edit(self, user: str, count: int, start: int = 0, note: str = "edited") -> None:
        """Let somebody change so many records in the CRM."""
        for record in self.records(user)[start : start + count]:
            title = f"{record.item.title.split(':')[0]}: {note}"  # type: ignore[union-attr]
            self.person(user).edit(record.ref, title=title)

    def put_back(self, user: str, change: Callable[[Entry], Entry] = lambda entry: entry) -> None:
        """Let a mailbox be what it was when it was copied, and its log tell what is other."""
        store = self.groupware.store
        box = store.mailbox(f"{user}@x.test")
        now, then = dict(box.entries), self.copies[user]
        for ref in {*now, *then}:
            if now.get(ref) == then.get(ref):
                continue
            box.entries.pop(ref, None)
            if ref in then:
                box.entries[ref] = change(then[ref])
            one = then.get(ref) or now[ref]
            box.log.append(Change(store._next(), one.folder, one.kind, ref))

    def notes(self, user: str = "alice") -> int:
        """Return how many records are as they were edited last."""
        return sum("edited" in title for title in self.titles(user)[0])


def worked(count: int = 3, *users: str) -> Office:
    """An office in which so much was edited in the CRM after the copy, and came over."""
    office = Office(*(users or ("alice",)))
    for user in users or ("alice",):
        office.edit(user, count)
        assert office.sync(user).groupware.updated == count
    office.wait(hours=1)
    return office


@pytest.mark.parametrize("full", [False, True])
def test_a_mailbox_store_that_was_put_back_is_held_until_it_is_accepted(full: bool) -> None:
    office = worked(3)
    office.put_back("alice")
    report = office.sync(full=full)
    assert report.error == HELD and not report.writes
    assert report.hint.startswith("was a backup restored or a database copied? If that is meant")
    assert office.notes() == 3, "what the CRM has stays"
    office.edit("alice", 1, start=5, note="since")
    assert office.sync().error == HELD, "later visits, too"
    with pytest.raises(ConfigError, match="went back"):
        verify(office.accord, "t")
    (told,) = [one for one in check(office.accord) if one.subject == "instance" and not one.ok]
    assert (
        told.detail
        == "target/t went back: items that Accord knows stand there as they stood before"
    )
    (plan,) = preview(office.accord, [office.link()])
    assert not plan.error and plan.crm.updated == 3, "what would come of it is shown"
    accept(office.accord)
    report = office.sync()
    assert not report.error and report.crm.updated == 3
    office.wait(hours=1)
    office.edit("alice", 1, start=4)
    assert office.sync().groupware.updated == 1


def test_an_expired_history_hides_nothing() -> None:
    office = worked(3)
    office.put_back("alice")
    office.groupware.expire()
    assert office.sync().error == HELD


def test_what_turns_out_older_only_when_it_is_written_is_noticed() -> None:
    office = worked(3)
    office.put_back("alice")
    office.groupware.store.mailbox("alice@x.test").log.clear()
    office.edit("alice", 3, note="since")
    report = office.sync()
    assert report.error == HELD and not report.crm.updated
    assert sum("since" in title for title in office.titles()[0]) == 3


def test_one_older_item_counts_with_others_that_are_missing() -> None:
    office = worked(1)
    for number in range(2):
        office.person().add(event(f"New {number}", SOON + timedelta(days=20 + number)))
    assert office.sync().groupware.created == 2
    office.wait(hours=1)
    office.put_back("alice")
    assert office.sync().error == HELD
    assert len(office.records()) == 8, "nothing was deleted"


def test_older_items_in_several_mailboxes_count_together_within_the_hour() -> None:
    users = ("alice", "bob", "carol")
    office = worked(1, *users)
    errors = []
    for user in users:
        office.put_back(user)
        errors.append(office.sync(user).error)
    assert errors == ["", "", HELD]


def test_visits_that_are_under_way_are_held_too(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office("alice", "bob")
    for user, count in (("alice", 3), ("bob", 1)):
        office.edit(user, count)
        office.sync(user)
    office.wait(hours=1)
    office.put_back("alice")
    office.put_back("bob")
    assert office.sync("alice").error == HELD
    monkeypatch.setattr(begin, "verify", lambda *_: None)
    assert office.sync("bob").error == HELD
    assert office.notes("bob") == 1


def test_what_was_accepted_counts_no_more() -> None:
    office = worked(3)
    office.put_back("alice")
    assert office.sync().error == HELD
    accept(office.accord)
    office.sync()
    office.wait(minutes=10)
    office.edit("alice", 1)
    assert office.sync().groupware.updated == 1
    office.wait(minutes=10)
    office.put_back("alice")
    assert not office.sync().error


def test_after_an_hour_single_older_items_are_forgotten() -> None:
    users = ("alice", "bob", "carol")
    office = worked(1, *users)
    for user in users:
        office.put_back(user)
        assert not office.sync(user).error
        office.wait(minutes=31)


def test_a_link_that_only_observes_notices_it_too() -> None:
    office = worked(3)
    office.change_link(mode=Mode.OBSERVE)
    office.put_back("alice")
    assert office.sync().error == HELD


def _as_known(entry: Entry, office: Office) -> Entry:
    known = {p.groupware.ref: p.groupware for p in office.pairings()}
    return msgspec.structs.replace(entry, item=known[entry.ref].item)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda entry, office: msgspec.structs.replace(
                entry, modified=office.now - timedelta(minutes=30)
            ),
            "it was edited since",
        ),
        (_as_known, "only its version is another"),
        (
            lambda entry, office: msgspec.structs.replace(
                entry, modified=office.now - timedelta(hours=1, minutes=4)
            ),
            "clocks differ so much",
        ),
    ],
    ids=["newer", "equal", "near"],
)
def test_what_people_may_do_is_not_held(change: Callable[[Entry, Office], Entry], why: str) -> None:
    office = worked(5)
    office.put_back("alice", lambda entry: change(entry, office))
    assert not office.sync().error, why


def test_a_clock_that_was_ahead_and_is_set_right_holds_nothing() -> None:
    office = Office("alice")
    now = office.clock
    office.groupware.store.clock = lambda: now() + timedelta(hours=1)
    office.edit("alice", 5)
    office.sync()
    office.groupware.store.clock = now
    office.wait(minutes=10)
    for snapshot in office.items():
        office.mailbox().edit(snapshot.ref, title="By hand")
    report = office.sync()
    assert not report.error and report.crm.updated == 6


@pytest.mark.parametrize(("ahead", "held"), [(-3600.0, False), (-60.0, True)])
def test_by_a_clock_that_is_wrong_nothing_is_judged(
    monkeypatch: pytest.MonkeyPatch, ahead: float, held: bool
) -> None:
    def clock(_: Any) -> Reading:
        return Reading(ahead=ahead, age=0.0)

    office = worked(5)
    office.put_back("alice")
    monkeypatch.setattr(MemorySession, "clock", clock)
    assert bool(office.sync().error) is held


def tell_times(monkeypatch: pytest.MonkeyPatch, later: timedelta = timedelta()) -> list[str]:
    """Let the server say of single items when they were edited, and note of which it is asked."""
    asked: list[str] = []

    class Telling(MortalSession):
        def edited(self, snapshots: Sequence[Snapshot]) -> Mapping[str, datetime]:
            asked.extend(one.ref for one in snapshots)
            return {one.ref: one.modified + later for one in snapshots if one.modified}

    monkeypatch.setattr(kit, "MortalSession", Telling)
    return asked


@pytest.mark.parametrize(("hours", "held"), [(0, True), (7, False)])
def test_only_what_the_server_itself_says_of_times_counts(
    monkeypatch: pytest.MonkeyPatch, hours: int, held: bool
) -> None:
    """Calendar programs write times, too, and what they import is as old as it likes."""
    office = worked(5)
    office.put_back("alice")
    asked = tell_times(monkeypatch, timedelta(hours=hours))
    assert bool(office.sync().error) is held
    assert len(asked) == 5


def test_while_nothing_is_older_the_server_is_asked_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = worked(5)
    asked = tell_times(monkeypatch)
    for snapshot in office.items():
        office.mailbox().edit(snapshot.ref, title="By hand")
    assert office.sync(full=True).crm.updated == 6
    assert not asked
