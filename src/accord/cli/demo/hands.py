"""The hands of the demo's people: in the mailbox a plain CalDAV client, in the CRM its users.

The mailbox hand speaks HTTP itself and edits text, as a calendar program would.
"""

from __future__ import annotations

import re
from typing import Any

import httpx2
import msgspec

from accord.crm.database.admin import Administration
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.model.names import name_of
from accord.model.observe import Snapshot

_HREF = re.compile(r"<(?:\w+:)?href>([^<]+)</(?:\w+:)?href>")


class DemoFailed(Exception):
    """Say that something didn't turn out as the demo tells it."""


class Mailbox:
    """Be one person with a calendar program: finds entries by their title and edits them."""

    def __init__(self, url: str, name: str, password: str) -> None:
        """Sign in to the server at `url`."""
        self.name = name
        self._home = f"{url}{name}/"
        self._client = httpx2.Client(auth=(name, password), timeout=60)

    def close(self) -> None:
        """Put the program away."""
        self._client.close()

    def texts(self) -> dict[str, str]:
        """Return the text of everything in the mailbox, by address."""
        found: dict[str, str] = {}
        for collection in self._children(self._home):
            for href in self._children(collection):
                if not href.endswith("/"):
                    found[href] = self._get(href)
        return found

    def find(self, title: str) -> tuple[str, str]:
        """Return address and text of the entry with a title; raises DemoFailed."""
        wanted = re.compile(rf"^(SUMMARY|FN)[^:\r\n]*:{re.escape(title)}\r?$", re.MULTILINE)
        for href, text in self.texts().items():
            if wanted.search(text):
                return href, text
        raise DemoFailed(f"{self.name} finds no {title!r} in the mailbox")

    def has(self, title: str) -> bool:
        """Tell whether an entry with that title is there."""
        try:
            self.find(title)
        except DemoFailed:
            return False
        return True

    def set(self, title: str, /, **properties: str) -> None:
        """Write properties into the entry with a title, replacing what is there."""
        href, text = self.find(title)
        for name, value in properties.items():
            text = _with(text, name, value)
        self._put(href, text)

    def location(self, title: str) -> str:
        """Return where an entry is."""
        found = re.search(r"^LOCATION[^:\r\n]*:(.*?)\r?$", self.find(title)[1], re.MULTILINE)
        return found.group(1) if found else ""

    def place(self, title: str, location: str) -> None:
        """Write where an entry is."""
        self.set(title, LOCATION=location)

    def rename(self, title: str, new: str) -> None:
        """Give an entry another title."""
        self.set(title, SUMMARY=new)

    def finish(self, title: str) -> None:
        """Tick a task off."""
        self.set(title, STATUS="COMPLETED", **{"PERCENT-COMPLETE": "100"})

    def delete_many(self, titles: frozenset[str]) -> int:
        """Delete every entry that has one of these titles; return how many."""
        count = 0
        for href, text in self.texts().items():
            found = re.search(r"^SUMMARY[^:\r\n]*:(.*?)\r?$", text, re.MULTILINE)
            if found and found.group(1) in titles:
                self._check(self._client.delete(self._address(href)))
                count += 1
        return count

    def _children(self, url: str) -> list[str]:
        answer = self._client.request("PROPFIND", self._address(url), headers={"Depth": "1"})
        self._check(answer)
        hrefs = _HREF.findall(answer.text)
        own = httpx2.URL(self._address(url)).path
        return [href for href in hrefs if httpx2.URL(self._address(href)).path != own]

    def _get(self, href: str) -> str:
        answer = self._client.get(self._address(href))
        self._check(answer)
        return answer.text

    def _put(self, href: str, text: str) -> None:
        kind = {"Content-Type": "text/calendar; charset=utf-8"}
        self._check(self._client.put(self._address(href), content=text.encode(), headers=kind))

    def _address(self, href: str) -> str:
        return str(httpx2.URL(self._home).join(href))

    def _check(self, answer: httpx2.Response) -> None:
        if answer.status_code >= 400:
            raise DemoFailed(f"the mail server answered {answer.status_code} to {self.name}")


class Desk:
    """Be one CRM user: finds records by their title and edits them."""

    def __init__(self, crm: Administration, user: str) -> None:
        """Sit down as `user`."""
        self.user = user
        self._crm = crm

    def add(self, item: Item, **place: Any) -> Snapshot:
        """Add a record."""
        return self._crm.put(self.user, item, **place)

    def find(self, title: str, kind: Kind = Kind.EVENT) -> Snapshot:
        """Return the record with a title; raises DemoFailed."""
        for snapshot in self._crm.list(self.user, kind):
            if title == name_of(snapshot.item):
                return snapshot
        raise DemoFailed(f"{self.user} finds no {title!r} in the CRM")

    def has(self, title: str, kind: Kind = Kind.EVENT) -> bool:
        """Tell whether a record with that title is there."""
        try:
            self.find(title, kind)
        except DemoFailed:
            return False
        return True

    def titles(self, kind: Kind = Kind.EVENT) -> list[str]:
        """Return the titles of all records in the user's scope."""
        return [getattr(s.item, "title", "") for s in self._crm.list(self.user, kind)]

    def set(self, title: str, kind: Kind = Kind.EVENT, /, **values: Any) -> Snapshot:
        """Change fields of the record with a title."""

        found = self.find(title, kind)
        return self._crm.put(self.user, msgspec.structs.replace(found.item, **values), found.ref)

    def delete(self, title: str, kind: Kind = Kind.EVENT) -> None:
        """Delete the record with a title."""
        self._crm.delete(self.user, kind, self.find(title, kind).ref)


def _with(text: str, name: str, value: str) -> str:
    """Return a calendar object with one property replaced, or added at the end of the entry."""
    old = re.search(rf"^{name}[;:].*\r?\n", text, re.MULTILINE)
    end = re.search(r"^END:(VEVENT|VTODO)", text, re.MULTILINE)
    if end is None:
        raise DemoFailed("a mailbox entry has no end")
    start, stop = old.span() if old is not None else (end.start(), end.start())
    return f"{text[:start]}{name}:{value}\r\n{text[stop:]}"
