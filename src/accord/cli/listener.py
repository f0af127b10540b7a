"""What serving commands share: a socket to listen on, and signals that end them in good order."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from accord.ports.errors import ConfigError

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Taken(ConfigError):
    """Somebody else listens there."""


def listen_on(host: str, port: int, field: str) -> socket.socket:
    """Return a listening socket; port 0 is any free one. Raises ConfigError about `field`."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
    except OSError as error:
        raise ConfigError(
            f"can't listen on {host}: {error}", field=field, hint="name another host"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        wrong = Taken if error.errno == errno.EADDRINUSE else ConfigError
        raise wrong(
            f"can't listen on {host}:{port}: {error.strerror}",
            field=field,
            hint="stop what listens there, or name another port",
        ) from error
    return listener


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let the signals that stop the server do no more than that.

    When it has stopped, uvicorn sends itself the signal once more, for whoever was asked before.
    """
    before = {each: signal.signal(each, lambda *_: None) for each in _STOPPING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
