"""Rules to copy, each with what it does to an item: the reference shows them, a test runs them.

An example without `becomes` shows an item that the rule leaves out, with the reason.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from accord.model.kinds import Side


class Example(Struct, frozen=True, kw_only=True):
    """Be one rule text with an item (canonical JSON) on its way to side `to`.

    `becomes` are fields of the result, `left_out` the reason why there is none.
    """

    title: str
    about: str
    text: str
    to: Side
    item: dict[str, Any]
    becomes: dict[str, Any] = {}
    left_out: str = ""


_TIME = {"start": "2026-03-12T09:00:00", "end": "2026-03-12T10:00:00"}
_EVENT = {"kind": "event", **_TIME, "time_zone": "Europe/Berlin"}

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="A calendar, both ways",
        about="The smallest rule. From the mailbox enter those entries that name a contact or "
        "user of the CRM; copies in the mailbox name the people and invite nobody.",
        text="""\
[[rule]]
name = "calendar"
kind = "event"
""",
        to=Side.GROUPWARE,
        item={
            **_EVENT,
            "title": "Visit",
            "organizer": {"address": "anna@firm.example"},
            "attendees": [{"address": "eva@client.example", "name": "Eva"}],
        },
        becomes={
            "title": "Visit",
            "organizer": None,
            "attendees": [],
            "people": [
                {"address": "anna@firm.example"},
                {"address": "eva@client.example", "name": "Eva"},
            ],
        },
    ),
    Example(
        title="Marked titles, and a window",
        about="Titles carry a mark in the mailbox, which is taken off on the way back. What "
        "ended more than 30 days ago is let go of.",
        text="""\
[[rule]]
name = "marked calendar"
kind = "event"
window = { past = 30, future = 365, leaving = "unlink" }

[rule.fields.title]
outbound = 'value.prefix("CRM: ")'
inbound = 'value.stripPrefix("CRM: ")'
""",
        to=Side.CRM,
        item={**_EVENT, "title": "CRM: Visit"},
        becomes={"title": "Visit"},
    ),
    Example(
        title="Only what concerns customers",
        about="A filter for each side. `known` asks whether an address belongs to a contact or "
        "user of the CRM; `domain` is the part after the @.",
        text="""\
[[rule]]
name = "customers only"
kind = "event"
scope = "all"
filter.crm = 'item.status != "cancelled" && !item.title.startsWith("[internal]")'
filter.groupware = 'item.everyone.exists(a, known(a) || domain(a) == "client.example")'
""",
        to=Side.CRM,
        item={**_EVENT, "title": "Dentist"},
        left_out="the rule's filter for the mailbox leaves it out",
    ),
    Example(
        title="Private entries as busy blocks",
        about='Colleagues see in the CRM when somebody is not free, and nothing else. With '
        '`private = "full"` the content enters where the person agreed.',
        text="""\
[[rule]]
name = "calendar with busy blocks"
kind = "event"
scope = "all"
private = "busy"
""",
        to=Side.CRM,
        item={**_EVENT, "title": "Dentist", "location": "Main St 1", "privacy": "private"},
        becomes={"title": "Busy", "location": "", "privacy": "private"},
    ),
    Example(
        title="Own fields and lookup tables",
        about="The CRM's own field `room` is the place in the mailbox; regions go out by name "
        "and come back by key. A name with a colon is an own field: its namespace and its name.",
        text="""\
[[rule]]
name = "calendar with regions"
kind = "event"

[rule.fields.location]
source = "crm:room"

[rule.fields."ical:X-REGION"]
source = "crm:region"
outbound = 'lookup("regions", value, "elsewhere")'
inbound = 'lookupKey("regions", value, "other")'

[rule.lookups.regions]
n = "Northern sales"
s = "Southern sales"
""",
        to=Side.GROUPWARE,
        item={**_EVENT, "title": "Visit", "extras": {"crm:room": "1.04", "crm:region": "n"}},
        becomes={"location": "1.04", "extras": {"ical:X-REGION": "Northern sales"}},
    ),
    Example(
        title="Categories by name",
        about="Each category is translated where the table knows it, and kept where not.",
        text="""\
[[rule]]
name = "calendar with categories"
kind = "event"
scope = "category"
categories = ["Büro Kunde", "Interessent"]

[rule.fields.categories]
outbound = 'value.map(c, lookup("categories", c, c))'
inbound = 'value.map(c, lookupKey("categories", c, c))'

[rule.lookups.categories]
Customer = "Büro Kunde"
Lead = "Interessent"
""",
        to=Side.CRM,
        item={**_EVENT, "title": "Visit", "categories": ["Büro Kunde", "Blue"]},
        becomes={"categories": ["Customer", "Blue"]},
    ),
    Example(
        title="Tasks, made on both sides",
        about="By default tasks go out and their status comes back. With `both` they are made in "
        "the mailbox too; those assigned to a shared address belong to its keeper.",
        text="""\
[[rule]]
name = "tasks"
kind = "task"
direction = "both"
delete.inbound = "unlink"

[rule.ownership]
"info@firm.example" = "bob"
""",
        to=Side.CRM,
        item={"kind": "task", "title": "Call back", "assignee": {"address": "info@firm.example"}},
        becomes={"title": "Call back", "assignee": {"address": "bob@firm.example"}},
    ),
    Example(
        title="Contacts, kept as the CRM has them",
        about="Contacts go out only. An edit of the copy is put back instead of standing until "
        "the field changes in the CRM; notes stay in the CRM.",
        text="""\
[[rule]]
name = "contacts"
kind = "contact"
one_way = "restore"

[rule.fields.notes]
direction = "none"
""",
        to=Side.GROUPWARE,
        item={"kind": "contact", "full_name": "Eva Client", "notes": "Likes chess"},
        becomes={"full_name": "Eva Client", "notes": ""},
    ),
    Example(
        title="Absences",
        about="An absence is an out-of-office entry in the mailbox. Its kind never leaves the CRM, "
        "whatever a rule says; its messages go into automatic replies, where a rule sets those.",
        text="""\
[[rule]]
name = "absences"
kind = "absence"
filter.crm = 'item.absence_kind != "training"'
""",
        to=Side.GROUPWARE,
        item={
            "kind": "absence",
            "title": "Flu",
            "absence_kind": "sick",
            "start": "2026-03-12T00:00:00",
            "end": "2026-03-14T00:00:00",
        },
        becomes={"kind": "event", "title": "Absent", "busy": "out-of-office", "all_day": True},
    ),
    Example(
        title="Invitations by the server",
        about="The organizer's mailbox holds the attendees, and the server mails them. The CRM's "
        "text stays out of meetings with outsiders unless the rule names it, as here.",
        text="""\
[[rule]]
name = "invitations"
kind = "event"
meetings = "invite"
invitations = "allow"

[rule.fields.body]
direction = "both"
""",
        to=Side.GROUPWARE,
        item={
            **_EVENT,
            "title": "Visit",
            "body": {"text": "Agenda"},
            "organizer": {"address": "anna@firm.example"},
            "attendees": [{"address": "eva@client.example"}],
        },
        becomes={"attendees": [{"address": "eva@client.example"}], "body": {"text": "Agenda"}},
    ),
)  # fmt: skip
"""Every example, in the order of the reference."""
