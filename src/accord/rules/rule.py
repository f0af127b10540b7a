"""One rule as data: everything an administrator may decide about one kind on a link.

Text becomes this in `parse`, this becomes a `Program` in `compile`. Rules are immutable
versions: a changed rule is a new one.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from accord.model.kinds import Direction, Kind
from accord.model.replies import Audience


class Clash(StrEnum):
    """Name who wins when both sides changed the same field.

    `organizer` is the organizer's copy; where nobody organizes, the CRM. `newest` is allowed
    only while both sides' clocks are known to agree. `hold` leaves both as they are until
    somebody decides.
    """

    CRM = "crm"
    GROUPWARE = "groupware"
    ORGANIZER = "organizer"
    NEWEST = "newest"
    HOLD = "hold"


class OneWay(StrEnum):
    """Name what happens to an edit on the side a one-way field doesn't come from."""

    RESTORE = "restore"
    IGNORE = "ignore"


class Deletion(StrEnum):
    """Name what a deletion on one side does to the other.

    propagate: delete there too · keep: leave it and stop pairing new changes of it · unlink:
    let go of the pair and leave the other item alone, as one that is no longer ours.
    """

    PROPAGATE = "propagate"
    KEEP = "keep"
    UNLINK = "unlink"


class Leaving(StrEnum):
    """Name what happens to the copy when an item leaves the window or the filter."""

    KEEP = "keep"
    UNLINK = "unlink"
    DELETE_COPY = "delete-copy"


class Private(StrEnum):
    """Name what happens to private items; `full` needs the person's consent."""

    SKIP = "skip"
    BUSY = "busy"
    FULL = "full"


class Scope(StrEnum):
    """Name which mailbox items enter the CRM.

    people: those with a known CRM contact or user among the people, or one of `categories` ·
    category: those with one of `categories` · all: every one.
    """

    PEOPLE = "people"
    CATEGORY = "category"
    ALL = "all"


class Invitations(StrEnum):
    """Say whether writing may make the server mail attendees."""

    NEVER = "never"
    ALLOW = "allow"


class Meetings(StrEnum):
    """Name how meetings stand on the target: silent plain copies, or the server's own."""

    MIRROR = "mirror"
    INVITE = "invite"


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Unfit(StrEnum):
    """Name what happens to a series that the target has no pattern for.

    withhold: it stays out of the mailbox, and the plan says why · occurrences: those of the days
    ahead are written, each as an entry of its own.
    """

    WITHHOLD = "withhold"
    OCCURRENCES = "occurrences"


class FieldRule(_Part, frozen=True, kw_only=True):
    """Say how one field travels; expressions are CEL over `value`, `item` and `owner`.

    The mapping is called by the groupware side's field, or by a group of fields (`schedule`),
    whose direction, clash and one_way it then says. `source` names the CRM's field where that
    differs (the own field `extras['crm:region']` is written `crm:region`). `inbound` and
    `outbound` transform the value on its way into and out of the CRM.
    """

    direction: Direction | None = None
    clash: Clash | None = None
    one_way: OneWay | None = None
    inbound: str = ""
    outbound: str = ""
    source: str = ""


class Filters(_Part, frozen=True, kw_only=True):
    """Say which items take part: a CEL condition per side over `item`, `owner`, `now`, `today`."""

    crm: str = ""
    groupware: str = ""


class Deletions(_Part, frozen=True, kw_only=True):
    """Say what deletions do, by the direction they travel in.

    None is `propagate` in the directions the rule creates in, and `keep` in the others.
    """

    inbound: Deletion | None = None
    outbound: Deletion | None = None


class Window(_Part, frozen=True, kw_only=True):
    """Limit events and absences to some days before and after today; None is unlimited."""

    past: Annotated[int, Meta(ge=0)] | None = None
    future: Annotated[int, Meta(ge=0)] | None = None
    leaving: Leaving = Leaving.KEEP


class SeriesRule(_Part, frozen=True, kw_only=True):
    """Say what becomes of the CRM's series that the target can't say as such.

    `days` is how far ahead occurrences are written.
    """

    unfit: Unfit = Unfit.WITHHOLD
    days: Annotated[int, Meta(ge=1, le=730)] = 180


class GuardLimits(_Part, frozen=True, kw_only=True):
    """Say how much may be done before it is held for approval.

    What Accord did within the last hour counts along, except for `updates`. `deletes` and
    `updates` are numbers per side, `share` the part of the link's pairs that deletions may
    reach (0 to 1, counted from ten pairs up), `mails` the writes that mail people. `emptied` is
    the number of pairs from which on a side must not lose them all, `lost` the part that may be
    missing on a side whose history is lost. `target` is what all links of the target may delete
    on a side, and as often mail, within an hour. `target_updates` is what they may change on a
    side within an hour; where the target has many mailboxes, `mailbox_updates` for each of them.
    """

    deletes: Annotated[int, Meta(ge=0)] = 10
    share: Annotated[float, Meta(ge=0, le=1)] = 0.25
    updates: Annotated[int, Meta(ge=0)] = 500
    mails: Annotated[int, Meta(ge=0)] = 20
    emptied: Annotated[int, Meta(ge=1)] = 3
    lost: Annotated[float, Meta(ge=0, le=1)] = 0.5
    target: Annotated[int, Meta(ge=0)] = 100
    target_updates: Annotated[int, Meta(ge=0)] = 1000
    mailbox_updates: Annotated[int, Meta(ge=0)] = 30


class AutoReplies(_Part, frozen=True, kw_only=True):
    """Say how a mailbox answers by itself while its owner is absent; without `inside` it doesn't.

    `inside` answers colleagues, `outside` those of the `audience`. Both are templates over the
    period, the person's name and the message that the absence has for them (`rules/replies.py`).
    """

    inside: str = ""
    outside: str = ""
    audience: Audience = Audience.NONE


class Rule(_Part, frozen=True, kw_only=True):
    """Be one version of a rule.

    `direction`, `scope` and `clash` are the kind's own where they are None (`defaults`).
    `creates` says in which directions new items are created: by default as `direction`.
    `leaving` says what becomes of the copy of an item that no longer passes filter or scope.
    `ownership` maps addresses to CRM users where they differ from the users' own, `lookups`
    holds the tables that expressions look up. `replies` are a mailbox's while its owner is absent.
    """

    name: str
    kind: Kind
    direction: Direction | None = None
    creates: Direction | None = None
    filter: Filters = Filters()
    scope: Scope | None = None
    categories: tuple[str, ...] = ()
    fields: dict[str, FieldRule] = {}
    clash: Clash | None = None
    one_way: OneWay = OneWay.IGNORE
    delete: Deletions = Deletions()
    window: Window = Window()
    leaving: Leaving = Leaving.UNLINK
    private: Private = Private.SKIP
    invitations: Invitations = Invitations.NEVER
    meetings: Meetings = Meetings.MIRROR
    series: SeriesRule = SeriesRule()
    replies: AutoReplies = AutoReplies()
    ownership: dict[str, str] = {}
    lookups: dict[str, dict[str, str]] = {}
    guard: GuardLimits = GuardLimits()

    @property
    def version(self) -> str:
        """Return the id of this very content: equal rules have equal versions.

        Defaults don't count, so that a key added to Rule later changes no version.
        """
        data = msgspec.json.encode(_plain(self), order="deterministic")
        return hashlib.sha256(data).hexdigest()[:16]


def said(part: Struct) -> dict[str, Any]:
    """Return what a rule or a part of it says beyond its defaults, in order."""
    silent = _silent(type(part))
    values = {name: getattr(part, name) for name in part.__struct_fields__}
    return {
        name: value for name, value in values.items() if name not in silent or value != silent[name]
    }


@cache
def _silent(part: type[Struct]) -> dict[str, Any]:
    return {
        info.name: info.default_factory() if callable(info.default_factory) else info.default
        for info in msgspec.structs.fields(part)
        if not info.required
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        return {name: _plain(each) for name, each in said(value).items()}
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value
