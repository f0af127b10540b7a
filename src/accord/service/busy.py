"""When colleagues are taken: asked of their mail servers, else read from their calendars.

Each person chooses who may see that: nobody, the people in a group with them, or everybody; only
times are told, never what they are for. `accord busy` shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import UNSET, Struct

from accord.model.busy import Span, merged
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Seen as SeenItem
from accord.model.occurrences import TooMany, occurrences
from accord.model.recurrence import EventStatus
from accord.model.zones import UnknownZone, instant
from accord.ports.adapter import Session
from accord.ports.busy import BusySource, Hidden, Seen, Teams, Times
from accord.ports.errors import AccordError, AuthFailed, ConfigError
from accord.service.accord import Accord
from accord.service.identity import require_user
from accord.service.opening import find_folder
from accord.state.records import Link

_DAY = timedelta(days=1)
MATTER = "busy"
"""Under which name the choice of a person is kept."""


class Audience(StrEnum):
    """Name who sees when somebody is taken."""

    NOBODY = "nobody"
    TEAM = "team"
    EVERYBODY = "everybody"


USUAL = Audience.EVERYBODY
"""What holds for who chose nothing, as mail servers have it: times, without any content."""


class Window(Struct, frozen=True):
    """Be the time asked about, and the zone in which days without one begin."""

    start: datetime
    end: datetime
    home: str


class Taken(Struct, frozen=True, kw_only=True):
    """Be one user's times, or why they aren't told; `source` says where they are known from."""

    user: str
    spans: tuple[Span, ...] = ()
    source: str = ""
    why: str = ""


def audiences(accord: Accord, users: Sequence[str]) -> dict[str, Audience]:
    """Return who sees the times of each user."""
    with accord.state.read() as tx:
        chosen = tx.preferences.of(MATTER, users)
    return {user: Audience(chosen.get(user, USUAL)) for user in users}


def choose_audience(accord: Accord, user: str, audience: Audience) -> None:
    """Note who may see a user's times; raises ConfigError for a stranger."""
    _require(accord, user)
    with accord.state.begin() as tx:
        tx.preferences.put(user, MATTER, audience)


def taken(
    accord: Accord,
    users: Sequence[str],
    start: datetime,
    end: datetime,
    *,
    viewer: str = "",
    home: str = "UTC",
) -> list[Taken]:
    """Return when users are taken between two instants, in their order, as `viewer` may see it.

    Without a viewer it is somebody who is in no group with them. Where calendars have to be read,
    whole days begin in the zone `home`. Raises ConfigError for strangers.
    """
    window = Window(start, end, home)
    for user in {*users, *([viewer] if viewer else ())}:
        _require(accord, user)
    chosen = audiences(accord, users)
    found = {}
    for user in dict.fromkeys(users):
        why = _unseen(accord, user, chosen[user], viewer)
        seen = Hidden(why=why) if why else _look(accord, user, window, viewer)
        if isinstance(seen, Times):
            found[user] = Taken(user=user, spans=seen.spans, source=seen.source)
        else:
            found[user] = Taken(user=user, why=seen.why)
    return [found[user] for user in users]


def _unseen(accord: Accord, user: str, audience: Audience, viewer: str) -> str:
    if user == viewer or audience is Audience.EVERYBODY:
        return ""
    if audience is Audience.NOBODY:
        return f"{user} shows these times to nobody"
    if not isinstance(accord.crm, Teams):
        return f"{user} shows these times to the team only, and this CRM knows no groups"
    if viewer and viewer in accord.crm.teammates(user):
        return ""
    return f"{user} shows these times to the team only"


def _look(accord: Accord, user: str, window: Window, viewer: str) -> Seen:
    """Return a user's times from the mailbox that is linked, else from the CRM's calendar."""
    with accord.state.read() as tx:
        links = [link for link in tx.links.by_user(user) if link.kind is Kind.EVENT]
        eyes = [link for link in tx.links.by_user(viewer) if link.kind is Kind.EVENT]
    reasons = []
    for link in links:
        own = next((each for each in eyes if each.target == link.target), link)
        try:
            seen = _in_mailbox(accord, link, own, window)
        except AccordError as error:
            seen = Hidden(why=str(error))
        if isinstance(seen, Times):
            return seen
        reasons.append(f"{link.name}: {seen.why}")
    if links:
        return Hidden(why="; ".join(reasons))
    try:
        return _in_crm(accord, user, window)
    except AccordError as error:
        return Hidden(why=str(error))


def _in_mailbox(accord: Accord, link: Link, own: Link, window: Window) -> Seen:
    """Ask the server as the viewer, or as the person, who has chosen to be seen."""
    adapter = accord.adapter(link.target)
    with adapter.open(own.principal) as session:
        if isinstance(session, BusySource):
            (seen,) = session.busy([link.principal], window.start, window.end)
            return seen
    with adapter.open(link.principal) as session:
        spans = _read(session, find_folder(accord, session, link), window)
        return Times(spans=spans, source="the mailbox's calendar")


def _in_crm(accord: Accord, user: str, window: Window) -> Seen:
    with accord.crm.open(user) as session:
        folder = next((f.id for f in session.folders() if Kind.EVENT in f.kinds), None)
        if folder is None:
            return Hidden(why=f"{user} has no mailbox here, and no calendar in the CRM")
        spans = _read(session, folder, window)
        return Times(spans=spans, source="the CRM's calendar")


def _read(session: Session, folder: str, window: Window) -> tuple[Span, ...]:
    """Return when a calendar's entries take its owner; what can't be expanded is left out."""
    found: list[Span] = []
    for page in session.changes(folder, Kind.EVENT, "", lambda refs: {}):
        for each in page.observations:
            if isinstance(each, SeenItem) and isinstance(each.snapshot.item, Event):
                with suppress(TooMany, UnknownZone, OverflowError):
                    found += _spans(each.snapshot.item, window)
    return merged(found, window.start, window.end)


def _spans(event: Event, window: Window) -> list[Span]:
    if event.status is EventStatus.CANCELLED:
        return []
    found = []
    for one in occurrences(event, window.start - _DAY, window.end + _DAY):
        said = one.override
        if said is not None and said.status is EventStatus.CANCELLED:
            continue
        busy = event.busy if said is None or said.busy is UNSET else said.busy
        zone = one.time_zone or window.home
        start, end = instant(one.start, zone), instant(one.end, one.end_time_zone or zone)
        found.append(Span(start, end, busy))
    return found


def _require(accord: Accord, user: str) -> None:
    try:
        require_user(accord, user)
    except AuthFailed as error:
        raise ConfigError(str(error), field="user", hint="name a user of the CRM") from error
