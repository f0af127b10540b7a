"""What an entry or task means, as an independent reader (icalendar) sees it.

Two components mean the same where these dictionaries are equal: defaults are spelled out, times
are instants, lists without order are sorted, and what every writing renews is left out.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import icalendar
from x_wr_timezone import to_standard

from accord.formats.ical.zones import by_name

RENEWED = {"DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE", "X-ACCORD-ID", "UID"}
DEFAULTS = {
    "VEVENT": {
        "STATUS": "CONFIRMED",
        "TRANSP": "OPAQUE",
        "CLASS": "PUBLIC",
        "PRIORITY": "0",
        "DESCRIPTION": "",
        "SUMMARY": "",
        "LOCATION": "",
    },
    "VTODO": {
        "STATUS": "NEEDS-ACTION",
        "CLASS": "PUBLIC",
        "PRIORITY": "0",
        "PERCENT-COMPLETE": "0",
        "DESCRIPTION": "",
        "SUMMARY": "",
    },
}
PARAMETERS = {
    "ROLE": "REQ-PARTICIPANT",
    "PARTSTAT": "NEEDS-ACTION",
    "CUTYPE": "INDIVIDUAL",
    "RSVP": "FALSE",
}
OUTLOOK_BUSY = "X-MICROSOFT-CDO-BUSYSTATUS"
_DAY = timedelta(days=1)


def components(data: bytes) -> list[Any]:
    """Return the entries and tasks of a text, of bare ones too."""
    return [
        part
        for found in icalendar.Component.from_ical(data, multiple=True)
        # Floating times of an exported calendar lie in the zone it names for them.
        for root in ([to_standard(found)] if found.name == "VCALENDAR" else [found])
        for part in ([root] if root.name in DEFAULTS else root.subcomponents)
        if part.name in DEFAULTS
    ]


def meaning(part: Any) -> dict[str, Any]:
    """Return what a component means."""
    found: dict[str, Any] = dict(DEFAULTS[part.name])
    for name, value in part.property_items(recursive=False, sorted=False):
        if name in RENEWED or name in ("BEGIN", "END", "DTEND", "DURATION", "DUE", "X-ALT-DESC"):
            continue
        _add(found, name, value, part)
    if found.get(OUTLOOK_BUSY, [("", {})])[0][0] in ("BUSY", "FREE"):
        # Outlook's word for what TRANSP says already.
        del found[OUTLOOK_BUSY]
    found |= _times(part)
    if part.name == "VTODO" and "STATUS" not in part:
        found["STATUS"] = _implied(part)
    found["parts"] = sorted(map(str, map(_inner, part.subcomponents)))
    found["CATEGORIES"] = sorted(set(found.get("CATEGORIES", [])) - {""})
    return {name: value for name, value in found.items() if value not in ([], None)}


def _add(found: dict[str, Any], name: str, value: Any, part: Any) -> None:
    if name in ("EXDATE", "RDATE"):
        found.setdefault(name, set()).update(_dates(value, part))
    elif name in ("DTSTART", "RECURRENCE-ID", "COMPLETED"):
        found[name] = _instant(value.dt) if name != "RECURRENCE-ID" else _series(value.dt, part)
    elif name == "RRULE" and "RECURRENCE-ID" in part:
        # A single occurrence has no rule of its own.
        return
    elif name == "RRULE":
        found[name] = _rule(value, part)
    elif name == "CATEGORIES":
        found.setdefault(name, []).extend(str(one).strip() for one in value.cats)
    elif name in DEFAULTS[part.name] and name != "DESCRIPTION":
        found[name] = _text(value) if name in ("SUMMARY", "LOCATION") else str(_text(value)).upper()
    elif name == "DESCRIPTION":
        found[name] = _text(value)
    elif name in ("ATTENDEE", "ORGANIZER"):
        found.setdefault(name, []).append(_person(value))
        found[name].sort(key=str)
    else:
        found.setdefault(name, []).append((_text(value), _params(value)))
        found[name].sort(key=str)


def _times(part: Any) -> dict[str, Any]:
    """Return the end as an instant: a missing one is implied, an empty day is a day."""
    name = "DTEND" if part.name == "VEVENT" else "DUE"
    start = part.get("DTSTART")
    end = part[name].dt if name in part else None
    if end is None and "DURATION" in part and start is not None:
        end = _later(start.dt, part["DURATION"].dt)
    if part.name == "VEVENT":
        assert start is not None
        if end is None:
            end = start.dt if isinstance(start.dt, datetime) else start.dt + _DAY
        if not isinstance(end, datetime) and end == start.dt:
            end += _DAY
    return {} if end is None else {"end": _instant(end)}


def _later(start: date | datetime, length: timedelta) -> date | datetime:
    if not isinstance(start, datetime):
        return max(start + length, start + _DAY)
    return start + length


def _instant(moment: Any) -> Any:
    """Return a time that compares: dates as they are, floating ones without a zone."""
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return moment.astimezone(UTC)
    return moment


def _dates(value: Any, part: Any) -> set[Any]:
    lists = value if isinstance(value, list) else [value]
    return {_series(one.dt, part) for found in lists for one in found.dts}


def _series(moment: Any, part: Any) -> Any:
    """Return a date of a series; a mere date in a timed series is the occurrence of that day."""
    if isinstance(moment, tuple):
        moment = moment[0]
    start = part["DTSTART"].dt if "DTSTART" in part else None
    if isinstance(moment, datetime) and start is not None and not isinstance(start, datetime):
        return moment.date()
    if not isinstance(moment, datetime) and isinstance(start, datetime):
        return _instant(datetime.combine(moment, start.timetz()))
    if isinstance(start, datetime) and start.tzinfo is None:
        return moment.replace(tzinfo=None)
    return _instant(moment)


def _rule(value: Any, part: Any) -> dict[str, Any]:
    rule = {key: [str(one).removeprefix("+") for one in values] for key, values in value.items()}
    rule = {key: values for key, values in rule.items() if (key, values) not in _RULE_DEFAULTS}
    if "UNTIL" in value and "DTSTART" in part:
        until, start = value["UNTIL"][0], part["DTSTART"].dt
        if not isinstance(start, datetime):
            until = until.date() if isinstance(until, datetime) else until
        elif not isinstance(until, datetime):
            # The whole last day, which the reader writes as its last second.
            last = datetime.combine(until, datetime.max.time()).replace(microsecond=0)
            until = _instant(last.replace(tzinfo=start.tzinfo))
        elif start.tzinfo is None:
            until = until.replace(tzinfo=None)
        elif until.tzinfo is None:
            until = until.replace(tzinfo=start.tzinfo)
        rule["UNTIL"] = [str(_instant(until))]
    return rule


_RULE_DEFAULTS = [("INTERVAL", ["1"]), ("WKST", ["MO"])]


def _implied(part: Any) -> str:
    """Return the status that a task shows by its percentage and completion."""
    percent = str(part.get("PERCENT-COMPLETE", 0))
    if "COMPLETED" in part or percent == "100":
        return "COMPLETED"
    return "NEEDS-ACTION" if percent == "0" else "IN-PROCESS"


def _person(value: Any) -> tuple[str, dict[str, Any]]:
    params = {**_params(value)}
    for name, default in PARAMETERS.items():
        if str(params.get(name, default)).upper() == default:
            params.pop(name, None)
    address = str(value)
    if address[:7].lower() == "mailto:":
        address = address[7:]
    elif ":" not in address:
        address = address.strip()
    return address, params


def _params(value: Any) -> dict[str, Any]:
    params = getattr(value, "params", {})
    found = {key.upper(): params[key] for key in params}
    if "TZID" in found:
        found["TZID"] = by_name(str(found["TZID"])) or found["TZID"]
    if found.get("RELATED") == "START":
        del found["RELATED"]
    return {key: str(one) for key, one in sorted(found.items())}


def _text(value: Any) -> str:
    raw = value.to_ical()
    text = raw.decode() if isinstance(raw, bytes) else str(raw)
    return text.replace("\\N", "\\n")


def _inner(part: Any) -> list[Any]:
    lines = [
        (name, _text(value), _params(value))
        for name, value in part.property_items(recursive=False, sorted=False)
        if name not in ("BEGIN", "END")
    ]
    return [part.name, sorted(map(str, lines)), sorted(map(str, map(_inner, part.subcomponents)))]
