"""The mailboxes of the crash test: on Radicale and on the stand-in Exchange, with a hand at each.

The hands speak HTTP themselves and use nothing of Accord's groupware code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx2
from msgspec import Struct

from accord.sandbox.exchange.hand import Hand, Missing, Refused, entry, weekly
from accord.sandbox.exchange.peer import ExchangePeer
from accord.sandbox.exchange.roll import Person
from accord.sandbox.process import no_tls
from accord.sandbox.radicale import Radicale

USER, ADDRESS = "anna", "anna@example.test"
ROBOT = "robot@example.test"
WORD = "correct horse"
LONG = 4
"""How many occurrences a series has, one a week."""
_WEEK = timedelta(days=7)
"""What is looked at in one go: a view shows a thousand entries at most."""


class Lost(Exception):
    """A hand came too late: the item was changed or deleted by somebody else."""


class Shown(Struct, frozen=True):
    """Be what one side shows of an item: its place, and of a series each day's time and place."""

    place: str
    days: dict[str, str] = {}


class Mailbox(Protocol):
    """Be one person's mailbox; items go by their names. What comes too late raises Lost."""

    series: bool
    """Whether the hand knows series, too."""

    target: str
    """What an import says of the target."""

    def add(self, name: str, begin: datetime, end: datetime) -> None:
        """Make an entry; the times are UTC."""

    def place(self, name: str, place: str) -> None:
        """Write a place into an entry."""

    def drop(self, name: str) -> str:
        """Delete an entry and return its place."""
        ...

    def add_series(self, name: str, begin: datetime, end: datetime) -> None:
        """Make a weekly series of `LONG` occurrences."""

    def place_day(self, name: str, number: int, place: str) -> None:
        """Write a place into one occurrence, counted from 1."""

    def drop_day(self, name: str, number: int) -> None:
        """Delete one occurrence."""

    def shown(self) -> dict[str, list[Shown]]:
        """Return what there is by name; more than one under a name is a duplicate."""
        ...

    @property
    def mails(self) -> int:
        """Count what was mailed."""
        ...

    def close(self) -> None:
        """Put the program away."""


@contextmanager
def mailbox_on(target: str) -> Iterator[Mailbox]:
    """Start a server and give its mailbox."""
    if target == "dav":
        with Radicale({USER: WORD}) as server:
            box: Mailbox = DavMailbox(server)
            yield box
            box.close()
        return
    people = [Person(address=ADDRESS, password=WORD)]
    people.append(Person(address=ROBOT, password=WORD, impersonates=True))
    with ExchangePeer(people) as exchange:
        box = ExchangeMailbox(exchange)
        yield box
        box.close()


class ExchangeMailbox:
    """A mailbox on the stand-in Exchange, and what it mails."""

    series = True

    def __init__(self, server: ExchangePeer, address: str = ADDRESS) -> None:
        self._server = server
        self._hand = Hand(server.url, address, WORD)
        self._begin = datetime(2030, 1, 1, tzinfo=UTC)
        self.target = (
            f'adapter = "exchange"\nurl = "{server.url}"\nauth = "basic"\nuser = "{ROBOT}"\n'
            'time_zone = "UTC"\n'
        )

    def close(self) -> None:
        self._hand.close()

    def add(self, name: str, begin: datetime, end: datetime) -> None:
        times = begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
        with _late():
            self._hand.add(entry(name, *times, zone="UTC"))

    def place(self, name: str, place: str) -> None:
        with _late():
            self._hand.set(name, Location=place)

    def drop(self, name: str) -> str:
        with _late():
            thing = self._hand.find(name)
            self._hand.delete_refs([thing.ref])
        return thing.text("Location")

    def add_series(self, name: str, begin: datetime, end: datetime) -> None:
        times = begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
        often = weekly(f"{begin:%A}", begin, LONG)
        with _late():
            self._hand.add(entry(name, *times, zone="UTC", recurrence=often))

    def place_day(self, name: str, number: int, place: str) -> None:
        with _late():
            self._hand.set_occurrence(name, number, Location=place)

    def drop_day(self, name: str, number: int) -> None:
        with _late():
            self._hand.delete_occurrence(name, number)

    def shown(self) -> dict[str, list[Shown]]:
        items, things = self._hand.found(), self._hand.things()
        days: dict[str, dict[str, str]] = {}
        last = max((each.start for each in things), default=self._begin) + (LONG + 1) * _WEEK
        weeks = (self._begin + n * _WEEK for n in range((last - self._begin) // _WEEK + 1))
        for each in (one for begin in weeks for one in self._hand.view(begin, begin + _WEEK)):
            if each.text("CalendarItemType") != "Single":
                seen = days.setdefault(each.title, {})
                seen[f"{each.start:%Y-%m-%d}"] = f"{each.start:%H:%M} {each.text('Location')}"
        places = {each.ref: each.text("Location") for each in things}
        found: dict[str, list[Shown]] = {}
        for each in items:
            shown = Shown(places.get(each.ref, ""), days.get(each.title, {}))
            found.setdefault(each.title, []).append(shown)
        return found

    @property
    def mails(self) -> int:
        return self._server.mail_count


class DavMailbox:
    """A calendar on Radicale, which mails nobody."""

    series = False
    mails = 0

    def __init__(self, server: Radicale, user: str = USER) -> None:
        server.fill(user, "calendar", {})
        self._home = f"{server.url}{user}/calendar/"
        self._web = httpx2.Client(auth=(user, WORD), timeout=30, verify=no_tls())
        self.target = (
            f'adapter = "dav"\nurl = "{server.url}"\nuser = "{user}"\ncalendar = "calendar"\n'
        )

    def close(self) -> None:
        self._web.close()

    def add(self, name: str, begin: datetime, end: datetime) -> None:
        lines = [
            "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Hand//EN", "BEGIN:VEVENT",
            f"UID:{name}@hand", "DTSTAMP:20260101T000000Z", f"SUMMARY:{name}",
            f"DTSTART:{begin:%Y%m%dT%H%M%SZ}", f"DTEND:{end:%Y%m%dT%H%M%SZ}",
            "END:VEVENT", "END:VCALENDAR", "",
        ]  # fmt: skip
        self._put(f"{self._home}{name}.ics", "\r\n".join(lines), {"If-None-Match": "*"})

    def place(self, name: str, place: str) -> None:
        url, text, tag = self._find(name)
        text = re.sub(r"^LOCATION:.*\r\n", "", text, flags=re.MULTILINE)
        text = text.replace("END:VEVENT", f"LOCATION:{place}\r\nEND:VEVENT", 1)
        self._put(url, text, {"If-Match": tag})

    def drop(self, name: str) -> str:
        url, text, tag = self._find(name)
        if not self._web.delete(url, headers={"If-Match": tag}).is_success:
            raise Lost
        return _line(text, "LOCATION")

    def add_series(self, name: str, begin: datetime, end: datetime) -> None:
        raise NotImplementedError

    def place_day(self, name: str, number: int, place: str) -> None:
        raise NotImplementedError

    def drop_day(self, name: str, number: int) -> None:
        raise NotImplementedError

    def shown(self) -> dict[str, list[Shown]]:
        found: dict[str, list[Shown]] = {}
        for _, text in self._entries():
            found.setdefault(_line(text, "SUMMARY"), []).append(Shown(_line(text, "LOCATION")))
        return found

    def _find(self, name: str) -> tuple[str, str, str]:
        for url, text in self._entries():
            if _line(text, "SUMMARY") == name:
                answer = self._web.get(url)
                if answer.is_success:
                    return url, answer.text, answer.headers["ETag"]
        raise Lost

    def _entries(self) -> list[tuple[str, str]]:
        """Read the whole mailbox in one request."""
        query = (
            '<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop>'
            '<C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter>'
            "</C:calendar-query>"
        )
        answer = self._web.request(
            "REPORT", self._home, content=query, headers={"Depth": "1"}
        ).raise_for_status()
        found = re.findall(
            r"<(?:\w+:)?href>([^<]+\.ics)</.*?calendar-data>(.*?)</(?:\w+:)?calendar-data>",
            answer.text,
            re.DOTALL,
        )
        return [(str(httpx2.URL(self._home).join(href)), _plain(text)) for href, text in found]

    def _put(self, url: str, text: str, headers: dict[str, str]) -> None:
        headers = {**headers, "Content-Type": "text/calendar; charset=utf-8"}
        if not self._web.put(url, content=text.encode(), headers=headers).is_success:
            raise Lost


@contextmanager
def _late() -> Iterator[None]:
    try:
        yield
    except (Missing, Refused) as error:
        raise Lost from error


def _line(text: str, name: str) -> str:
    found = re.search(rf"^{name}[^:\r\n]*:(.*?)\r?$", text, re.MULTILINE)
    return found.group(1) if found else ""


def _plain(text: str) -> str:
    text = text.replace("&#13;", "\r").replace("&lt;", "<").replace("&gt;", ">")
    return text.replace("&amp;", "&")
