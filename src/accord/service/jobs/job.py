"""What a job is, what it works with while it runs, and what came of it.

Each module beside this one that does a job offers one function from Work to Outcome.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from msgspec import Struct

from accord.ports.errors import AccordError
from accord.ports.queue import Queue
from accord.ports.settings import Setting
from accord.service.accord import Accord
from accord.service.config import Config
from accord.service.visit import Progress
from accord.state.leases import LeaseLost

STEP = 0.2


class Ending(StrEnum):
    """Say how a job last ended."""

    DONE = "done"
    FAILED = "failed"
    UNABLE = "unable"
    """It can't do anything here until somebody changes a setting."""
    CUT_OFF = "cut off"
    """Its process ended in the middle; it is due again."""


STOPPED = "stopped in the middle"
"""What is said of a job that was cut off because somebody ended its process."""


class Outcome(Struct, kw_only=True):
    """Be what a job did, in words and counts; `lines` are for who called it by hand.

    `changed` tells whether anything was done at all: then it is journaled.
    """

    words: str
    counts: dict[str, int] = {}
    lines: list[str] = []
    failed: int = 0
    changed: bool = False
    hint: str = ""
    unable: bool = False

    @property
    def ending(self) -> Ending:
        """Return how the job ended."""
        if self.unable:
            return Ending.UNABLE
        return Ending.FAILED if self.failed else Ending.DONE


class Stopped(AccordError):
    """The process is to end; the job goes on where it was, later."""


class Work:
    """Be a job under way: Accord, its options, and how to tell and ask along the way."""

    def __init__(
        self,
        accord: Accord,
        config: Config,
        queue: Queue | None,
        options: dict[str, Any],
        *,
        dry: bool = False,
        by: str = "",
        progress: Progress | None = None,
        stopped: threading.Event | None = None,
        mark: Any = None,
        keep: Callable[[Any], None] | None = None,
        fence: Callable[[], None] | None = None,
        by_hand: bool = False,
    ) -> None:
        """Take what it works with; `keep` stores how far it got, `mark` is how far it was.

        `fence` raises LeaseLost where another process does the job by now. `by_hand` says that
        somebody waits for it in the foreground.
        """
        self.accord, self.config, self.queue = accord, config, queue
        self.options, self.dry, self.by = options, dry, by
        self.by_hand = by_hand
        self.mark = mark
        self.lost = threading.Event()
        self._progress = progress
        self._stopped = stopped or threading.Event()
        self._keep = keep
        self._fence = fence

    def step(self, words: str = "", done: int = 0, total: int = 0) -> None:
        """Go on to the next step; raises Stopped or LeaseLost where there must be none."""
        if self._stopped.is_set():
            raise Stopped("stopped")
        if self.lost.is_set():
            raise LeaseLost("another process does this job by now", after=0)
        if words and self._progress is not None:
            self._progress(words, done, total)

    def fence(self) -> None:
        """Make sure, right before what can't be undone, that nobody else does this job by now.

        Raises LeaseLost, and Retry where nobody can tell, for the database is away.
        """
        if self._fence is not None:
            self._fence()

    def wait(self, seconds: float) -> None:
        """Let time pass; raises as `step` does."""
        while seconds > 0:
            self.step()
            self._stopped.wait(min(STEP, seconds))
            seconds -= STEP
        self.step()

    def keep(self, mark: Any) -> None:
        """Note how far it got, for whoever goes on."""
        self.mark = mark
        if self._keep is not None:
            self._keep(mark)


class Job(Struct, frozen=True, kw_only=True):
    """Be a job: what it is for, when it runs unless somebody says otherwise, and what does it.

    `version`, where there is one, tells by what it goes: it is due, too, once that is another than
    when it last began. `plans` tells whether it can say what it would do, `held` whether it is
    done, too, where Accord's own database is a copy or was put back, and nobody has said that this
    is meant.
    """

    name: str
    title: str
    schedule: str
    enabled: bool = True
    plans: bool = True
    held: bool = False
    options: tuple[Setting, ...] = ()
    version: Callable[[Accord], str] | None = None
    do: Callable[[Work], Outcome]
