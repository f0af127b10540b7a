"""CRM.interface as commands serve it: a server on a socket, alone or beside other work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from accord.cli.errors import Usage
from accord.cli.listener import listen_on
from accord.ports.errors import ConfigError
from accord.ports.tls import is_near

if TYPE_CHECKING:
    from socket import socket

    from uvicorn import Server

    from accord.cli.call import Call
    from accord.interface.server.settings import InterfaceSettings
    from accord.service.accord import Accord
    from accord.service.config import Config

_GRACE = 30
"""Seconds for which answers under way may go on when the server is stopped."""


class Endpoint(Struct, frozen=True, kw_only=True):
    """Be CRM.interface on its socket, reached at `url`; `loud` is what has to be said loudly."""

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
        thread = threading.Thread(target=self.serve, name="interface")
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
    import uvicorn

    from accord.interface.server.app import PATH, make_app
    from accord.service.bootstrap import open_interface

    settings = config.interface
    host, port = _address(listen or settings.listen)
    files = _files(settings, config.folder)
    loud = _check_listener(host, files, without_tls=without_tls)
    app = make_app(open_interface(accord, config))
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
    with listen_on(host, port, "interface.listen") as listener:
        scheme, port = "https" if files else "http", listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        url = f"{scheme}://{shown}:{port}{PATH}"
        yield Endpoint(url=url, loud=loud, server=server, listener=listener)


def announce(call: Call, made: Endpoint) -> None:
    """Tell where CRM.interface answers."""
    call.data({"url": made.url})
    call.say(f"CRM.interface answers at {made.url}", markup=False)
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


def _files(settings: InterfaceSettings, folder: Path) -> tuple[Path, Path] | None:
    if not settings.certificate and not settings.key:
        return None
    if not settings.certificate or not settings.key:
        raise ConfigError(
            "TLS needs a certificate and its key",
            field="interface.certificate",
            hint="write certificate and key in [interface], both files in PEM",
        )
    pair = folder / settings.certificate, folder / settings.key
    for name, file in zip(("certificate", "key"), pair, strict=True):
        if not file.is_file():
            raise ConfigError(
                f"there is no file {file}",
                field=f"interface.{name}",
                hint="name a file in PEM, relative to accord.toml",
            )
    return pair


def _check_listener(host: str, files: tuple[Path, Path] | None, *, without_tls: bool) -> str:
    """Return what to say loudly; raises ConfigError for what must be said by the operator."""
    if files or is_near(host):
        return ""
    if not without_tls:
        raise ConfigError(
            f"on {host} tokens would travel where others can read them",
            field="interface.certificate",
            hint="name a certificate and its key in [interface], listen on 127.0.0.1 behind a "
            "server that has one, or say --without-tls",
        )
    return "WITHOUT TLS: whoever can listen on this network can read tokens and everybody's items."
