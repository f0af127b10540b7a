"""A caller that asks again: with it, a busy side that loses answers keeps all its promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from accord.model.kinds import Kind
from accord.model.observe import Listing
from accord.ports.adapter import Adapter, Known, Session
from accord.ports.errors import Retry
from accord.testing.hostile import Hostility, Trick


class BusyAndForgetful(Hostility):
    """Throttles everything, and loses the answers to creates, which can be repeated safely."""

    def __init__(self) -> None:
        super().__init__(5, {Trick.THROTTLE: 0.3, Trick.LOSE_ANSWER: 0.5, Trick.REORDER: 1.0})

    def plays(self, trick: Trick, call: str, detail: str = "") -> bool:
        if trick is Trick.LOSE_ANSWER and call != "create":
            return False
        return super().plays(trick, call, detail)


class Patient:
    """Be an adapter, or a session, every call of which is repeated until it is answered."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def open(self, principal: str) -> Session:
        session: Any = Patient(again(lambda: self.inner.open(principal)))
        return session

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        yield from again(lambda: list(self.inner.changes(folder, kind, cursor, known)))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if not callable(value):
            return value
        return lambda *given: again(lambda: value(*given))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.inner.close()


def patient(adapter: Adapter) -> Any:
    return Patient(adapter)


def again(call: Callable[[], Any]) -> Any:
    while True:
        try:
            return call()
        except Retry:
            continue
