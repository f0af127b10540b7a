"""GetUserAvailability and GetServerTimeZones."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, tzinfo

from accord.sandbox.exchange import ids, series, zone_rules
from accord.sandbox.exchange.call import Call, batch
from accord.sandbox.exchange.errors import EwsError, SoapFault
from accord.sandbox.exchange.people import distinguished
from accord.sandbox.exchange.properties import all_of
from accord.sandbox.exchange.store import Item, Mailbox
from accord.sandbox.exchange.xml import Node, child, flag, m, moment, t, text_at

_LONGEST = timedelta(days=62)
_DIGITS = {"Free": 0, "Tentative": 1, "Busy": 2, "OOF": 3, "WorkingElsewhere": 4, "NoData": 5}
_STRENGTH = ("NoData", "Free", "WorkingElsewhere", "Tentative", "Busy", "OOF")
_MOST = 100


def get_user_availability(call: Call, request: Node) -> Node:
    """Answer when people are free, each as much as they let the caller see.

    Raises SoapFault where the time asked for is none.
    """
    options = child(request, "FreeBusyViewOptions")
    people = child(request, "MailboxDataArray")
    assert people is not None
    if options is None:
        raise SoapFault("ErrorInvalidFreeBusyViewType", "FreeBusyViewOptions is needed.")
    if len(people) > _MOST:
        raise SoapFault("ErrorRequestStreamTooBig", "Too many mailboxes.")
    named = child(request, "TimeZone")
    try:
        zone = call.zone if named is None else zone_rules.read(named)
    except ValueError:
        raise SoapFault("ErrorTimeZone", "The time zone is not valid.") from None
    window = _window(options, zone)
    view = (text_at(options, "RequestedView") or "FreeBusy").split()[-1]
    minutes = int(text_at(options, "MergedFreeBusyIntervalInMinutes") or 30)
    if not 5 <= minutes <= 1440:
        raise SoapFault("ErrorInvalidMergedFreeBusyInterval")
    found = []
    for each in people:
        address = text_at(each, "Email", "Address") or ""
        try:
            parts = _seen(call, address, window, view, minutes, zone)
        except EwsError as error:
            text = (m("MessageText", error.text), m("ResponseCode", error.code))
            key = m("DescriptiveLinkKey", "0")
            parts = [m("ResponseMessage", *text, key, ResponseClass="Error")]
        found.append(m("FreeBusyResponse", *parts))
    return m("GetUserAvailabilityResponse", m("FreeBusyResponseArray", *found))


def get_server_time_zones(call: Call, request: Node) -> Node:
    """Answer the rules of all time zones, or of those that are named."""
    wanted = child(request, "Ids")
    full = request.get("ReturnFullTimeZoneData") not in ("false", "0")

    def work(_: Node) -> list[Node]:
        names = zone_rules.names() if wanted is None else [each.text or "" for each in wanted]
        found = [zone_rules.definition(each, call.now.year, full=full) for each in names]
        if None in found:
            raise EwsError("ErrorTimeZone", "The time zone is not known.")
        told = [copy.deepcopy(each) for each in found if each is not None]
        return [m("TimeZoneDefinitions", *told)]

    return batch(call, [request], work, lambda: [m("TimeZoneDefinitions")])


def _window(options: Node, zone: tzinfo) -> tuple[datetime, datetime]:
    span = child(options, "TimeWindow")
    assert span is not None
    start, end = (moment(text_at(span, each) or "", zone) for each in ("StartTime", "EndTime"))
    if end <= start:
        raise SoapFault("ErrorInvalidTimeInterval")
    if end - start > _LONGEST:
        raise SoapFault("ErrorTimeIntervalTooBig")
    return start, end


def _seen(
    call: Call,
    address: str,
    window: tuple[datetime, datetime],
    view: str,
    minutes: int,
    zone: tzinfo,
) -> list[Node]:
    owner = call.people.by_address(address)
    if owner is None:
        raise EwsError("ErrorMailRecipientNotFound", f"No mailbox has the address {address}.")
    call.faults.hinder(call.operation, owner.address)
    level = call.people.level(call.actor, owner.id)
    if level == "hidden":
        raise EwsError("ErrorNoFreeBusyAccess", "Free/busy times are not to be seen.")
    if level not in ("owner", "editor", "reader", "details"):
        view = view.replace("Detailed", "FreeBusy")
    events = _events(call, owner, window)
    parts: list[Node | None] = [t("FreeBusyViewType", view)]
    if "Merged" in view:
        parts.append(t("MergedFreeBusy", _merged(events, window, minutes)))
    if view != "MergedOnly":
        told = [_told(call, owner, each, view, level, zone) for each in events]
        parts.append(t("CalendarEventArray", *told))
    hours = t(
        "WorkingPeriod",
        t("DayOfWeek", "Monday Tuesday Wednesday Thursday Friday"),
        *(t("StartTimeInMinutes", "480"), t("EndTimeInMinutes", "1020")),
    )
    rules = zone_rules.write(UTC, call.now.year)
    parts.append(t("WorkingHours", rules, t("WorkingPeriodArray", hours)))
    done = m("ResponseMessage", m("ResponseCode", "NoError"), ResponseClass="Success")
    return [done, m("FreeBusyView", *parts)]


def _events(call: Call, owner: Mailbox, window: tuple[datetime, datetime]) -> list[Item]:
    folder = distinguished(call.store, owner.id, "calendar")
    first, last = (int(each.timestamp()) for each in window)
    found: list[Item] = []
    for item in call.store.items("folder = ? AND first < ? AND last > ?", folder.id, last, first):
        held = series.of(call.store, item)
        found += [item] if held is None else held.between(first, last)
    return sorted(found, key=lambda each: (each.first or 0, each.last or 0, each.id))


def _told(call: Call, owner: Mailbox, item: Item, view: str, level: str, zone: tzinfo) -> Node:
    known = all_of(call, item)

    def text(name: str) -> str:
        held = known.get(name)
        return held[0].text or "" if held else ""

    parts = [
        t("StartTime", _local(item.first, zone)),
        t("EndTime", _local(item.last, zone)),
        t("BusyType", _status(item)),
    ]
    if view.startswith("Detailed"):
        private = text("Sensitivity") == "Private"
        open_ = level == "owner" or not private
        which = ids.write(ids.Id(item.mailbox, item.id, original=item.original))
        parts.append(
            t(
                "CalendarEventDetails",
                t("ID", which) if open_ and level != "details" else None,
                t("Subject", text("Subject")) if open_ else None,
                t("Location", text("Location")) if open_ else None,
                t("IsMeeting", text("IsMeeting")),
                t("IsRecurring", text("IsRecurring")),
                t("IsException", flag(item.form == "Exception")),
                t("IsReminderSet", text("ReminderIsSet")),
                t("IsPrivate", flag(private)),
            )
        )
    return t("CalendarEvent", *parts)


def _merged(events: list[Item], window: tuple[datetime, datetime], minutes: int) -> str:
    start, end = (int(each.timestamp()) for each in window)
    step = minutes * 60
    slots = ["Free"] * -(-(end - start) // step)
    for item in events:
        status = _status(item)
        first = max((item.first or 0) - start, 0) // step
        last = -(-(min(item.last or 0, end) - start) // step)
        for number in range(first, last):
            slots[number] = max(slots[number], status, key=_STRENGTH.index)
    return "".join(str(_DIGITS[each]) for each in slots)


def _status(item: Item) -> str:
    return text_at(item.content, "LegacyFreeBusyStatus") or "Busy"


def _local(seconds: int | None, zone: tzinfo) -> str:
    """Return a moment by the clock of the request's zone, as Exchange does here."""
    found = datetime.fromtimestamp(seconds or 0, UTC).astimezone(zone)
    return found.replace(tzinfo=None).isoformat()
