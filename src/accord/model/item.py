"""The five kinds of item, as frozen values every other room works on.

`Event`, `Task`, `Contact`, `Absence`, `Mail`: named after RFC 8984 and RFC 9553. One value is
what one side stores under one ref; a whole series is one `Event`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from msgspec import Struct

from accord.model.kinds import Kind
from accord.model.parts import Attachment, Attendee, Body, Part, Person, Privacy, Reminder
from accord.model.recurrence import Busy, EventStatus, Override, RecurrenceRule

Extras: TypeAlias = dict[str, str | int | float | bool | tuple[str, ...] | None]
"""Own and custom fields, keyed `namespace:name` (`ical:X-COLOR`, `crm:region`)."""


class ItemBase(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
):
    """Carry what every kind has: the lasting identity and the own fields."""

    uid: str = ""
    categories: tuple[str, ...] = ()
    privacy: Privacy = Privacy.PUBLIC
    extras: Extras = {}


class Event(ItemBase, tag="event", frozen=True, kw_only=True):
    """Be one calendar entry or one whole series.

    `start` and `end` are wall-clock times without offset; `time_zone` is an IANA name, None
    means floating. An all-day entry has both at midnight, `end` exclusive, and no zone.
    `end_time_zone` None means the zone of the start. `exdates`, `rdates` and recurrence ids
    are local times in the zone of the start. `people` are named but never invited; only
    `attendees` are. `split_from` is the uid of the series this one was cut off from by a
    "this and following" change.
    """

    title: str = ""
    start: datetime
    end: datetime
    time_zone: str | None = None
    end_time_zone: str | None = None
    all_day: bool = False
    rule: RecurrenceRule | None = None
    rdates: tuple[datetime, ...] = ()
    exdates: tuple[datetime, ...] = ()
    overrides: tuple[Override, ...] = ()
    body: Body | None = None
    location: str = ""
    online_meeting: str = ""
    url: str = ""
    status: EventStatus = EventStatus.CONFIRMED
    busy: Busy = Busy.BUSY
    priority: int = 0
    reminders: tuple[Reminder, ...] = ()
    organizer: Person | None = None
    attendees: tuple[Attendee, ...] = ()
    people: tuple[Person, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    sequence: int = 0
    split_from: str = ""

    @property
    def recurs(self) -> bool:
        """Tell whether this is a series."""
        return self.rule is not None or bool(self.rdates)


class TaskStatus(StrEnum):
    """Name how far a task is (RFC 5545 STATUS of VTODO)."""

    NEEDS_ACTION = "needs-action"
    IN_PROCESS = "in-process"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Task(ItemBase, tag="task", frozen=True, kw_only=True):
    """Be one to-do; `completed` is UTC, `start` and `due` are wall-clock in `time_zone`.

    With `all_day` both are dates at midnight. `percent` is 0 to 100.
    """

    title: str = ""
    start: datetime | None = None
    due: datetime | None = None
    time_zone: str | None = None
    all_day: bool = False
    rule: RecurrenceRule | None = None
    exdates: tuple[datetime, ...] = ()
    body: Body | None = None
    status: TaskStatus = TaskStatus.NEEDS_ACTION
    percent: int = 0
    completed: datetime | None = None
    priority: int = 0
    reminders: tuple[Reminder, ...] = ()
    assignee: Person | None = None
    organizer: Person | None = None
    attachments: tuple[Attachment, ...] = ()


class Mailto(Part, frozen=True, kw_only=True):
    """Be one e-mail address of a contact; `type` is free text such as work, home, other."""

    address: str
    type: str = "work"
    preferred: bool = False


class Phone(Part, frozen=True, kw_only=True):
    """Be one number of a contact; `features` holds voice, cell, fax, pager, text, video."""

    number: str
    type: str = "work"
    features: tuple[str, ...] = ()
    preferred: bool = False


class PostalAddress(Part, frozen=True, kw_only=True):
    """Be one address of a contact; merged and compared as a whole."""

    type: str = "work"
    street: str = ""
    extended: str = ""
    post_office_box: str = ""
    locality: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""
    preferred: bool = False


class Contact(ItemBase, tag="contact", frozen=True, kw_only=True):
    """Be one person or company; `birthday` is YYYY-MM-DD, or --MM-DD without a year."""

    full_name: str = ""
    prefix: str = ""
    given: str = ""
    middle: str = ""
    family: str = ""
    suffix: str = ""
    nickname: str = ""
    organization: str = ""
    department: str = ""
    job_title: str = ""
    mails: tuple[Mailto, ...] = ()
    phones: tuple[Phone, ...] = ()
    addresses: tuple[PostalAddress, ...] = ()
    urls: tuple[str, ...] = ()
    birthday: str = ""
    anniversary: str = ""
    notes: str = ""
    photo: Attachment | None = None


class Absence(ItemBase, tag="absence", frozen=True, kw_only=True):
    """Be a time away from work; `absence_kind` ("sick") never leaves the CRM.

    `start` and `end` as in `Event`. `message` answers colleagues, `outside_message` others.
    """

    title: str = ""
    start: datetime
    end: datetime
    time_zone: str | None = None
    all_day: bool = True
    absence_kind: str = ""
    message: str = ""
    outside_message: str = ""


class Mail(ItemBase, tag="mail", frozen=True, kw_only=True):
    """Be one e-mail, immutable; `uid` is its Message-ID, the MIME original is kept by digest."""

    subject: str = ""
    sent: datetime | None = None
    received: datetime | None = None
    sender: Person | None = None
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    body: Body | None = None
    attachments: tuple[Attachment, ...] = ()
    mime: str = ""
    size: int = 0


Item: TypeAlias = Event | Task | Contact | Absence | Mail

CLASSES: dict[Kind, Any] = {
    Kind.EVENT: Event,
    Kind.TASK: Task,
    Kind.CONTACT: Contact,
    Kind.ABSENCE: Absence,
    Kind.MAIL: Mail,
}


def kind_of(item: Item) -> Kind:
    """Return the kind of an item."""
    return Kind(str(type(item).__struct_config__.tag))
