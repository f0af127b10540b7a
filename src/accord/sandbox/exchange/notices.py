"""Subscriptions: who wants to hear what, how long it is remembered, and how it gets lost."""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import struct
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.events import Filter
from accord.sandbox.exchange.limits import USUAL, Limits

_FORM = struct.Struct(">8sQ")
STREAM_KEPT = timedelta(minutes=30)
"""How long a streaming subscription lives while nobody listens to it."""


@dataclass(slots=True)
class Subscription:
    """What an account wants to hear as `actor`; it ends `kept` after it was last `used`."""

    number: int
    caller: int
    actor: int
    wanted: Filter
    position: int
    kept: timedelta
    used: datetime
    streaming: bool
    stream: Stream | None = None
    pushed: bool = False


@dataclass(eq=False, slots=True)
class Stream:
    """One open connection: its subscriptions by mailbox, and which mailboxes have news.

    It counts as that of `actor`, in whose name it was opened.
    """

    loop: asyncio.AbstractEventLoop
    actor: int
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    held: dict[int, list[Subscription]] = field(default_factory=dict)
    due: set[int] = field(default_factory=set)
    lost: list[str] = field(default_factory=list)
    severed: bool = False

    def wake(self) -> None:
        """Let the connection look what there is, from whichever thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.awake.set)


class Notices:
    """Hold the subscriptions of all accounts; they do not outlive the server."""

    def __init__(self, limits: Limits = USUAL) -> None:
        self._limits = limits
        self._boot = secrets.token_bytes(8)
        self._lock = threading.Lock()
        self._number = 0
        self._all: dict[int, Subscription] = {}
        self._streams: dict[int, set[Stream]] = {}
        self._ended = False

    @property
    def listening(self) -> int:
        """Count the open streaming connections."""
        with self._lock:
            return len(self._open_ones())

    def name(self, held: Subscription) -> str:
        """Return the id of a subscription as clients see it."""
        return base64.b64encode(_FORM.pack(self._boot, held.number)).decode()

    def add(
        self,
        whose: tuple[int, int],
        wanted: Filter,
        position: int,
        now: datetime,
        minutes: int | None,
        *,
        pushed: bool = False,
    ) -> Subscription:
        """Remember a subscription, to streaming where no `minutes` are given.

        `whose` are the mailboxes of the account and of whom it acts as. One that is `pushed`
        lasts until its listener ends it. Raises EwsError.
        """
        with self._lock:
            self._number += 1
            most = self._limits.subscriptions
            if self._number % 100 == 0 or (most and len(self._all) >= most):
                self._tidy(whose[0], now)
            kept = STREAM_KEPT if minutes is None else timedelta(minutes=minutes)
            streaming = minutes is None
            made = Subscription(self._number, *whose, wanted, position, kept, now, streaming)
            made.pushed = pushed
            self._all[made.number] = made
            return made

    def get(self, text: str, caller: int, now: datetime) -> Subscription:
        """Return a subscription and let its time begin anew. Raises EwsError."""
        try:
            boot, number = _FORM.unpack(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError, struct.error):
            raise EwsError("ErrorInvalidSubscription") from None
        with self._lock:
            found = self._all.get(number) if boot == self._boot else None
            if found is None:
                raise EwsError("ErrorSubscriptionNotFound")
            if found.caller != caller:
                raise EwsError("ErrorSubscriptionAccessDenied")
            if _over(found, now, 2):
                self._drop(found)
                raise EwsError("ErrorSubscriptionNotFound")
            if _over(found, now, 1):
                raise EwsError("ErrorExpiredSubscription")
            found.used = now
            return found

    def holds(self, number: int) -> bool:
        """Tell whether a subscription is still there."""
        with self._lock:
            return number in self._all

    def remove(self, held: Subscription) -> None:
        """End a subscription; a connection that listens to it is told."""
        with self._lock:
            self._drop(held)

    def forget(self, mailbox: int | None = None) -> None:
        """Lose all subscriptions, or those to one mailbox, as a server does that fails over."""
        with self._lock:
            for each in list(self._all.values()):
                if mailbox in (None, each.wanted.mailbox):
                    self._drop(each)

    def sever(self, *, ever: bool = False) -> None:
        """Break all streaming connections off, without a word; `ever`, those to come as well."""
        with self._lock:
            self._ended |= ever
            for stream in self._open_ones():
                stream.severed = True
                stream.wake()

    def open(self, stream: Stream, found: list[Subscription]) -> None:
        """Let a connection listen; what another one listened to is taken from it."""
        with self._lock:
            stream.severed |= self._ended
            for each in found:
                if each.stream is not None:
                    self._part(each)
                each.stream = stream
                mailbox = each.wanted.mailbox
                stream.held.setdefault(mailbox, []).append(each)
                stream.due.add(mailbox)
                self._streams.setdefault(mailbox, set()).add(stream)

    def may_open(self, actor: int) -> bool:
        """Tell whether somebody may listen on one more connection, or others in their name."""
        with self._lock:
            held = sum(each.actor == actor for each in self._open_ones())
            return not self._limits.streams or held < self._limits.streams

    def close(self, stream: Stream, now: datetime) -> None:
        """Let a connection listen no more."""
        with self._lock:
            for each in [each for found in stream.held.values() for each in found]:
                each.stream, each.used = None, now
            for mailbox in stream.held:
                self._leave(stream, mailbox)

    def heard(self, mailboxes: set[int]) -> None:
        """Wake the connections that listen to one of these mailboxes."""
        with self._lock:
            for mailbox in mailboxes & self._streams.keys():
                for stream in self._streams[mailbox]:
                    stream.due.add(mailbox)
                    stream.wake()

    def due(self, stream: Stream) -> tuple[list[Subscription], list[str]]:
        """Return, once, the subscriptions that may have news and the ids of those that are lost."""
        with self._lock:
            found = [each for mailbox in stream.due for each in stream.held.get(mailbox, ())]
            lost, stream.lost = stream.lost, []
            stream.due = set()
            return found, lost

    def _tidy(self, caller: int, now: datetime) -> None:
        """Let go of what expired long ago. Raises EwsError where an account still has too many."""
        for each in [each for each in self._all.values() if _over(each, now, 2)]:
            self._drop(each)
        held = sum(each.caller == caller for each in self._all.values())
        if self._limits.subscriptions and held >= self._limits.subscriptions:
            raise EwsError("ErrorExceededSubscriptionCount")

    def _drop(self, held: Subscription) -> None:
        self._all.pop(held.number, None)
        if held.stream is not None:
            self._part(held)

    def _part(self, held: Subscription) -> None:
        stream, mailbox = held.stream, held.wanted.mailbox
        assert stream is not None
        held.stream = None
        stream.held[mailbox].remove(held)
        if not stream.held[mailbox]:
            del stream.held[mailbox]
            self._leave(stream, mailbox)
        stream.lost.append(self.name(held))
        stream.wake()

    def _open_ones(self) -> set[Stream]:
        return {each for found in self._streams.values() for each in found}

    def _leave(self, stream: Stream, mailbox: int) -> None:
        self._streams[mailbox].discard(stream)
        if not self._streams[mailbox]:
            del self._streams[mailbox]


def _over(held: Subscription, now: datetime, times: int) -> bool:
    """Tell whether a subscription expired; it is known as such for as long as it lived."""
    return held.stream is None and not held.pushed and now > held.used + times * held.kept
