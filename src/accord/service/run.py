"""Run: visit folders when something changed there, and on their intervals, until told to stop.

Reading order: `Run.run` → `_work` → `_visit`. Links are visited by `sync`, as `accord sync` does.
What is to be visited stands in a queue (`ports.queue`), which other processes may share.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import zlib
from collections.abc import Callable, Collection, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from accord.ports.errors import AuthFailed, Busy
from accord.ports.fault import contained
from accord.ports.queue import SETTLE, Job, Queue, Urgency
from accord.ports.watcher import POLL, Way
from accord.queue.backoff import backoff
from accord.queue.circuits import LONGEST
from accord.service.accord import Accord
from accord.service.jobs.clockwork import Clockwork
from accord.service.listen import Ears, streams
from accord.service.memory import give_back, look_for_garbage, share_arenas
from accord.service.opening import Options
from accord.service.presence import Figures, Presence
from accord.service.report import Report
from accord.service.roster import Post, Roster, read, renamed
from accord.service.running import RunSettings
from accord.service.shares import Shares
from accord.service.speed import HEARD
from accord.service.sync import sync
from accord.service.ways import Ways

LOOK = 5.0
"""Seconds between two looks at links and targets, which may have been changed meanwhile."""

WAYS = 1.0
"""Seconds between two looks at how mailboxes are watched."""

NEWS = 1.0
"""Seconds between two questions whether jobs have news, such as users who came."""

NOTED = 30.0
"""Seconds between two looks whether it is still noted how they are."""

READING, SELDOM = 0.004, 30.0
"""How much of a core to see that no link has changed may take, and seconds between at most."""

GRACE = 60.0
"""Seconds for which visits may go on that are under way when it is to stop: longer ones end before
their next step, for whoever stops a service waits minutes at most, and then kills it."""

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
    """Say what one visit came to, what caused it, and on which target (its name) it was.

    `took` is how many seconds a change took that somebody told of, None where nobody did.
    """

    cause: str
    reports: tuple[Report, ...]
    target: str = ""
    took: float | None = None


_log = logging.getLogger("accord.service.run")

Tell = Callable[[Visited | Watching], None]


class Part(StrEnum):
    """Be what one process does of a run; several may share the work."""

    WORKER = "worker"
    """Visit folders."""
    LISTENER = "listener"
    """Hear of changes, and ask for visits."""


class Run:
    """Keep everything in agreement from now on; `stop` may be called from anywhere."""

    def __init__(
        self,
        accord: Accord,
        settings: RunSettings,
        tell: Tell,
        queue: Queue,
        parts: Collection[Part] = tuple(Part),
        jobs: Clockwork | None = None,
        work: Figures = dict,
    ) -> None:
        """Prepare; `tell` hears of all that happens, one thing at a time.

        Whoever visits folders has `jobs` done, too. `work` tells others what came of all that.
        """
        self._accord, self._settings = accord, settings
        self._queue, self._parts = queue, frozenset(parts)
        self._jobs = jobs if Part.WORKER in self._parts else None
        self._tell = tell
        self._telling = threading.Lock()
        self._looking = threading.Lock()
        self._roster = self._planned = Roster((), ())
        parts_done = [str(part) for part in self._parts]
        self._presence = Presence(accord.state, parts_done, self._figures)
        self._work_done = work
        self._shares = Shares(accord.state, self._presence)
        self._ears = Ears(accord, self._hear, settings.feed, self._shares)
        self._listening: frozenset[str] = frozenset()
        self._mine: frozenset[str] = frozenset()
        self._shared = -1
        self._read_again = 0.0
        self._streams: tuple[object, dict[str, dict[str, Any]]] = (None, {})
        self._ways = Ways(
            accord.state, self._presence.name, self._ears, self._tell_way, self._visit_sooner
        )
        self._failures: dict[str, int] = {}
        self._heard_at: dict[str, float] = {}
        self._former: dict[str, Post] = {}
        self._stopped = False
        self._until = math.inf
        self._visited = False

    def run(self) -> None:
        """Visit every folder, then go by hints and intervals; returns when the last visit ended."""
        share_arenas()
        look_for_garbage()
        self._presence.begin()
        try:
            self._look()
            if Part.WORKER in self._parts:
                self._queue.serve(self._work, self._settings.workers)
            looked = heard = told = noted = time.monotonic()
            while not self._stopped:
                time.sleep(_TICK)
                if time.monotonic() - looked >= LOOK:
                    self._look(sparing=True)
                    self._rest_a_moment()
                    self._have_jobs(Clockwork.look)
                    looked = time.monotonic()
                if time.monotonic() - heard >= NEWS:
                    self._have_jobs(Clockwork.hear)
                    heard = time.monotonic()
                if time.monotonic() - told >= WAYS:
                    self._ways.tell()
                    told = time.monotonic()
                if time.monotonic() - noted >= NOTED:
                    self._ways.keep()
                    noted = time.monotonic()
        finally:
            self._ears.close()
            if self._jobs is not None:
                self._jobs.close()
            self._share_out()
            self._queue.close()
            self._presence.close()

    def _rest_a_moment(self) -> None:
        """Give back the memory of the visits since, once there is nothing to do."""
        try:
            if self._visited and self._queue.idle:
                self._visited = False
                give_back()
        except Exception as error:  # noqa: BLE001 (the edge: it is tried again soon)
            contained(error, "asking whether there is nothing to do")

    def stop(self) -> None:
        """Begin nothing more; a flag, so that a signal's handler may set it."""
        self._until = min(self._until, time.monotonic() + GRACE)
        self._stopped = True

    @property
    def idle(self) -> bool:
        """Tell whether nothing is under way and nothing due now."""
        return self._queue.idle

    def _figures(self) -> dict[str, Any]:
        return {"work": self._work_done(), "streams": self.streams()}

    def _have_jobs(self, look: Callable[[Clockwork], None]) -> None:
        try:
            if self._jobs is not None:
                look(self._jobs)
        except Exception as error:  # noqa: BLE001 (the edge: it is tried again soon)
            trouble = contained(error, "looking for jobs")
            _log.warning("run.jobs", extra={"why": str(trouble)})

    # links and targets

    def _look(self, *, sparing: bool = False) -> None:
        """Read links and targets, and plan visits for what is new or changed.

        Who is `sparing` goes on with those of before until it is time to read them again.
        """
        try:
            with self._looking:
                known = sparing and time.monotonic() < self._read_again
                self._take(self._roster if known else self._read())
        except Exception as error:  # noqa: BLE001 (the edge: it is tried again soon)
            trouble = contained(error, "reading links and targets")
            _log.warning("run.look", extra={"why": str(trouble)})

    def _read(self) -> Roster:
        """Read links and targets, the more seldom the longer it takes to see nothing new."""
        began = time.thread_time()
        roster = read(self._accord, self._roster)
        took = time.thread_time() - began if roster is self._roster else 0.0
        self._read_again = time.monotonic() + min(took / READING, SELDOM)
        return roster

    def _take(self, roster: Roster) -> None:
        before = self._roster
        self._listening = frozenset(self._presence.living(Part.LISTENER))
        if roster is not before:
            self._go_by(roster, before)
        if Part.LISTENER in self._parts:
            self._shares.divide(roster)
            self._ears.cover(roster)
            self._plan(self._planned)
        elif self._planned.posts:
            self._catch_up(self._planned)
        if Part.WORKER in self._parts:
            used = [roster.targets[key] for key in roster.mailboxes() if key in roster.targets]
            workers = len(self._presence.living(Part.WORKER))
            self._queue.limit(self._accord.limits(used, workers))
        # Only now: what could not be asked for is asked for next time.
        self._planned = roster

    def _go_by(self, roster: Roster, before: Roster) -> None:
        """Go by another roster from now on, and forget what was learned of what has changed."""
        for key in _changed(before, roster):
            self._ears.forget(key)
            self._accord.forget(before.targets[key])
            self._queue.mended(key)
        for key in _changed(before, roster) | (roster.targets.keys() - before.targets.keys()):
            # Another password may be known by now.
            self._queue.mended(_logins(key))
        for key in before.posts.keys() - roster.posts.keys():
            self._former[key] = before.posts[key]
            self._failures.pop(key, None)
            self._heard_at.pop(key, None)
        # Only now: a hint by a name of before finds the one by which the links go since.
        self._roster = roster
        for key in roster.posts.keys() - before.posts.keys():
            self._former.pop(key, None)

    def _plan(self, before: Roster) -> None:
        """Ask for visits of what is new or changed since the roster `before`, or new to us.

        Of the mailboxes that fall to other listeners those take care.
        """
        shared = self._shares.changes
        if before is self._roster and shared == self._shared:
            return
        changed = _changed(before, self._roster)
        known = {link for post in before.posts.values() for link in post.links}
        cause = "changed" if before.posts else "start"
        mine = {
            key: post
            for key, post in self._roster.posts.items()
            if self._shares.has(post.target, post.principal)
        }
        for key, post in mine.items():
            if post.target in changed or not known.issuperset(post.links):
                self._queue.wake(key)
                self._ask(post, cause, Urgency.LOAD)
            elif key not in before.posts:
                # Its folder has become known by the visit that was; the watch hints when it begins.
                self._ask(post, "interval", Urgency.DUE, after=self._settings.poll)
            elif key not in self._mine:
                # Nobody may have listened to it for a while, nor asked for what was new.
                self._ask(post, "reconnected", Urgency.DUE)
        self._mine, self._shared = frozenset(mine), shared

    def _catch_up(self, before: Roster) -> None:
        """Ask once more for what a listener may have asked for while `before` was ours, as it was.

        Folders that weren't in it need that not: who is to visit an unknown one looks first.
        """
        if before is self._roster:
            return
        changed = _changed(before, self._roster)
        known = {link for post in before.posts.values() for link in post.links}
        for key in self._roster.posts.keys() & before.posts.keys():
            post = self._roster.posts[key]
            if post.target in changed or not known.issuperset(post.links):
                self._queue.wake(key)
                self._ask(post, "changed", Urgency.LOAD)

    def _heard(self, post: Post) -> bool:
        """Tell whether this process hears of a mailbox's changes, or another one that lives."""
        if self._ears.watches(post.target, post.principal):
            return True
        with self._accord.state.read() as tx:
            found = tx.watches.get(post.target, post.principal)
        return found is not None and found.way != POLL and found.process in self._listening

    def _hear(self, key: str, cause: str, urgency: Urgency) -> None:
        """Ask for a visit because somebody says that something changed."""
        post = self._roster.posts.get(key)
        former = self._former.get(key) if post is None else None
        if post is not None:
            self._ask(post, cause, urgency)
        elif former is not None:
            for each in self._roster.of_mailbox(former.target, former.principal):
                self._ask(self._roster.posts[each], cause, urgency)

    def _ask(
        self,
        post: Post,
        cause: str,
        urgency: Urgency,
        *,
        after: float = SETTLE,
        full: bool = False,
    ) -> None:
        self._queue.ask(post.key, cause, place=post.target, after=after, urgency=urgency, full=full)

    def _tell_way(self, mailbox: tuple[str, str], way: Way) -> None:
        target, who = mailbox
        with self._telling:
            self._tell(
                Watching(target=self._name_of(target), principal=who, way=way.name, why=way.why)
            )

    def _visit_sooner(self, mailbox: tuple[str, str]) -> None:
        """Have a mailbox visited in a while whose next visit is planned as if it were heard of."""
        for key in self._roster.of_mailbox(*mailbox):
            self._ask(self._roster.posts[key], "interval", Urgency.DUE, after=self._settings.poll)

    def _share_out(self) -> None:
        """Let others listen in our place, at once if the database is there."""
        try:
            self._shares.close()
        except Exception as error:  # noqa: BLE001 (the edge: it runs out by itself)
            contained(error, "giving back what is listened to")

    def _name_of(self, target: str) -> str:
        found = self._roster.targets.get(target)
        return found.name if found is not None else target

    def streams(self) -> dict[str, dict[str, Any]]:
        """Return, by target, how many mailboxes are watched here in which way, and why so."""
        told = (self._ears.turns(), self._roster)
        if self._streams[0] != told:
            self._streams = (told, streams(self._ears.ways(), self._roster.targets))
        return self._streams[1]

    # visits

    def _work(self, job: Job) -> float:
        """Do a job of the queue; return for how long to leave its folder alone."""
        post = self._roster.posts.get(job.folder)
        if post is None:
            # Another process may have asked for it, who knows of a link that is new, or back.
            self._look()
            post = self._roster.posts.get(job.folder)
        if post is not None:
            return self._visit(post, job)
        self._pass_on(job)
        return 0.0

    def _visit(self, post: Post, job: Job) -> float:
        """Visit a folder, plan the next visit, and return for how long to leave it alone."""
        if (locked := self._queue.rest(_logins(post.target))) > 0:
            self._ask(post, job.cause, Urgency.DUE, after=locked, full=job.full)
            return locked
        full = job.full or self._full(job)
        options = Options(full=full, cause=job.cause, yields=True)
        if job.cause in HEARD:
            self._heard_at.setdefault(post.key, time.monotonic() - job.waited)
        reports = sync(self._accord, post.links, options, self._go_on)
        self._visited = True
        with self._telling:
            target = self._name_of(post.target)
            took = self._took(post, reports)
            self._tell(Visited(cause=job.cause, reports=tuple(reports), target=target, took=took))
        self._note_place(post, reports)
        rest = self._rest(post, reports)
        if any(report.busy for report in reports):
            self._ask(post, job.cause, Urgency.DUE, after=_BUSY, full=full)
        settings = self._settings
        heard = self._heard(post)
        after = settings.interval if heard else min(settings.poll, settings.interval)
        # A complete listing that failed is still due.
        again = full and rest > 0
        # By the name of before, each would have to be looked for when the next visit is due.
        named = renamed(self._accord, post)
        self._ask(named, "interval", Urgency.DUE, after=rest or after, full=again)
        if all(report.busy for report in reports):
            raise Busy("another process is at work in this folder", after=_BUSY)
        return rest

    def _go_on(self, _phase: str, _done: int, _total: int) -> None:
        """End a visit between two of its steps where it is to stop; raises Busy.

        What it did is whole; the rest is for whoever visits next.
        """
        if time.monotonic() > self._until:
            raise Busy("the service is ending", after=_BUSY)

    def _took(self, post: Post, reports: Sequence[Report]) -> float | None:
        """Return how long a change took that was heard of; what failed goes on to take."""
        heard = self._heard_at.get(post.key)
        if heard is None or any(report.error or report.busy for report in reports):
            return None
        del self._heard_at[post.key]
        return time.monotonic() - heard

    def _note_place(self, post: Post, reports: Sequence[Report]) -> None:
        """Tell the queue how the target itself is, whatever becomes of this mailbox."""
        failed = [report for report in reports if report.everybody]
        if failed:
            told = max((report.after for report in failed if report.told), default=0.0)
            # What it answers one mailbox keeps that one waiting for as long as it likes, not all.
            after = min(told, LONGEST)
            self._queue.trouble(post.target, post.principal, failed[0].error, after=after)
        elif any(not report.error for report in reports):
            self._queue.well(post.target)
            self._queue.well(_logins(post.target))

    def _pass_on(self, job: Job) -> None:
        """Give what was asked for a folder to the one by whose id its links go by now."""
        former = self._former.pop(job.folder, None)
        if former is not None and job.cause != "interval":
            for key in self._roster.of_mailbox(former.target, former.principal):
                self._hear(key, job.cause, Urgency.EDIT)

    def _full(self, job: Job) -> bool:
        """Tell whether a complete listing is due: each folder has its own hour for that."""
        if job.last is None:
            return False
        now, every = time.time(), self._settings.full
        phase = zlib.crc32(job.folder.encode()) / 2**32 * every
        return (now + phase) // every > (now - job.last + phase) // every

    def _rest(self, post: Post, reports: Sequence[Report]) -> float:
        """Return for how long a folder is to be left alone after what went wrong, 0 if nothing."""
        failed = [report for report in reports if report.error and not report.busy]
        if not failed:
            self._failures.pop(post.key, None)
            return 0.0
        refused = [r.error for r in failed if r.action == AuthFailed.action and not r.after]
        if refused:
            self._note_refusal(post, refused[0])
            return _LOCKED_OUT
        failures = self._failures[post.key] = self._failures.get(post.key, 0) + 1
        told = max(report.after for report in failed)
        return max(told, backoff(failures, _FIRST_REST, _LONGEST_REST))

    def _note_refusal(self, post: Post, why: str) -> None:
        """Count logins refused in a row: where all are, one account may stand for everybody.

        The queue counts, as a place of its own, what all processes meet.
        """
        logins = _logins(post.target)
        self._queue.trouble(logins, post.principal, why)
        failures = [each.failures for each in self._queue.circuits() if each.place == logins]
        if max(failures, default=0) >= _REFUSALS:
            self._queue.trouble(logins, post.principal, why, after=_LOCKED_OUT)


def _logins(target: str) -> str:
    """Return the name by which the queue knows how logins at a target fare."""
    return f"{target}/logins"


def _changed(before: Roster, after: Roster) -> set[str]:
    """Return the targets that are gone or have changed."""
    targets = before.targets.items()
    return {key for key, target in targets if after.targets.get(key) != target}
