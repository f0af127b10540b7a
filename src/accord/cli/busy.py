"""`accord busy`: when colleagues are taken, when they are free together, and who may see that."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import plural
from accord.model.busy import Hours, common
from accord.model.zones import UnknownZone, instant, zone

if TYPE_CHECKING:
    from accord.model.busy import Span
    from accord.service.busy import Taken

LONGEST = timedelta(days=366)
SHOWN = 10


def busy(
    *users: Annotated[str, Parameter(help="Users of the CRM.")],
    from_: Annotated[
        str, Parameter(name="--from", help="A day or time, such as 2026-03-02 or 2026-03-02T13:00.")
    ] = "",
    to: Annotated[str, Parameter(help="Until then; a day counts whole. By default a week.")] = "",
    duration: Annotated[int, Parameter(help="Minutes to find together.", show_default=True)] = 60,
    hours: Annotated[str, Parameter(help="When people meet.", show_default=True)] = "09:00-17:00",
    weekends: Annotated[bool, Parameter(help="Meet on Saturdays and Sundays, too.")] = False,
    zone_: Annotated[
        str, Parameter(name="--zone", help="The time zone to ask and answer in; this machine's.")
    ] = "",
    viewer: Annotated[str, Parameter(name="--as", help="The user who wants to know.")] = "",
    show_to: Annotated[
        str, Parameter(help="Let these users' times be seen by: nobody, team or everybody.")
    ] = "",
    call: CallArgument,
) -> int:
    """Show when users are taken, and when they are free together.

    Only times are told, never what they are for. Each person chooses who sees them (--show-to):
    nobody, the people in a CRM group with them, or everybody, which holds where they chose
    nothing. Mail servers are asked; where they tell nothing, calendars that may be read are.
    """
    from accord.service import busy as service

    if not users:
        raise Usage("whose?", "name users of the CRM; `accord crm users` lists them")
    if show_to:
        return _show_to(call, users, show_to)
    where = _zone(zone_)
    start, end = _window(from_, to, where)
    if duration < 1:
        raise Usage("--duration must be at least a minute")
    meeting = _hours(hours, where, weekends=weekends)
    with call.accord() as accord:
        found = service.taken(accord, users, start, end, viewer=viewer, home=where)
    spans = [span for each in found for span in each.spans]
    free = common(spans, start, end, timedelta(minutes=duration), meeting)
    hidden = [each.user for each in found if each.why]
    call.data(
        {
            "from": start,
            "to": end,
            "people": found,
            "free": [{"start": one, "end": other} for one, other in free],
            "unknown": hidden,
        }
    )
    _show(call, found, free, where, hidden)
    return exits.FAILED if len(hidden) == len(found) else exits.OK


def _show_to(call: Call, users: tuple[str, ...], text: str) -> int:
    from accord.service import busy as service

    try:
        audience = service.Audience(text)
    except ValueError:
        hint = f"use one of: {', '.join(service.Audience)}"
        raise Usage(f"times can't be shown to {text!r}", hint) from None
    with call.accord() as accord:
        for user in users:
            service.choose_audience(accord, user, audience)
            call.data({"user": user, "busy": audience})
            call.say(f"{user}: {audience} may see when they are taken", markup=False)
    return exits.OK


def _show(
    call: Call,
    found: list[Taken],
    free: tuple[tuple[datetime, datetime], ...],
    where: str,
    hidden: list[str],
) -> None:
    for each in found:
        call.say(each.user, style="bold", markup=False)
        if each.why:
            call.say(f"  not told: {each.why}", style="yellow", markup=False)
            continue
        call.say(f"  by {each.source}", style="dim", markup=False)
        for span in each.spans:
            call.say(f"  {_span(span, where)}", markup=False)
        if not each.spans:
            call.say("  free all the time", markup=False)
    if len(hidden) == len(found):
        return
    head = "Free together" if len(found) - len(hidden) > 1 else "Free"
    apart = f" (not knowing about {', '.join(hidden)})" if hidden else ""
    call.say(f"{head}, {where}{apart}:", style="bold", markup=False)
    for start, end in free[:SHOWN]:
        call.say(f"  {_times(start, end, where)}", style="green", markup=False)
    if len(free) > SHOWN:
        call.say(f"  and {plural(len(free) - SHOWN, 'time')} more", style="dim", markup=False)
    if not free:
        call.say("  never in these hours", markup=False)


def _span(span: Span, where: str) -> str:
    return f"{_times(span.start, span.end, where)}  {span.busy}"


def _times(start: datetime, end: datetime, where: str) -> str:
    one, other = (each.astimezone(ZoneInfo(where)) for each in (start, end))
    last = f"{other:%H:%M}" if one.date() == other.date() else f"{other:%a %Y-%m-%d %H:%M}"
    return f"{one:%a %Y-%m-%d %H:%M} to {last}"


def _zone(name: str) -> str:
    from tzlocal import get_localzone_name

    chosen = name or get_localzone_name() or "UTC"
    try:
        zone(chosen)
    except UnknownZone as error:
        raise Usage(str(error), "use a name such as Europe/Berlin") from error
    return chosen


def _window(first: str, last: str, where: str) -> tuple[datetime, datetime]:
    today = datetime.now(UTC).astimezone(ZoneInfo(where)).replace(tzinfo=None)
    start, _ = _moment(first, "--from") if first else (today, False)
    if last:
        end, whole = _moment(last, "--to")
        end += timedelta(days=1) if whole else timedelta(0)
    else:
        end = start + timedelta(days=7)
    try:
        begin, until = instant(start, where), instant(end, where)
    except OverflowError as error:
        raise Usage("that is beyond the calendar") from error
    if not begin < until:
        raise Usage("--to must be after --from")
    if until - begin > LONGEST:
        raise Usage("that is more than a year", "ask for less at once")
    return begin, until


def _moment(text: str, name: str) -> tuple[datetime, bool]:
    """Return a wall-clock time, and whether it is a whole day."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        hint = "write 2026-03-02 or 2026-03-02T13:00"
        raise Usage(f"{name}: {text!r:.40} is no day or time", hint) from None
    if found.tzinfo is not None:
        raise Usage(f"{name}: name the zone with --zone")
    return found, len(text) <= 10


def _hours(text: str, where: str, *, weekends: bool) -> Hours:
    first, _, last = text.partition("-")
    try:
        begin, end = time.fromisoformat(first.strip()), time.fromisoformat(last.strip())
    except ValueError:
        raise Usage(f"--hours: {text!r:.40} are no hours", "write 09:00-17:00") from None
    return Hours(begin=begin, end=end, zone=where, days=frozenset(range(7 if weekends else 5)))
