"""A wire carries everything as it is, and breaks, holds back and leads elsewhere when told."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from accord.sandbox.wire import Wire

SOON = 10.0


class Echo:
    """Answer each line with the server's name before it, until the client ends."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        # Closing alone doesn't wake the thread that waits for a client.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client, client.makefile("rwb") as lines:
            try:
                for line in lines:
                    lines.write(self._name + line)
                    lines.flush()
                lines.write(b"end")
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo(b"one ")) as made:
        yield made


@contextmanager
def through(wire: Wire) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", wire.port), SOON) as client:
        yield client


def say(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text + b"\n")
    return client.recv(100)


def test_all_that_is_said_comes_through_and_so_does_its_end(echo: Echo) -> None:
    with Wire(echo.port) as wire, through(wire) as client, through(wire) as other:
        assert say(client, b"hello") == b"one hello\n"
        assert say(other, b"\0\xff") == b"one \0\xff\n"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"end"
        assert client.recv(100) == b""


def test_what_is_cut_breaks_until_it_is_mended(echo: Echo) -> None:
    with Wire(echo.port) as wire:
        with through(wire) as client:
            assert say(client, b"a") == b"one a\n"
            wire.cut()
            assert broken(client)
        with through(wire) as client:
            assert broken(client)
        wire.mend()
        with through(wire) as client:
            assert say(client, b"b") == b"one b\n"


def test_what_is_frozen_is_held_back_and_arrives(echo: Echo) -> None:
    with Wire(echo.port) as wire, through(wire) as client:
        assert say(client, b"a") == b"one a\n"
        wire.freeze()
        client.sendall(b"b\n")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(100)
        wire.mend()
        client.settimeout(SOON)
        assert client.recv(100) == b"one b\n"


@pytest.mark.skipif(sys.platform != "linux", reason="drops packets as Linux does")
def test_what_is_dropped_is_acknowledged_by_nobody(echo: Echo) -> None:
    with Wire(echo.port) as wire, through(wire) as client, through(wire) as other:
        for each in (client, other):
            assert say(each, b"a") == b"one a\n"
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 500)
        wire.drop()
        other.sendall(b"b\n")
        client.sendall(b"b\n")
        with pytest.raises(TimeoutError) as raised:
            client.recv(100)
        assert raised.value.errno == errno.ETIMEDOUT
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", wire.port), 0.3)
        wire.mend()
        assert other.recv(100) == b"one b\n"


def test_it_can_lead_to_another_server_and_back(echo: Echo) -> None:
    with closing(Echo(b"two ")) as other, Wire(echo.port) as wire:
        with through(wire) as client:
            assert say(client, b"a") == b"one a\n"
            wire.lead(other.port)
            assert broken(client)
        with through(wire) as client:
            assert say(client, b"b") == b"two b\n"
        wire.mend()
        with through(wire) as client:
            assert say(client, b"c") == b"one c\n"


def test_where_no_server_is_nothing_is_carried(echo: Echo) -> None:
    echo.close()
    with Wire(echo.port) as wire, through(wire) as client:
        assert broken(client)


def broken(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except OSError:
        return True
