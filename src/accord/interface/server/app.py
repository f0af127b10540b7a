"""CRM.interface over HTTP: POST to any path under /CRM.interface, and a sign of life.

Bodies are bounded while they come; the answers are made in threads.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from accord.interface.server.server import Answer, Server
from accord.interface.server.server import Request as Question

if TYPE_CHECKING:
    from collections.abc import Sequence

PATH = "/CRM.interface"
PATIENCE = 300.0
"""How many seconds a message may take to arrive."""


def make_app(server: Server) -> Starlette:
    """Return the ASGI application."""

    async def answer(request: Request) -> Response:
        try:
            async with asyncio.timeout(PATIENCE):
                body = await _body(request, server.most)
        except ClientDisconnect:
            return Response(status_code=400)
        except TimeoutError:
            headers = {"connection": "close"}
            return PlainTextResponse("the message never ends\n", 408, headers)
        if body is None:
            return PlainTextResponse("the message is too large\n", 413)
        question = Question(
            body=body,
            content_type=request.headers.get("content-type", ""),
            url=str(request.url),
            query=request.scope["query_string"].decode("latin-1"),
            peer=request.client.host if request.client else "",
            signature=request.headers.get("x-syncml-hmac", ""),
        )
        made: Answer = await run_in_threadpool(server.answer, question)
        headers = {"cache-control": "no-store"}
        return Response(made.body, made.status, headers, media_type=made.content_type)

    async def alive(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    routes: Sequence[Route] = (
        Route(PATH, answer, methods=["POST"]),
        Route(PATH + "/{rest:path}", answer, methods=["POST"]),
        Route("/healthz", alive, methods=["GET"]),
    )
    return Starlette(routes=routes)


async def _body(request: Request, most: int) -> bytes | None:
    """Return the body, None where it is larger than allowed."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)
