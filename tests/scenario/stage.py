"""The stage of the stories: a real server behind a proxy, the built-in CRM, and people's hands.

A story says what people do on either side, lets Accord synchronize, and looks at both sides with
plain HTTP and the CRM's own words; nothing of Accord's groupware code is used for looking.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from accord.cli.demo.hands import Desk
from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.crm.syncml import SyncmlCrm
from accord.db import open_database
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.sandbox.proxy import Proxy
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.config import Config
from accord.service.drafts import activate
from accord.service.init import init
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.sync import preview, sync
from accord.service.transfer import import_
from accord.state.records import Link
from tests.databases import Databases
from tests.elsewhere import Elsewhere, FileClock
from tests.peers import PASSWORD, Account

NOW = datetime(2030, 1, 2, 8, tzinfo=UTC)
MONDAY = datetime(2030, 1, 7)
BERLIN = "Europe/Berlin"
RULES = {
    "event": 'scope = "all"',
    "task": "",
    "contact": "",
    "absence": "",
}
_NAMES = {"event": "events", "task": "tasks", "contact": "contacts", "absence": "absences"}
_WHICH = '<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
_CALLED = '<D:propfind xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:propfind>'
_NAMED = re.compile(
    r"<(?:\w+:)?href>([^<]+)</(?:\w+:)?href>(?:(?!</(?:\w+:)?response>).)*?"
    r"<(?:\w+:)?displayname>(?:<!\[CDATA\[)?([^<\]]+)",
    re.DOTALL,
)
_HREF = re.compile(r"<(?:\w+:)?href>([^<]+)</(?:\w+:)?href>")


class Clock:
    """Be a clock that stands still until somebody turns it on; other processes read its file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._shown = FileClock(file)
        self.now = NOW

    @property
    def now(self) -> datetime:
        return self._now

    @now.setter
    def now(self, moment: datetime) -> None:
        self._now = moment
        self._shown.set(moment)

    def __call__(self) -> datetime:
        return self._now

    def pass_by(self, **time: float) -> None:
        self.now += timedelta(**time)


class Box:
    """Be one person's calendar program: it speaks HTTP and edits text, and asks Accord nothing."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._web = account.client()

    def close(self) -> None:
        self._web.close()

    def texts(self, collection: str = "") -> dict[str, str]:
        """Return everything in a collection (the calendar) by address, lines unfolded."""
        url = collection or self.account.calendar
        answer = self._web.request(
            "PROPFIND", url, content=_WHICH, headers={"Depth": "1", "Content-Type": "text/xml"}
        ).raise_for_status()
        own = httpx2.URL(url).path
        hrefs = [href for href in _HREF.findall(answer.text) if httpx2.URL(href).path != own]
        texts = {href: self._web.get(self._url(href)).raise_for_status().text for href in hrefs}
        return {href: _unfolded(text) for href, text in texts.items()}

    def collections(self) -> dict[str, str]:
        """Return the addresses of all calendars and address books by what they are called."""
        places = (self.account.calendar, self.account.contacts)
        headers = {"Depth": "1", "Content-Type": "text/xml"}
        found: dict[str, str] = {}
        for home in {str(httpx2.URL(place).join("../")) for place in places}:
            answer = self._web.request("PROPFIND", home, content=_CALLED, headers=headers)
            named = _NAMED.findall(answer.raise_for_status().text)
            found |= {name: self._url(href) for href, name in named}
        return found

    def all(self, title: str, collection: str = "") -> dict[str, str]:
        """Return the entries with a title."""
        wanted = re.compile(rf"^(SUMMARY|FN)[^:\r\n]*:{re.escape(title)}\r?$", re.MULTILINE)
        return {h: t for h, t in self.texts(collection).items() if wanted.search(t)}

    def titles(self, collection: str = "") -> list[str]:
        """Return the title of every entry, in order."""
        return sorted(
            value(t, "SUMMARY") or value(t, "FN") for t in self.texts(collection).values()
        )

    def text(self, title: str, collection: str = "") -> str:
        """Return the one entry with a title."""
        found = self.all(title, collection)
        assert len(found) == 1, f"{title!r}: {len(found)} entries in the mailbox"
        return next(iter(found.values()))

    def put(self, name: str, text: str, collection: str = "") -> str:
        """Store a text under a file name and return its address."""
        url = self._url(name) if name.startswith("/") else (collection or self._calendar) + name
        kind = "text/vcard" if "BEGIN:VCARD" in text else "text/calendar"
        headers = {"Content-Type": f"{kind}; charset=utf-8"}
        self._web.put(url, content=text.encode(), headers=headers).raise_for_status()
        return httpx2.URL(url).path

    def edit(self, title: str, collection: str = "", /, **properties: str) -> None:
        """Write properties into the entry with a title, replacing what is there."""
        ((href, text),) = self.all(title, collection).items()
        for name, content in properties.items():
            text = _with(text, name.replace("_", "-"), content)
        self.put(href, text)

    def rewrite(self, title: str, old: str, new: str, collection: str = "") -> None:
        """Replace a piece of the entry with a title."""
        ((href, text),) = self.all(title, collection).items()
        assert old in text, text
        self.put(href, text.replace(old, new))

    def delete(self, title: str, collection: str = "") -> None:
        """Delete the entry with a title."""
        ((href, _),) = self.all(title, collection).items()
        self._web.delete(self._url(href)).raise_for_status()

    def make_anew(self) -> None:
        """Delete the whole calendar and make an empty one in its place."""
        self._web.delete(self._calendar).raise_for_status()
        self._web.request("MKCALENDAR", self._calendar).raise_for_status()

    @property
    def _calendar(self) -> str:
        return self.account.calendar

    def _url(self, href: str) -> str:
        return str(httpx2.URL(self.account.calendar).join(href))


class Stage:
    """Hold both sides: Accord with a link per person and kind, everybody's desk and mailbox.

    `allowed` counts the mails that people sent themselves, or that a rule lets go out.
    """

    allowed = 0

    def __init__(
        self,
        folder: Path,
        accounts: Mapping[str, Account],
        databases: Databases,
        *,
        kinds: Sequence[str] = ("event",),
        rules: Mapping[str, str] | None = None,
        zones: Mapping[str, str] | None = None,
        unnamed: Sequence[str] = (),
        split: bool = False,
    ) -> None:
        self.folder, self.accounts, self.kinds = folder, accounts, tuple(kinds)
        self.rules = RULES | dict(rules or {})
        self.clock = Clock(folder / "clock")
        self.proxy = Proxy(next(iter(accounts.values())).url)
        self.boxes = {name: Box(account) for name, account in accounts.items()}
        self.desks: dict[str, Desk] = {}
        self.zones = dict(zones or {})
        self._unnamed = tuple(unnamed)
        self._databases = databases
        self._state, self._records = databases.url("accord"), databases.url("crm")
        self.machine: Elsewhere | None = None
        if split:
            self.machine = Elsewhere(
                folder / "crm",
                database=databases.url("there"),
                records=self._records,
                clock=self.clock.file,
            )
        self.accord: Accord
        self.config: Config

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        (self.folder / "password").write_text(PASSWORD, encoding="utf-8")
        if self.machine is not None:
            self.machine.start()
            self.machine.write_key(self.folder)
        self.open()
        for name in self.accounts:
            self.people.add_user(
                name,
                self.address(name),
                display_name=name.title(),
                time_zone=self.zones.get(name, BERLIN),
            )
        self.bring_in()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for box in self.boxes.values():
            box.close()
        self.shut()
        if self.machine is not None:
            self.machine.close()
        self.proxy.__exit__(kind, error, at)

    def open(self) -> None:
        """Start Accord on what lies in the folder, made where it isn't there.

        Where the CRM is on another machine, Accord reaches it by HTTP and by nothing else; the
        people who work with the CRM do that there.
        """
        records = self.machine.crm if self.machine else f"database:{self._records}"
        made = init(self.folder, database=self._state, crm=records, force=True)
        self.config = made.config
        self.accord = open_accord(made.config, self.clock)
        crm: object = self.accord.crm
        if self.machine is not None:
            assert isinstance(crm, SyncmlCrm)
            crm = DatabaseCrm(open_database(self._records), clock=self.clock)
        assert isinstance(crm, DatabaseCrm)
        self.people = Administration(crm)
        self.desks = {name: Desk(self.people, name) for name in self.accounts}

    def shut(self) -> None:
        """Let go of everything that `open` opened."""
        self.accord.close()
        self.people.crm.close()

    def bring_in(self, rules: Mapping[str, str] | None = None) -> None:
        """Import target, links and rules, with other rules where they are given."""
        self.rules |= dict(rules or {})
        outcome = import_(self.accord, self._text(), "story.toml", folder=self.folder)
        for name in outcome.drafts:
            activate(self.accord, name)

    def lose_state(self) -> None:
        """Lose Accord's own database, as a new installation does, and begin anew."""
        self.shut()
        self._state = self._databases.url("accord")
        self.open()
        self.bring_in()

    def address(self, name: str) -> str:
        """Return a person's address."""
        account = self.accounts[name]
        return account.address or f"{account.user}@example.test"

    def links(self, *names: str) -> list[Link]:
        """Return the links of these names, or all."""
        with self.accord.state.read() as tx:
            return [link for link in tx.links.all() if not names or link.name in names]

    def sync(self, *names: str, full: bool = False) -> list[Report]:
        """Synchronize and require that nothing went wrong."""
        reports = self.attempt(*names, full=full)
        wrong = [f"{r.name}: {r.error}" for r in reports if r.error]
        wrong += [f"{r.name}: {r.failed} failed" for r in reports if r.failed]
        assert not wrong, (wrong, [step for r in reports if r.plan for step in r.plan.steps])
        return reports

    def attempt(self, *names: str, full: bool = False) -> list[Report]:
        """Synchronize, whatever comes of it."""
        return sync(self.accord, self.links(*names), Options(full=full))

    def plan(self, *names: str) -> list[Report]:
        """Return what would be done."""
        return preview(self.accord, self.links(*names))

    def quiet(self) -> None:
        """Require that a further pass writes nothing on either side."""
        for _ in range(2):
            self.proxy.clear()
            reports = self.sync()
            assert sum(r.writes for r in reports) == 0, steps(reports)
            assert self.written() == 0

    def written(self) -> int:
        """Return how many requests that change something the server got since `proxy.clear`."""
        return sum(self.proxy.counts[method] for method in ("PUT", "DELETE", "POST", "MOVE"))

    def mails(self) -> dict[str, int]:
        """Return how many messages each address has got; nobody, where the server mails none."""
        return {}

    @contextmanager
    def by_hand(self) -> Iterator[None]:
        """Allow what is mailed meanwhile: people do that themselves, and Accord does nothing."""
        before = sum(self.mails().values())
        yield
        self.allowed += sum(self.mails().values()) - before

    def events(self, name: str) -> list[Event]:
        """Return a user's appointments in the CRM."""
        found = (s.item for s in self.people.list(name, Kind.EVENT))
        return [item for item in found if isinstance(item, Event)]

    def event(self, name: str, title: str) -> Event:
        """Return the one appointment with a title in a user's scope."""
        (found,) = (event for event in self.events(name) if event.title == title)
        return found

    def _text(self) -> str:
        lines = [
            "[[target]]", 'name = "mailboxes"', 'adapter = "dav"', f'url = "{self.proxy.url}"',
            'user = "{local}"', 'password = { file = "password" }',
        ]  # fmt: skip
        for name, account in self.accounts.items():
            for kind in self.kinds:
                place = {"task": account.tasks, "contact": account.contacts}
                path = httpx2.URL(place.get(kind, account.calendar)).path
                lines += ["[[link]]", 'target = "mailboxes"', f'user = "{name}"']
                lines += [f'kind = "{kind}"', f'name = "{name}-{kind}"', 'mode = "active"']
                lines += [f'folder = "{path}"'] if kind not in self._unnamed else []
        for kind in self.kinds:
            lines += ["[[rule]]", f'name = "{_NAMES[kind]}"', f'kind = "{kind}"', self.rules[kind]]
        return "\n".join(lines) + "\n"


def steps(reports: Iterable[Report]) -> list[str]:
    """Return all planned steps in words."""
    plans = [report.plan for report in reports if report.plan]
    return [f"{type(s).__name__}: {s.why}" for plan in plans for s in plan.steps]


def meeting(title: str, hours: float = 10, **more: Any) -> Event:
    """Return an appointment in Berlin, so many hours after Monday's first."""
    begin = MONDAY + timedelta(hours=hours)
    usual: dict[str, Any] = {"time_zone": BERLIN, "start": begin, "end": begin + timedelta(hours=1)}
    return Event(title=title, **(usual | more))


def entry(title: str, hours: float = 10, *more: str, uid: str = "") -> str:
    """Return a calendar entry in Berlin as a calendar program writes it."""
    begin = MONDAY + timedelta(hours=hours)
    times = (f"DTSTART;TZID={BERLIN}:{_at(begin)}", f"DTEND;TZID={BERLIN}:{_at(begin, 1)}")
    return bare_entry(title, *times, *more, uid=uid)


def bare_entry(title: str, *lines: str, uid: str = "") -> str:
    """Return a calendar entry with these lines and no others."""
    uid = uid or f"{title.casefold().replace(' ', '-')}@hand"
    head = (f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{title}")
    return calendar("BEGIN:VEVENT", *head, *lines, "END:VEVENT")


def calendar(*lines: str) -> str:
    """Return a calendar object around content lines."""
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Hand//EN")
    return "\r\n".join((*head, *lines, "END:VCALENDAR", ""))


def value(text: str, name: str) -> str:
    """Return the value of the main entry's first property of that name, without parameters."""
    return re.sub(r'^[^":]*(?:"[^"]*"[^":]*)*:', "", line(text, name), count=1)


def line(text: str, name: str) -> str:
    """Return the main entry's whole first property of that name."""
    begin = re.search(r"^BEGIN:(VEVENT|VTODO|VCARD)\r$", text, re.MULTILINE)
    assert begin is not None, text
    found = re.search(rf"^{name}[;:].*?\r?$", text[begin.start() :], re.MULTILINE)
    return found.group(0).rstrip("\r") if found else ""


def _at(moment: datetime, hours: int = 0) -> str:
    return f"{moment + timedelta(hours=hours):%Y%m%dT%H%M%S}"


def _unfolded(text: str) -> str:
    return re.sub(r"\r?\n[ \t]", "", text).replace("\r\n", "\n").replace("\n", "\r\n")


def _with(text: str, name: str, content: str) -> str:
    """Return a text with one property of its main entry replaced, or added at the entry's end."""
    begin = re.search(r"^BEGIN:(VEVENT|VTODO|VCARD)\r\n", text, re.MULTILINE)
    assert begin is not None
    start = begin.start()
    stop = text.index(f"END:{begin.group(1)}", start)
    body = text[start:stop]
    old = re.search(rf"^{name}[;:].*\r\n", body, re.MULTILINE)
    new = f"{name}:{content}\r\n"
    body = body[: old.start()] + new + body[old.end() :] if old else body + new
    return text[:start] + body + text[stop:]
