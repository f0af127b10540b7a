"""DavMail before a stand-in Exchange, and somebody with a mailbox there who uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpx2
import icalendar
from lxml import etree

from accord.sandbox.davmail import DavMail
from accord.sandbox.exchange.server import Exchange
from accord.sandbox.process import no_tls
from tests.exchange import ROBOT, listening
from tests.peers import serve
from tests.unit.sandbox.ews import Judge

XML = {"Content-Type": "application/xml", "Depth": "1"}
ETAGS = '<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
EVENTS = (
    '<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/>'
    '<C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter'
    ' name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>'
)


class DavMailHouse(NamedTuple):
    """A stand-in Exchange, its address, DavMail before it, and what its messages are told to."""

    exchange: Exchange
    url: str
    davmail: DavMail
    told: list[str]


def houses() -> Iterator[DavMailHouse]:
    told: list[str] = []
    exchange = Exchange(witness=Judge(told.append))
    exchange.people.add(ROBOT, "secret", impersonates=True)
    with listening(exchange) as url:
        for davmail in serve(lambda: DavMail(url)):
            yield DavMailHouse(exchange, url, davmail, told)
    exchange.close()


class DavPerson:
    """Somebody with a mailbox, at DavMail."""

    def __init__(self, house: DavMailHouse, address: str) -> None:
        house.exchange.people.add(address, "secret")
        self.address = address
        self.davmail = house.davmail
        self.http = httpx2.Client(
            base_url=f"{house.davmail.url}users/{address}/",
            auth=(address, "secret"),
            timeout=60,
            verify=no_tls(),
        )

    def put(self, path: str, *lines: str) -> int:
        text = "\r\n".join(lines) + "\r\n"
        kind = "text/vcard" if path.endswith("vcf") else "text/calendar"
        reply = self.http.put(path, content=text, headers={"Content-Type": kind})
        assert reply.is_success, reply.text
        return reply.status_code

    def listed(self, folder: str) -> list[str]:
        reply = self.http.request("PROPFIND", folder, content=ETAGS, headers=XML)
        assert reply.status_code == 207, reply.text
        found = re.findall(r"<D:href>([^<]*)</D:href>", reply.text)
        return [unquote(each) for each in found if not each.endswith("/")]

    def texts(self) -> list[str]:
        """Return the calendar's entries, each with its single occurrences."""
        reply = self.http.request("REPORT", "calendar/", content=EVENTS, headers=XML)
        assert reply.status_code == 207, reply.text
        found = etree.fromstring(reply.content).iter("{urn:ietf:params:xml:ns:caldav}calendar-data")
        return [each.text or "" for each in found]

    def events(self) -> list[Any]:
        texts = self.texts()
        return [each for text in texts for each in icalendar.Calendar.from_ical(text).events]

    def get(self, folder: str) -> str:
        """Return the only thing that a folder holds."""
        (path,) = self.listed(folder)
        reply = self.http.get(f"{folder}{path.rpartition('/')[2]}")
        assert reply.is_success, reply.text
        return reply.text
