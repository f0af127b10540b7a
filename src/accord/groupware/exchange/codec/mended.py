"""exchangelib as the codecs need it: what it misreads is mended, and Accord's own properties.

Import this before anything of exchangelib is parsed; the mending holds for the whole process,
since exchangelib finds the classes of items, fields and zones by itself.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from functools import cache
from typing import Any

from exchangelib import fields
from exchangelib.errors import NaiveDateTimeNotAllowed, UnknownTimeZone
from exchangelib.ewsdatetime import UTC, EWSDate, EWSDateTime, EWSTimeZone
from exchangelib.extended_properties import ExtendedProperty
from exchangelib.items import CalendarItem, Contact, Message, Task
from exchangelib.items.item import Item as LibraryItem
from exchangelib.properties import EWSElement, ExtendedFieldURI
from tzlocal.windows_tz import tz_win

from accord.formats import windows_zones
from accord.formats.outlook.pattern import EARLIEST, LATEST
from accord.groupware.exchange.codec import quick
from accord.groupware.exchange.wire import PROPERTY_SET
from accord.model.zones import UnknownZone, zone

_DAY = timedelta(days=1)
_HALF = timedelta(hours=12)


class UtcDate(EWSDate):  # type: ignore[misc]
    """Be a day that is sent as its midnight in UTC, whatever hour exchangelib would take."""


@cache
def ews_zone(name: str) -> Any:
    """Return exchangelib's form of an IANA zone that has a Windows name."""
    return EWSTimeZone(name)


def own_property(name: str) -> type[Any]:
    """Return the class of a named text property of Accord's own."""
    return type(
        name,
        (ExtendedProperty,),
        {"property_set_id": PROPERTY_SET, "property_name": name, "property_type": "String"},
    )


class _Named(ExtendedProperty):  # type: ignore[misc]
    """Be told from another property by its name first: a third of reading went into the rest."""

    @classmethod
    def is_property_instance(cls, elem: Any) -> bool:
        path = elem.find(ExtendedFieldURI.response_tag())
        name = "" if path is None else path.get("PropertyName") or ""
        return name == cls.property_name and bool(super().is_property_instance(elem))


class NamePrefix(ExtendedProperty):  # type: ignore[misc]
    """What stands before a name (PidTagDisplayNamePrefix); EWS itself only reads it."""

    property_tag = 0x3A45
    property_type = "String"


class PersonalHomePage(ExtendedProperty):  # type: ignore[misc]
    """The second web page of a contact (PidTagPersonalHomePage)."""

    property_tag = 0x3A50
    property_type = "String"


class ConferenceLink(_Named):
    """Where to join a meeting, as Lync and Skype write it."""

    distinguished_property_set_id = "PublicStrings"
    property_name = "OnlineMeetingConfLink"
    property_type = "String"


class TeamsLink(_Named):
    """Where to join a meeting, as Teams writes it."""

    distinguished_property_set_id = "PublicStrings"
    property_name = "SkypeTeamsMeetingUrl"
    property_type = "String"


# ---- the mending ----


def _moment(cls: Any, text: str) -> Any:
    """Read any xs:dateTime: with fractions of seconds, with any offset (XML Schema 2, 3.2.7)."""
    found = _read(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is no time")
    if found.tzinfo is None:
        raise NaiveDateTimeNotAllowed(cls(*found.timetuple()[:6]))
    utc = found.utctimetuple()
    return cls(*utc[:6], tzinfo=UTC)


def _read(text: str) -> datetime | None:
    """Return a time; None for what is none, or lies outside Exchange's calendar.

    Year 1 and 4501 stand for no time at all ([MS-OXOCAL] 2.2.1.44.1, .NET's DateTime.MinValue).
    """
    try:
        found = datetime.fromisoformat(text.strip()).replace(microsecond=0)
    except ValueError:
        return None
    return found if EARLIEST.year < found.year <= LATEST.year else None


def _truth(self: Any, elem: Any, account: Any) -> Any:
    """Read any xs:boolean; exchangelib writes 1 and 0, and doesn't read them."""
    text = (self._get_val_from_elem(elem) or "").strip().lower()
    return {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}.get(
        text, self.default
    )


def _enum(self: Any, elem: Any, account: Any) -> Any:
    """Read a word, or a list of words with any white space between them."""
    words = (self._get_val_from_elem(elem) or "").split()
    known = [self.enum.index(word) + 1 for word in words if word in self.enum]
    if not words:
        return self.default
    if len(known) < len(words):
        return None
    return known if self.is_list else known[0]


def _day_or_moment(self: Any, elem: Any, account: Any) -> Any:
    """Read a day or a moment; a day may have no zone at all (xs:date)."""
    text = self._get_val_from_elem(elem)
    if text is not None and "T" not in text:
        return self._date_field.from_xml(elem=elem, account=account)
    return fields.DateTimeField.from_xml(self, elem=elem, account=account)


def _day(self: Any, elem: Any, account: Any) -> Any:
    """Read the day that a moment stands for: midnight somewhere, or noon in UTC."""
    found = _read(self._get_val_from_elem(elem) or "")
    if found is None:
        return self.default
    if found.tzinfo is None or found.time() == time():
        return EWSDate.from_date(found.date())
    home = getattr(account, "default_timezone", None)
    there = found.astimezone(home) if home is not None else found
    if there.time() == time():
        return EWSDate(there.year, there.month, there.day)
    if found.utcoffset():
        return EWSDate.from_date(found.date())
    nearest = found + _HALF
    return EWSDate(nearest.year, nearest.month, nearest.day)


def _midnight(self: Any, value: Any) -> Any:
    when = time() if isinstance(value, UtcDate) else self._default_time
    return self._datetime_field.value_cls.combine(value, when).replace(tzinfo=UTC)


def _zone(self: Any, elem: Any, account: Any) -> Any:
    """Read a zone by its id, else by its name; None where neither is known."""
    found = elem.find(self.response_tag())
    for each in ("Id", "Name") if found is not None else ():
        try:
            return EWSTimeZone.from_ms_id(found.get(each))
        except UnknownTimeZone:
            continue
    return self.default


def _zone_named(cls: Any, name: str | None) -> Any:
    """Return a zone by its Windows name, whatever its capitals, or by its IANA name."""
    text = (name or "").strip()
    known = "UTC" if text.casefold() in _UTC_NAMES else windows_zones.iana(text)
    try:
        if known is None and text in tz_win:
            known = zone(text).key
        if known is not None:
            return cls(known)
    except UnknownZone:
        pass
    raise UnknownTimeZone(f"{text[:60]!r} is no time zone that is known here")


_UTC_NAMES = {"utc", "etc/utc", "tzone://microsoft/utc", "coordinated universal time", "z", "gmt+0"}


def _calendar_item(cls: Any, elem: Any, account: Any) -> Any:
    """Read an entry; that of whole days has its first and its last day.

    Days are those of the entry's own zone, found by the nearest midnight: a day may have 23
    hours, midnight may not exist, and some write midnight in UTC.
    """
    item = super(CalendarItem, cls).from_xml(elem=elem, account=account)
    if not item.is_all_day:
        return item
    home = getattr(account, "default_timezone", None) or UTC
    start, end = (
        _nearest(getattr(item, name), getattr(item, f"_{name}_timezone") or home)
        for name in ("start", "end")
    )
    item.start = start
    item.end = end if end is None else max(end - _DAY, start or end)
    return item


def _nearest(moment: Any, where: Any) -> Any:
    """Return the day whose midnight it is, in the zone or in UTC, else that of the nearest."""
    if not isinstance(moment, datetime):
        return moment
    local = moment if moment.tzinfo is None else moment.astimezone(where)
    if local.time() != time() and moment.tzinfo is not None and moment.time() == time():
        local = moment
    found = local.replace(tzinfo=None) + _HALF
    return EWSDate(found.year, found.month, found.day)


def _mend() -> None:
    EWSTimeZone.IANA_TO_MS_MAP.update({name: (ms, "001") for name, ms in tz_win.items()})
    EWSTimeZone.from_ms_id = classmethod(_zone_named)
    EWSDateTime.from_string = classmethod(_moment)
    fields.BooleanField.from_xml = _truth
    fields.EnumField.from_xml = _enum
    fields.DateOrDateTimeField.from_xml = _day_or_moment
    fields.DateTimeBackedDateField.from_xml = _day
    fields.DateTimeBackedDateField.date_to_datetime = _midnight
    fields.TimeZoneField.from_xml = _zone
    CalendarItem.from_xml = classmethod(_calendar_item)
    EWSElement.from_xml = classmethod(quick.element)


_EVERYWHERE = {"accord_key": "AccordKey", "accord_marker": "AccordMarker"}
_ITEMS = {**_EVERYWHERE, "accord_kept": "AccordKept", "accord_uid": "AccordUid"}


def _register() -> None:
    """Give items Accord's own properties, and those that EWS has no element for."""
    own = {attribute: own_property(name) for attribute, name in _ITEMS.items()}
    for cls in (CalendarItem, Task, Contact, Message):
        for attribute, made in own.items():
            if attribute not in cls.FIELDS:
                field = quick.OwnField(attribute, value_cls=made)
                cls.add_field(field, insert_after=cls.INSERT_AFTER_FIELD)
    _add(Contact, "name_prefix", NamePrefix)
    _add(Contact, "personal_homepage", PersonalHomePage)
    _add(CalendarItem, "teams_link", TeamsLink)
    _add(CalendarItem, "conference_link", ConferenceLink)


def _add(cls: type[LibraryItem], attribute: str, made: type[Any]) -> None:
    if attribute not in cls.FIELDS:
        cls.register(attribute, made)


_mend()
_register()
