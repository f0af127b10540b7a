"""Free and busy times over GetUserAvailability, and over shared calendars where that is refused.

`session` asks here. Exchange answers for 62 days and 100 people at once at most; times are asked
for and told in UTC. Of entries only times and how they count are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from accord.groupware.exchange import wire
from accord.groupware.exchange.client import Client, Shape, field
from accord.groupware.exchange.wire import Node, m, t, twin
from accord.model.busy import Span, merged
from accord.model.recurrence import Busy
from accord.ports.busy import Hidden, Seen, Times
from accord.ports.errors import AccordError, AuthFailed, ItemError, Rejected, Retry

LONGEST = timedelta(days=42)
"""How long a time one request asks for."""

PEOPLE = 50
"""How many people one request asks for."""

ENTRIES = 1_000
"""How many entries one look into a shared calendar may bring."""

SERVER = "the mail server's free/busy"
_TYPES = {
    "Free": Busy.FREE,
    "Tentative": Busy.TENTATIVE,
    "Busy": Busy.BUSY,
    "OOF": Busy.OUT_OF_OFFICE,
    "WorkingElsewhere": Busy.ELSEWHERE,
    "NoData": Busy.FREE,
}
_NAMES = ("Start", "End", "LegacyFreeBusyStatus")
_READ = Shape(tuple(field(f"calendar:{name}") for name in _NAMES))


def busy(client: Client, people: Sequence[str], start: datetime, end: datetime) -> list[Seen]:
    """Return for each address when that person is taken, or why it can't be told."""
    spans: dict[str, list[Span]] = {each: [] for each in people}
    refused: dict[str, AccordError] = {}
    for begin, until in _parts(start, end, LONGEST):
        for at in range(0, len(people), PEOPLE):
            some = [each for each in people[at : at + PEOPLE] if each not in refused]
            for person, told in _asked(client, some, begin, until).items():
                if isinstance(told, AccordError):
                    refused[person] = told
                else:
                    spans[person] += told
    found: list[Seen] = []
    for person in people:
        if person in refused:
            found.append(_shared(client, person, start, end, refused[person]))
        else:
            found.append(Times(spans=merged(spans[person], start, end), source=SERVER))
    return found


def _asked(
    client: Client, people: Sequence[str], start: datetime, end: datetime
) -> dict[str, list[Span] | AccordError]:
    if not people:
        return {}
    try:
        answer = client.plain(_request(people, start, end))
    except ItemError as error:
        return dict.fromkeys(people, error)
    told = wire.children(answer, "FreeBusyResponseArray", "FreeBusyResponse")
    if len(told) != len(people):
        raise Retry(f"{len(told)} of {len(people)} answers came", after=60.0, code="incomplete")
    return {person: _one(each) for person, each in zip(people, told, strict=True)}


def _one(node: Node) -> list[Span] | AccordError:
    try:
        answer = wire.alone(node, "GetUserAvailability")
    except Retry as error:
        return error
    if answer.error is not None:
        return answer.error
    events = answer.all("FreeBusyView", "CalendarEventArray", "CalendarEvent")
    kind = answer.text("FreeBusyView", "FreeBusyViewType")
    if not events and kind in ("", "None"):
        return Rejected("no free/busy times are told", code="no-view")
    found = [
        _span(*(wire.text_at(each, name) for name in ("StartTime", "EndTime", "BusyType")))
        for each in events
    ]
    return [each for each in found if each is not None]


def _request(people: Sequence[str], start: datetime, end: datetime) -> Node:
    never = [t("Bias", "0"), t("Time", "00:00:00"), t("DayOrder", "0"), t("Month", "0")]
    turns = [
        t(name, *map(twin, never), t("DayOfWeek", "Sunday"))
        for name in ("StandardTime", "DaylightTime")
    ]
    window = t("TimeWindow", t("StartTime", _wall(start)), t("EndTime", _wall(end)))
    options = (t("MergedFreeBusyIntervalInMinutes", "30"), t("RequestedView", "FreeBusy"))
    return m(
        "GetUserAvailabilityRequest",
        t("TimeZone", t("Bias", "0"), *turns),
        m("MailboxDataArray", *[_mailbox(each) for each in people]),
        t("FreeBusyViewOptions", window, *options),
    )


def _mailbox(address: str) -> Node:
    return t(
        "MailboxData",
        t("Email", t("Address", address)),
        t("AttendeeType", "Required"),
        t("ExcludeConflicts", "false"),
    )


def _shared(
    client: Client, person: str, start: datetime, end: datetime, refused: AccordError
) -> Seen:
    """Return what the person's own calendar says, where it is shared with whoever asks."""
    try:
        spans = [s for a, b in _parts(start, end, LONGEST) for s in _viewed(client, person, a, b)]
    except AuthFailed:
        raise
    except AccordError as error:
        return Hidden(why=f"{refused}; nor is the calendar shared: {error}")
    source = f"the shared calendar, because free/busy was refused ({refused})"
    return Times(spans=merged(spans, start, end), source=source)


def _viewed(client: Client, person: str, start: datetime, end: datetime) -> Iterator[Span]:
    nodes, whole = client.view(person, start, end, ENTRIES, _READ)
    if not whole:
        middle = start + (end - start) / 2
        if middle - start < timedelta(hours=1):
            raise Rejected("the calendar is too full to be read", code="too-many")
        yield from _viewed(client, person, start, middle)
        yield from _viewed(client, person, middle, end)
        return
    for node in nodes:
        span = _span(*(wire.text_at(node, name) for name in _NAMES))
        if span is not None:
            yield span


def _span(start: str, end: str, kind: str) -> Span | None:
    """Return a time that is taken; one that can't be read is none, what is unknown is busy."""
    try:
        begin, until = (datetime.fromisoformat(each) for each in (start, end))
    except ValueError:
        return None
    return Span(_utc(begin), _utc(until), _TYPES.get(kind, Busy.BUSY))


def _utc(moment: datetime) -> datetime:
    plain = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return plain.astimezone(UTC)


def _wall(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _parts(
    start: datetime, end: datetime, longest: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        until = min(start + longest, end)
        yield start, until
        start = until
