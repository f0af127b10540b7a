"""What becomes of whole items on the way: busy blocks, plain copies of meetings, absences.

`Program` calls these around the fields' routes; each takes an item and gives one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from accord.model.item import Absence, Contact, Event, Item, Task
from accord.model.names import ABSENT_TITLE
from accord.model.parts import Attendee, Person, Privacy, files, links
from accord.model.recurrence import Busy, Override
from accord.model.zones import UnknownZone, instant
from accord.rules.facts import Facts

BUSY_TITLE = "Busy"
PRIVATE_TITLE = "Private"

_EVENT_KEPT = (
    "uid", "sequence", "start", "end", "time_zone", "end_time_zone", "all_day", "rule", "rdates",
    "exdates", "status", "busy", "privacy",
)  # fmt: skip
_TASK_KEPT = (
    "uid", "start", "due", "time_zone", "all_day", "rule", "exdates", "status", "percent",
    "completed", "priority", "privacy",
)  # fmt: skip
_OVERRIDE_KEPT = frozenset(
    {"recurrence_id", "start", "end", "time_zone", "end_time_zone", "all_day", "status", "busy"}
)
_HIDDEN: dict[str, Any] = {
    "title": BUSY_TITLE, "body": None, "location": "", "online_meeting": "", "categories": (),
    "reminders": (), "attendees": (), "attachments": (), "extras": UNSET,
}  # fmt: skip


def is_private(privacy: Any) -> bool:
    """Tell whether a mark asks for privacy."""
    return privacy in (Privacy.PRIVATE, Privacy.SECRET)


def is_marked(item: Item) -> bool:
    """Tell whether an item, or an occurrence of it, asks for privacy."""
    parts = (item, *getattr(item, "overrides", ()))
    return any(is_private(each.privacy) for each in parts)


def without_files(item: Item) -> Item:
    """Return an item without the files that its side keeps: those travel by themselves."""
    values: dict[str, Any] = {}
    held = getattr(item, "attachments", ())
    if any(each.stored for each in held):
        values["attachments"] = links(held)
    photo = getattr(item, "photo", None)
    if photo is not None and (photo.stored or not photo.uri):
        values["photo"] = None
    overrides = getattr(item, "overrides", ())
    if any(each.attachments is not UNSET and files(each.attachments) for each in overrides):
        kept = (_linked(each) for each in overrides)
        values["overrides"] = tuple(each for each in kept if not is_bare(each))
    return replace(item, **values)


def _linked(override: Override) -> Override:
    if override.attachments is UNSET or not files(override.attachments):
        return override
    return replace(override, attachments=links(override.attachments) or UNSET)


def reduced(item: Item) -> Item:
    """Return what may be known of a private item: when, and that it is there."""
    match item:
        case Event():
            kept = {name: getattr(item, name) for name in _EVENT_KEPT}
            overrides = tuple(_only(each, _OVERRIDE_KEPT) for each in item.overrides)
            overrides = tuple(each for each in overrides if not is_bare(each))
            return Event(title=BUSY_TITLE, overrides=overrides, **kept)
        case Task():
            kept = {name: getattr(item, name) for name in _TASK_KEPT}
            return Task(title=PRIVATE_TITLE, **kept)
        case Contact():
            return Contact(uid=item.uid, full_name=PRIVATE_TITLE, privacy=item.privacy)
        case _:
            return item


def without_private_occurrences(item: Item) -> Item:
    """Return a public series with its private occurrences reduced."""
    if not isinstance(item, Event) or not any(is_private(each.privacy) for each in item.overrides):
        return item
    overrides = tuple(
        replace(each, **_HIDDEN) if is_private(each.privacy) else each for each in item.overrides
    )
    return replace(item, overrides=overrides)


def plain_meeting(event: Event) -> Event:
    """Return a copy without attendees: the people are named, nobody is invited."""
    overrides = event.overrides
    if any(each.attendees is not UNSET for each in overrides):
        bare = (replace(each, attendees=UNSET) for each in overrides)
        overrides = tuple(each for each in bare if not is_bare(each))
    if event.organizer is None and not event.attendees and overrides is event.overrides:
        return event
    return replace(event, organizer=None, attendees=(), people=_people(event), overrides=overrides)


def out_of_office(absence: Absence) -> Event:
    """Return the entry that stands for an absence: when, never why."""
    return Event(
        uid=absence.uid,
        title=ABSENT_TITLE,
        start=absence.start,
        end=absence.end,
        time_zone=absence.time_zone,
        all_day=absence.all_day,
        busy=Busy.OUT_OF_OFFICE,
    )


def absence_of(event: Event) -> Absence:
    """Return the absence that an out-of-office entry stands for."""
    return Absence(
        uid=event.uid,
        title="" if event.title == ABSENT_TITLE else event.title,
        start=event.start,
        end=event.end,
        time_zone=event.time_zone,
        all_day=event.all_day,
    )


def without_due_reminders(item: Event | Task, facts: Facts) -> Item:
    """Return a single entry without the reminders whose time has passed.

    Those of a series stay: its next occurrence is still to come.
    """
    if item.rule is not None or (isinstance(item, Event) and item.rdates):
        return item
    ends = item.end if isinstance(item, Event) else item.due
    kept = tuple(
        reminder
        for reminder in item.reminders
        if _ahead(
            ends if reminder.before_end else item.start or ends,
            item.time_zone,
            reminder.minutes,
            facts,
        )
    )
    return replace(item, reminders=kept)


def outsiders(event: Event, facts: Facts) -> bool:
    """Tell whether somebody who is no CRM user is invited."""
    known = facts.addresses | facts.users.keys()
    return any(attendee.address.casefold() not in known for attendee in event.attendees)


def is_bare(override: Override) -> bool:
    """Tell whether an override changes nothing."""
    return not any(
        getattr(override, name) is not UNSET
        for name in override.__struct_fields__
        if name != "recurrence_id"
    )


def _only(override: Override, kept: frozenset[str]) -> Override:
    values = {name: getattr(override, name) for name in override.__struct_fields__ if name in kept}
    return Override(**values)


def _people(event: Event) -> tuple[Person, ...]:
    everyone: list[Person | Attendee] = [*event.attendees, *event.people]
    if event.organizer is not None:
        everyone.insert(0, event.organizer)
    found: dict[str, Person] = {}
    for each in everyone:
        key = each.address.casefold() or each.name
        if key and key not in found:
            found[key] = Person(address=each.address, name=each.name)
    return tuple(found.values())


def _ahead(moment: Any, zone: str | None, minutes: int, facts: Facts) -> bool:
    if moment is None:
        return True
    try:
        return instant(moment, zone) - timedelta(minutes=minutes) > facts.now
    except (OverflowError, UnknownZone):
        return False
