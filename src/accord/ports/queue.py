"""The port for jobs: folders to visit, by whom asked for and when; what does them is behind it.

A hundred hints become one run, and none is lost: what is asked for before a run begins is that
run's, what is asked for while it is under way is the next one's. One run at a time per folder.
`service/run` asks and works; the implementations are in `queue/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Protocol, TypeAlias

from msgspec import Struct

SETTLE = 0.1
"""Seconds between the first hint and the run: what belongs together arrives together."""

FAULTS = 5
"""After so many runs in a row that ended in a fault of Accord's own, a folder is buried."""

DEATHS = 3
"""After so many workers that died in the same run, its folder is buried.

The first death counts against all that the process was at. From then on each process is at one of
these suspects at a time, and its death counts against that one alone.
"""


TROUBLES = 5
"""After so many visits in a row, to more than one mailbox, that a place itself failed, it rests."""


class Urgency(IntEnum):
    """Say what goes before what; the lowest number goes first."""

    EDIT = 1
    """Somebody changed something and waits."""
    DUE = 2
    """Nobody asked for it just now."""
    LOAD = 3
    """Everything there is new: the first look at a folder, or one after a start."""


class Job(Struct, frozen=True, kw_only=True):
    """Be one run to do now: its folder, what caused it, and whether to list it completely.

    `generation` rises with every run of a folder. `attempt` is more than 1 where a worker may have
    died of this very run. `last` is how many seconds ago the run before this one began, None for
    the first. `waited` is how many seconds ago it was due, whatever it waited for.
    """

    folder: str
    generation: int
    cause: str
    full: bool = False
    attempt: int = 1
    last: float | None = None
    waited: float = 0.0


class Stage(StrEnum):
    """Say where a folder is on its way."""

    PLANNED = "planned"
    """It is to be visited later."""
    WAITING = "waiting"
    """It is to be visited now, and nobody has begun."""
    RUNNING = "running"
    BURIED = "buried"
    """It is not visited any more, until somebody revives it."""


class Entry(Struct, frozen=True, kw_only=True):
    """Be one folder as it stands; moments are seconds from now, those ahead are positive.

    `why` says for what it was buried.
    """

    folder: str
    stage: Stage
    cause: str
    since: float
    urgency: int = int(Urgency.DUE)
    attempts: int = 0
    why: str = ""


class Current(StrEnum):
    """Say whether a place is visited; the words are those of a circuit breaker."""

    CLOSED = "closed"
    """It is, though it failed of late."""
    OPEN = "open"
    """It isn't: it failed too often, or asked to be left alone."""
    HALF_OPEN = "half-open"
    """One visit tries whether it is well again; the others wait for that."""


class Circuit(Struct, frozen=True, kw_only=True):
    """Be a place with which something is wrong: since when, and why.

    `failures` counts those in a row, `after` is in how many seconds it is tried again. Moments are
    seconds from now, those ahead are positive.
    """

    place: str
    current: Current
    why: str
    failures: int
    since: float = 0.0
    after: float = 0.0


Work: TypeAlias = Callable[[Job], float]
"""Do a run and return for how many seconds to leave its folder alone, whatever is asked for."""


class Queue(Protocol):
    """Hold what is to be done, and have it done; safe to share between threads."""

    def ask(
        self,
        folder: str,
        cause: str,
        *,
        place: str = "",
        after: float = SETTLE,
        urgency: Urgency = Urgency.EDIT,
        full: bool = False,
    ) -> None:
        """Plan a run in so many seconds; one that is planned sooner stands.

        `place` is where the folder is: of several places none takes all workers.
        """
        ...

    def wake(self, folder: str) -> None:
        """Let a folder be left alone no longer: what stood against it may be mended."""
        ...

    def limit(self, limits: Mapping[str, int]) -> None:
        """Let so many runs at most be under way at once in these places, of all who serve."""
        ...

    def trouble(self, place: str, who: str, why: str, *, after: float = 0.0) -> None:
        """Note that a place itself failed, as one mailbox, `who`, met it.

        After TROUBLES of them in a row, or at once where it asked everybody to be left alone for
        `after` seconds, nothing is begun there for a while. Then one run tries it.
        """
        ...

    def well(self, place: str) -> None:
        """Note that a place answered: everybody may go there again, if it is time for that."""
        ...

    def rest(self, place: str) -> float:
        """Return for how many seconds a place is left alone from now, as far as is known here."""
        ...

    def mended(self, place: str) -> None:
        """Forget what was wrong with a place: it was set up anew, and may be well again."""
        ...

    def circuits(self) -> list[Circuit]:
        """Return the places with which something is wrong, by their names."""
        ...

    def serve(self, work: Work, workers: int) -> None:
        """Have runs done from now on, in so many threads; returns at once.

        A run that raises is a fault: its folder is left alone for a while, each time for longer,
        and buried after FAULTS of them. One that raises Busy found another at work there, and
        asked for the next: it is no fault, and as if it had not been where workers died before.
        """
        ...

    def close(self) -> None:
        """Begin nothing more and return when what is under way has ended."""
        ...

    def entries(self, *stages: Stage) -> list[Entry]:
        """Return the folders at these stages (all but planned ones), longest waiting first."""
        ...

    def revive(self, folders: Sequence[str] = ()) -> list[str]:
        """Visit buried folders again (all, where none is named); return which were."""
        ...

    def forget(self, gone: Callable[[str], bool]) -> int:
        """Let go of folders that are `gone`, but for runs under way; return how many there were."""
        ...

    @property
    def idle(self) -> bool:
        """Tell whether nothing is under way and nothing to be done now."""
        ...
