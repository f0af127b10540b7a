"""Tasks there and back: every field, hours that Exchange doesn't know, and what isn't ours."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import exchangelib
import msgspec
import pytest
from hypothesis import given, settings

from accord.groupware.exchange.codec import task
from accord.model.diff import changes, diff, normalise
from accord.model.item import Task, TaskStatus
from accord.model.kinds import Kind
from accord.model.parts import Body, BodyType, Person, Privacy, Reminder
from accord.model.recurrence import Frequency, RecurrenceRule
from accord.ports.errors import Rejected
from accord.testing.samples import samples
from accord.testing.strategies import items
from tests.unit.exchange.post import ALICE, HOME, fields_of, parsed, updated, written

ZONES = ("Europe/Zurich", "America/Los_Angeles", "Pacific/Auckland", "UTC")
MONDAY = datetime(2026, 3, 2)


def changed(item: Task, **values: Any) -> Task:
    return msgspec.structs.replace(item, **values)


def there_and_back(item: Task, home: str = HOME) -> Task:
    sent = written(exchangelib.Task, task.properties(item, home=home), home)
    return task.read(parsed(exchangelib.Task, sent, home))


@settings(max_examples=100)
@given(item=items(Kind.TASK, ALICE, html=True))
def test_whatever_a_task_says_is_read_back(item: Task) -> None:
    assert changes(normalise(item, task.traits()), there_and_back(item)) == ()


@pytest.mark.parametrize("name", samples(Kind.TASK, ALICE))
@pytest.mark.parametrize("home", ZONES)
def test_a_named_task_is_read_back_wherever_the_mailbox_is(name: str, home: str) -> None:
    item = samples(Kind.TASK, ALICE)[name]
    assert isinstance(item, Task)
    assert changes(item, there_and_back(item, home)) == ()


@pytest.mark.parametrize("home", ZONES)
def test_a_day_is_sent_as_midnight_where_requests_are(home: str) -> None:
    item = Task(due=datetime(2026, 7, 3), all_day=True)
    sent = written(exchangelib.Task, task.properties(item, home=home), home)
    text = sent.partition("DueDate>")[2].partition("<")[0]
    assert text == "2026-07-03T00:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-02T22:00:00Z",
        "2026-07-02T22:00:00.000Z",
        "2026-07-03T00:00:00+02:00",
        "2026-07-03T00:00:00.0000000+02:00",
        "2026-07-03T00:00:00",
        "2026-07-03T00:00:00Z",
    ],
)
def test_a_day_is_understood_however_it_is_spelled(text: str) -> None:
    found = task.read(parsed(exchangelib.Task, f"<Task><DueDate>{text}</DueDate></Task>"))
    assert (found.due, found.all_day) == (datetime(2026, 7, 3), True)


def test_an_empty_task_is_read() -> None:
    assert task.read(parsed(exchangelib.Task, "<Task/>")) == Task()


def test_what_only_exchange_says_is_understood() -> None:
    found = task.read(
        parsed(
            exchangelib.Task,
            "<Task><Subject>Call</Subject><Sensitivity>Personal</Sensitivity>"
            "<Importance>Low</Importance><CompleteDate>2026-03-01T00:00:00.123Z</CompleteDate>"
            "<PercentComplete>1.0E2</PercentComplete><Status>Completed</Status></Task>",
        )
    )
    assert (found.privacy, found.priority, found.percent) == (Privacy.PRIVATE, 9, 100)
    assert found.completed == datetime(2026, 3, 1, tzinfo=UTC)
    waiting = task.read(parsed(exchangelib.Task, "<Task><Status>WaitingOnOthers</Status></Task>"))
    assert waiting.status is TaskStatus.IN_PROCESS


def test_an_edit_in_outlook_beats_what_was_kept() -> None:
    item = Task(
        title="call",
        due=datetime(2026, 3, 3, 17),
        time_zone=HOME,
        priority=2,
        status=TaskStatus.CANCELLED,
    )
    there = parsed(exchangelib.Task, written(exchangelib.Task, task.properties(item)))
    assert task.read(there) == item
    there.due_date = exchangelib.EWSDate(2026, 3, 9)
    assert task.read(there) == changed(item, due=datetime(2026, 3, 9), all_day=True, time_zone=None)
    there.importance, there.status = "Normal", "InProgress"
    found = task.read(there)
    assert (found.priority, found.status) == (0, TaskStatus.IN_PROCESS)


def test_a_task_taken_up_again_is_not_completed() -> None:
    done = samples(Kind.TASK, ALICE)["done"]
    assert isinstance(done, Task)
    there = parsed(exchangelib.Task, written(exchangelib.Task, task.properties(done)))
    there.status, there.percent_complete = "InProgress", Decimal(50)
    found = task.read(there)
    assert (found.status, found.percent, found.completed) == (TaskStatus.IN_PROCESS, 50, None)


def test_only_what_changed_is_sent() -> None:
    before = Task(title="call", due=MONDAY, all_day=True, body=Body(text="now"))
    after = changed(before, title="", categories=("Client",))
    sent = task.properties(after, before, diff(before, after))
    assert sent == {"subject": None, "categories": ["Client"]}
    request = updated(exchangelib.Task, sent)
    assert fields_of(request) == [
        ("DeleteItemField", "item:Subject"),
        ("SetItemField", "item:Categories"),
    ]


def test_status_and_percentage_go_together() -> None:
    before = Task(status=TaskStatus.IN_PROCESS, percent=20)
    after = changed(before, percent=40)
    sent = task.properties(after, before, ("percent",))
    assert sent == {"percent_complete": Decimal(40), "status": "InProgress"}


def test_html_of_the_same_words_is_left_alone() -> None:
    before = Task(body=Body(text="<p>Dear <b>all</b></p>", type=BodyType.HTML))
    twin = changed(before, body=Body(text="Dear all"))
    assert task.properties(twin, before, ("body",)) == {}
    other = changed(before, body=Body(text="Dear Bob"))
    assert task.properties(other, before, ("body",)) == {"body": "Dear Bob"}


def test_what_exchange_made_of_a_plain_text_is_that_text() -> None:
    text = (
        '<Task><TextBody BodyType="Text">Dear all</TextBody><Body BodyType="HTML">'
        "&lt;html&gt;&lt;!-- converted from text --&gt;&lt;p&gt;Dear all&lt;/p&gt;</Body></Task>"
    )
    assert task.read(parsed(exchangelib.Task, text)).body == Body(text="Dear all")


def test_a_reminder_is_a_moment() -> None:
    item = Task(
        due=datetime(2026, 3, 3, 17),
        time_zone="America/New_York",
        reminders=(Reminder(minutes=30),),
    )
    sent = task.properties(item)
    assert (sent["reminder_is_set"], sent["reminder_due_by"]) == (
        True,
        datetime(2026, 3, 3, 21, 30, tzinfo=UTC),
    )
    assert there_and_back(item) == item
    off = task.properties(changed(item, reminders=()), item, ("reminders",))
    assert off["reminder_is_set"] is False
    assert "reminder_due_by" not in off
    assert there_and_back(Task(title="no day", reminders=(Reminder(minutes=5),))).reminders != ()


RULES = {
    "daily": RecurrenceRule(frequency=Frequency.DAILY, interval=3, count=5),
    "weekly": RecurrenceRule(frequency=Frequency.WEEKLY, until=datetime(2026, 6, 1)),
    "monthly": RecurrenceRule(frequency=Frequency.MONTHLY, by_month_day=(2,)),
    "yearly": RecurrenceRule(frequency=Frequency.YEARLY),
}


@pytest.mark.parametrize("name", RULES)
def test_a_task_comes_back_by_its_rule(name: str) -> None:
    item = Task(title="again", due=MONDAY, all_day=True, rule=RULES[name])
    assert there_and_back(item) == item


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (Task(rule=RULES["daily"]), "without a day"),
        (Task(due=MONDAY, rule=RULES["daily"], exdates=(datetime(2026, 3, 5),)), "leave out"),
        (Task(due=MONDAY, rule=RecurrenceRule(frequency=Frequency.HOURLY)), "can't say"),
    ],
)
def test_what_exchange_cannot_repeat_is_refused(item: Task, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        task.properties(item)


AGAIN = (
    "<Task><Subject>Water</Subject><DueDate>2026-03-02T00:00:00+01:00</DueDate><Recurrence>"
    "<DailyRegeneration><Interval>4</Interval></DailyRegeneration><NoEndRecurrence>"
    "<StartDate>2026-03-02</StartDate></NoEndRecurrence></Recurrence></Task>"
)


def test_a_task_that_comes_back_once_it_is_done_stays_so() -> None:
    before = task.read(parsed(exchangelib.Task, AGAIN))
    assert (before.due, before.rule) == (MONDAY, None)
    after = changed(before, due=datetime(2026, 3, 4), title="Plants")
    assert "recurrence" not in task.properties(after, before, diff(before, after))
    dated = changed(before, rule=RULES["weekly"])
    assert task.properties(dated, before, ("rule",))["recurrence"] is not None


def test_a_rule_follows_its_task_and_can_be_taken_away() -> None:
    before = Task(due=MONDAY, all_day=True, rule=RULES["daily"])
    after = changed(before, due=datetime(2026, 3, 4))
    sent = task.properties(after, before, ("due",))
    assert sent["recurrence"].boundary.start == date(2026, 3, 4)
    once = task.properties(changed(before, rule=None), before, ("rule",))
    assert once["recurrence"] is None
    assert ("DeleteItemField", "task:Recurrence") in fields_of(updated(exchangelib.Task, once))


EVERY = "<Interval>1</Interval>"
FOR_EVER = "<NoEndRecurrence><StartDate>2026-03-02</StartDate></NoEndRecurrence>"


@pytest.mark.parametrize(
    "recurrence",
    [
        f"<WeeklyRecurrence>{EVERY}<DaysOfWeek>Someday</DaysOfWeek></WeeklyRecurrence>{FOR_EVER}",
        f"<WeeklyRecurrence>{EVERY}</WeeklyRecurrence>{FOR_EVER}",
        f"<DailyRecurrence>{EVERY}</DailyRecurrence>",
        f"<DailyRecurrence>{EVERY}</DailyRecurrence><NoEndRecurrence/>",
        f"<RelativeMonthlyRecurrence>{EVERY}</RelativeMonthlyRecurrence>{FOR_EVER}",
    ],
)
def test_a_recurrence_that_is_not_understood_is_refused(recurrence: str) -> None:
    there = parsed(exchangelib.Task, f"<Task><Recurrence>{recurrence}</Recurrence></Task>")
    with pytest.raises(Rejected, match="recurrence"):
        task.read(there)


def test_files_are_named_not_fetched() -> None:
    text = (
        "<Task><Attachments><FileAttachment><AttachmentId Id='AT1'/><Name>plan.pdf</Name>"
        "<ContentType>application/pdf</ContentType><Size>12</Size><IsInline>false</IsInline>"
        "</FileAttachment><FileAttachment><AttachmentId Id='AT2'/><Name>logo.png</Name>"
        "<IsInline>1</IsInline></FileAttachment></Attachments></Task>"
    )
    (found,) = task.read(parsed(exchangelib.Task, text)).attachments
    assert (found.uri, found.name, found.size) == ("stored:AT1", "plan.pdf", 12)


def test_who_does_it_for_whom_is_kept() -> None:
    item = Task(title="call", assignee=Person(address="bea@example.org", name="Bea"), uid="u-1")
    assert there_and_back(item) == item


def test_a_rule_made_by_others_does_not_bar_other_changes() -> None:
    before = Task(title="a", due=MONDAY, rule=RecurrenceRule(frequency=Frequency.HOURLY))
    after = changed(before, title="b", priority=3)
    sent = task.properties(after, before, ("title", "priority"))
    assert sent.keys() == {"subject", "importance", "accord_kept"}
    with pytest.raises(Rejected, match="can't say"):
        task.properties(changed(after, due=datetime(2026, 3, 3)), before, ("due",))


@pytest.mark.parametrize(
    ("item", "percent"),
    [
        (Task(percent=30), 0),
        (Task(status=TaskStatus.IN_PROCESS, percent=100), 99),
        (Task(status=TaskStatus.COMPLETED, percent=80), 100),
    ],
)
def test_a_percentage_that_contradicts_the_status_is_kept_aside(item: Task, percent: int) -> None:
    assert task.properties(item)["percent_complete"] == percent
    assert there_and_back(item) == item


def test_a_task_begins_on_the_first_day_of_its_pattern() -> None:
    text = (
        "<Task><DueDate>2026-03-03T00:00:00+01:00</DueDate><Recurrence><WeeklyRecurrence>"
        f"{EVERY}<DaysOfWeek>Wednesday</DaysOfWeek></WeeklyRecurrence>{FOR_EVER}</Recurrence>"
        "<StartDate>2026-03-02T00:00:00+01:00</StartDate></Task>"
    )
    found = task.read(parsed(exchangelib.Task, text))
    assert (found.start, found.due) == (datetime(2026, 3, 4), datetime(2026, 3, 5))
