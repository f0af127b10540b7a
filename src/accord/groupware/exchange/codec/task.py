"""Tasks: Exchange knows days, not hours, and sets the day of completion itself.

`adapter` asks for PROPERTIES, reads with `read`, and sends what `properties` returns.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from exchangelib.items import Task as LibraryTask
from msgspec.structs import replace

from accord.formats.outlook.pattern import Regeneration, Unfit
from accord.formats.outlook.to_pattern import Fit, to_pattern
from accord.groupware.exchange.codec import parts, quick, recurrence
from accord.groupware.exchange.codec.kept import kept_text, with_kept
from accord.groupware.exchange.codec.mended import UtcDate
from accord.model.fields import FIELDS
from accord.model.item import Task, TaskStatus
from accord.model.kinds import Kind
from accord.model.parts import Reminder
from accord.model.recurrence import RecurrenceRule
from accord.model.traits import KindTraits
from accord.model.zones import UnknownZone, instant
from accord.ports.errors import Rejected

PROPERTIES = (
    *("subject", "sensitivity", "body", "text_body", "attachments", "has_attachments"),
    *("categories", "importance"),
    *("reminder_due_by", "reminder_is_set", "start_date", "due_date", "complete_date"),
    *("percent_complete", "status", "recurrence", "delegator"),
    *("accord_uid", "accord_kept", "accord_key", "accord_marker"),
)
"""The fields of exchangelib's Task that are read."""

_MODEL = quick.narrowed(LibraryTask, PROPERTIES)
_FIELDS = frozenset(FIELDS[Kind.TASK]) - {"exdates", "extras"}
_KEPT = _FIELDS - {"attachments", "body"}

_WRITTEN = {
    "title": ("subject",),
    "body": ("body",),
    "privacy": ("sensitivity",),
    "categories": ("categories",),
    "priority": ("importance",),
    "reminders": ("reminder_is_set", "reminder_due_by"),
    **dict.fromkeys(("status", "percent", "completed"), ("status", "percent_complete")),
    **dict.fromkeys(
        ("start", "due", "time_zone", "all_day"),
        ("start_date", "due_date", "recurrence", "reminder_is_set", "reminder_due_by"),
    ),
    "rule": ("start_date", "due_date", "recurrence"),
}
_WHEN = frozenset({"start", "due", "time_zone", "all_day", "rule"})
_STATUS = {
    TaskStatus.NEEDS_ACTION: "NotStarted",
    TaskStatus.IN_PROCESS: "InProgress",
    TaskStatus.COMPLETED: "Completed",
    TaskStatus.CANCELLED: "Deferred",
}
_READ_STATUS = {
    "NotStarted": TaskStatus.NEEDS_ACTION,
    "InProgress": TaskStatus.IN_PROCESS,
    "Completed": TaskStatus.COMPLETED,
    "WaitingOnOthers": TaskStatus.IN_PROCESS,
    "Deferred": TaskStatus.NEEDS_ACTION,
}


def traits() -> KindTraits:
    """Return what Exchange carries of a task: no left-out dates of a series."""
    return KindTraits(fields=_FIELDS, readonly=frozenset({"attachments"}), trash=True, files=True)


def read(item: Any, *, home: str | None = None) -> Task:
    """Return a task; raises Rejected. `home` is the mailbox's zone, where no account says it."""
    where = parts.home_of(item, home)
    found = with_kept(
        _read(item, where), item.accord_kept, lambda each: _seen(each, where), _KEPT, "completed"
    )
    if found.status is not TaskStatus.COMPLETED and found.completed is not None:
        found = replace(found, completed=None)
    return found


def properties(
    after: Task,
    before: Task | None = None,
    changed: Collection[str] | None = None,
    *,
    home: str = "UTC",
) -> dict[str, Any]:
    """Return the fields of exchangelib's Task to send, None to clear; raises Rejected.

    Without `changed` these are all of a new task. A pattern that comes back once the task is
    done stays as it is unless the rule itself changes.
    """
    if changed is not None and _WHEN.isdisjoint(changed) and unfit(after):
        # Somebody made the rule in Exchange, and it stays.
        after = replace(after, rule=None)
        before = before and replace(before, rule=None)
    sent = _sent(after, home)
    kept = kept_text(after, lambda each: _seen(each, home), _KEPT)
    if changed is None:
        sent |= {"accord_uid": after.uid or None, "accord_kept": kept}
        return {name: value for name, value in sent.items() if value is not None}
    names = {name for field in changed for name in _WRITTEN.get(field, ())}
    if "body" in changed and before and parts.stands_already(after.body, before.body):
        names -= {"body"}
    if after.rule is None and "rule" not in changed:
        names -= {"recurrence"}
    if before is not None and not (after.reminders or before.reminders):
        names -= {"reminder_is_set", "reminder_due_by"}
    if sent["reminder_due_by"] is None:
        names -= {"reminder_due_by"}  # it can't be taken away, only switched off
    if before is None or kept != kept_text(before, lambda each: _seen(each, home), _KEPT):
        sent["accord_kept"] = kept
        names |= {"accord_kept"}
    return {name: sent[name] for name in sent if name in names}


def unfit(after: Task, changed: Collection[str] | None = None, *, home: str = "UTC") -> str:
    """Return why a task's rule can't be sent; empty where it can."""
    if changed is not None and _WHEN.isdisjoint(changed):
        return ""
    try:
        _sent_rule(after)
    except Rejected as error:
        return str(error)
    return ""


def _seen(task: Task, home: str) -> Task:
    """Return a task as it would be read back from Exchange alone."""
    return _read(_MODEL(**_sent(task, home)), home)


# ---- reading ----


def _read(item: Any, home: str) -> Task:
    start, due = parts.day_of(item.start_date, home), parts.day_of(item.due_date, home)
    status = _READ_STATUS.get(item.status or "NotStarted", TaskStatus.NEEDS_ACTION)
    rule, begins = _rule(item, start or due)
    if begins is not None and start is not None:
        due = due + (begins - start) if due is not None else None
        start = begins
    elif begins is not None and due is not None:
        due = begins
    return Task(
        uid=str(item.accord_uid or ""),
        title=parts.text_of(item.subject),
        start=start,
        due=due,
        all_day=start is not None or due is not None,
        rule=rule,
        body=parts.body_of(item),
        status=status,
        percent=_percent(item, status),
        completed=_completed(item, status),
        priority=parts.priority_of(item),
        privacy=parts.privacy_of(item),
        categories=parts.categories_of(item),
        reminders=_reminders(item, start or due, home),
        attachments=parts.attachments_of(item),
    )


def _percent(item: Any, status: TaskStatus) -> int:
    if status is TaskStatus.COMPLETED:
        return 100
    given = item.percent_complete
    return min(max(int(given), 0), 100) if given is not None and given.is_finite() else 0


def _completed(item: Any, status: TaskStatus) -> datetime | None:
    return parts.utc_of(item.complete_date) if status is TaskStatus.COMPLETED else None


def _rule(item: Any, start: datetime | None) -> tuple[RecurrenceRule | None, datetime | None]:
    """Return the rule and when it begins; what comes back once it is done has no rule."""
    if item.recurrence is None:
        return None, None
    pattern, span = recurrence.read(item.recurrence)
    if isinstance(pattern, Regeneration):
        return None, None
    found = recurrence.rule_of(pattern, span, start or datetime.combine(span.start, _MIDNIGHT))
    return found.rule, found.start


def _reminders(item: Any, anchor: datetime | None, home: str) -> tuple[Reminder, ...]:
    due = item.reminder_due_by
    if not item.reminder_is_set or due is None or anchor is None:
        return ()
    minutes = (anchor - parts.local_of(due, home)) // timedelta(minutes=1)
    return (Reminder(minutes=minutes),)


_MIDNIGHT = datetime.min.time()


# ---- writing ----


def _sent(task: Task, home: str) -> dict[str, Any]:
    done = task.status is TaskStatus.COMPLETED
    begun = task.status is not TaskStatus.NEEDS_ACTION
    reminder = _reminder(task, home)
    return {
        "subject": parts.sent_text(task.title, parts.SHORT),
        "sensitivity": parts.sent_privacy(task.privacy),
        "body": parts.sent_body(task.body),
        "categories": parts.sent_categories(task.categories),
        "importance": parts.sent_importance(task.priority),
        "reminder_due_by": reminder,
        "reminder_is_set": reminder is not None,
        "start_date": _sent_day(task.start),
        "due_date": _sent_day(task.due),
        "percent_complete": Decimal(100 if done else min(task.percent, 99) if begun else 0),
        "status": _STATUS[task.status],
        "recurrence": _sent_rule(task),
    }


def _sent_day(local: datetime | None) -> Any:
    """Return a day as its midnight in UTC: the server takes the day in the zone of the request."""
    return None if local is None else UtcDate.from_date(local.date())


def _reminder(task: Task, home: str) -> Any:
    """Return the moment of the first reminder that can be said: a task has one."""
    anchor = task.start or task.due
    if anchor is None or not task.reminders:
        return None
    first = task.reminders[0]
    begins = task.due if first.before_end and task.due else anchor
    try:
        moment = instant(begins, task.time_zone or home) - timedelta(minutes=first.minutes)
    except (UnknownZone, OverflowError):
        return None
    return parts.sent_moment(moment.replace(tzinfo=None), "UTC")


def _sent_rule(task: Task) -> Any:
    start = task.start or task.due
    if task.rule is None:
        return None
    if start is None:
        raise Rejected("a task without a day can't come back in Exchange", code="recurrence")
    found = to_pattern(task.rule, start, exdates=task.exdates)
    if isinstance(found, Unfit):
        raise Rejected(f"Exchange can't say this series: {found.reason}", code="recurrence")
    _check_whole(found)
    return recurrence.sent_for_task(found.pattern, found.range)


def _check_whole(found: Fit) -> None:
    if found.deleted:
        reason = "Exchange can't leave out a single day of a recurring task"
        raise Rejected(reason, code="recurrence")
