"""Several listeners as processes: they divide the mailboxes, and one that is killed is replaced."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from accord.sandbox.process import until
from accord.service import shares
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.state.processes import LIFE
from accord.state.records import Watched
from tests.databases import Databases
from tests.exchange import ROBOT, TARGET, House
from tests.unit.cli.conftest import Run, event
from tests.unit.cli.test_run import SOON, Outlook, running

pytestmark = pytest.mark.waits

TAKEOVER = 30.0
PEOPLE = 8
GROUPS = 4
LINK = """
[[link]]
user = "{user}"
target = "company"
principal = "{person}"
kinds = ["event"]
mode = "active"
"""
RULE = """
[[rule]]
name = "events"
kind = "event"
scope = "all"
"""
LISTENER = f"""
import sys
from accord.cli.main import main
from accord.groupware.exchange import watch_streaming
from accord.service import shares
from accord.state import holder
shares.GROUP = {PEOPLE // GROUPS}
# As if the streams had lasted for a while.
watch_streaming._SETTLED = 1.0
if sys.argv[1] == "elsewhere":
    holder._place = lambda: "another-machine:boot:pid"
sys.exit(main(["run", "listener", "--json"]))
"""


class Listener:
    """An `accord run listener` in a process of its own, on this machine or as if on another."""

    def __init__(self, folder: Path, where: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", LISTENER, where], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        self.rows: list[Any] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.rows.append(json.loads(line))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Listeners:
    """Listeners, and what stands in the database of who hears of whom."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here: list[Listener] = []
        self._accord = open_accord(load(None, {}, folder))

    def start(self, where: str = "here") -> Listener:
        self.here.append(Listener(self.folder, where))
        return self.here[-1]

    def watched(self) -> dict[str, list[Watched]]:
        """Return who is streamed, by the living process that does."""
        with self._accord.state.read() as tx:
            living = {each.name for each in tx.processes.all() if each.silent <= LIFE}
            rows = [each for each in tx.watches.all() if each.way == "streaming"]
        found: dict[str, list[Watched]] = {name: [] for name in living}
        for each in rows:
            if each.process in living:
                found[each.process].append(each)
        return found

    def shared(self, processes: int) -> Callable[[], bool]:
        def so() -> bool:
            counts = sorted(len(each) for each in self.watched().values() if each)
            return len(counts) == processes and sum(counts) == PEOPLE

        return so

    def close(self) -> None:
        for each in self.here:
            if each.process.poll() is None:
                each.kill()
        self._accord.close()


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.fixture
def people(
    run: Run,
    house: House,
    tmp_path: Path,
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """The mailboxes of eight people, whose folders are known by a first visit."""
    found = {f"user{number}": _person(house, number % GROUPS) for number in range(PEOPLE)}
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    run("init", "--database", databases.url())
    for user, person in found.items():
        run("crm", "users", "add", user, "--address", person)
    text = TARGET.format(url=house.url, robot=ROBOT)
    text += "".join(LINK.format(user=user, person=person) for user, person in found.items())
    (tmp_path / "company.toml").write_text(text + RULE)
    run("import", "company.toml")
    run("sync", "--all")
    return found


def _person(house: House, group: int) -> str:
    """Return a new mailbox of a group: by chance one listener might have everybody."""
    while True:
        person = house.person()
        if shares._group(person, GROUPS) == group:
            return person


@contextmanager
def listeners(folder: Path) -> Iterator[Listeners]:
    with closing(Listeners(folder)) as made:
        yield made


@pytest.mark.slow
def test_what_a_killed_listener_heard_another_hears_soon_after(
    run: Run, house: House, tmp_path: Path, people: dict[str, str], databases: Databases
) -> None:
    # On another machine nobody sees that it is dead, only that it gives no sign of life.
    where = "elsewhere" if databases.name == "postgres" else "here"
    with listeners(tmp_path) as all_of_them, running(tmp_path, "worker") as worker:
        all_of_them.start()
        assert until(all_of_them.shared(1), SOON)
        second = all_of_them.start(where)
        assert until(all_of_them.shared(2), SOON), all_of_them.watched()
        heard = all_of_them.watched()
        second.kill()
        killed = time.monotonic()
        # Made while nobody hears of it; who takes over looks.
        by_user = {person: user for user, person in people.items()}
        theirs = [each for name, some in heard.items() if _of(name, second) for each in some]
        assert theirs
        outlook = Outlook(house, theirs[0].principal)
        outlook.write("while nobody listened")
        run("crm", "put", "--as", "user0", stdin=event("from the CRM"))
        assert until(all_of_them.shared(1), TAKEOVER - (time.monotonic() - killed))
        user = by_user[theirs[0].principal]
        assert until(
            lambda: "while nobody listened" in run("crm", "list", "--as", user).out,
            TAKEOVER - (time.monotonic() - killed) + 5,
        )
        outlook.adapter.close()
        # By whatever came first: what is asked for at the same time is one visit.
        other = Outlook(house, people["user0"])
        assert until(lambda: "from the CRM" in other.titles(), SOON)
        other.adapter.close()
        assert worker.end() == 0, worker.errors
    assert house.exchange.mails() == []


def _of(name: str, listener: Listener) -> bool:
    return name.rpartition("/")[0].endswith(f"/{listener.process.pid}")
