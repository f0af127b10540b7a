"""exchangelib as it comes, in a process of its own: Accord's codecs mend it in theirs.

What goes in and out is plain data, of other classes than exchangelib's.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from typing import Any

import exchangelib
from exchangelib import indexed_properties
from exchangelib.recurrence import Recurrence, WeeklyPattern

FOLDERS = {"calendar": "CalendarItem", "tasks": "Task", "contacts": "Contact"}
TITLES = {"contacts": "display_name"}


class Mailbox:
    """A person's mailbox; things in it are named by their folder and their title."""

    def __init__(self, url: str, address: str) -> None:
        configuration = exchangelib.Configuration(
            service_endpoint=url,
            credentials=exchangelib.Credentials(address, "secret"),
            auth_type=exchangelib.BASIC,
            version=exchangelib.Version(exchangelib.version.EXCHANGE_2016),
            max_connections=2,
        )
        self.account = exchangelib.Account(
            address,
            config=configuration,
            autodiscover=False,
            access_type=exchangelib.DELEGATE,
            default_timezone=exchangelib.EWSTimeZone("Europe/Berlin"),
        )

    def strangers(self) -> list[str]:
        """Return which modules of Accord this process has loaded."""
        return [name for name in sys.modules if name.partition(".")[0] == "accord"]

    def all(self, folder: str) -> list[dict[str, Any]]:
        return [_told(each) for each in getattr(self.account, folder).all()]

    def view(self, start: datetime, end: datetime) -> list[dict[str, Any]]:
        """Return what a calendar shows, occurrences among the rest."""
        shown = self.account.calendar.view(start=_given("", start), end=_given("", end))
        return [_told(each) for each in shown]

    def add(self, folder: str, **values: Any) -> None:
        model = getattr(exchangelib, FOLDERS[folder])
        given = {name: _given(name, value) for name, value in values.items()}
        model(account=self.account, folder=getattr(self.account, folder), **given).save()

    def edit(self, folder: str, title: str, **values: Any) -> None:
        self._save(self._found(folder, title), values)

    def edit_occurrence(self, title: str, number: int, **values: Any) -> None:
        one = self._found("calendar", title).occurrence(index=number)
        one.refresh()
        self._save(one, values)

    def delete_occurrence(self, title: str, number: int) -> None:
        self._found("calendar", title).occurrence(index=number).delete()

    def delete(self, folder: str, title: str) -> None:
        self._found(folder, title).move_to_trash()

    def close(self) -> None:
        self.account.protocol.close()

    def _found(self, folder: str, title: str) -> Any:
        name = TITLES.get(folder, "subject")
        everything = getattr(self.account, folder).all()
        (found,) = [each for each in everything if getattr(each, name) == title]
        return found

    def _save(self, item: Any, values: dict[str, Any]) -> None:
        for name, value in values.items():
            setattr(item, name, _given(name, value))
        item.save(update_fields=list(values))


class Plain(BaseManager):
    """Start it, and `Mailbox` stands in the other process."""

    Mailbox: Any


Plain.register("Mailbox", Mailbox)


def started() -> Plain:
    return Plain(ctx=get_context("spawn"))


# ---- what goes in ----


_PARTS = {
    "email_addresses": indexed_properties.EmailAddress,
    "phone_numbers": indexed_properties.PhoneNumber,
    "physical_addresses": indexed_properties.PhysicalAddress,
}


def _given(name: str, value: Any) -> Any:
    if name in _PARTS:
        return [_PARTS[name](**each) for each in value]
    if name.endswith("_attendees"):
        people = [exchangelib.Mailbox(email_address=each) for each in value]
        return [exchangelib.Attendee(mailbox=each, response_type="Unknown") for each in people]
    if name == "recurrence":
        weekdays = value.pop("weekdays")
        return Recurrence(pattern=WeeklyPattern(interval=1, weekdays=weekdays), **value)
    return exchangelib.EWSDateTime.from_datetime(value) if isinstance(value, datetime) else value


# ---- what comes out ----


def _told(value: Any) -> Any:
    match value:
        case None | bool() | int():
            return value
        case str():
            return str(value)
        case Decimal():
            return int(value)
        case datetime():
            return datetime.fromtimestamp(value.timestamp(), UTC)
        case date():
            return date(value.year, value.month, value.day)
        case exchangelib.EWSTimeZone():
            return value.key
        case list() | tuple():
            return [_told(each) for each in value]
        case _ if hasattr(value, "FIELDS"):
            held = {each.name: getattr(value, each.name, None) for each in value.FIELDS}
            return {name: _told(each) for name, each in held.items() if each is not None}
        case _:
            return repr(value)
