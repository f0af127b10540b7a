"""What the ways of watching share: who is watched how, hints on their way, threads that end.

`watch` arranges who is listened to in which way; the ways report here how that goes.
"""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import TypeVar

from msgspec import Struct

from accord.groupware.exchange.watch_wire import Mailbox, Told
from accord.ports.errors import AccordError, AuthFailed, Retry
from accord.ports.fault import contained
from accord.ports.http import Told as Asked
from accord.ports.requests import Helpers
from accord.ports.watcher import POLL, FolderHint, Way

T = TypeVar("T")

REST = 600.0
"""Seconds until a better way is tried again that didn't work."""

LOCKED_OUT = 3600.0
"""Seconds for which a refused login is not shown again, so that no account is locked."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds to wait after a first failure, and at most after many."""

NO_ROOM = frozenset({"ErrorExceededConnectionCount", "ErrorExceededSubscriptionCount"})
"""Codes by which a server grants no more of a way; another one may have room."""

_DOWN = frozenset({"unreachable", "unanswered", "slow"})
"""Codes that say nothing of one mailbox: the server can't be reached."""

_AT_ONCE = 8
"""How many people's mailboxes are prepared at once: one after the other, hundreds take minutes."""

_LONG = 2 * LOCKED_OUT
_NO_WAY = 1_000


def at_once(do: Callable[[T], object], some: Sequence[T]) -> None:
    """Do something for each of some, for a few at a time; raises what the first of them raises."""
    if not some:
        return
    with Helpers(_AT_ONCE, thread_name_prefix="exchange-watch") as helpers:
        for _ in helpers.map(do, some):
            pass


class Standing(Struct, eq=False, kw_only=True):
    """Be how it stands with one principal: at which of the ways, and why not at a better one.

    `look` is when to look up the folders, `again` when to try the best way again.
    """

    folders: frozenset[str]
    mailbox: Mailbox | None = None
    step: int = 0
    reasons: tuple[str, ...] = ()
    look: float = 0.0
    again: float = math.inf
    way: Way = Way(why="watching begins")

    @property
    def complete(self) -> bool:
        """Tell whether all folders are known to the server."""
        mailbox = self.mailbox
        return mailbox is not None and self.folders.issubset(mailbox.folders.values())


class Board:
    """Keep how everybody stands; safe to share between threads."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.lock = threading.RLock()
        self.stirred = threading.Event()
        """Set where somebody is to be given to another way."""
        self.standings: dict[str, Standing] = {}
        self.turns = 0
        """How often anybody's way has become another one, or who there is."""
        self._told: SimpleQueue[FolderHint | None] = SimpleQueue()

    def hint(self, principal: str, folder: str = "", *, heard: bool = True) -> None:
        """Pass a hint on."""
        self._told.put(FolderHint(principal=principal, folder=folder, heard=heard))

    def news(self, mailbox: Mailbox, told: Told) -> None:
        """Hint at the folders that a notification names, at all where it names none we know."""
        if not told.happened:
            return
        found = {mailbox.folders[each] for each in told.places if each in mailbox.folders}
        for folder in found or {""}:
            self.hint(mailbox.principal, folder)

    def hints(self) -> Iterator[FolderHint]:
        """Yield hints until `end`."""
        while (found := self._told.get()) is not None:
            yield found

    def end(self) -> None:
        """Let whoever waits for hints go."""
        self._told.put(None)

    def works(self, principal: str, name: str) -> None:
        """Note that somebody is listened to in a way."""
        self._note(principal, name, "")

    def waits(self, principal: str, why: str) -> None:
        """Note that a way doesn't work just now; it is tried on."""
        self._note(principal, POLL, why)

    def fell(self, principal: str, name: str, why: str) -> None:
        """Note that a way isn't possible for somebody; the next one is for them to try."""
        with self.lock:
            found = self.standings.get(principal)
            if found is None:
                return
            found.step += 1
            found.reasons += (f"{name}: {why}",)
            found.again = time.monotonic() + REST
            self._stands(found, Way(why="; ".join(found.reasons)))
            self.stirred.set()

    def refused(self, principal: str, why: str) -> None:
        """Note that a login is refused: no way is tried before a long time has passed."""
        with self.lock:
            if (found := self.standings.get(principal)) is not None:
                found.step, found.again = _NO_WAY, time.monotonic() + LOCKED_OUT
                self._stands(found, Way(why=why))
                self.stirred.set()

    def _note(self, principal: str, name: str, why: str) -> None:
        with self.lock:
            if (found := self.standings.get(principal)) is not None:
                reasons = [*found.reasons, why] if why else found.reasons
                self._stands(found, Way(name=name, why="; ".join(reasons)))

    def stands(self, standing: Standing, way: Way) -> None:
        """Note how it stands with somebody, where that is another way than before."""
        with self.lock:
            self._stands(standing, way)

    def _stands(self, standing: Standing, way: Way) -> None:
        if standing.way != way:
            standing.way = way
            self.turns += 1


class Line(ABC):
    """Listen to some mailboxes in one way, from a thread of its own that begins with the first."""

    name: str

    def __init__(self, board: Board) -> None:
        """Report to `board`."""
        self.board = board
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.failures = 0
        self.later: dict[str, float] = {}
        self._wake = threading.Event()
        self._members: dict[str, Mailbox] = {}
        self._thread: threading.Thread | None = None

    def cover(self, members: Mapping[str, Mailbox]) -> None:
        """Listen to these from now on; returns at once."""
        with self.lock:
            if members == self._members or self.ended.is_set():
                return
            for who in members.keys() - self._members.keys():
                self.later.pop(who, None)
            self._members = dict(members)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=f"exchange-{self.name}", daemon=True
                )
                self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Let the thread end; `join` waits for it."""
        self.ended.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end, so long at most."""
        if self._thread is not None:
            self._thread.join(seconds)

    @property
    def members(self) -> dict[str, Mailbox]:
        """Return who is to be listened to."""
        with self.lock:
            return dict(self._members)

    @property
    def wanting(self) -> bool:
        """Tell whether `cover` is to be called although everybody is as before."""
        return False

    def member(self, who: str) -> bool:
        """Tell whether somebody is to be listened to."""
        with self.lock:
            return who in self._members

    def due(self, who: str) -> bool:
        """Tell whether somebody is to be tried now."""
        return self.later.get(who, 0.0) <= time.monotonic()

    def give_up(self, who: str, error: AccordError) -> None:
        """Leave somebody to the next way; where a login is refused, all who need it to none."""
        members = self.members
        if isinstance(error, AuthFailed) and who in members:
            login = members[who].client.login
            for each in [each for each, box in members.items() if box.client.login == login]:
                self.later[each] = time.monotonic() + _LONG
                self.board.refused(each, str(error))
            return
        self.later[who] = time.monotonic() + _LONG
        self.board.fell(who, self.name, str(error))

    def put_off(self, who: str, error: AccordError) -> None:
        """Try somebody again later, or leave them to the next way where that is of no use.

        Raises what concerns the server, not this one mailbox.
        """
        if error.code in _DOWN:
            raise error
        if error.code in NO_ROOM or not isinstance(error, Retry) or error.after >= REST:
            self.give_up(who, error)
        else:
            self.later[who] = time.monotonic() + max(error.after, 1.0)
            self.board.waits(who, str(error))

    @abstractmethod
    def round(self) -> float:
        """Do what is to be done and return after how many seconds to come back, if not woken."""

    @abstractmethod
    def failed(self, error: AccordError) -> float:
        """Take in what ended a round and return how long to wait."""

    @abstractmethod
    def last(self) -> None:
        """Tidy up at the end, in the thread."""

    def rest(self, error: AccordError) -> float:
        """Return how long to leave a server alone after one more failure."""
        self.failures += 1
        if isinstance(error, Asked):
            return error.after
        return float(min(FIRST_WAIT * 2 ** min(self.failures - 1, 16), LONGEST_WAIT))

    def _run(self) -> None:
        while not self.ended.is_set():
            self._wake.clear()
            try:
                wait = self.round()
            except Exception as error:  # noqa: BLE001 (the edge: the others are listened to)
                if self.ended.is_set():
                    break
                wait = self.failed(contained(error, f"listening by {self.name}"))
            self._wake.wait(wait)
        self.last()
