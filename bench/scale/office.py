"""An installation under load: mailboxes, links, and `accord run` in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from accord.crm.database import DatabaseCrm
from accord.crm.database.users import Changes, put_user
from accord.db import Tx
from accord.model.kinds import Kind
from accord.ports.queue import Queue, Stage
from accord.sandbox.exchange.roll import Person
from accord.sandbox.process import until
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord, open_queue
from accord.service.init import DATABASE, init
from accord.service.transfer import import_
from bench.scale.hands import PASSWORD
from bench.scale.stand_in import ROBOT, Slow
from bench.scale.usage import Line

_TOLD = ("held", "conflicts", "clashes", "failed", "unreadable")
KINDS = (Kind.EVENT, Kind.TASK, Kind.CONTACT)
PATIENCE = 3600.0
PAUSE = 1.0
"""Seconds after which a service manager starts what has ended."""

NEVER = 604_800
"""The longest interval there is: a week."""

_TARGET = """\
[[target]]
name = "mailboxes"
adapter = "exchange"
url = "{url}"
auth = "basic"
user = "{robot}"
password = {{ file = "password" }}
time_zone = "Europe/Berlin"
notifications = "{notifications}"
"""
# Links of a kind use the rule of this name. A day's deletions and changes within minutes are what
# the guard is there to hold.
_RULE = """
[[rule]]
name = "{kind}s"
kind = "{kind}"
direction = "both"
scope = "all"

[rule.guard]
deletes = 1000000
share = 1.0
updates = 1000000
target = 1000000
target_updates = 1000000
emptied = 1000
"""
_LINKS = """
[[link]]
users = [{users}]
target = "mailboxes"
kinds = [{kinds}]
mode = "active"
"""


class Gate:
    """Let many pass at once, and nobody while it is shut."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._inside, self._shut = 0, False

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Pass when it is open, and keep it from being shut until the end."""
        with self._turn:
            self._turn.wait_for(lambda: not self._shut)
            self._inside += 1
        try:
            yield
        finally:
            with self._turn:
                self._inside -= 1
                self._turn.notify_all()

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Shut it, when all who passed have left, until the end."""
        with self._turn:
            self._shut = True
            self._turn.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            with self._turn:
                self._shut = False
                self._turn.notify_all()


class Office:
    """Hold the stand-in and where Accord is installed; `settings` are the table `[run]`.

    Mailboxes that are not `streamed` are looked at by the clock alone. Whoever works in the CRM
    passes the `gate`.
    """

    def __init__(
        self,
        folder: Path,
        mailboxes: int,
        *,
        latency: tuple[float, float],
        settings: Mapping[str, float],
        database: str = DATABASE,
        kinds: Sequence[Kind] = KINDS,
        streamed: bool = True,
    ) -> None:
        self.folder = folder / "accord"
        self.gate = Gate()
        self.users = [f"user{number:05}" for number in range(mailboxes)]
        self.kinds = tuple(kinds)
        self._settings, self._database = settings, database
        self._notifications = "auto" if streamed else "poll"
        people = [Person(address=address(user), password=PASSWORD) for user in self.users]
        self.exchange = Slow(people, folder / "exchange", latency)

    def __enter__(self) -> Office:
        self.exchange.start()
        self._install()
        return self

    def __exit__(self, *_: object) -> None:
        self.queue.close()
        self.accord.close()
        self.exchange.close()

    @property
    def crm(self) -> DatabaseCrm:
        assert isinstance(self.accord.crm, DatabaseCrm)
        return self.accord.crm

    @contextmanager
    def service(self, *words: str, name: str = "run") -> Iterator[Service]:
        """Let `accord run` work; it is ended as a service manager ends it."""
        script = Path(sys.executable).parent / "accord"
        config = str(self.folder / "accord.toml")
        command = [str(script), "--config", config, "run", *words, "--json"]
        service = Service(command, self.folder / f"{name}.log")
        try:
            yield service
        finally:
            service.end()

    def links(self, stage: Stage) -> list[str]:
        """Return the links whose folders are at a stage of the queue."""
        parts = [each.folder.split("/") for each in self.queue.entries(stage)]
        return [f"{principal.partition('@')[0]}-{kind}" for _, principal, kind, *_ in parts]

    @property
    def stored(self) -> int:
        """Return the bytes of Accord's files on SQLite."""
        return sum(each.stat().st_size for each in self.folder.glob("*.db*"))

    def _install(self) -> None:
        made = init(self.folder, database=self._database)
        (self.folder / "password").write_text(str(ROBOT.password), encoding="utf-8")
        lines = [f"{name} = {value}" for name, value in self._settings.items()]
        with made.file.open("a", encoding="utf-8") as file:
            file.write("\n".join(["\n[run]", *lines, ""]))
        self.accord: Accord = open_accord(made.config)
        self.queue: Queue = open_queue(made.config)
        self.crm.store.run(self._hire)
        target = {"url": self.exchange.url, "robot": ROBOT.address}
        text = [_TARGET.format(**target, notifications=self._notifications)]
        text += [_RULE.format(kind=kind) for kind in self.kinds]
        text.append(_LINKS.format(users=_quoted(self.users), kinds=_quoted(self.kinds)))
        import_(self.accord, "".join(text), "scale.toml", folder=self.folder)

    def _hire(self, tx: Tx) -> None:
        """Make all users at once: one by one takes the longer the more there are."""
        for user in self.users:
            put_user(tx, self.crm.store, user, Changes(addresses=(address(user),)))


class Service:
    """Be one process of `accord run`, and what it said; another takes its place where it is `kept`.

    `steps` are the moments at which it was heard of work that succeeded, and `ends` how often it
    ended by itself, by the code.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self._log = command, log
        self._process = self._started()
        self._read = 0
        self._rest = b""
        self._killed = False
        self._ended: float | None = None
        self.kept = False
        self.usage = Line(self.pid)
        self.steps: list[float] = []
        self.ends: dict[int, int] = {}
        self.streamed: set[str] = set()
        self.visited: set[str] = set()
        self.visits = 0
        self.errors: dict[str, int] = {}
        self.told = Counter[str]()
        self.running = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self) -> None:
        """Let it end in good order."""
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGCONT)
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE)

    def kill(self) -> bool:
        """Kill it in the middle of whatever it does; tell whether it was there to be killed."""
        if self._process.poll() is not None:
            return False
        self._killed = True
        self._process.kill()
        return True

    def listen(self) -> None:
        """Read what it said since, and keep it where it is kept.

        Raises RuntimeError where it has ended and is not.
        """
        self.usage.look()
        ended = self._process.poll()
        with self._log.open("rb") as file:
            file.seek(self._read)
            text = self._rest + file.read()
            self._read = file.tell()
        *lines, self._rest = text.split(b"\n")
        for line in lines:
            self._take(msgspec.json.decode(line))
        if ended is None:
            return
        if not self.kept:
            words = self._log.with_suffix(".err").read_text(encoding="utf-8")
            raise RuntimeError(f"accord run ended with {ended}: {words[-4000:]}")
        self._keep(ended)

    def until_streamed(self, mailboxes: int) -> None:
        """Wait until so many mailboxes are watched by streams."""

        def all_streamed() -> bool:
            self.listen()
            return len(self.streamed) >= mailboxes

        if not until(all_streamed, PATIENCE):
            raise RuntimeError(f"only {len(self.streamed)} of {mailboxes} mailboxes are streamed")

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as out, self._log.with_suffix(".err").open("ab") as err:
            return subprocess.Popen(self._command, stdout=out, stderr=err)

    def _keep(self, code: int) -> None:
        """Start another in the place of one that has ended, a while after."""
        now = time.monotonic()
        if self._ended is None:
            self._ended = now
            self._rest = b""  # it was killed in the middle of a line
            self.streamed.clear()
            self.running = False
            if not self._killed:
                self.ends[code] = self.ends.get(code, 0) + 1
        elif now - self._ended >= PAUSE:
            self._ended, self._killed = None, False
            self._process = self._started()
            self.usage.follow(self.pid)

    def _take(self, said: dict[str, object]) -> None:
        if "running" in said:
            self.running = bool(said["running"])
        elif "way" in said:
            streaming = said["way"] == "streaming"
            keep = self.streamed.add if streaming else self.streamed.discard
            keep(str(said["principal"]))
            if streaming:
                self.steps.append(time.monotonic())
        elif "link" in said and not said.get("busy"):
            self.visits += 1
            self.visited.add(str(said["link"]))
            for what in _TOLD:
                count = said.get(what, 0)
                assert isinstance(count, int)
                self.told[what] += count
            if said.get("error"):
                why = str(said["error"])[:200]
                self.errors[why] = self.errors.get(why, 0) + 1
            else:
                self.steps.append(time.monotonic())


def address(user: str) -> str:
    """Return the address of a user's mailbox."""
    return f"{user}@example.test"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
