"""Watching people's mailboxes: who is listened to in which way, and the next way where one fails.

`adapter.watch` makes one (`ports/watcher`). The ways, best first: `watch_streaming`, `watch_push`,
`watch_pull`; who can be listened to in none of them is left to the clock.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from accord.groupware.exchange import watch_pull, watch_push, watch_streaming
from accord.groupware.exchange.folders import Place
from accord.groupware.exchange.server import Server
from accord.groupware.exchange.settings import Config
from accord.groupware.exchange.watch_board import LOCKED_OUT, REST, Board, Standing, at_once
from accord.groupware.exchange.watch_pull import Pull
from accord.groupware.exchange.watch_push import Push
from accord.groupware.exchange.watch_streaming import Streaming
from accord.groupware.exchange.watch_wire import Mailbox
from accord.groupware.exchange.ways import Login, login
from accord.ports.errors import AuthFailed, ConfigError, Retry
from accord.ports.fault import contained
from accord.ports.watcher import POLL, FolderHint, Watched, Way

_PARTING = 5.0
_SOONEST = 5.0
_CHOSEN = "the settings want it so"


class _Way(Protocol):
    """Be one way to listen."""

    name: str

    @property
    def wanting(self) -> bool:
        """Tell whether `cover` is to be called although everybody is as before."""
        ...

    def cover(self, members: Mapping[str, Mailbox]) -> None: ...
    def close(self) -> None: ...
    def join(self, seconds: float) -> None: ...


class ExchangeWatch:
    """Be the watch over one server's mailboxes."""

    def __init__(self, server: Server) -> None:
        """Cover nobody yet."""
        self._server = server
        self._board = Board()
        self._ended = threading.Event()
        self._ways: dict[str, _Way] = {}
        self._order = ways_of(server.config)
        self._covered: Sequence[Watched] = ()
        self._wanting: dict[str, Standing] = {}
        self._thread: threading.Thread | None = None

    def cover(self, watched: Sequence[Watched]) -> None:
        """Watch these from now on; the work is done by a thread."""
        board = self._board
        with board.lock:
            if watched is not self._covered:
                self._take(watched)
            elif not self._grow() and not any(each.wanting for each in self._all()):
                return
            if self._thread is None and watched and not self._ended.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="exchange-watch", daemon=True
                )
                self._thread.start()
            board.stirred.set()

    def _take(self, watched: Sequence[Watched]) -> None:
        """Let whoever is watched as before stand as before, and look the others up."""
        board = self._board
        found: dict[str, Standing] = {}
        for each in watched:
            standing = board.standings.get(each.principal)
            if standing is None or standing.folders != each.folders:
                standing = Standing(folders=each.folders)
            found[each.principal] = standing
        board.standings = found
        board.turns += 1
        self._covered, self._wanting = watched, dict(found)
        self._grow()

    def _grow(self) -> bool:
        """Look up anew of whom more folders have become known; tell whether there is anybody.

        Nobody is asked about of whom all are known: of thousands that is nearly everybody.
        """
        grown = False
        for who, standing in list(self._wanting.items()):
            if standing.complete or not self._order:
                del self._wanting[who]
            elif standing.look > 0.0 and self._grown(who, standing):
                standing.look, grown = 0.0, True
        return grown

    def hints(self) -> Iterator[FolderHint]:
        """Yield hints until the watch is closed."""
        return self._board.hints()

    def ways(self) -> Mapping[str, Way]:
        """Return how each principal is watched just now."""
        with self._board.lock:
            return {who: each.way for who, each in self._board.standings.items()}

    def way(self, principal: str) -> Way:
        """Return how one of them is watched just now."""
        standing = self._board.standings.get(principal)
        return Way() if standing is None else standing.way

    @property
    def turns(self) -> int:
        """Return how often anything in `ways` has changed."""
        return self._board.turns

    def close(self) -> None:
        """Stop listening, and wait a few seconds for the threads to part in good order."""
        self._ended.set()
        self._board.stirred.set()
        if self._thread is not None:
            self._thread.join(_PARTING)
        for each in self._ways.values():
            each.close()
        until = time.monotonic() + _PARTING
        for each in self._ways.values():
            each.join(max(until - time.monotonic(), 0.0))
        self._board.end()

    def _all(self) -> list[_Way]:
        # A list: the thread may begin another one meanwhile.
        return list(self._ways.values())

    # arranging, in the thread

    def _run(self) -> None:
        while not self._ended.is_set():
            # Before looking, not after: who falls from a way meanwhile is given on at once.
            self._board.stirred.clear()
            wait = self._arrange()
            if not self._ended.is_set():
                self._board.stirred.wait(wait)

    def _arrange(self) -> float:
        """Give everybody to the way that they are at, and return when to look again."""
        due: dict[str, Standing] = {}
        now = time.monotonic()
        for who, standing in list(self._board.standings.items()):
            if standing.again <= now:
                standing.step, standing.reasons, standing.again = 0, (), math.inf
                standing.look = 0.0
            if standing.look <= now:
                due[who] = standing
        self._find_all(due)
        if self._ended.is_set():
            return 0.0
        members: dict[str, dict[str, Mailbox]] = {name: {} for name in self._order}
        with self._board.lock:
            for who, standing in self._board.standings.items():
                if standing.mailbox is not None and standing.step < len(self._order):
                    members[self._order[standing.step]][who] = standing.mailbox
            times = [min(s.look, s.again) for s in self._board.standings.values()]
        for name, some in members.items():
            if some or name in self._ways:
                self._way(name).cover(some)
        return min(max(min(times, default=math.inf) - time.monotonic(), 0.5), REST)

    def _find_all(self, due: Mapping[str, Standing]) -> None:
        """Look up where the folders of some are, of several at once.

        Of each login first one alone: one that is refused is shown once, not for everybody.
        """
        refused: set[Login] = set()
        by_login: dict[Login | str, list[str]] = {}
        for who in due:
            by_login.setdefault(self._login(who), []).append(who)
        logins = by_login.values()
        for wave in ([each[0] for each in logins], [who for each in logins for who in each[1:]]):
            at_once(lambda who: self._find(who, due[who], refused), wave)

    def _login(self, who: str) -> Login | str:
        """Return the login by which somebody is served, or who it is where there is none."""
        try:
            return login(self._server.config, who)
        except ConfigError:
            return who

    def _find(self, who: str, standing: Standing, refused: set[Login]) -> None:
        """Look up where somebody's folders are; `refused` logins aren't shown again."""
        if self._ended.is_set():
            return
        standing.look = math.inf
        if not self._order:
            self._board.stands(standing, Way(why=_CHOSEN))
            return
        try:
            signed = login(self._server.config, who)
            if signed in refused:
                raise AuthFailed(f"the server has just refused the login of {signed.user}")
            places = _places(self._server.place(who), standing.folders)
            if places:
                standing.mailbox = Mailbox(who, self._server.client(who), places)
            else:
                standing.mailbox, standing.look = None, time.monotonic() + REST
                self._board.stands(standing, Way(why="the folders aren't there yet"))
        except Exception as error:  # noqa: BLE001 (the edge: the others are watched)
            trouble = contained(error, f"watching {who}")
            after = trouble.after if isinstance(trouble, Retry) else REST
            if isinstance(trouble, AuthFailed):
                refused.add(login(self._server.config, who))
                after = LOCKED_OUT
            standing.look = time.monotonic() + max(after, _SOONEST)
            self._board.stands(standing, Way(why=str(trouble)))
        with self._board.lock:
            if not standing.complete and self._board.standings.get(who) is standing:
                self._wanting[who] = standing

    def _grown(self, who: str, standing: Standing) -> bool:
        """Tell whether more folders of somebody are known by now, without asking the server."""
        known = self._server.known(who)
        have = len(standing.mailbox.folders) if standing.mailbox is not None else 0
        return known is not None and len(_places(known, standing.folders)) > have

    def _way(self, name: str) -> _Way:
        if name not in self._ways:
            self._ways[name] = self._made(name)
        return self._ways[name]

    def _made(self, name: str) -> _Way:
        if name == watch_streaming.NAME:
            return Streaming(self._board, self._group)
        if name == watch_push.NAME:
            return Push(self._board, self._server.config)
        return Pull(self._board)

    def _group(self, mailbox: Mailbox) -> str:
        """Return what those have in common who may share a connection: place and login."""
        return f"{self._server.group(mailbox.principal)} {mailbox.client.login.user}"


def ways_of(config: Config) -> tuple[str, ...]:
    """Return the ways to try, best first, as the settings want it."""
    if config.notifications == POLL:
        return ()
    if config.notifications != "auto":
        return (config.notifications,)
    push = (watch_push.NAME,) if config.push_url else ()
    return (watch_streaming.NAME, *push, watch_pull.NAME)


def _places(place: Place, wanted: frozenset[str]) -> dict[str, str]:
    known = ((each, place.folder(each)) for each in sorted(wanted))
    found = {one.place: each for each, one in known if one is not None and not one.trash}
    found.pop("", None)
    return found
