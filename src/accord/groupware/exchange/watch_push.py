"""Push: Exchange posts to Accord's listener what happened, and now and then that nothing did.

`watch` gives it mailboxes where the settings name an address. Each subscription has an address
with a key of its own that nobody can guess; a post without one is refused. A subscription of which
nothing was heard for too long is made anew.
"""

from __future__ import annotations

import secrets
import time
from collections import deque

from msgspec import Struct

from accord.groupware.exchange import wire
from accord.groupware.exchange.http import Route
from accord.groupware.exchange.settings import Config
from accord.groupware.exchange.watch_board import Board, Line
from accord.groupware.exchange.watch_listener import Listener
from accord.groupware.exchange.watch_wire import Mailbox, granted, posted, replied, to_push
from accord.ports.errors import AccordError, ConfigError, Retry

NAME = "push"
MINUTES = 5
"""How often Exchange says that nothing happened; that it lives, so to say."""

MINUTE = 60.0
GREETING = 120.0
"""Seconds until the first post has to be here; Exchange sends it at once."""

_LATE = 2 * MINUTES + 1
_ROUND = 5.0
_PARTED = 5_000


class _Held(Struct, eq=False):
    mailbox: Mailbox
    key: str
    since: float
    heard: float = 0.0


class Push(Line):
    """Hold subscriptions and the listener."""

    name = NAME

    def __init__(self, board: Board, config: Config) -> None:
        """Report to `board`; nothing listens before the first mailbox comes."""
        super().__init__(board)
        self._config = config
        self._door: Listener | None = None
        self._held: dict[str, _Held] = {}
        self._keys: dict[str, _Held] = {}
        self._parted: deque[str] = deque(maxlen=_PARTED)

    def round(self) -> float:
        """Subscribe whoever isn't yet, and look of whom too long nothing was heard."""
        wanted = self.members
        for who in [who for who in self._held if who not in wanted]:
            self._drop(who)
        if not wanted:
            return 3600.0
        if self._door is None:
            self._door = Listener(self._config.push_listen, self.take)
        for who, mailbox in wanted.items():
            if self.ended.is_set():
                break
            if not self.due(who):
                continue
            try:
                self._look(mailbox)
            except AccordError as error:
                self._drop(who)
                self.put_off(who, error)
        self.failures = 0
        return _ROUND

    def failed(self, error: AccordError) -> float:
        """Wait until the server can be reached again; without a listener push isn't possible."""
        for who in self.members:
            if isinstance(error, ConfigError):
                self.give_up(who, error)
            else:
                self.board.waits(who, str(error))
        return self.rest(error)

    def last(self) -> None:
        """Close the listener; Exchange gives up what it can't post."""
        if self._door is not None:
            self._door.close()

    def take(self, key: str, body: bytes) -> tuple[int, bytes]:
        """Answer a post: OK to a known key, Unsubscribe to one that has had its time."""
        with self.lock:
            held = self._keys.get(key)
            parted = held is None and key in self._parted
        if held is None and not parted:
            return 404, b""
        try:
            told = posted(wire.parse(body))
        except Retry:
            told = None
        if told is None:
            return 400, b""
        if held is None:
            return 200, replied("Unsubscribe")
        held.heard = time.monotonic()
        self.board.works(held.mailbox.principal, NAME)
        for each in told:
            self.board.news(held.mailbox, each)
        return 200, replied("OK")

    def _look(self, mailbox: Mailbox) -> None:
        who, now = mailbox.principal, time.monotonic()
        held = self._held.get(who)
        if held is not None and not held.heard and now - held.since > GREETING:
            why = f"nothing was posted to {self._config.push_url} within {GREETING:.0f} s"
            raise ConfigError(why, field="push_url")
        late = held is not None and held.heard and now - held.heard > _LATE * MINUTE
        if held is not None and not late and held.mailbox.folders == mailbox.folders:
            return
        self._drop(who)
        held = _Held(mailbox, secrets.token_urlsafe(32), now)
        # The first post may be here before the answer is.
        with self.lock:
            self._keys[held.key] = held
        self._held[who] = held
        url = f"{self._config.push_url.rstrip('/')}/{held.key}"
        granted(mailbox.client.one(to_push(mailbox, url, MINUTES), Route(who, lasting=True)))
        self.board.hint(who, heard=False)

    def _drop(self, who: str) -> None:
        """Let a subscription go: the next post to its key is answered so that Exchange ends it."""
        held = self._held.pop(who, None)
        if held is not None:
            with self.lock:
                self._keys.pop(held.key, None)
                self._parted.append(held.key)
