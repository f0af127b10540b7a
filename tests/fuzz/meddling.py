"""Sides with bad timing: somebody edits between Accord's write and its read-back, or a write is
refused for now. Everything else is done by the adapter inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.ports.adapter import Outcome, Written
from accord.ports.errors import Denied

Edit = Callable[[str], Snapshot | None]


class Meddled:
    """Be an adapter with bad timing, once for each time that it is told to.

    `hasty` is called with the ref that Accord has just written, and returns what it then finds
    there. `denies` lets the next update of an item be refused.
    """

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self.hasty: Edit | None = None
        self.denies = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def open(self, principal: str) -> MeddledSession:
        return MeddledSession(self, self._adapter.open(principal))

    def calm(self) -> None:
        """Have no more surprises in store."""
        self.hasty, self.denies = None, False


class MeddledSession:
    """Be a session of a side with bad timing."""

    def __init__(self, side: Meddled, session: Any) -> None:
        self._side = side
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def create(self, folder: str, kind: Kind, drafts: Sequence[Any]) -> list[Outcome]:
        return self._overtaken(self._session.create(folder, kind, drafts))

    def update(self, folder: str, kind: Kind, revisions: Sequence[Any]) -> list[Outcome]:
        denied: list[Outcome] = []
        if self._side.denies and revisions:
            self._side.denies = False
            denied, revisions = [Denied("somebody has it open just now")], revisions[1:]
        done = self._session.update(folder, kind, revisions) if revisions else []
        return denied + self._overtaken(done)

    def _overtaken(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Let somebody edit what was written first, so that reading it back shows that."""
        answers = list(outcomes)
        for number, outcome in enumerate(answers):
            if isinstance(outcome, Written) and self._side.hasty is not None:
                edit, self._side.hasty = self._side.hasty, None
                answers[number] = msgspec.structs.replace(outcome, snapshot=edit(outcome.ref))
        return answers
