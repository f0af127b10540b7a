"""Hear of changes on either side and ask for visits of the folders concerned.

A watch per target that can be watched (`ports.watcher`), and the CRM's feed (`ports.adapter.Feed`).
What is heard says only where to look; `run` visits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accord.ports.adapter import Feed
from accord.ports.fault import contained
from accord.ports.queue import Urgency
from accord.ports.watcher import POLL, FolderHint, Watch, Watched, Watcher, Way
from accord.queue.backoff import backoff
from accord.service.accord import Accord
from accord.service.feed import Ask, CrmFeed
from accord.service.roster import Roster
from accord.service.shares import Shares
from accord.state.records import Target

_log = logging.getLogger("accord.service.listen")
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_MOST_REASONS = 5

REST = 60.0
"""Seconds until a target is tried again that can't be watched, unless it is changed before."""


class Ears:
    """Hold the watches of all targets and the feed; calls come from the thread of `run`."""

    def __init__(self, accord: Accord, ask: Ask, every: float, shares: Shares) -> None:
        """Listen to nobody yet; the CRM is asked `every` so many seconds.

        Of mailboxes and CRM only what falls to this process by `shares` is listened to.
        """
        self._accord, self._ask, self._shares = accord, ask, shares
        self._roster = Roster((), ())
        self._watches: dict[str, Watch] = {}
        self._covered: tuple[Roster, int] | None = None
        self._watched: dict[str, Sequence[Watched]] = {}
        self._later: dict[str, float] = {}
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()
        self._feed = CrmFeed(accord, ask, every, shares, self._ended)

    def cover(self, roster: Roster) -> None:
        """Listen for these folders from now on, as far as they fall to this process."""
        gone = set(self._watches) - set(roster.targets)
        self._roster = roster
        for key in gone:
            self.forget(key)
        self._divide(roster)
        for target in roster.targets.values():
            if self._later.get(target.id, 0.0) > time.monotonic():
                continue
            watched = self._watched.get(target.id)
            try:
                watch = self._watches.get(target.id)
                if watch is None and watched is not None:
                    watch = self._begin(target)
                if watch is not None:
                    watch.cover(watched or ())
            except Exception as error:  # noqa: BLE001 (the edge: the other targets are watched)
                why = str(contained(error, f"watching {target.name}"))
                _log.warning("listen.target", extra={"target": target.name, "why": why})
                self._later[target.id] = time.monotonic() + REST
        self._feed.cover(roster)
        if not self._feed.begun and isinstance(self._accord.crm, Feed):
            self._feed.begun = True
            self._start("feed", self._feed.follow)

    def _divide(self, roster: Roster) -> None:
        """Find out what is to be watched of whom; the same as before where nothing has changed."""
        told = (roster, self._shares.changes)
        if self._covered == told:
            return
        self._watched = {}
        for target, principals in roster.mailboxes().items():
            if mine := [who for who in principals if self._shares.has(target, who)]:
                self._watched[target] = roster.watched(target, mine)
        self._covered = told

    def forget(self, target: str) -> None:
        """Close the watch of a target; the next `cover` begins anew."""
        self._later.pop(target, None)
        watch = self._watches.pop(target, None)
        if watch is not None:
            watch.close()

    def ways(self) -> dict[str, Mapping[str, Way]]:
        """Return, by target, how each mailbox is watched just now."""
        # A list: whoever visits may look for links meanwhile, and find targets.
        return {target: watch.ways() for target, watch in list(self._watches.items())}

    def turns(self) -> dict[str, tuple[Watch, int]]:
        """Return what is another one than before wherever `ways` may be, and cheap to ask for."""
        return {target: (watch, watch.turns) for target, watch in list(self._watches.items())}

    def watches(self, target: str, principal: str) -> bool:
        """Tell whether somebody's changes are heard of just now."""
        watch = self._watches.get(target)
        return watch is not None and watch.way(principal).name != POLL

    def close(self) -> None:
        """Listen no more."""
        self._ended.set()
        for target in list(self._watches):
            self.forget(target)
        for each in self._threads:
            each.join(_LONGEST_WAIT)

    def _begin(self, target: Target) -> Watch | None:
        adapter = self._accord.adapter(target.id)
        if not isinstance(adapter, Watcher):
            return None
        watch = self._watches[target.id] = adapter.watch()
        self._start(f"hints-{target.name}", lambda: self._hear(target, watch))
        return watch

    def _hear(self, target: Target, watch: Watch) -> None:
        for hint in watch.hints():
            failures = 0
            while not self._passed_on(target, hint):
                failures += 1
                if self._ended.wait(backoff(failures, _FIRST_WAIT, _LONGEST_WAIT)):
                    return

    def _passed_on(self, target: Target, hint: FolderHint) -> bool:
        """Ask for the visits that a hint is about; tell whether that was possible."""
        cause = "hint" if hint.heard else "reconnected"
        try:
            for key in self._roster.of_mailbox(target.id, hint.principal, hint.folder):
                self._ask(key, cause, Urgency.EDIT if hint.heard else Urgency.DUE)
        except Exception as error:  # noqa: BLE001 (the edge: nobody else tells of this change)
            trouble = contained(error, f"asking for visits on {target.name}")
            _log.warning("listen.hint", extra={"target": target.name, "why": str(trouble)})
            return False
        return True

    def _start(self, name: str, work: Callable[[], None]) -> threading.Thread:
        self._threads = [each for each in self._threads if each.is_alive()]
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread


def streams(
    ways: Mapping[str, Mapping[str, Way]], targets: Mapping[str, Target]
) -> dict[str, dict[str, Any]]:
    """Return, by the names of targets, how many mailboxes are watched in which way, and why so."""
    found: dict[str, dict[str, Any]] = {}
    for key, each in ways.items():
        name = targets[key].name if key in targets else key
        reasons = Counter(way.why for way in each.values() if way.why)
        found[name] = {
            "ways": dict(Counter(way.name for way in each.values())),
            "why": dict(reasons.most_common(_MOST_REASONS)),
        }
    return found
