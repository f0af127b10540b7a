"""The server itself: HTTP, login, impersonation, faults, and on to the operation asked for."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from accord.sandbox.exchange import auth, soap, streaming
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.control import Control
from accord.sandbox.exchange.errors import SoapFault
from accord.sandbox.exchange.faults import Faults
from accord.sandbox.exchange.limits import USUAL, Budgets, Limits
from accord.sandbox.exchange.notices import Notices
from accord.sandbox.exchange.operations.registry import OPERATIONS
from accord.sandbox.exchange.people import People
from accord.sandbox.exchange.push import Push
from accord.sandbox.exchange.store import Mail, Mailbox, Store
from accord.sandbox.exchange.xml import LIMIT, Node, local
from accord.sandbox.exchange.zones import zone_of

PATH = "/EWS/Exchange.asmx"
_PAGE = "<html><head><title>Service</title></head><body>You have created a service.</body></html>"
Witness = Callable[[Literal["request", "answer"], bytes], None]
"""Sees every body as it comes in and goes out; tests put the schema's validator here."""


class Exchange:
    """Hold an Exchange organization: its mailboxes, its faults and the application to serve.

    `path` is the file of its state; without one it lives in memory. `clock` says what time it
    is there, `pace` how long streams wait, `limits` what is too much. Who knows the word
    `control` may plant faults. `ways` are those in which accounts may log in, `tokens` says
    whom an authority issued a token for.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        witness: Witness | None = None,
        pace: streaming.Pace = streaming.Pace(),  # noqa: B008 - it can't be changed
        limits: Limits = USUAL,
        control: str = "",
        ways: Sequence[auth.Way] = ("basic",),
        tokens: auth.Tokens = lambda _: None,
    ) -> None:
        self.notices = Notices(limits)
        self.store = Store(path, clock, self._heard)
        self.people = People(self.store)
        self.faults = Faults()
        self.door = auth.Door(self.people, ways, tokens)
        self.clock = clock
        self.witness = witness
        self.pace = pace
        self.limits = limits
        self.budgets = Budgets(limits, pace.minute)
        self.push = Push(self.store, self.notices, pace, self._witness)
        routes = [Route(PATH.lower(), self._serve, methods=["GET", "POST"])]
        if control:
            parts = (self.store, self.people, self.faults, self.notices)
            routes.append(Control(*parts, control).route())
        self.app = _AnyCase(Starlette(routes=routes))

    def mails(self, sender: str | None = None) -> list[Mail]:
        """Return the mails that left all mailboxes, or one."""
        return self.store.mails(sender)

    def close(self) -> None:
        """Let go of the file and of all listeners."""
        self.push.stop()
        self.store.close()

    def _heard(self, mailboxes: set[int]) -> None:
        self.notices.heard(mailboxes)
        self.push.heard(mailboxes)

    def _witness(self, which: Literal["request", "answer"], text: bytes) -> None:
        if self.witness is not None:
            self.witness(which, text)

    async def _serve(self, request: Request) -> Response:
        client = request.client
        connection = (client.host, client.port) if client is not None else ("", 0)
        account, challenges = self.door.enter(request.headers.get("authorization"), connection)
        if account is not None and self.faults.take("unauthorized", "", account.address):
            self.door.leave(connection)
            account, challenges = None, self.door.challenges()
        if account is None:
            return await _refused(request, challenges)
        if (fault := self.faults.take("unavailable", "", account.address)) is not None:
            return Response(status_code=503, headers={"Retry-After": f"{fault.seconds:.0f}"})
        if request.method == "GET":
            return HTMLResponse(_PAGE)
        text = bytearray()
        async for part in request.stream():
            text += part
            if len(text) > LIMIT:
                return Response(status_code=413)
        return await run_in_threadpool(self._answer, account, bytes(text))

    def _answer(self, account: Mailbox, text: bytes) -> Response:
        with ExitStack() as budget:
            return self._answered(account, text, budget)

    def _answered(self, account: Mailbox, text: bytes, budget: ExitStack) -> Response:
        dropped = False
        try:
            if self.witness is not None:
                self.witness("request", text)
            request = soap.read(text)
            actor = account
            if (header := request.headers.get("ExchangeImpersonation")) is not None:
                actor = self.people.impersonated(account, header)
            name = local(request.body)
            if name not in OPERATIONS and name != "GetStreamingEvents":
                raise SoapFault("ErrorInvalidRequest", f"The operation {name} is not known here.")
            self.faults.throttle(name, actor.address)
            budget.enter_context(self.budgets.spend(actor.id))
            _count(request.body, self.limits)
            zone_name, zone = zone_of(request.headers.get("TimeZoneContext"))
            now = self.clock()
            call = Call(
                *(self.store, self.people, self.notices, self.faults, actor, name, now),
                *(zone, zone_name, account.id, self.limits, self.push.add),
            )
            if name == "GetStreamingEvents":
                return self._stream(call, request.body)
            answer = soap.write(OPERATIONS[name](call, request.body))
            dropped = self.faults.take("lost", name, actor.address) is not None
            status = 200
        except SoapFault as fault:
            answer, status = soap.write_fault(fault), fault.status
        if self.witness is not None:
            self.witness("answer", answer)
        headers = {"request-id": str(uuid.uuid4())}
        kind = _Dropped if dropped else Response
        return kind(answer, status, headers, media_type="text/xml; charset=utf-8")

    def _stream(self, call: Call, request: Node) -> Response:
        async def envelopes() -> AsyncIterator[bytes]:
            answers = streaming.listen(call, request, self.pace, self.clock)
            async with aclosing(answers):
                async for answer in answers:
                    text = soap.write_part(answer)
                    if self.witness is not None:
                        self.witness("answer", text)
                    yield text

        return _Streamed(envelopes(), media_type="text/xml; charset=utf-8")


def _count(request: Node, limits: Limits) -> None:
    """Raise SoapFault where a request names too many things."""
    most = max((len(each) for each in request if local(each) in _LISTS), default=0)
    if limits.things and most > limits.things:
        text = f"A request may name {limits.things} things, not {most}."
        raise SoapFault("ErrorTooManyObjectsOpened", text)


_LISTS = ("Items", "ItemIds", "ItemChanges", "FolderIds", "AttachmentIds", "SourceIds")


async def _refused(request: Request, challenges: Sequence[str]) -> Response:
    """Answer 401 after the whole request, so that the connection stays."""
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LIMIT:
            break
    refused = Response(status_code=401)
    for each in challenges:
        refused.headers.append("WWW-Authenticate", each)
    return refused


class _AnyCase:
    """Find paths in any case, as Microsoft's web server does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": scope["path"].lower()}
        await self._app(scope, receive, send)


class _Streamed(StreamingResponse):
    """Answer piece by piece; a severed connection ends without the end of its answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(streaming.Severed):
            await super().__call__(scope, receive, send)


class _Dropped(Response):
    """Break the connection off instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(OSError):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
