"""How soon a change is on the other side, with `accord run` watching 200 mailboxes by one stream.

The stand-in Exchange is in this process and sees each request as it comes; `accord run` is a
process of its own, as installed. Changes are made one after the other in mailboxes and CRM users
taken in turn, on either side by turns.
"""

from __future__ import annotations

import base64
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import quantiles

import msgspec
import uvicorn

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.sandbox.exchange.server import PATH, Exchange
from accord.sandbox.process import HOST, free_port, until
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.service.init import init
from accord.service.run import LOOK
from accord.service.transfer import import_
from bench.figures import Figures
from bench.rows import Rows

ROBOT = "robot@example.test"
_TARGET = """\
[[target]]
name = "mailboxes"
adapter = "exchange"
url = "{url}"
auth = "basic"
user = "{robot}"
password = {{ file = "password" }}
time_zone = "Europe/Berlin"

[[rule]]
name = "events"
kind = "event"
scope = "all"
"""
_LINK = """
[[link]]
user = "{user}"
target = "mailboxes"
principal = "{user}@example.test"
kinds = ["event"]
rule = "events"
mode = "active"
"""
_CREATE = """\
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"
 xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header>
 <t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body>
 <m:CreateItem SendMeetingInvitations="SendToNone"><m:Items><t:CalendarItem>
 <t:Subject>{title}</t:Subject><t:Start>2030-01-07T{hour:02}:00:00Z</t:Start>
 <t:End>2030-01-07T{hour:02}:30:00Z</t:End></t:CalendarItem></m:Items></m:CreateItem>
 </s:Body></s:Envelope>"""
_PATIENCE = 600.0
_FEW = 20


def run(work: Path, rows: Rows, *, mailboxes: int, changes: int) -> dict[str, float]:
    """Measure, note the rows and return the goals' figures."""
    with _Office(work, mailboxes) as office:
        # What threads and their connections need is the same from here on.
        few = office.idle_memory(_FEW)
        began = time.monotonic()
        with office.service(mailboxes) as pid:
            idle = _resident(pid)
            _note(rows, f"accord run: {mailboxes} mailboxes watched", began, pid)
            inbound, outbound = office.play(changes)
            _note(rows, f"accord run: after {changes} changes", began, pid)
    each = max(idle - few, 0.0) / max(mailboxes - _FEW, 1)
    return {
        **_quantiles("Exchange → CRM", inbound),
        **_quantiles("CRM → Exchange", outbound),
        f"MB of a service that watches {_FEW} mailboxes": few / 1e6,
        "kB per further watched idle mailbox (goal: at most 100)": each / 1000,
    }


class _Office:
    """Hold the stand-in, the CRM's people and where Accord is installed."""

    def __init__(self, work: Path, mailboxes: int) -> None:
        self._work = work
        self.users = [f"user{number:03}" for number in range(mailboxes)]
        self._came: dict[str, float] = {}
        self._pending = ""
        self._changed = threading.Condition()
        self.exchange = Exchange(witness=self._see)

    def __enter__(self) -> _Office:
        people = self.exchange.people
        people.add(ROBOT, "secret", impersonates=True)
        for user in self.users:
            people.add(f"{user}@example.test", "secret")
        port = free_port()
        config = uvicorn.Config(self.exchange.app, HOST, port, log_level="error")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        until(lambda: self._server.started, 20)
        self.url = f"http://{HOST}:{port}{PATH}"
        self._install()
        return self

    def __exit__(self, *_: object) -> None:
        self._accord.close()
        self._server.should_exit = True
        self.exchange.notices.sever(ever=True)
        self._thread.join()
        self.exchange.close()

    def idle_memory(self, mailboxes: int) -> float:
        """Return the resident bytes of a service that watches so many."""
        with self.service(mailboxes) as pid:
            return _resident(pid)

    @contextmanager
    def service(self, mailboxes: int) -> Iterator[int]:
        """Let `accord run` watch the first mailboxes, yield its process once all is quiet."""
        self._pause(mailboxes)
        script = Path(sys.executable).parent / "accord"
        command = [str(script), "--config", str(self._work / "accord.toml"), "run", "--json"]
        log = self._work / "run.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        try:
            watched = until(lambda: _watched(log) >= mailboxes, _PATIENCE)
            if not watched or not until(lambda: _quiet(log), _PATIENCE):
                raise RuntimeError(f"accord run: {log.read_text()[-4000:]}")
            # What visits took goes back to the system when it looks around the next time.
            time.sleep(2 * LOOK)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_PATIENCE)

    def play(self, changes: int) -> tuple[list[float], list[float]]:
        """Make changes by turns on either side; return seconds until each is on the other."""
        into, out = list[float](), list[float]()
        chance = random.Random(7)
        crm = self._accord.crm
        assert isinstance(crm, DatabaseCrm)
        position = crm.hints("")[1]
        for number in range(changes):
            user = chance.choice(self.users)
            title = f"change-{number:04}"
            if number % 2:
                out.append(self._outbound(crm, user, title))
                position = crm.hints("")[1]
            else:
                seconds, position = self._inbound(crm, user, title, position)
                into.append(seconds)
        return into, out

    def _inbound(self, crm: DatabaseCrm, user: str, title: str, position: str) -> tuple[float, str]:
        began = time.monotonic()
        self._write(user, title)
        while time.monotonic() - began < _PATIENCE:
            hints, position = crm.hints(position)
            came = time.monotonic() - began
            if any(user in hint.principals for hint in hints) and title in _titles(crm, user):
                return came, position
            time.sleep(0.01)
        raise RuntimeError(f"{title} never came into the CRM")

    def _outbound(self, crm: DatabaseCrm, user: str, title: str) -> float:
        start, end = datetime(2030, 1, 8, 9), datetime(2030, 1, 8, 10)
        event = Event(title=title, start=start, end=end, time_zone="Europe/Berlin")
        began = time.monotonic()
        Administration(crm).put(user, event)
        with self._changed:
            if not self._changed.wait_for(lambda: title in self._came, _PATIENCE):
                raise RuntimeError(f"{title} never came into the mailbox")
        return self._came.pop(title) - began

    def _write(self, user: str, title: str) -> None:
        login = base64.b64encode(f"{user}@example.test:secret".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "text/xml; charset=utf-8"}
        text = _CREATE.format(title=title, hour=9 + int(title[-1])).encode()
        request = urllib.request.Request(self.url, text, headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_PATIENCE) as answer:
            if b"NoError" not in answer.read():
                raise RuntimeError(f"{title} was refused")

    def _see(self, which: str, text: bytes) -> None:
        """Note when the request with which Accord creates an entry has been answered."""
        if which == "request" and b"CreateItem" in text and b"AccordKey" in text:
            found = text.find(b"change-")
            self._pending = text[found : found + 11].decode() if found >= 0 else ""
        elif which == "answer" and b"CreateItemResponse" in text and self._pending:
            with self._changed:
                self._came[self._pending] = time.monotonic()
                self._changed.notify_all()
            self._pending = ""

    def _install(self) -> None:
        (self._work / "password").write_text("secret", encoding="utf-8")
        self._accord: Accord = open_accord(init(self._work).config)
        crm = self._accord.crm
        assert isinstance(crm, DatabaseCrm)
        text = _TARGET.format(url=self.url, robot=ROBOT)
        for user in self.users:
            Administration(crm).add_user(user, f"{user}@example.test")
            text += _LINK.format(user=user)
        import_(self._accord, text, "bench.toml", folder=self._work)
        load(self._work / "accord.toml", {}, self._work)

    def _pause(self, mailboxes: int) -> None:
        with self._accord.state.begin() as tx:
            for number, link in enumerate(sorted(tx.links.all(), key=lambda each: each.user)):
                tx.links.pause(link.id, number >= mailboxes)


def _titles(crm: DatabaseCrm, user: str) -> list[str]:
    found = Administration(crm).list(user, Kind.EVENT)
    return [each.item.title for each in found if isinstance(each.item, Event)]


def _watched(log: Path) -> int:
    rows = [line for line in log.read_bytes().splitlines() if b'"way":"streaming"' in line]
    return len({msgspec.json.decode(line)["principal"] for line in rows})


def _quiet(log: Path) -> bool:
    """Tell whether nothing was visited for some seconds."""
    before = log.stat().st_size
    time.sleep(3.0)
    return log.stat().st_size == before


def _resident(pid: int, which: str = "VmRSS:") -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(which):
            return float(line.split()[1]) * 1024
    raise RuntimeError("the system doesn't tell how much memory a process has")


def _note(rows: Rows, what: str, began: float, pid: int) -> None:
    ticks = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
    mib = _resident(pid, "VmHWM:") / 1024 / 1024
    rows.note(Figures(what, time.monotonic() - began, cpu, mib))


def _quantiles(what: str, seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cut = quantiles(seconds, n=100, method="inclusive")
    return {
        f"{what}, seconds, p50": cut[49],
        f"{what}, seconds, p95 (goal: at most 2)": cut[94],
    }
