"""A world whose every write is watched, and answered otherwise where a test says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from accord.model.kinds import Kind, Side
from accord.ports.adapter import Outcome
from accord.service.accord import Accord
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.sync import sync
from tests.unit.service.kit import CRM, GROUPWARE, World

Act = Callable[[Sequence[Any]], list[Outcome]]
Answer = Callable[[Sequence[Any], Act], list[Outcome]]


class Call:
    """Be one write call as a side received it."""

    def __init__(self, side: Side, name: str, folder: str, kind: Kind, given: Sequence[Any]):
        """Keep what was asked."""
        self.side, self.name, self.folder, self.kind = side, name, folder, kind
        self.given = list(given)


class WatchedWorld(World):
    """Be a world that keeps every write call in `calls`; `answer` replaces coming answers."""

    def __init__(self, *users: str, **values: Any) -> None:
        """Watch from the start."""
        self.calls: list[Call] = []
        self.progress: list[tuple[str, int, int]] = []
        self.on_progress: Callable[[str, int, int], None] = lambda *_: None
        self._answers: dict[tuple[Side, str], list[Answer]] = {}
        super().__init__(*users, **values)
        mailbox, records = self.accord.build(self._target()), self.accord.crm
        crm: Any = _Watched(records, CRM, self)
        groupware: Any = _Watched(mailbox, GROUPWARE, self)
        self.accord = Accord(self.state, crm, lambda _: groupware, self.clock)

    def answer(self, side: Side, name: str, *answers: Answer | BaseException | None) -> None:
        """Answer the coming calls so, one after the other; None is as usual."""
        self._answers[side, name] = [_answer(one) for one in answers]

    def call(self, call: Call, act: Act) -> list[Outcome]:
        """Keep a call and answer it."""
        self.calls.append(call)
        coming = self._answers.get((call.side, call.name))
        return coming.pop(0)(call.given, act) if coming else act(call.given)

    def written(self, side: Side, name: str) -> list[Any]:
        """Return everything asked for by one sort of call, and forget all calls."""
        found = [one for c in self.calls if (c.side, c.name) == (side, name) for one in c.given]
        self.calls.clear()
        return found

    def names(self) -> list[str]:
        """Return the calls in words, in order, and forget them."""
        names = [f"{call.name} {call.side} {len(call.given)}" for call in self.calls]
        self.calls.clear()
        return names

    def sync(self, *users: str, **options: Any) -> Report:
        """Synchronize as `World.sync`, watching the progress of the writing."""
        links = [self.link(user) for user in users or ("alice",)]
        return sync(self.accord, links, Options(**options), self._note)[-1]

    def _note(self, phase: str, done: int, total: int) -> None:
        if phase == "writing":
            self.progress.append((phase, done, total))
        self.on_progress(phase, done, total)

    def _target(self) -> Any:
        with self.state.read() as tx:
            return tx.targets.get("t")


class _Watched:
    """Be an adapter, or one of its sessions, whose writes go through the world."""

    def __init__(self, inner: Any, side: Side, world: WatchedWorld) -> None:
        self._inner, self._side, self._world = inner, side, world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open(self, principal: str) -> _Watched:
        return _Watched(self._inner.open(principal), self._side, self._world)

    def create(self, folder: str, kind: Kind, given: Sequence[Any]) -> list[Outcome]:
        return self._write("create", folder, kind, given)

    def update(self, folder: str, kind: Kind, given: Sequence[Any]) -> list[Outcome]:
        return self._write("update", folder, kind, given)

    def delete(self, folder: str, kind: Kind, given: Sequence[Any]) -> list[Outcome]:
        return self._write("delete", folder, kind, given)

    def mark(self, folder: str, kind: Kind, given: Sequence[Any]) -> list[Outcome]:
        return self._write("mark", folder, kind, given)

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        def act(refs: Sequence[Any]) -> list[Outcome]:
            return [self._inner.restore(folder, kind, refs[0])]

        return self._world.call(Call(self._side, "restore", folder, kind, [ref]), act)[0]

    def _write(self, name: str, folder: str, kind: Kind, given: Sequence[Any]) -> list[Outcome]:
        def act(some: Sequence[Any]) -> list[Outcome]:
            found: list[Outcome] = getattr(self._inner, name)(folder, kind, some)
            return found

        return self._world.call(Call(self._side, name, folder, kind, given), act)

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._inner.close()


def _answer(given: Answer | BaseException | None) -> Answer:
    """Return an answer: as usual, one error for each item of the call, or one raised."""
    if given is None:
        return lambda items, act: act(items)
    if not isinstance(given, BaseException):
        return given
    error = given

    def say(items: Sequence[Any], _: Act) -> list[Outcome]:
        from accord.ports.errors import ItemError

        if isinstance(error, ItemError):
            return [error for _ in items]
        raise error

    return say
