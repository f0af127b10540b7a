"""A small CalDAV/CardDAV server in this process: enough to keep items, break answers at will.

Real servers are in the contract suite; this one is for what they can't be made to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import httpx2
from lxml import etree

from accord.groupware.dav import DavAdapter
from accord.groupware.dav.settings import configure
from tests.unit.dav.server import found, multistatus, refused, settings

CAL, DAV = "{urn:ietf:params:xml:ns:caldav}", "{DAV:}"
HOMES = (
    "<D:current-user-principal><D:href>/alice/</D:href></D:current-user-principal>"
    "<C:calendar-home-set><D:href>/alice/</D:href></C:calendar-home-set>"
    "<A:addressbook-home-set><D:href>/alice/</D:href></A:addressbook-home-set>"
)
ADDRESS = (
    "<C:calendar-user-address-set><D:href>mailto:alice@x.test</D:href>"
    "</C:calendar-user-address-set>"
)
Trick = Callable[[httpx2.Request], httpx2.Response | None]


class FakeDav(httpx2.BaseTransport):
    """Keep items by path; `tricks` may answer first, `after` may lose or change an answer."""

    def __init__(self, *, schedules: bool = False) -> None:
        self.items: dict[str, tuple[str, str]] = {}
        self.folders = {
            "/alice/cal/": "<C:calendar/>",
            "/alice/other/": "<C:calendar/>",
            "/alice/book/": "<A:addressbook/>",
        }
        self.schedules = schedules
        self.gives_etags = True
        self.read_only = False
        self.token = 0
        self.log: list[tuple[int, str]] = []
        self.asked: list[httpx2.Request] = []
        self.tricks: list[Trick] = []
        self.after: list[Callable[[httpx2.Request, httpx2.Response], httpx2.Response | None]] = []

    def adapter(self, **more: Any) -> DavAdapter:
        return DavAdapter(configure(settings(**more)), self)

    def put(self, ref: str, text: str) -> str:
        """Store an item as another client would."""
        self.token += 1
        etag = f'"{self.token}"'
        self.items[ref] = (etag, text.replace("\r\n", "\n"))
        self.log.append((self.token, ref))
        return etag

    def remove(self, ref: str) -> None:
        self.token += 1
        del self.items[ref]
        self.log.append((self.token, ref))

    def text(self, ref: str) -> str:
        return self.items[ref][1]

    @property
    def lines(self) -> list[str]:
        return [f"{each.method} {each.url.path}" for each in self.asked]

    def since(self, count: int) -> list[str]:
        return self.lines[count:]

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        headers = request.headers.copy()
        self.asked.append(
            httpx2.Request(request.method, request.url, headers=headers, content=body)
        )
        for trick in list(self.tricks):
            answer = trick(request)
            if answer is not None:
                return answer
        reply: httpx2.Response = getattr(self, f"_{request.method.lower()}")(request, body)
        for change in list(self.after):
            reply = change(request, reply) or reply
        return reply

    def _options(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        more = ", calendar-auto-schedule" if self.schedules else ""
        return httpx2.Response(200, headers={"DAV": f"1, calendar-access{more}"})

    def _propfind(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        path = request.url.path
        if path in ("/", "/alice/") and request.headers["Depth"] == "0":
            return multistatus(found(path, HOMES + (ADDRESS if self.schedules else "")))
        if path == "/alice/":
            return multistatus(*[self._folder(each) for each in self.folders])
        if path not in self.folders:
            return httpx2.Response(404)
        here = [ref for ref in self.items if ref.startswith(path)]
        inside = here if request.headers["Depth"] == "1" else []
        return multistatus(self._folder(path), *[self._member(ref) for ref in inside])

    def _folder(self, ref: str) -> str:
        kind = f"<D:resourcetype><D:collection/>{self.folders[ref]}</D:resourcetype>"
        right = "<D:read/>" if self.read_only else "<D:all/>"
        rights = f"<D:privilege>{right}</D:privilege>"
        rights = f"<D:current-user-privilege-set>{rights}</D:current-user-privilege-set>"
        return found(ref, kind + rights)

    def _report(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        folder = request.url.path
        if folder not in self.folders:
            return httpx2.Response(404)
        root = etree.fromstring(body)
        match etree.QName(root).localname:
            case "sync-collection":
                return self._sync(folder, root.findtext(f"{DAV}sync-token") or "")
            case "calendar-multiget" | "addressbook-multiget":
                refs = [each.text or "" for each in root.findall(f"{DAV}href")]
                return multistatus(*[self._item(ref) for ref in refs])
            case _:
                return self._query(folder, root)

    def _sync(self, folder: str, token: str) -> httpx2.Response:
        here = [ref for ref in self.items if ref.startswith(folder)]
        gone: list[str] = []
        if token:
            changed = [ref for n, ref in self.log if n > int(token.rpartition("/")[2])]
            gone = [
                r for r in dict.fromkeys(changed) if r not in self.items and r.startswith(folder)
            ]
            here = [ref for ref in here if ref in changed]
        entries = [self._member(ref) for ref in here]
        entries += [refused(ref, 404) for ref in gone]
        return multistatus(*entries, token=f"http://token/{self.token}")

    def _member(self, ref: str) -> str:
        etag = f"<D:getetag>{escape(self.items[ref][0])}</D:getetag>"
        return found(ref, etag + _type(self.text(ref)))

    def _item(self, ref: str) -> str:
        if ref not in self.items:
            return refused(ref, 404)
        etag, text = self.items[ref]
        name = "A:address-data" if ref.endswith(".vcf") else "C:calendar-data"
        tag = re.search(r"^X-TAG:(.*)$", text, re.MULTILINE)
        more = f"<C:schedule-tag>{tag[1]}</C:schedule-tag>" if tag else ""
        props = f"<D:getetag>{escape(etag)}</D:getetag>{more}<{name}>{escape(text)}</{name}>"
        return found(ref, props)

    def _query(self, folder: str, root: Any) -> httpx2.Response:
        match = root.find(".//{*}text-match")
        name = root.find(".//{*}prop-filter").get("name")
        here = [ref for ref in self.items if ref.startswith(folder)]
        fits = [ref for ref in here if f"{name}:{match.text}" in self.text(ref)]
        return multistatus(*[self._item(ref) for ref in fits])

    def _put(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        ref = request.url.path
        stands = self.items.get(ref)
        if not any(ref.startswith(folder) for folder in self.folders):
            return httpx2.Response(409)
        wanted = request.headers.get("If-Match")
        if request.headers.get("If-None-Match") == "*" and stands:
            return httpx2.Response(412)
        if wanted and (stands is None or stands[0] != wanted):
            return httpx2.Response(412)
        etag = self.put(ref, body.decode())
        headers = {"ETag": etag} if self.gives_etags else {}
        return httpx2.Response(204 if stands else 201, headers=headers)

    def _delete(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        ref = request.url.path
        if ref not in self.items:
            return httpx2.Response(404)
        if request.headers.get("If-Match") not in (None, self.items[ref][0]):
            return httpx2.Response(412)
        self.remove(ref)
        return httpx2.Response(204)

    def _mkcalendar(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        return self._make(request, "<C:calendar/>")

    def _mkcol(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        return self._make(request, "<A:addressbook/>")

    def _make(self, request: httpx2.Request, kind: str) -> httpx2.Response:
        if request.url.path in self.folders:
            return httpx2.Response(405)
        self.folders[request.url.path] = kind
        return httpx2.Response(201)


def _type(text: str) -> str:
    component = next((c for c in ("VEVENT", "VTODO") if f"BEGIN:{c}" in text), "")
    kind = f"text/calendar; component={component}" if component else "text/vcard"
    return f"<D:getcontenttype>{kind}</D:getcontenttype>"


def lose(times: int = 1, method: str = "PUT") -> Any:
    """Lose the answers to the first requests of a method, after they were carried out."""
    left = [times]

    def change(request: httpx2.Request, reply: httpx2.Response) -> None:
        if request.method == method and left[0]:
            left[0] -= 1
            raise httpx2.ReadError("connection reset")

    return change


def event(uid: str, title: str = "t", *more: str) -> str:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTART:20260301T090000Z",
        "DTEND:20260301T100000Z",
        f"SUMMARY:{title}",
        *more,
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "\n".join(lines) + "\n"


def todo(uid: str, title: str = "t") -> str:
    return (
        f"BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VTODO\nUID:{uid}\nSUMMARY:{title}\n"
        "END:VTODO\nEND:VCALENDAR\n"
    )
