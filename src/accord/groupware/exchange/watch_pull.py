"""Pull: a subscription for each mailbox, and every few seconds the question what happened.

`watch` gives it the mailboxes for which nothing better is possible.
"""

from __future__ import annotations

from msgspec import Struct

from accord.groupware.exchange.http import Route
from accord.groupware.exchange.watch_board import Board, Line
from accord.groupware.exchange.watch_wire import (
    LOST,
    Mailbox,
    Subscription,
    events,
    granted,
    pulled,
    to_pull,
)
from accord.ports.errors import AccordError, Retry

NAME = "pull"
EVERY = 5.0
"""Seconds between two questions for one mailbox, at least."""

MINUTES = 30
"""How long a subscription lasts when nobody asks."""

_ROUND = 100
"""How often one round asks for more, so that no mailbox holds up the others."""


class _Held(Struct, eq=False):
    mailbox: Mailbox
    route: Route
    subscription: Subscription


class Pull(Line):
    """Ask for what happened, one mailbox after the other."""

    name = NAME

    def __init__(self, board: Board) -> None:
        """Report to `board`."""
        super().__init__(board)
        self._held: dict[str, _Held] = {}

    def round(self) -> float:
        """Ask for each mailbox once."""
        wanted = self.members
        self._held = {who: held for who, held in self._held.items() if who in wanted}
        for who, mailbox in wanted.items():
            if self.ended.is_set():
                break
            if not self.due(who):
                continue
            try:
                self._look(mailbox)
            except AccordError as error:
                self._refused(who, error)
        self.failures = 0
        return EVERY if wanted else 3600.0

    def failed(self, error: AccordError) -> float:
        """Wait until the server can be reached again; subscriptions may have lasted."""
        for who in self.members:
            self.board.waits(who, str(error))
        return self.rest(error)

    def last(self) -> None:
        """Leave the subscriptions: they end by themselves when nobody asks."""
        self._held.clear()

    def _look(self, mailbox: Mailbox) -> None:
        who = mailbox.principal
        held = self._held.get(who)
        if held is None or held.mailbox.folders != mailbox.folders:
            route = Route(who, lasting=True)
            made = granted(mailbox.client.one(to_pull(mailbox, MINUTES), route))
            if not made.watermark:
                self.give_up(who, Retry("the server tells no watermark to ask behind"))
                return
            held = self._held[who] = _Held(mailbox, route, made)
            self.board.hint(who, heard=False)
        for _ in range(_ROUND):
            told = pulled(mailbox.client.one(events(held.subscription), held.route))
            self.board.news(mailbox, told)
            mark = told.watermark or held.subscription.watermark
            further = mark != held.subscription.watermark
            held.subscription = Subscription(held.subscription.id, mark)
            if not (told.more and further):
                break
        self.board.works(who, NAME)

    def _refused(self, who: str, error: AccordError) -> None:
        if error.code in LOST and who in self._held:
            # A new one is made in the next round, and hints at what may be missed.
            del self._held[who]
            self.board.waits(who, "the server lost the subscription")
        else:
            self.put_off(who, error)
