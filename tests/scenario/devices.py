"""What people of the pages hold in their hands: a calendar app, and a SyncML device over HTTP."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import httpx2

from accord.interface.server.server import Answer
from accord.sandbox.process import no_tls
from accord.sandbox.radicale import Radicale
from tests.unit.interface.phone import Phone as SyncPhone


class Phone(httpx2.Client):
    """Be anna's calendar app: it changes entries by their titles."""

    def __init__(self, server: Radicale) -> None:
        super().__init__(auth=("anna", server.users["anna"]), timeout=30)
        self.calendar = f"{server.url}anna/calendar/"

    def edit(self, title: str, before: str, after: str) -> None:
        """Replace a text in the entry of that title."""
        url, text, etag = self._find(title)
        assert before in text
        headers = {"If-Match": etag, "Content-Type": "text/calendar; charset=utf-8"}
        self.put(url, content=text.replace(before, after), headers=headers).raise_for_status()

    def delete(self, title: str) -> None:  # type: ignore[override]
        """Delete the entry of that title."""
        url, _, etag = self._find(title)
        self.request("DELETE", url, headers={"If-Match": etag}).raise_for_status()

    def _find(self, title: str) -> tuple[str, str, str]:
        listing = self.request("PROPFIND", self.calendar, headers={"Depth": "1"}).text
        for href in set(re.findall(r"<(?:\w+:)?href>([^<]+\.ics)<", listing)):
            reply = self.get(urljoin(self.calendar, href))
            if f"\nSUMMARY:{title}\r\n" in reply.text:
                return str(reply.url), reply.text, reply.headers["ETag"]
        raise LookupError(title)


class Device(SyncPhone):
    """Be a SyncML device that reaches its server over HTTP."""

    def __init__(self, address: str) -> None:
        super().__init__(server=None)
        self.address = address

    def raw(self, data: bytes, signature: str = "") -> Answer:
        """Post a message; the address of the next one is where the server says."""
        reply = httpx2.post(
            self.address,
            params=urlsplit(self.url).query,
            content=data,
            headers={"Content-Type": self.media.value},
            verify=no_tls(),
        )
        reply.raise_for_status()
        return Answer(
            body=reply.content,
            content_type=reply.headers["Content-Type"],
            status=reply.status_code,
        )
