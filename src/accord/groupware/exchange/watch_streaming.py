"""Streaming: subscriptions of up to 200 mailboxes on one long answer, and how it goes on.

`watch` gives it mailboxes. Subscriptions live on one mailbox server, so mailboxes that Autodiscover
groups share a route, with the alphabetically first as anchor; one whose subscription isn't found
there again and again goes to another group. Microsoft: maintain affinity between a group of
subscriptions and the Mailbox server.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec import Struct

from accord.groupware.exchange import wire
from accord.groupware.exchange.errors import status_error
from accord.groupware.exchange.http import Held, Route
from accord.groupware.exchange.watch_board import NO_ROOM, REST, Board, Line, at_once
from accord.groupware.exchange.watch_wire import (
    LOST,
    Envelopes,
    Mailbox,
    Piece,
    granted,
    piece,
    stream,
    to_stream,
    unsubscribe,
)
from accord.ports.errors import AccordError, Retry
from accord.ports.http import Unanswered

NAME = "streaming"
MOST = 200
"""Subscriptions on one connection (Exchange's own limit)."""

MINUTES = 30
"""How long one connection is asked to last, the longest that there is."""

SILENCE = 100.0
"""Seconds without a sign of life after which a connection counts as broken; Exchange gives one
every 45."""

_SETTLED = 30.0
"""Seconds between connections that are broken off because somebody is to be added."""

_PARTING = 2.0
_MOVING = 60.0
_SHIFTS = 20


class Streaming:
    """Listen to mailboxes by streams, as few of them as possible."""

    name = NAME

    def __init__(self, board: Board, group: Callable[[Mailbox], str]) -> None:
        """Report to `board`; `group` says which mailboxes may share a connection."""
        self._board = board
        self._group = group
        self._lines: dict[tuple[str, int], Stream] = {}
        self._seats: dict[str, tuple[str, int]] = {}
        self._shifts: dict[str, int] = {}

    def cover(self, members: Mapping[str, Mailbox]) -> None:
        """Listen to these from now on."""
        self._seats = {who: seat for who, seat in self._seats.items() if who in members}
        taken = Counter(self._seats.values())
        for who in sorted(members):
            self._seat(who, f"{self._group(members[who])} {self._shifts.get(who, 0)}", taken)
        seated: dict[tuple[str, int], dict[str, Mailbox]] = {seat: {} for seat in self._lines}
        for who, seat in self._seats.items():
            seated.setdefault(seat, {})[who] = members[who]
        for seat, some in seated.items():
            if seat not in self._lines:
                self._lines[seat] = Stream(self._board, self._stray)
            self._lines[seat].cover(some)
            if not some:
                self._lines.pop(seat).close()

    @property
    def wanting(self) -> bool:
        """Tell whether `cover` is to be called although everybody is as before."""
        return any(each.wanting for each in list(self._lines.values()))

    def close(self) -> None:
        """Let all streams end."""
        for each in self._lines.values():
            each.close()

    def join(self, seconds: float) -> None:
        """Wait for the end of all streams."""
        until = time.monotonic() + seconds
        for each in self._lines.values():
            each.join(max(until - time.monotonic(), 0.0))

    def _seat(self, who: str, group: str, taken: Counter[tuple[str, int]]) -> None:
        """Give somebody a place on a connection of their group; whoever has one keeps it."""
        if who in self._seats and self._seats[who][0] == group:
            return
        if (left := self._seats.pop(who, None)) is not None:
            taken[left] -= 1
        number = 0
        while taken[group, number] >= MOST:
            number += 1
        self._seats[who] = (group, number)
        taken[group, number] += 1

    def _stray(self, who: str) -> None:
        """Move somebody whose mailbox seems to be on another server than their group's."""
        self._shifts[who] = self._shifts.get(who, 0) + 1
        if self._shifts[who] > _SHIFTS:
            self._board.fell(who, NAME, "no server knows the subscription that it granted")
            self._shifts[who] = 0
        self._board.stirred.set()


class _Seated(Struct, eq=False):
    """Be a subscription that is held; `fresh` until a stream has taken it."""

    mailbox: Mailbox
    id: str
    fresh: bool = True


class Stream(Line):
    """Be one connection and the subscriptions on it."""

    name = NAME

    def __init__(self, board: Board, stray: Callable[[str], None]) -> None:
        """Report to `board`, and whose subscription is never found to `stray`."""
        super().__init__(board)
        self._stray = stray
        self._held: dict[str, _Seated] = {}
        self._by_id: dict[str, _Seated] = {}
        self._fresh = False
        self._missing = True
        self._losses: dict[str, int] = {}
        self._route: Route | None = None
        self._open: Held | None = None
        self._began = 0.0
        self._missed = False
        self._renew = False
        self._heard = False
        self._cut = False

    def cover(self, members: Mapping[str, Mailbox]) -> None:
        """Listen to these from now on; whoever is new needs not wait for the next sign of life."""
        before, held = self.members, dict(self._held)
        if members != before:
            super().cover(members)
            self._missing = True
        for who in (members.keys() - before.keys()) & held.keys():
            # Somebody who is back before the connection has parted with them.
            if not held[who].fresh and held[who].mailbox.folders == members[who].folders:
                self.board.works(who, NAME)
                self.board.hint(who, heard=False)
        if not self.wanting:
            return
        with self.lock:
            if self._open is not None:
                self._cut = True
                self._open.cut()

    def close(self) -> None:
        """Break the connection off and end."""
        super().close()
        with self.lock:
            if self._open is not None:
                self._open.cut()

    @property
    def wanting(self) -> bool:
        """Tell whether it is time to break the connection off, for somebody to be put on it."""
        return time.monotonic() - self._began >= _SETTLED and self._newcomers()

    def round(self) -> float:
        """Subscribe whoever isn't yet, and listen until the connection ends."""
        self._part()
        self._subscribe()
        self._missing = True
        if not self._held:
            waits = [at - time.monotonic() for who, at in self.later.items() if who in self.members]
            return max(min(waits, default=3600.0), 0.1)
        self._began = time.monotonic()
        try:
            self._listen()
        except AccordError:
            if not self._cut:
                raise
            self._missed = True
        self._cut = False
        # Where what was just granted isn't found, the server is given a moment.
        return 1.0 if self._losses else 0.0

    def failed(self, error: AccordError) -> float:
        """Try again, on new subscriptions if need be; give the way up where that is of no use."""
        self._missed = True
        wait = self.rest(error)
        lost = error.code in LOST
        silent = isinstance(error, Unanswered) and not self._heard and self.failures > 1
        useless = not isinstance(error, Retry) or error.after >= REST
        if error.code in NO_ROOM or silent or (useless and not lost):
            if silent:
                error = Retry(f"nothing comes before the end of the answer: {error}")
            self._forget_all()
            for who in self.members:
                self.give_up(who, error)
            return wait
        if lost or self.failures > 1:
            # What the server held for the broken connection may have gone with it.
            self._forget_all()
        for who in self.members:
            self.board.waits(who, str(error))
        return wait

    def last(self) -> None:
        """Unsubscribe, as far as that goes quickly."""
        until = time.monotonic() + _PARTING
        for each in self._held.values():
            if time.monotonic() > until:
                return
            with suppress(AccordError):
                each.mailbox.client.one(unsubscribe(each.id), self._route)

    # subscriptions

    def _part(self) -> None:
        """Let go of subscriptions that nobody wants any more, or that are to other folders."""
        wanted = self.members
        for who, seated in list(self._held.items()):
            mailbox = wanted.get(who)
            if mailbox is None or mailbox.folders != seated.mailbox.folders:
                self._leave(who)
                with suppress(AccordError):
                    seated.mailbox.client.one(unsubscribe(seated.id), self._route)

    def _subscribe(self) -> None:
        """Subscribe whoever isn't yet, several at once.

        First one alone: from it is learned which server it is, and whether the login is taken.
        """
        missing = [each for each in sorted(self.members.items()) if each[0] not in self._held]
        held = False
        while missing and not held:
            held = self._take_on(*missing.pop(0))
        at_once(lambda each: self._take_on(*each), missing)

    def _take_on(self, who: str, mailbox: Mailbox) -> bool:
        """Subscribe somebody who is to be tried now; tell whether they are subscribed."""
        if self.ended.is_set() or not self.due(who):
            return False
        if self._route is None or not self._held:
            self._route = Route(who, lasting=True)
        try:
            made = granted(mailbox.client.one(to_stream(mailbox), self._route))
        except AccordError as error:
            self.put_off(who, error)
            return False
        self.later.pop(who, None)
        self._held[who] = self._by_id[made.id] = _Seated(mailbox, made.id)
        self._fresh = True
        self.board.hint(who, heard=False)
        return True

    def _leave(self, who: str) -> None:
        seated = self._held.pop(who, None)
        if seated is not None and self._by_id.get(seated.id) is seated:
            del self._by_id[seated.id]

    def _forget_all(self) -> None:
        self._held.clear()
        self._by_id.clear()
        self._route = None

    # the stream

    def _listen(self) -> None:
        anchor = next(iter(self._held.values())).mailbox
        route = self._route or Route(anchor.principal, lasting=True)
        request = stream([each.id for each in self._held.values()], MINUTES)
        with anchor.client.held(request, route, SILENCE) as held:
            with self.lock:
                self._open = held
            try:
                if self.ended.is_set():
                    return
                self._follow(held)
            finally:
                with self.lock:
                    self._open = None

    def _follow(self, held: Held) -> None:
        envelopes = Envelopes()
        if held.status != 200:
            raise answered(held)
        for part in held.parts():
            for text in envelopes.feed(part):
                read = piece(text)
                self._take(read)
                if read.error is not None:
                    raise read.error
                if read.closed or self._must_part():
                    return
        raise Retry("the stream ended without a word", after=1.0, code="ended")

    def _take(self, read: Piece) -> None:
        for told in read.told:
            seated = self._by_id.get(told.id)
            if seated is not None and self.member(seated.mailbox.principal):
                self.board.news(seated.mailbox, told)
        for name in read.lost:
            if (seated := self._by_id.get(name)) is not None:
                self._lose(seated)
        if read.error is None:
            self._settle()

    def _settle(self) -> None:
        """Note that all is well, and what may have been missed until now."""
        self.failures, self._heard = 0, True
        if not (self._fresh or self._missed):
            return
        self._fresh = False
        for who, seated in self._held.items():
            if seated.fresh or self._missed:
                seated.fresh = False
                self._losses.pop(who, None)
                self.board.works(who, NAME)
        if self._missed and self._held:
            self._missed = False
            for who in self._held:
                self.board.hint(who, heard=False)

    def _lose(self, seated: _Seated) -> None:
        who = seated.mailbox.principal
        self._leave(who)
        self._missing = True
        self.board.waits(who, "the server lost the subscription")
        if seated.fresh:
            self._losses[who] = self._losses.get(who, 0) + 1
        if self._losses.get(who, 0) > 1:
            self._losses.pop(who)
            self.later[who] = time.monotonic() + _MOVING
            self._stray(who)
        else:
            self._renew = True

    def _must_part(self) -> bool:
        """Tell whether to break the connection off, for somebody to be put on it.

        What the server had on its way then is missed, so everybody is hinted afterwards.
        """
        if not self._renew and time.monotonic() - self._began < _SETTLED:
            return False
        newcomers = self._newcomers()
        self._missed |= newcomers
        self._renew = False
        return newcomers

    def _newcomers(self) -> bool:
        """Tell whether somebody is to be put on the connection who isn't, or not with all.

        It is asked at each sign of life: nobody is looked at while nobody is wanting.
        """
        if not self._missing:
            return False
        # Before the look: who comes meanwhile is looked for next time.
        self._missing = False
        held = dict(self._held)
        missing = [
            who
            for who, mailbox in self.members.items()
            if who not in held or held[who].mailbox.folders != mailbox.folders
        ]
        if missing:
            self._missing = True
        return any(self.due(who) for who in missing)


def answered(held: Held) -> AccordError:
    """Return why there is no stream but an answer."""
    text = b""
    for part in held.parts():
        text += part
        if len(text) > 100_000:
            break
    if b"Envelope" in text[:2000]:
        with suppress(Retry):
            fault = wire.fault_of(wire.parse(text.lstrip()), "GetStreamingEvents")
            if fault is not None:
                return fault
    return status_error(held.status, held.headers, "GetStreamingEvents")
