"""A wire on loopback between clients and a server, byte by byte: it can be cut and led elsewhere.

`proxy` speaks HTTP and spoils single answers; a wire carries anything, such as what a database
speaks or a stream that lasts, and breaks as cables and firewalls do.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
import threading
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from accord.sandbox.process import HOST

T = TypeVar("T")

_PIECE = 65_536
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A filter's only line: of each packet take nothing, and answer none."""


class Wire:
    """Carry connections to the server at the port `upstream`; a context manager with a `port`."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.port = 0
        self._leads_to = upstream
        self._cut = self._dropping = False
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._over = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()
        self._sockets: set[socket.socket | TransportSocket] = set()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    def cut(self) -> None:
        """Break all connections, and whatever connects from now on."""
        self._tell(self._break, True, self._leads_to)

    def freeze(self) -> None:
        """Hold everything back, without a word to anybody; what connects hears nothing."""
        self._tell(self._flows.clear)

    def drop(self) -> None:
        """Lose what clients send, as a cable that is pulled does: nobody acknowledges anything.

        A frozen wire does, for the kernel takes what nobody reads; only on Linux.
        """
        self._tell(self._flows.clear)
        self._tell(self._filter, True)

    def mend(self) -> None:
        """Carry everything again to where the wire led at first; what was held back arrives."""
        if self._dropping:
            self._tell(self._filter, False)
        if self._cut or self._leads_to != self.upstream:
            self._tell(self._break, False, self.upstream)
        self._tell(self._flows.set)

    def lead(self, port: int) -> None:
        """Lead to another server from now on; connections to the former one break."""
        self._tell(self._break, False, port)

    def _tell(self, act: Callable[..., T], *given: object) -> T:
        """Have something done in the thread of the wire, and wait for it."""

        async def done() -> T:
            return act(*given)

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(30)

    def _filter(self, dropping: bool) -> None:
        self._dropping = dropping
        for each in self._sockets:
            if dropping:
                line = ctypes.create_string_buffer(_NOTHING, len(_NOTHING))
                program = struct.pack("HP", 1, ctypes.addressof(line))
                each.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
            else:
                each.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)

    def _break(self, cut: bool, port: int) -> None:
        self._cut, self._leads_to = cut, port
        for each in self._open:
            each.cancel()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._flows.set()
        server = await asyncio.start_server(self._carry, HOST, 0, backlog=512)
        self._sockets.update(server.sockets)
        self.port = server.sockets[0].getsockname()[1]
        self._begun.set()
        async with server:
            await self._over.wait()
            server.close()
            self._break(True, self._leads_to)
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        client = writer.get_extra_info("socket")
        self._sockets.add(client)
        ends = [writer]
        try:
            if not self._cut:
                await self._flows.wait()
                there, back = await asyncio.open_connection(HOST, self._leads_to)
                ends.append(back)
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pump(reader, back))
                    both.create_task(self._pump(there, writer))
        except (OSError, asyncio.CancelledError, ExceptionGroup):
            pass  # broken off here or there, and so on the other side
        finally:
            for each in ends:
                each.transport.abort()
            self._open.discard(task)
            self._sockets.discard(client)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            await self._flows.wait()
            writer.write(piece)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    def __enter__(self) -> Self:
        self._thread.start()
        self._begun.wait(30)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
