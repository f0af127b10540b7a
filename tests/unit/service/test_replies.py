"""Automatic replies follow absences: over a stand-in Exchange on a port of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from accord.engine.replies import CHANGED, OWN, SWITCHED_OFF, UNDONE, Act
from accord.groupware.exchange import ExchangeAdapter
from accord.groupware.exchange import replies as exchange_replies
from accord.model.item import Absence
from accord.model.kinds import Kind
from accord.model.replies import Audience, Replies
from accord.ports.errors import Denied
from accord.rules.rule import AutoReplies
from accord.service.explain import explain
from accord.service.removal import withdraw
from accord.service.replies import NONE_THERE, PAST, TOUCHED
from accord.service.report import Report
from accord.service.sync import preview
from accord.service.undo import select, undo
from accord.state.records import Mode
from tests.contract.test_groupware_exchange import adapter_for
from tests.exchange import House
from tests.unit.sandbox.ews import Judge
from tests.unit.service.kit import World

ZONE = "Europe/Berlin"
TEXTS = AutoReplies(
    inside="{name} is away from {from} until {until}. {message}",
    outside="Back on {back}.",
    audience=Audience.KNOWN,
)
SICK = Absence(
    uid="absence-1",
    title="Flu",
    absence_kind="sick",
    start=datetime(2026, 3, 5),
    end=datetime(2026, 3, 8),
    message="Ask Bob & Eve",
)


class Office:
    """Alice's absences in the CRM, her mailbox on the stand-in, and Accord between them."""

    def __init__(self, house: House, rule: AutoReplies = TEXTS) -> None:
        self.house = house
        self.address = house.person()
        self.adapter: ExchangeAdapter = adapter_for(house.url, time_zone=ZONE)
        self.world = World(
            kind=Kind.ABSENCE,
            rule={"replies": rule},
            around=lambda side: side if hasattr(side, "identities") else self.adapter,
        )
        self.world.change_link(principal=self.address)

    def absent(self, item: Absence = SICK) -> str:
        return self.world.person().add(item).ref

    def replies(self) -> Replies:
        with self.adapter.open(self.address) as session:
            return session.replies()

    def set(self, replies: Replies) -> None:
        """Let Alice set her replies herself."""
        with self.adapter.open(self.address) as session:
            session.set_replies(replies)

    def sync(self) -> Report:
        report = self.world.sync()
        assert not report.error, report
        return report

    def plan(self) -> Report:
        (report,) = preview(self.world.accord, [self.world.link()])
        assert not report.error, report
        return report

    def steps(self) -> list[str]:
        return [e.step for e in self.world.journal()[::-1] if e.step.endswith("replies")]

    def undo(self, step: str = "set-replies", **how: Any) -> Report:
        entry = next(e for e in self.world.journal() if e.step == step)
        (report,) = undo(self.world.accord, select(self.world.accord, str(entry.id)), **how)
        return report


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Take what is quickest: what is stored here `tests/unit/state` tries on both databases."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    made = House(Judge(lambda what: None))
    yield made
    made.close()


@pytest.fixture
def office(house: House) -> Iterator[Office]:
    made = Office(house)
    yield made
    assert house.exchange.mails() == []
    made.adapter.close()


def test_an_absence_sets_the_replies_for_its_time_and_they_come_back_after_it(
    office: Office,
) -> None:
    old = Replies(inside="<p>an old text</p>", outside="older")
    office.set(old)
    office.absent()
    shown = office.plan().replies
    assert shown is not None
    assert (shown.act, office.replies()) == (Act.SET, old)
    report = office.sync()
    assert report.replies is not None
    assert report.replies.fields == shown.fields
    found = office.replies()
    assert found == Replies(
        on=True,
        start=datetime(2026, 3, 4, 23, tzinfo=UTC),
        end=datetime(2026, 3, 7, 23, tzinfo=UTC),
        inside="alice is away from 2026-03-05 until 2026-03-07. Ask Bob &amp; Eve",
        outside="Back on 2026-03-08.",
        audience=Audience.KNOWN,
    )
    assert office.sync().replies is None
    office.world.wait(days=10)
    report = office.sync()
    assert report.replies is not None
    assert report.replies.act is Act.RESTORE
    assert office.replies() == old
    assert office.sync().replies is None
    assert office.steps() == ["set-replies", "restore-replies"]


@pytest.mark.parametrize("message", ["I am sick, sorry", "SICK until Friday"])
def test_no_reply_tells_the_kind_of_an_absence(office: Office, message: str) -> None:
    office.absent(replaced(message=message, outside_message=message))
    office.sync()
    found = office.replies()
    assert found.on
    assert "sick" not in (found.inside + found.outside).casefold()
    assert "Flu" not in found.inside


def test_without_a_text_nothing_is_asked_or_set(house: House) -> None:
    office = Office(house, AutoReplies())
    office.absent()
    report = office.sync()
    assert report.replies is None
    assert not office.replies().on
    office.adapter.close()


def test_nobody_outside_is_answered_unless_the_rule_says_so(house: House) -> None:
    office = Office(house, AutoReplies(inside="{name} is away"))
    office.absent(replaced(outside_message="I am away"))
    office.sync()
    found = office.replies()
    assert (found.inside, found.outside, found.audience) == ("alice is away", "", Audience.NONE)
    office.adapter.close()


def test_what_a_person_set_is_never_touched(office: Office) -> None:
    own = Replies(on=True, inside="Gone fishing", outside="Gone", audience=Audience.ALL)
    office.set(own)
    ref = office.absent()
    for _ in range(2):
        report = office.sync()
        assert report.replies is not None
        assert (report.replies.act, report.replies.why) == (Act.LEAVE, OWN)
    (told,) = explain(office.world.accord, ref)
    assert told.replies == OWN
    office.world.wait(days=10)
    office.sync()
    assert office.replies() == own
    assert office.steps() == []


def test_a_persons_edit_of_our_replies_stands_and_is_not_put_back(office: Office) -> None:
    office.absent()
    office.sync()
    edited = Replies(on=True, inside="I read mail in the evening")
    office.set(edited)
    for _ in range(2):
        report = office.sync()
        assert report.replies is not None
        assert report.replies.why == CHANGED
    office.world.wait(days=10)
    office.sync()
    assert office.replies() == edited
    assert office.steps() == ["set-replies"]


def test_who_switches_them_off_has_said_no_for_this_absence_only(office: Office) -> None:
    office.absent()
    office.sync()
    office.set(Replies())
    for _ in range(2):
        report = office.sync()
        assert report.replies is not None
        assert report.replies.why == SWITCHED_OFF
        assert not office.replies().on
    office.world.wait(days=10)
    later = replaced(uid="absence-2", start=datetime(2026, 4, 1), end=datetime(2026, 4, 2))
    office.absent(later)
    office.sync()
    assert office.replies().start == datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_replies_follow_an_absence_that_moves_or_goes(office: Office) -> None:
    ref = office.absent()
    office.sync()
    moved = replaced(end=datetime(2026, 3, 10), message="Ask Bob")
    office.world.person().edit(ref, end=moved.end, message=moved.message)
    office.sync()
    assert office.replies().end == datetime(2026, 3, 9, 23, tzinfo=UTC)
    assert office.replies().inside.endswith("until 2026-03-09. Ask Bob")
    office.world.person().edit(ref, message="Ask Eve")
    office.sync()
    assert office.replies().inside.endswith("Ask Eve")
    office.world.person().delete(ref)
    office.sync()
    assert not office.replies().on


def test_the_next_absence_follows_the_one_that_ended(office: Office) -> None:
    office.absent(replaced(uid="later", start=datetime(2026, 3, 20), end=datetime(2026, 3, 21)))
    office.absent()
    office.sync()
    assert office.replies().start == datetime(2026, 3, 4, 23, tzinfo=UTC)
    office.world.wait(days=10)
    office.sync()
    assert office.replies().start == datetime(2026, 3, 19, 23, tzinfo=UTC)
    office.world.wait(days=10)
    office.sync()
    assert office.replies() == Replies()


def test_replies_whose_time_is_over_count_as_off(office: Office) -> None:
    start = datetime(2026, 2, 1, tzinfo=UTC)
    office.set(Replies(on=True, start=start, end=start + timedelta(days=3), inside="Skiing"))
    office.absent()
    office.sync()
    assert office.replies().on
    assert "alice is away" in office.replies().inside
    office.world.wait(days=10)
    office.sync()
    assert office.replies() == Replies(inside="Skiing")


def test_a_link_that_observes_shows_and_sets_nothing(office: Office) -> None:
    office.world.change_link(mode=Mode.OBSERVE)
    office.absent()
    report = office.sync()
    assert report.replies is not None
    assert report.replies.act is Act.SET
    assert office.replies() == Replies()
    assert office.steps() == []


def test_a_rule_that_no_longer_sets_them_puts_back_what_was(office: Office) -> None:
    office.absent()
    office.sync()
    office.world.activate()
    office.sync()
    assert not office.replies().on


def test_undo_puts_back_what_stood_before_and_it_stays_so(office: Office) -> None:
    office.set(Replies(inside="before"))
    ref = office.absent()
    office.sync()
    shown = office.undo(dry=True)
    assert shown.replies is not None
    assert office.replies().on
    done = office.undo()
    assert (done.left, office.replies()) == ([], Replies(inside="before"))
    report = office.sync()
    assert report.replies is not None
    assert report.replies.why == UNDONE
    assert not office.replies().on
    (told,) = explain(office.world.accord, ref)
    assert told.replies == UNDONE
    assert office.world.journal(step="set-replies")[0].undone_by is not None
    office.undo("restore-replies")
    assert office.replies().on
    assert office.sync().replies is None
    office.world.wait(days=10)
    office.sync()
    assert office.replies() == Replies(inside="before")


def test_undo_leaves_what_a_person_changed_since_and_what_is_over(office: Office) -> None:
    office.absent()
    office.sync()
    office.set(Replies(inside="mine now"))
    assert TOUCHED in office.undo().left[0]
    assert office.replies() == Replies(inside="mine now")
    office.sync()
    office.world.person().delete(office.world.records()[0].ref)
    office.sync()
    office.absent(replaced(uid="b"))
    office.sync()
    office.world.wait(days=10)
    office.sync()
    assert PAST in office.undo("restore-replies").left[0]
    assert not office.replies().on


def test_a_withdrawal_puts_the_replies_back(office: Office) -> None:
    office.absent()
    office.sync()
    assert office.replies().on
    link = office.world.link()
    dry = withdraw(office.world.accord, link, dry=True)
    assert dry.replies is not None
    assert office.replies().on
    report = withdraw(office.world.accord, link)
    assert not report.error
    assert not office.replies().on


def test_a_refusal_is_told_once_and_tried_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.absent()

    def refused(*_: object) -> None:
        raise Denied("this account may not (ErrorAccessDenied)")

    with monkeypatch.context() as patched:
        patched.setattr(exchange_replies, "put", refused)
        for _ in range(2):
            report = office.sync()
            assert report.failed == 1
            assert report.replies is not None
            assert "ErrorAccessDenied" in report.replies.error
    told = [e for e in office.world.journal() if e.error]
    assert len(told) == 1
    assert office.sync().failed == 0
    assert office.replies().on


def test_an_answer_that_is_lost_is_made_up_for_at_the_next_visit(
    office: Office, house: House
) -> None:
    office.absent()
    house.exchange.faults.plan(
        "lost", operation="SetUserOofSettingsRequest", mailbox=office.address
    )
    report = office.sync()
    assert report.failed == 1
    assert report.groupware.created == 1, "all else goes on"
    assert office.steps() == []
    assert office.replies().on
    report = office.sync()
    assert (report.failed, report.replies) == (0, None)
    assert office.steps() == ["set-replies"]
    office.world.wait(days=10)
    office.sync()
    assert office.replies() == Replies()


@pytest.mark.parametrize("over", [False, True])
def test_a_stop_at_any_point_leaves_nothing_wrong(house: House, *, over: bool) -> None:
    """Whatever the moment, the next visits end where one without a stop does."""
    first = prepared(house, over=over)
    trail = first.world.points()
    first.adapter.close()
    written = trail.index("before set_replies on groupware")
    points = range(written - 3, len(trail))
    assert len(points) > 8
    for point in points:
        office = prepared(house, over=over)
        assert office.world.crash(point)
        office.sync()
        office.sync()
        if not over:
            assert office.replies().inside.startswith("alice is away"), trail[point]
            office.world.wait(days=10)
            office.sync()
        assert office.replies() == Replies(inside="before"), trail[point]
        assert office.steps() == ["set-replies", "restore-replies"], trail[point]
        office.adapter.close()


def prepared(house: House, *, over: bool) -> Office:
    office = Office(house)
    office.set(Replies(inside="before"))
    office.absent()
    if over:
        office.sync()
        office.world.wait(days=10)
    return office


def test_a_server_without_replies_says_so() -> None:
    world = World(kind=Kind.ABSENCE, rule={"replies": TEXTS})
    world.person().add(SICK)
    report = world.sync()
    assert not report.error
    assert report.replies is not None
    assert report.replies.why == NONE_THERE


def replaced(**values: Any) -> Absence:
    return msgspec.structs.replace(SICK, **values)
