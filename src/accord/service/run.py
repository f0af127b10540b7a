"""Run: visit folders when something changed there, and on their intervals, until told to stop.

Reading order: `Run.run` → `_work` → `_visit`. Links are visited by `sync`, as `accord sync` does.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from accord.ports.errors import AuthFailed
from accord.ports.fault import contained
from accord.ports.watcher import Way
from accord.service.accord import Accord
from accord.service.agenda import Agenda, Errand
from accord.service.listen import Ears
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.roster import Post, Roster, read
from accord.service.running import RunSettings
from accord.service.sync import sync

LOOK = 5.0
"""Seconds between two looks at links and targets, which may have been changed meanwhile."""

_TICK = 0.2
_BUSY = 5.0
_FIRST_REST, _LONGEST_REST = 5.0, 900.0
_REFUSALS = 5
_LOCKED_OUT = 3600.0
"""Seconds for which a refused password is not shown again, so that no account is locked."""


class Watching(Struct, frozen=True, kw_only=True):
    """Say that a mailbox is watched in another way than before, and why not in a better one."""

    target: str
    principal: str
    way: str
    why: str


class Visited(Struct, frozen=True, kw_only=True):
    """Say what one visit came to, and what caused it."""

    cause: str
    reports: tuple[Report, ...]


Tell = Callable[[Visited | Watching], None]


class Run:
    """Keep everything in agreement from now on; `stop` may be called from anywhere."""

    def __init__(self, accord: Accord, settings: RunSettings, tell: Tell) -> None:
        """Prepare; `tell` hears of all that happens, one thing at a time."""
        self._accord, self._settings = accord, settings
        self._tell = tell
        self._telling = threading.Lock()
        self._roster = Roster((), ())
        self._agenda = Agenda(self._place, self._most)
        self._ears = Ears(accord, self._agenda, settings.feed)
        self._ways: dict[tuple[str, str], Way] = {}
        self._failures: dict[str, int] = {}
        self._full_at: dict[str, float] = {}
        self._former: dict[str, Post] = {}
        self._refused: dict[str, int] = {}
        self._locked: dict[str, float] = {}
        self._stopped = False

    def run(self) -> None:
        """Visit every folder, then go by hints and intervals; returns when the last visit ended."""
        workers = [
            threading.Thread(target=self._work, name=f"visits-{number}", daemon=True)
            for number in range(self._settings.workers)
        ]
        try:
            self._look()
            for each in workers:
                each.start()
            looked = time.monotonic()
            while not self._stopped:
                time.sleep(_TICK)
                if time.monotonic() - looked >= LOOK:
                    self._look()
                    looked = time.monotonic()
                self._tell_ways()
        finally:
            self._agenda.close()
            self._ears.close()
            for each in workers:
                if each.is_alive():
                    each.join()

    def stop(self) -> None:
        """Begin nothing more; a flag, so that a signal's handler may set it."""
        self._stopped = True

    @property
    def idle(self) -> bool:
        """Tell whether nothing is under way and nothing due now."""
        return self._agenda.idle

    # links and targets

    def _look(self) -> None:
        """Read links and targets, and plan visits for what is new or changed."""
        try:
            roster = read(self._accord)
            self._take(roster)
        except Exception as error:  # noqa: BLE001 (the edge: it is tried again soon)
            contained(error, "reading links and targets")

    def _take(self, roster: Roster) -> None:
        before = self._roster
        changed = {
            key
            for key, target in before.targets.items()
            if key not in roster.targets or roster.targets[key] != target
        }
        for key in changed:
            self._ears.forget(key)
            self._accord.forget(before.targets[key])
            self._locked.pop(key, None)
            self._refused.pop(key, None)
        self._roster = roster
        for key in before.posts.keys() - roster.posts.keys():
            self._former[key] = before.posts[key]
            self._failures.pop(key, None)
        self._ears.cover(roster)
        known = {link for post in before.posts.values() for link in post.links}
        cause = "changed" if before.posts else "start"
        for key, post in roster.posts.items():
            if post.target in changed or not known.issuperset(post.links):
                self._agenda.wake(key)
                self._agenda.ask(key, cause, urgent=False)
            elif key not in before.posts:
                # Its folder has become known by the visit that was; the watch hints when it begins.
                self._agenda.ask(key, "interval", after=self._settings.poll, urgent=False)

    def _tell_ways(self) -> None:
        for target, ways in self._ears.ways().items():
            self._tell_target(target, ways)

    def _tell_target(self, target: str, ways: Mapping[str, Way]) -> None:
        for who, way in ways.items():
            if self._ways.get((target, who)) != way:
                self._ways[target, who] = way
                found = self._roster.targets.get(target)
                name = found.name if found is not None else target
                told = Watching(target=name, principal=who, way=way.name, why=way.why)
                with self._telling:
                    self._tell(told)

    def _place(self, key: str) -> str:
        post = self._roster.posts.get(key)
        return post.target if post is not None else ""

    def _most(self) -> int:
        """Return how many visits one target may have at once, so that others have room."""
        alone = len(self._roster.targets) < 2
        return self._settings.workers if alone else max(self._settings.workers - 1, 1)

    # visits

    def _work(self) -> None:
        while (errand := self._agenda.take()) is not None:
            rest = 0.0
            try:
                post = self._roster.posts.get(errand.key)
                if post is not None:
                    rest = self._visit(post, errand)
                else:
                    self._pass_on(errand)
            except Exception as error:  # noqa: BLE001 (the edge: the others are visited)
                contained(error, f"visiting {errand.key}")
                rest = _LONGEST_REST
            finally:
                self._agenda.done(errand.key, rest=rest)

    def _visit(self, post: Post, errand: Errand) -> float:
        """Visit a folder, plan the next visit, and return for how long to leave it alone."""
        if (locked := self._locked.get(post.target, 0.0) - time.monotonic()) > 0:
            self._agenda.ask(post.key, errand.cause, after=locked, urgent=False, full=errand.full)
            return locked
        full = errand.full or self._full(post.key)
        options = Options(full=full, cause=errand.cause)
        reports = sync(self._accord, post.links, options)
        with self._telling:
            self._tell(Visited(cause=errand.cause, reports=tuple(reports)))
        rest = self._rest(post, reports)
        if any(report.busy for report in reports):
            self._agenda.ask(post.key, errand.cause, after=_BUSY, urgent=False, full=full)
        settings = self._settings
        heard = self._ears.watches(post.target, post.principal)
        after = settings.interval if heard else min(settings.poll, settings.interval)
        self._agenda.ask(post.key, "interval", after=rest or after, urgent=False)
        return rest

    def _pass_on(self, errand: Errand) -> None:
        """Give what was asked for a folder to the one by whose id its links go by now."""
        former = self._former.pop(errand.key, None)
        if former is not None and errand.cause != "interval":
            for key in self._roster.of_mailbox(former.target, former.principal):
                self._agenda.ask(key, errand.cause, after=0.0)

    def _full(self, key: str) -> bool:
        """Tell whether a complete listing is due; the first ones are spread over time."""
        now, every = time.monotonic(), self._settings.full
        at = self._full_at.setdefault(key, now + every * random.uniform(0.5, 1.5))  # noqa: S311
        if at > now:
            return False
        self._full_at[key] = now + every
        return True

    def _rest(self, post: Post, reports: Sequence[Report]) -> float:
        """Return for how long a folder is to be left alone after what went wrong, 0 if nothing."""
        failed = [report for report in reports if report.error and not report.busy]
        if not failed:
            self._failures.pop(post.key, None)
            self._refused.pop(post.target, None)
            return 0.0
        if any(report.action == AuthFailed.action for report in failed):
            self._note_refusal(post.target)
            return _LOCKED_OUT
        failures = self._failures[post.key] = self._failures.get(post.key, 0) + 1
        told = max(report.after for report in failed)
        return max(told, min(_FIRST_REST * 2.0 ** min(failures - 1, 10), _LONGEST_REST))

    def _note_refusal(self, target: str) -> None:
        """Count logins refused in a row: where all are, one account may stand for everybody."""
        self._refused[target] = self._refused.get(target, 0) + 1
        if self._refused[target] >= _REFUSALS:
            self._locked[target] = time.monotonic() + _LOCKED_OUT
