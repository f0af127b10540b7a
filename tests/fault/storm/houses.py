"""Houses: installations of Accord at work, in each of the ways to run it, with people in them.

`postgres` has listeners and workers that share a PostgreSQL, `sqlite` one process, `split` one
process whose CRM is behind CRM.interface. `machines` has a worker as if on another machine. Between
the parts are wires; the hands go around them.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from msgspec.structs import replace
from sqlalchemy import make_url

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.ports.queue import Stage
from accord.sandbox.exchange.roll import Person
from accord.sandbox.postgres import Postgres, fresh_database
from accord.sandbox.process import HOST, until
from accord.sandbox.radicale import Radicale
from accord.sandbox.wire import Wire
from accord.service.bootstrap import open_accord, open_queue
from accord.service.config import Config
from accord.service.init import init
from accord.service.opening import Options
from accord.service.sync import sync
from accord.service.transfer import import_
from accord.state.leases import FOLDER
from tests.authority import SECRET
from tests.elsewhere import Elsewhere
from tests.fault.hands import Hands
from tests.fault.mailboxes import WORD, DavMailbox, ExchangeMailbox, Mailbox
from tests.fault.reckoning import compare, open_intents
from tests.fault.storm.company import Company
from tests.fault.storm.keeper import Keeper, environment
from tests.fault.storm.weather import Weather

COMPANY, CALENDARS, DATABASE, INTERFACE = "Exchange", "CalDAV", "database", "CRM.interface"
"""Where the wires lead to."""

AWAY = "database, from another machine"
"""The wire to it that only one worker goes by."""

_PARTS = {
    "postgres": ("listener", "listener", "worker", "worker"),
    "sqlite": ("",),
    "split": ("",),
    "machines": ("listener", "worker"),
}
HOUSES = tuple(_PARTS)
_SHARED = ("postgres", "machines")

_PEOPLE = {
    "postgres": {"anna": COMPANY, "bert": COMPANY, "dora": CALENDARS},
    "sqlite": {"anna": COMPANY, "dora": CALENDARS},
    "split": {"anna": COMPANY},
    "machines": {"anna": COMPANY, "bert": COMPANY, "dora": CALENDARS},
}
_TEXT = """\
[[target]]
name = "Exchange"
{company}

[[target]]
name = "CalDAV"
adapter = "dav"
url = "http://{host}:{calendars}/"
user = "dora"
password = {{ file = "password" }}
calendar = "calendar"
timeout = 10

[[rule]]
name = "events"
kind = "event"
scope = "all"

[rule.guard]
deletes = 100000
target = 100000
target_updates = 100000
share = 1.0
"""
_LINK = """
[[link]]
name = "{name}"
target = "{target}"
user = "{name}"
kind = "event"
rule = "events"
mode = "active"
"""
_RUN = """
[run]
interval = 5
poll = 2
feed = 0.2
workers = 2
"""
_DISK = 64 * 2**20
_STOCK = 10
_LINES = 20
"""How many of a log's last lines tell what a process is about."""


class House:
    """Be one installation at work; a context manager."""

    def __init__(self, name: str, seed: int) -> None:
        """Plan it; nothing runs yet."""
        self.name = name
        self.dice = random.Random(seed)
        self.wires: dict[str, Wire] = {}
        self.weather: dict[str, Weather] = {}
        self.people: list[Hands] = []
        self.keepers: list[Keeper] = []
        self.postgres: Postgres | None = None
        self.machine: Elsewhere | None = None
        self.still = threading.Lock()
        """Held while a hand does something, and by who kills what the hands work on."""
        self._stack = ExitStack()
        self._editing = threading.Event()
        self._over = threading.Event()
        self._trouble: list[BaseException] = []
        self.taken: dict[str, int] = {}
        """The folders, with their fences, that were to be taken over by others."""

        self.amiss: list[str] = []
        """What else went wrong since somebody asked for faults."""

    def __enter__(self) -> Self:
        with self._stack:
            self._furnish()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            self._over.set()

    # building

    def _furnish(self) -> None:
        hold = self._stack.enter_context
        self.folder = Path(hold(tempfile.TemporaryDirectory(prefix="accord-storm-")))
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.home = self.folder / "home"
        self.home.mkdir()
        self._disk()
        self.company = hold(Company([_person(n) for n in _PEOPLE[self.name]], WORD))
        self.calendars = hold(Radicale({"dora": WORD}))
        self._wire(COMPANY, self.company.port, self.company.url)
        self._wire(CALENDARS, self.calendars.port, self.calendars.url)
        database, seen = self._database()
        config = self._installed(database)
        self.accord = open_accord(replace(config, database=seen))
        self._stack.callback(self.accord.close)
        self.queue = hold(closing(open_queue(replace(config, database=seen))))
        self._settle_in()
        for part in _PARTS[self.name]:
            self._keep(part, self.home)
        if self.name == "machines":
            assert self.postgres is not None
            self._keep("worker", self.home, self._through(AWAY, self.postgres, seen))
        thread = threading.Thread(target=self._edit, name="hands", daemon=True)
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(self._over.set)

    def _keep(self, part: str, folder: Path, elsewhere: str = "") -> None:
        keeper = Keeper(part, folder, self.logs, len(self.keepers), elsewhere)
        self.keepers.append(keeper)
        self._stack.callback(keeper.kill)
        self._stack.callback(keeper.close)
        keeper.start()

    def _disk(self) -> None:
        """Give the installation a small disk of its own, where we may."""
        self.small = False
        if self.name == "sqlite" and os.geteuid() == 0:
            command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(self.home)]
            self.small = subprocess.run(command, capture_output=True, check=False).returncode == 0
            if self.small:
                undo = ["umount", "--lazy", str(self.home)]
                self._stack.callback(subprocess.run, undo, capture_output=True, check=False)

    def _wire(self, name: str, port: int, url: str = "") -> int:
        self.wires[name] = self._stack.enter_context(Wire(port))
        if url:
            self.weather[name] = self._stack.enter_context(Weather(url, self.dice))
        return self.wires[name].port

    def _database(self) -> tuple[str, str]:
        """Return the database's address as the service goes there, and as the hands do."""
        if self.name not in _SHARED:
            there = f"sqlite:///{self.home}/accord.db"
            return there, there
        self.postgres = self._stack.enter_context(Postgres(lasting=True))
        direct = self._stack.enter_context(fresh_database(self.postgres.url))
        return self._through(DATABASE, self.postgres, direct), direct

    def _through(self, wire: str, server: Postgres, url: str) -> str:
        """Lay a wire to the database and return its address there."""
        port = self._wire(wire, server.port)
        return make_url(url).set(port=port).render_as_string(hide_password=False)

    def _installed(self, database: str) -> Config:
        for name, text in (("password", WORD), ("secret", SECRET)):
            (self.home / name).write_text(text, encoding="utf-8")
        crm = "database:"
        if self.name == "split":
            self.machine = Elsewhere(self.folder / "crm")
            self._stack.callback(self.machine.close)
            self.machine.write_key(self.home)
            address = self.machine.address
            _append(self.machine.folder, f'\n[interface]\nlisten = "{address}"\n')
            self._keep("web", self.machine.folder)
            direct = int(address.partition(":")[2])
            port = self._wire(INTERFACE, direct)
            assert until(lambda: _listens(direct), 60)
            crm = self.machine.crm.replace(address, f"{HOST}:{port}")
        config = init(self.home, database=database, crm=crm).config
        _append(self.home, _RUN)
        return config

    def _settle_in(self) -> None:
        there = self.accord if self.machine is None else self.machine.open()
        if self.machine is not None:
            self._stack.callback(there.close)
        assert isinstance(there.crm, DatabaseCrm)
        crm = Administration(there.crm)
        target = self.company.target(self.wires[COMPANY].port)
        text = _TEXT.format(company=target, host=HOST, calendars=self.wires[CALENDARS].port)
        for name, where in _PEOPLE[self.name].items():
            crm.add_user(name, f"{name}@example.com", display_name=name.title())
            text += _LINK.format(name=name, target=where)
            box: Mailbox = DavMailbox(self.calendars, name)
            if where == COMPANY:
                box = ExchangeMailbox(self.company, f"{name}@example.com")
            self._stack.callback(box.close)
            self.people.append(Hands(box, crm, name, self.dice))
            self.people[-1].stock = _STOCK
        import_(self.accord, text, "storm.toml", folder=self.home)

    # at work

    def edit(self) -> None:
        """Let the hands work from now on."""
        self._editing.set()

    def rest(self) -> None:
        """Let the hands rest after a last entry in each mailbox. Raises what happened to them."""
        self._editing.clear()
        with self.still:
            pass
        if self._trouble:
            raise self._trouble[0]
        # Of the last one nobody hears from the CRM.
        for each in self.people:
            each.add_there()

    def _edit(self) -> None:
        dice = random.Random(self.dice.random())
        while not self._over.is_set():
            if not self._editing.wait(0.1):
                continue
            try:
                with self.still:
                    if self._editing.is_set():
                        dice.choice(self.people).edit(1)
            except BaseException as error:  # noqa: BLE001 (it is raised where it is waited for)
                self._trouble.append(error)
                return
            self._over.wait(dice.uniform(0.02, 0.3))

    def settled(self, patience: float) -> float | None:
        """Wait until both sides agree and nothing is open; return when they did, None if never."""
        deadline, pause = time.monotonic() + patience, 0.25
        open_ = list(self.people)
        since = None
        while time.monotonic() < deadline:
            open_ = [each for each in open_ if not _agrees(each)]
            if not open_ and not open_intents(self.accord):
                if since is None:
                    # Whatever is under way may change it once more.
                    since, pause, open_ = time.monotonic(), 1.0, list(self.people)
                else:
                    return since
            elif since is not None and open_:
                since, pause, open_ = None, 0.25, list(self.people)
            time.sleep(pause)
            pause = min(pause * 1.3, 1.0)
        return None

    def reckon(self) -> tuple[list[str], list[str]]:
        """Return what is doubled and what is lost."""
        duplicates: list[str] = []
        losses: list[str] = []
        for hands in self.people:
            twice, lost = compare(self.accord, hands)
            duplicates += [f"{hands.user}: {each}" for each in twice]
            losses += [f"{hands.user}: {each}" for each in lost]
        return duplicates, losses

    def buried(self) -> list[str]:
        """Return what is visited no more, and why."""
        return [f"{each.folder}: {each.why}" for each in self.queue.entries(Stage.BURIED)]

    def faults(self) -> list[str]:
        """Return the faults of Accord's own that were logged since the last time."""
        found, self.amiss = self.amiss, []
        return found + [each for keeper in self.keepers for each in keeper.faults()]

    def folders_of(self, place: str) -> dict[str, int]:
        """Return the folders that a process of some place works on, each with its fence."""
        with self.accord.state.read() as tx:
            standing = tx.leases.standing(FOLDER)
        return {n: each.fence for n, each in standing.items() if each.holder.startswith(place)}

    def left(self, folders: Mapping[str, int]) -> list[str]:
        """Return which of these folders nobody has taken over."""
        with self.accord.state.read() as tx:
            standing = tx.leases.standing(FOLDER)
        return [n for n, fence in folders.items() if n in standing and standing[n].fence == fence]

    def plight(self) -> str:
        """Return how a house stands that came to no agreement, and what was said in it last."""
        apart = [each.user for each in self.people if not _agrees(each)]
        clocks = {f"{each.part or 'all'}-{n}": each.ahead for n, each in enumerate(self.keepers)}
        found = [
            f"apart: {apart}, {open_intents(self.accord)} open intents, clocks ahead: {clocks}"
        ]
        for command in (("status", "--links"), ("queue", "list", "--planned")):
            asked = [sys.executable, "-m", "accord.cli.main", *command]
            with contextlib.suppress(subprocess.TimeoutExpired):
                said = subprocess.run(
                    asked,
                    cwd=self.home,
                    env=environment(),
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=60,
                )
                found.append(f"accord {' '.join(command)}\n{said.stdout}{said.stderr}")
        for log in sorted(self.logs.glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES:]
            found.append("\n".join([log.name, *lines]))
        return "\n\n".join(found)

    def finish(self) -> list[str]:
        """End the service, look at everything once more, and return what was wrong in that."""
        found = [self._ended(keeper) for keeper in self.keepers if keeper.part != "web"]
        with self.accord.state.read() as tx:
            links = tx.links.all()
        for report in sync(self.accord, links, Options(full=True, cause="storm")):
            wrote = f"a last look at {report.name} wrote {report.writes} times"
            found.append(report.error or (wrote if report.writes else ""))
        found += [self._ended(keeper) for keeper in self.keepers if keeper.part == "web"]
        return [each for each in found if each]

    def _ended(self, keeper: Keeper) -> str:
        code = keeper.close()
        return f"{keeper.part or 'all'} ended with {code}" if code else ""

    @property
    def items(self) -> int:
        """Count what the hands made."""
        return sum(len(each.born) for each in self.people)

    @property
    def edits(self) -> int:
        """Count what the hands wrote into places."""
        return sum(len(some) for each in self.people for some in each.places.values())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _append(folder: Path, text: str) -> None:
    with (folder / "accord.toml").open("a", encoding="utf-8") as file:
        file.write(text)


def _agrees(hands: Hands) -> bool:
    records, entries = hands.both()
    return records == entries


def _person(name: str) -> Person:
    return Person(address=f"{name}@example.com", password=WORD)
