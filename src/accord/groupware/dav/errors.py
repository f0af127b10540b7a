"""From what a DAV server answers to what the caller should do; the one table of this adapter.

Preconditions: RFC 4791 5.3.2.1, RFC 6352 6.3.2.1, RFC 6638 3.2.4, RFC 6578 3.2, RFC 3744 7.1.1.
"""

from __future__ import annotations

from collections.abc import Mapping

from accord.ports.errors import (
    AccordError,
    AuthFailed,
    ConfigError,
    CursorExpired,
    Denied,
    Gone,
    Rejected,
    Retry,
    Stale,
)
from accord.ports.http import DOWN, Told, retry_after

PRECONDITIONS: dict[str, tuple[type[AccordError], str]] = {
    "no-uid-conflict": (Rejected, "another item with the same UID is there already"),
    "unique-scheduling-object-resource": (
        Rejected,
        "the person has this meeting already, in another calendar perhaps",
    ),
    "same-organizer-in-all-components": (Rejected, "occurrences have different organizers"),
    "allowed-organizer-scheduling-object-change": (
        Rejected,
        "the server lets nobody change the organizer",
    ),
    "allowed-attendee-scheduling-object-change": (
        Rejected,
        "somebody else organizes this meeting; the server lets an attendee only reply",
    ),
    "organizer-allowed": (Rejected, "the server doesn't accept this organizer"),
    "attendee-allowed": (Rejected, "the server doesn't accept these attendees"),
    "default-calendar-needed": (Rejected, "the person has no default calendar"),
    "supported-calendar-data": (Rejected, "the server doesn't take this form of iCalendar"),
    "valid-calendar-data": (Rejected, "the server finds the iCalendar text invalid"),
    "valid-calendar-object-resource": (Rejected, "the server finds the calendar object invalid"),
    "supported-calendar-component": (Rejected, "this collection doesn't hold such items"),
    "supported-address-data": (Rejected, "the server doesn't take this version of vCard"),
    "valid-address-data": (Rejected, "the server finds the vCard invalid"),
    "max-resource-size": (Rejected, "the item is larger than the server takes"),
    "min-date-time": (Rejected, "the item is earlier than the server takes"),
    "max-date-time": (Rejected, "the item is later than the server takes"),
    "max-instances": (Rejected, "the series has more occurrences than the server takes"),
    "max-attendees-per-instance": (Rejected, "there are more attendees than the server takes"),
    "valid-sync-token": (CursorExpired, "the server no longer knows this cursor"),
    "number-of-matches-within-limits": (Retry, "the server found more than it wants to tell"),
    "need-privileges": (Denied, "this login may not do that"),
    "quota-not-exceeded": (Retry, "the mailbox is full"),
    "sufficient-disk-space": (Retry, "the server's disk is full"),
    "lock-token-submitted": (Retry, "somebody has locked the item"),
    "no-conflicting-lock": (Retry, "somebody has locked the item"),
}
"""What a named precondition means, whatever the status beside it."""

STATUSES: dict[int, tuple[type[AccordError], str]] = {
    400: (Rejected, "the server finds the request malformed"),
    401: (AuthFailed, "the server refuses login name or password"),
    402: (Denied, "the server asks for payment"),
    403: (Denied, "the server refuses access"),
    404: (Gone, "it isn't there any more"),
    405: (Denied, "the server doesn't allow this here"),
    406: (Rejected, "the server has no form of the item that we understand"),
    407: (ConfigError, "the proxy asks for a login"),
    408: (Retry, "the server waited too long for the request"),
    409: (Rejected, "the server sees a conflict"),
    410: (Gone, "it isn't there any more"),
    412: (Stale, "the item was changed meanwhile"),
    413: (Rejected, "the item is larger than the server takes"),
    415: (Rejected, "the server doesn't take this kind of item"),
    421: (Retry, "the request reached the wrong server"),
    422: (Rejected, "the server can't work with the item"),
    423: (Retry, "somebody has locked the item"),
    424: (Retry, "the server gave up because of something else"),
    425: (Retry, "the server asks to try later"),
    429: (Retry, "the server asks to be left alone for a while"),
    507: (Retry, "the server has no room left"),
}

WAITS = {423: 30.0, 429: 30.0, 500: 60.0, 502: 15.0, 503: 30.0, 504: 15.0, 507: 900.0}
"""Seconds to wait before trying again, where the server doesn't say."""


def error_for(
    status: int,
    conditions: frozenset[str],
    headers: Mapping[str, str],
    what: str,
    reason: str = "",
) -> AccordError:
    """Return the error that fits an answer.

    `what` names the place, for people; `reason` is what the server says in its own words.
    """
    named = next((name for name in sorted(conditions) if name in PRECONDITIONS), "")
    react, why = PRECONDITIONS[named] if named else STATUSES.get(status, _unknown(status))
    code = f"{status} {named}".strip()
    message = f"{what}: {why} ({code}{f': {reason}' if reason else ''})"
    if react is Retry:
        after = retry_after(headers)
        if after is not None:
            return Told(message, after=after, code=code, everybody=status in DOWN)
        wait = WAITS.get(status, 60.0)
        return Retry(message, after=wait, code=code, everybody=status in DOWN)
    return react(message, code=code)


def _unknown(status: int) -> tuple[type[AccordError], str]:
    if status >= 500:
        return Retry, "the server failed"
    # What is no error says nothing about an item: somebody else has answered.
    return (Rejected, "the server refuses") if status >= 400 else (Retry, "no such answer is known")
