"""An earlier commit's service and this one's, side by side on one database while it is migrated.

The earlier one is the last on the main line that makes other tables: what a release before it was.
Its whole code runs, with the packages of today.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from accord.db import open_database
from accord.db.migrate import revision
from accord.sandbox.exchange.hand import Hand, entry
from accord.sandbox.postgres import fresh_database
from accord.sandbox.process import until
from tests.databases import POSTGRES
from tests.exchange import LINKED, ROBOT, House
from tests.scenario.stage import MONDAY

ROOT = Path(__file__).resolve().parents[2]
SOON = 60.0
PACKAGES = ("accord.state", "accord.crm.database", "accord.queue")
FOLDERS = [f"src/{package.replace('.', '/')}/migrations/versions" for package in PACKAGES]


class Version:
    """Be Accord as one commit has it."""

    def __init__(self, code: Path, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("ACCORD_")},
            "PYTHONPATH": str(code),
            "MAIL_PASSWORD": "secret",
        }

    def __call__(self, *words: str, given: str = "") -> str:
        """Run a command and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "accord.cli.main", *words],
            cwd=self._folder,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def put(self, title: str) -> None:
        """Make an entry in the CRM."""
        item = {
            "kind": "event",
            "title": title,
            "start": f"{MONDAY:%Y-%m-%dT%H:%M:%S}",
            "end": f"{MONDAY:%Y-%m-%d}T23:00:00",
            "time_zone": "Europe/Berlin",
        }
        self("crm", "put", "--as", "alice", given=json.dumps(item))

    def titles(self) -> list[str]:
        """Return what the CRM shows."""
        lines = self("crm", "list", "--as", "alice", "--json").splitlines()
        return sorted(json.loads(line)["item"]["title"] for line in lines)

    def living(self) -> list[int]:
        """Return the processes that show signs of life."""
        status = json.loads(self("status", "--json"))
        return [each["pid"] for each in status["processes"] if not each["gone"]]

    @contextmanager
    def running(self) -> Iterator[Service]:
        """Let `accord run` work."""
        command = [sys.executable, "-m", "accord.cli.main", "run", "--json"]
        service = Service(
            subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        try:
            yield service
        finally:
            service.end(signal.SIGKILL)


class Service:
    """Be a running `accord run --json`, and what it said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.rows: list[dict[str, Any]] = []
        self.errors = ""
        self._threads = [threading.Thread(target=each) for each in (self._read, self._complain)]
        for each in self._threads:
            each.start()

    def visits(self) -> list[dict[str, Any]]:
        return [row for row in list(self.rows) if "link" in row and not row.get("busy")]

    def wrote(self, since: int) -> bool:
        """Tell whether it has written anything after so many rows."""
        return any(
            row["crm"]["created"] or row["groupware"]["created"]
            for row in list(self.rows)[since:]
            if "link" in row
        )

    def streams(self) -> bool:
        return any(row.get("way") == "streaming" for row in list(self.rows))

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.running:
            self._process.send_signal(number)
        code = self._process.wait(SOON)
        for each in self._threads:
            each.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.rows.append(json.loads(line))

    def _complain(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.errors += line


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the last commit on the main line that has other tables than this one."""
    commit = _commit()
    folder = tmp_path_factory.mktemp("earlier")
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, "src"], capture_output=True, check=True
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)
    return folder / "src"


def _commit() -> str:
    def git(*words: str) -> list[str]:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"there is no git history to take an earlier commit from: {done.stderr}")
        return done.stdout.splitlines()

    (here,) = git("rev-parse", "--show-toplevel")
    if Path(here) != ROOT:
        pytest.skip("these tests don't stand in a git repository of their own")
    now = git("ls-tree", "-r", "--name-only", "HEAD", *FOLDERS)
    for commit in git("rev-list", "--first-parent", "--max-count=500", "HEAD"):
        if git("ls-tree", "-r", "--name-only", commit, *FOLDERS) != now:
            return commit
    pytest.skip("the git history doesn't go back to other tables")


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.long), POSTGRES])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The addresses of an empty database and of its queue."""
    if request.param == "sqlite":
        file = tmp_path / "accord.db"
        yield f"sqlite:///{file}", f"sqlite:///{file.with_name('accord-queue.db')}"
        return
    with fresh_database(request.getfixturevalue("postgres")) as url:
        yield url, url


def test_both_keep_working_while_the_tables_change(
    earlier: Path, house: House, tmp_path: Path, urls: tuple[str, str]
) -> None:
    old, new = Version(earlier, tmp_path), Version(ROOT / "src", tmp_path)
    person = house.person()
    old("init", "--database", urls[0])
    old("crm", "users", "add", "alice", "--address", person)
    text = LINKED.format(url=house.url, robot=ROBOT, person=person)
    (tmp_path / "company.toml").write_text(text, encoding="utf-8")
    old("import", "company.toml")
    with closing(Hand(house.url, person, "secret")) as hand, old.running() as leaving:
        assert until(leaving.streams, SOON), leaving.errors
        made: list[str] = []
        _edit(old, hand, made, "before")
        before = _tables(*urls)
        with new.running() as coming:
            # Which of them hears of the mailbox falls out by their numbers: it may be either.
            assert until(lambda: len(new.living()) == 2, SOON), coming.errors
            assert _tables(*urls) == {each: _head(each) for each in PACKAGES} != before
            both, tries = (leaving, coming), 0
            since = [len(each.rows) for each in both]
            # Either takes what it can get; both have to have written something.
            while not all(map(Service.wrote, both, since)) and tries < 20:
                tries += 1
                _edit(new, hand, made, f"meanwhile {tries}")
            assert [each.wrote(begun) for each, begun in zip(both, since, strict=True)] == [1, 1]
            assert leaving.end() == 0, leaving.errors
            _edit(new, hand, made, "after")
            assert coming.end() == 0, coming.errors
    for service in both:
        assert [row for row in service.visits() if row["failed"] or _wrong(row)] == []
        assert "Traceback" not in service.errors
    assert house.exchange.mails() == []
    for line in new("sync", "--all", "--json").splitlines():
        row = json.loads(line)
        assert row["crm"]["created"] == row["groupware"]["created"] == 0


def _wrong(visit: dict[str, Any]) -> str:
    """Return why a visit failed, unless another process was at work in the folder."""
    return "" if "another process" in visit["error"] else str(visit["error"])


def _edit(version: Version, hand: Hand, made: list[str], when: str) -> None:
    """Make an entry on each side and wait until both are on both."""
    version.put(f"CRM {when}")
    start = MONDAY.replace(tzinfo=UTC)
    hand.add(entry(f"mailbox {when}", start, start + timedelta(hours=1)))
    made += [f"CRM {when}", f"mailbox {when}"]
    made.sort()
    assert until(lambda: hand.titles() == made, SOON), (hand.titles(), made)
    assert until(lambda: version.titles() == made, SOON), (version.titles(), made)


def _tables(url: str, queue: str) -> dict[str, str | None]:
    """Return the revision of each package's tables."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        place = queue if package == "accord.queue" else url
        with closing(open_database(place)) as database, database.read() as tx:
            found[package] = revision(tx, package)
    return found


def _head(package: str) -> str:
    return str(import_module(f"{package}.schema").HEAD)
