"""`/healthz`, `/readyz` and `/metrics`: how a process is, for those who start and watch processes.

The first two ask nobody who they are, for they tell nothing that a stranger could use: one word,
or which of three things is missing. The metrics ask for a token, unless nobody but this machine
can ask.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from accord.ports.fault import contained

T = TypeVar("T")

KEPT = 1.0
"""Seconds for which an answer stands: however often somebody asks, the database is asked so often.
"""

METRICS_KEPT = 10.0
"""As long as between two signs of life, which bring new figures."""

_STORE = {"cache-control": "no-store"}


def make_app(
    missing: Callable[[], Sequence[str]], metrics: Callable[[], bytes], kind: str, token: str = ""
) -> Starlette:
    """Return the ASGI application.

    `missing` says what keeps the service from its work, `metrics` the figures in the form `kind`;
    with a `token` nobody else is told them.
    """
    ready = _Kept(missing, KEPT)
    figures = _Kept(metrics, METRICS_KEPT)

    # It waits for no thread: a process whose threads are all busy still lives.
    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_STORE)

    async def is_ready(_: Request) -> Response:
        found = await ready.get()
        if found:
            return PlainTextResponse("".join(f"{each}\n" for each in found), 503, _STORE)
        return PlainTextResponse("ok\n", headers=_STORE)

    async def measured(request: Request) -> Response:
        if not _lets_in(request.headers.get("authorization", ""), token):
            headers = {**_STORE, "www-authenticate": 'Bearer realm="metrics"'}
            return PlainTextResponse("a token is needed\n", 401, headers)
        try:
            body = await figures.get()
        except Exception as error:  # noqa: BLE001 (the edge: the log tells, and the answer nothing)
            contained(error, "reading the metrics")
            return PlainTextResponse("no figures now\n", 503, _STORE)
        return Response(body, headers=_STORE, media_type=kind)

    return Starlette(
        routes=[
            Route("/healthz", alive, methods=["GET"]),
            Route("/readyz", is_ready, methods=["GET"]),
            Route("/metrics", measured, methods=["GET"]),
        ]
    )


def _lets_in(given: str, token: str) -> bool:
    scheme, _, shown = given.partition(" ")
    told = shown.strip().encode("utf-8", "replace")
    right = hmac.compare_digest(told, token.encode())
    return not token or (right and scheme.casefold() == "bearer")


class _Kept(Generic[T]):
    """Ask for something once, whoever asks meanwhile, and keep it for a while.

    Those who wait hold no thread.
    """

    def __init__(self, ask: Callable[[], T], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._lock = asyncio.Lock()
        self._kept: tuple[float, T] | None = None

    async def get(self) -> T:
        async with self._lock:
            if self._kept is None or time.monotonic() > self._kept[0]:
                found = await run_in_threadpool(self._ask)
                self._kept = time.monotonic() + self._seconds, found
            return self._kept[1]
