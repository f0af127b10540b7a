"""What commands serve over HTTP: servers on sockets, alone or beside other work.

CRM.interface, and with `[web]` whether the service lives, is ready, and its figures.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from accord.cli.errors import Usage
from accord.cli.listener import listen_on
from accord.ports.errors import ConfigError
from accord.ports.tls import is_near

if TYPE_CHECKING:
    from socket import socket

    from starlette.applications import Starlette
    from uvicorn import Server

    from accord.cli.call import Call
    from accord.ports.queue import Queue
    from accord.service.accord import Accord
    from accord.service.config import Config

_GRACE = 30
"""Seconds for which answers under way may go on when the server is stopped."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """Be a server on its socket, reached at `url`; `loud` is what has to be said loudly."""

    url: str
    loud: str
    server: Server
    listener: socket

    def serve(self) -> None:
        """Answer until a signal or `beside` stops the server."""
        self.server.run(sockets=[self.listener])

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Answer in a thread of its own; what is under way at the end is answered."""
        thread = threading.Thread(target=self.serve, name="endpoint")
        thread.start()
        try:
            yield
        finally:
            self.server.should_exit = True
            thread.join()


@contextmanager
def endpoint(
    accord: Accord, config: Config, listen: str = "", *, without_tls: bool = False
) -> Iterator[Endpoint]:
    """Yield CRM.interface, listening but not yet answering.

    `listen` is HOST:PORT where it isn't what accord.toml says. Raises ConfigError, Usage.
    """
    from accord.interface.server.app import PATH, make_app
    from accord.service.bootstrap import open_interface

    settings = config.interface
    place = _Place(
        table="interface",
        listen=listen or settings.listen,
        files=_files(settings, config.folder, "interface"),
        without_tls=without_tls,
        exposed="tokens would travel where others can read them",
        loud="whoever can listen on this network can read tokens and everybody's items.",
    )
    with _serving(make_app(open_interface(accord, config)), place, PATH) as made:
        yield made


@contextmanager
def health(
    accord: Accord, queue: Queue, config: Config, listen: str = ""
) -> Iterator[Endpoint | None]:
    """Yield `/healthz`, `/readyz` and `/metrics`, listening but not yet answering.

    `listen` is HOST:PORT where it isn't what accord.toml says; None where neither says anything.
    Raises ConfigError, Usage.
    """
    settings = config.web
    if not (listen or settings.listen):
        yield None
        return
    from accord.service.ready import missing
    from accord.service.status import status
    from accord.service.web_settings import TOKEN, metrics_token
    from accord.web.health import make_app
    from accord.web.metrics import KIND, exposition

    place = _Place(
        table="web",
        listen=listen or settings.listen,
        files=_files(settings, config.folder, "web"),
        without_tls=settings.without_tls,
        exposed="the token for the metrics would travel where others can read it",
        loud="whoever can listen on this network can read the metrics and their token.",
    )
    token = metrics_token(settings, os.environ, config.folder)
    host, _ = _address(place.listen)
    if not token and not is_near(host):
        raise ConfigError(
            f"on {host} anybody could read the metrics",
            field=f"web.{TOKEN}",
            hint=f'write {TOKEN} = {{ file = "metrics.token" }} in [web], or listen on 127.0.0.1',
        )
    app = make_app(
        lambda: missing(accord),
        lambda: exposition(lambda: status(accord, queue, config)),
        KIND,
        token,
    )
    with _serving(app, place, "/") as made:
        yield made


class _Place(Struct, frozen=True, kw_only=True):
    """Be where to listen and how, by which table of accord.toml; what to say without TLS."""

    table: str
    listen: str
    files: tuple[Path, Path] | None
    without_tls: bool
    exposed: str
    loud: str


@contextmanager
def _serving(app: Starlette, place: _Place, path: str) -> Iterator[Endpoint]:
    import uvicorn

    host, port = _address(place.listen)
    loud = _check_listener(host, place)
    files = place.files
    options = {"ssl_certfile": str(files[0]), "ssl_keyfile": str(files[1])} if files else {}
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
            **options,  # type: ignore[arg-type]
        )
    )
    with listen_on(host, port, f"{place.table}.listen") as listener:
        scheme, port = "https" if files else "http", listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        url = f"{scheme}://{shown}:{port}{path}"
        yield Endpoint(url=url, loud=loud, server=server, listener=listener)


def announce(call: Call, made: Endpoint, what: str = "CRM.interface", key: str = "url") -> None:
    """Tell where something answers, CRM.interface or `what`."""
    call.data({key: made.url})
    call.say(f"{what} answers at {made.url}", markup=False)
    if made.loud:
        call.note(made.loud, style="bold red", markup=False)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit() or int(port) > 65_535:
        raise Usage(
            f"{text!r} is no address to listen on", "write HOST:PORT, such as 127.0.0.1:8640"
        )
    return host, int(port)


class _Certified(Protocol):
    """Be settings that name a certificate and its key."""

    @property
    def certificate(self) -> str: ...

    @property
    def key(self) -> str: ...


def _files(settings: _Certified, folder: Path, table: str) -> tuple[Path, Path] | None:
    if not settings.certificate and not settings.key:
        return None
    if not settings.certificate or not settings.key:
        raise ConfigError(
            "TLS needs a certificate and its key",
            field=f"{table}.certificate",
            hint=f"write certificate and key in [{table}], both files in PEM",
        )
    pair = folder / settings.certificate, folder / settings.key
    for name, file in zip(("certificate", "key"), pair, strict=True):
        if not file.is_file():
            raise ConfigError(
                f"there is no file {file}",
                field=f"{table}.{name}",
                hint="name a file in PEM, relative to accord.toml",
            )
    return pair


def _check_listener(host: str, place: _Place) -> str:
    """Return what to say loudly; raises ConfigError for what must be said by the operator."""
    if place.files or is_near(host):
        return ""
    if not place.without_tls:
        say = "say --without-tls" if place.table == "interface" else "write without_tls = true"
        raise ConfigError(
            f"on {host} {place.exposed}",
            field=f"{place.table}.certificate",
            hint=f"name a certificate and its key in [{place.table}], listen on 127.0.0.1 behind a "
            f"server that has one, or {say}",
        )
    return f"WITHOUT TLS: {place.loud}"
