"""Hear of changes on either side and ask for visits of the folders concerned.

A watch per target that can be watched (`ports.watcher`), and the CRM's feed (`ports.adapter.Feed`).
What is heard says only where to look; `run` visits.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from accord.model.kinds import Kind
from accord.ports.adapter import Feed
from accord.ports.errors import AccordError, CursorExpired
from accord.ports.fault import contained
from accord.ports.queue import Urgency
from accord.ports.watcher import POLL, FolderHint, Watch, Watcher, Way
from accord.queue.backoff import backoff
from accord.service.accord import Accord
from accord.service.roster import Roster
from accord.state.records import Target

_log = logging.getLogger("accord.service.listen")
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
_MOST_REASONS = 5

Ask = Callable[[str, str, Urgency], None]
"""Ask for a visit of a folder: its name, what causes that, and how urgent it is."""


class Ears:
    """Hold the watches of all targets and the feed; calls come from the thread of `run`."""

    def __init__(self, accord: Accord, ask: Ask, every: float) -> None:
        """Listen to nobody yet; the CRM is asked `every` so many seconds."""
        self._accord, self._ask, self._every = accord, ask, every
        self._roster = Roster((), ())
        self._watches: dict[str, Watch] = {}
        self._threads: list[threading.Thread] = []
        self._ended = threading.Event()
        self._feeding: threading.Thread | None = None
        self._cursor = ""

    def cover(self, roster: Roster) -> None:
        """Listen for these folders from now on."""
        if self._feeding is None:
            self._begin_feed()
        gone = set(self._watches) - set(roster.targets)
        self._roster = roster
        for key in gone:
            self.forget(key)
        for target in roster.targets.values():
            watch = self._watches.get(target.id) or self._begin(target)
            if watch is not None:
                watch.cover(roster.watched(target.id))

    def forget(self, target: str) -> None:
        """Close the watch of a target; the next `cover` begins anew."""
        watch = self._watches.pop(target, None)
        if watch is not None:
            watch.close()

    def ways(self) -> dict[str, Mapping[str, Way]]:
        """Return, by target, how each mailbox is watched just now."""
        # A list: whoever visits may look for links meanwhile, and find targets.
        return {target: watch.ways() for target, watch in list(self._watches.items())}

    def watches(self, target: str, principal: str) -> bool:
        """Tell whether somebody's changes are heard of just now."""
        watch = self._watches.get(target)
        return watch is not None and watch.ways().get(principal, Way()).name != POLL

    def close(self) -> None:
        """Listen no more."""
        self._ended.set()
        for target in list(self._watches):
            self.forget(target)
        for each in self._threads:
            each.join(_LONGEST_WAIT)

    # mailboxes

    def _begin(self, target: Target) -> Watch | None:
        try:
            adapter = self._accord.adapter(target.id)
        except AccordError as error:
            _log.warning("listen.target", extra={"target": target.name, "why": str(error)})
            return None
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

    # the CRM

    def _begin_feed(self) -> None:
        """Take the position from which on the CRM is to tell; what was before is visited anyway."""
        self._cursor = self._position()
        if isinstance(self._accord.crm, Feed):
            self._feeding = self._start("feed", self._follow)

    def _position(self) -> str:
        crm = self._accord.crm
        try:
            return crm.hints("")[1] if isinstance(crm, Feed) else ""
        except AccordError:
            return ""

    def _follow(self) -> None:
        failures = 0
        while not self._ended.wait(min(self._every * 2**failures, _LONGEST_WAIT)):
            try:
                self._ask_crm()
                failures = 0
            except Exception as error:  # noqa: BLE001 (the edge: the CRM is asked again)
                trouble = contained(error, "asking the CRM what changed")
                if not failures:
                    _log.warning("listen.crm", extra={"why": str(trouble)})
                failures = min(failures + 1, 10)

    def _ask_crm(self) -> None:
        crm = self._accord.crm
        assert isinstance(crm, Feed)
        try:
            if not self._cursor:
                raise CursorExpired("the CRM could not be asked before")
            hints, cursor = crm.hints(self._cursor)
        except CursorExpired:
            cursor = crm.hints("")[1]
            for key in self._roster.posts:
                self._ask(key, "crm", Urgency.DUE)
            self._cursor = cursor
            return
        seen: set[tuple[str, Kind]] = {
            (who, hint.kind) for hint in hints for who in hint.principals
        }
        for user, kind in seen:
            for key in self._roster.of_user(user, kind):
                self._ask(key, "crm", Urgency.EDIT)
        # Only now: what could not be asked for is told once more.
        self._cursor = cursor

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
