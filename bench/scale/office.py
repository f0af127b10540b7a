"""An installation under load: mailboxes, links, and `accord run` in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from accord.crm.database import DatabaseCrm
from accord.crm.database.users import Changes, put_user
from accord.db import Tx
from accord.model.kinds import Kind
from accord.sandbox.exchange.roll import Person
from accord.sandbox.process import until
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.init import DATABASE, init
from accord.service.transfer import import_
from bench.scale.hands import PASSWORD
from bench.scale.stand_in import ROBOT, Slow
from bench.scale.usage import Process

_TOLD = ("held", "conflicts", "clashes", "failed", "unreadable")
KINDS = (Kind.EVENT, Kind.TASK, Kind.CONTACT)
PATIENCE = 3600.0
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


class Office:
    """Hold the stand-in and where Accord is installed; `settings` are the table `[run]`.

    Mailboxes that are not `streamed` are looked at by the clock alone.
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
        log = self.folder / f"{name}.log"
        with log.open("wb") as out, log.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err)
        service = Service(process, log)
        try:
            yield service
        finally:
            service.end()

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
    """Be one process of `accord run`, and what it said."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process, self._log = process, log
        self._read = 0
        self._rest = b""
        self.usage = Process(process.pid)
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

    def listen(self) -> None:
        """Read what it said since. Raises RuntimeError where it has ended."""
        with self._log.open("rb") as file:
            file.seek(self._read)
            text = self._rest + file.read()
            self._read = file.tell()
        *lines, self._rest = text.split(b"\n")
        for line in lines:
            self._take(msgspec.json.decode(line))
        if self._process.poll() is not None:
            words = self._log.with_suffix(".err").read_text(encoding="utf-8")
            raise RuntimeError(f"accord run ended with {self._process.returncode}: {words[-4000:]}")

    def until_streamed(self, mailboxes: int) -> None:
        """Wait until so many mailboxes are watched by streams."""

        def all_streamed() -> bool:
            self.listen()
            return len(self.streamed) >= mailboxes

        if not until(all_streamed, PATIENCE):
            raise RuntimeError(f"only {len(self.streamed)} of {mailboxes} mailboxes are streamed")

    def _take(self, said: dict[str, object]) -> None:
        if "running" in said:
            self.running = bool(said["running"])
        elif "way" in said:
            keep = self.streamed.add if said["way"] == "streaming" else self.streamed.discard
            keep(str(said["principal"]))
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


def address(user: str) -> str:
    """Return the address of a user's mailbox."""
    return f"{user}@example.test"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
