"""GetStreamingEvents: one answer in many envelopes, for as long as a client listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from starlette.concurrency import run_in_threadpool

from accord.sandbox.exchange import events
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.errors import TEXTS
from accord.sandbox.exchange.notices import Stream, Subscription
from accord.sandbox.exchange.operations import notifying
from accord.sandbox.exchange.xml import Node, m, t

_MOST = 100


@dataclass(frozen=True, slots=True)
class Pace:
    """Say how long things take: seconds between signs of life, and seconds of a minute."""

    heartbeat: float = 30.0
    minute: float = 60.0


class Severed(Exception):
    """The connection is to be broken off."""


async def listen(
    call: Call, request: Node, pace: Pace, clock: Callable[[], datetime]
) -> AsyncGenerator[Node]:
    """Yield one answer after the other until the time is over or nothing is left to listen to.

    Raises Severed.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + int(request[1].text or 1) * pace.minute
    found, bad = await run_in_threadpool(notifying.listeners, call, request)
    for code, named in bad.items():
        yield _failed(code, named, closed=not found)
    if not found:
        return
    if not call.notices.may_open(call.actor.id):
        yield _failed("ErrorExceededConnectionCount", [], closed=True)
        return
    stream = Stream(loop, call.actor.id)
    call.notices.open(stream, found)
    try:
        yield _message(_status("OK"))
        while True:
            stream.awake.clear()
            due, lost = call.notices.due(stream)
            if stream.severed:
                raise Severed
            if lost:
                yield _failed("ErrorInvalidSubscription", lost, closed=not stream.held)
            if not stream.held:
                return
            async for answer in _news(call, due):
                yield answer
            if (left := end - loop.time()) <= 0:
                yield _message(_status("Closed"))
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(stream.awake.wait(), min(left, pace.heartbeat))
            if not stream.awake.is_set() and loop.time() < end:
                yield _message(_status("OK"))
    finally:
        call.notices.close(stream, clock())


async def _news(call: Call, due: list[Subscription]) -> AsyncGenerator[Node]:
    while due:
        told = await run_in_threadpool(_collected, call, due)
        if told:
            nodes = [each for each, _, _ in told]
            yield _message(m("Notifications", *nodes))
        due = [held for _, held, more in told if more]


def _collected(call: Call, due: Iterable[Subscription]) -> list[tuple[Node, Subscription, bool]]:
    told = []
    for held in due:
        found, held.position = events.since(call.store, held.wanted, held.position, _MOST)
        if found:
            nodes = [events.view(each, marked=False) for each in found]
            named = t("SubscriptionId", call.notices.name(held))
            told.append((t("Notification", named, *nodes), held, len(found) == _MOST))
    return told


def _status(text: str) -> Node:
    return m("ConnectionStatus", text)


def _message(*parts: Node) -> Node:
    return _response("Success", m("ResponseCode", "NoError"), *parts)


def _failed(code: str, named: list[str], *, closed: bool) -> Node:
    text = m("MessageText", TEXTS.get(code, code))
    bad = m("ErrorSubscriptionIds", *[t("SubscriptionId", each) for each in named if each])
    parts = [text, m("ResponseCode", code), m("DescriptiveLinkKey", "0"), bad if len(bad) else None]
    return _response("Error", *parts, _status("Closed") if closed else None)


def _response(outcome: str, *parts: Node | None) -> Node:
    message = m("GetStreamingEventsResponseMessage", *parts, ResponseClass=outcome)
    return m("GetStreamingEventsResponse", m("ResponseMessages", message))
