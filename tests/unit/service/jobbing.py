"""A world in which jobs are done: a configuration, a queue that only listens, jobs of a test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from accord.ports.queue import Circuit, Entry, Stage, Urgency, Work
from accord.service.config import Config
from accord.service.jobs import catalogue, standing
from accord.service.jobs.clockwork import Clockwork
from accord.service.jobs.job import Job, Outcome
from accord.service.jobs.running import run_job
from accord.service.jobs.standing import JobStanding
from accord.service.notices.settings import NotifySettings, SmtpSettings
from tests.unit.service.kit import World


class Asked:
    """A queue that notes what it is asked for; `buried` stands in it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bool]] = []
        self.buried: list[Entry] = []
        self.idle = True

    def ask(
        self,
        folder: str,
        cause: str,
        *,
        place: str = "",
        after: float = 0.0,
        urgency: Urgency = Urgency.EDIT,
        full: bool = False,
    ) -> None:
        self.asked.append((folder, cause, full))

    def entries(self, *stages: Stage) -> list[Entry]:
        return self.buried if Stage.BURIED in stages else []

    def wake(self, folder: str) -> None: ...

    def serve(self, work: Work, workers: int) -> None: ...

    def close(self) -> None: ...

    def revive(self, folders: Sequence[str] = ()) -> list[str]:
        return []

    def limit(self, limits: Mapping[str, int]) -> None: ...

    def trouble(self, place: str, who: str, why: str, *, after: float = 0.0) -> None: ...

    def well(self, place: str) -> None: ...

    def forget(self, gone: Callable[[str], bool]) -> int:
        return 0

    def rest(self, place: str) -> float:
        return 0.0

    def mended(self, place: str) -> None: ...

    def circuits(self) -> list[Circuit]:
        return []


class Office:
    """Jobs over a world."""

    def __init__(self, world: World, **more: Any) -> None:
        self.world = world
        self.queue = Asked()
        self.config = config(**more)
        self.told: list[tuple[str, Outcome]] = []

    def run(self, name: str, **more: Any) -> Outcome:
        outcome = run_job(self.world.accord, self.config, self.queue, name, **more)
        assert outcome is not None
        return outcome

    def clockwork(self) -> Clockwork:
        hear = lambda *what: self.told.append(what)  # noqa: E731
        return Clockwork(self.world.accord, self.config, self.queue, hear)

    def pass_by(self) -> list[str]:
        """Let the clockwork look once, and return what was done."""
        self.told.clear()
        clockwork = self.clockwork()
        clockwork.look()
        for thread in list(clockwork._threads.values()):
            thread.join(30)
        clockwork.close()
        return [name for name, _ in self.told]

    def job(self, name: str) -> JobStanding:
        (one,) = standing.standing(self.world.accord, name)
        return one


def config(
    folder: Path | None = None,
    smtp: SmtpSettings | None = None,
    notify: NotifySettings | None = None,
) -> Config:
    folder = folder or Path.cwd()
    return Config(
        file=None,
        folder=folder,
        database="sqlite:///accord.db",
        key_file=folder / "accord.key",
        crm="memory:",
        smtp=smtp or SmtpSettings(),
        notify=notify or NotifySettings(),
    )


def only(
    monkeypatch: pytest.MonkeyPatch, do: Callable[..., Outcome], **more: Any
) -> dict[str, Job]:
    """Let there be one job, `probe`, every hour."""
    given: dict[str, Any] = {"name": "probe", "title": "a probe", "schedule": "every 1h", **more}
    jobs = {"probe": Job(do=do, **given)}
    for module in (catalogue, standing):
        monkeypatch.setattr(module, "JOBS", jobs)
    monkeypatch.setattr("accord.service.jobs.clockwork.JOBS", jobs)
    return jobs


def threads(names: Collection[str]) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name in names]
