"""Work for users whom the CRM no longer lets in: nothing of theirs is seen there, or written.

`removal` takes copies away so; that never needs the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, cast

from accord.model.kinds import Kind
from accord.model.observe import Denied, Observation, Snapshot
from accord.ports.adapter import Ask, Folder, Mark, Outcome, Question, Session
from accord.ports.errors import AuthFailed, Gone
from accord.ports.session import OpenSession
from accord.service.accord import Accord, Crm


class WithoutUser:
    """Be a CRM that opens for a user it no longer lets in, too, and then does nothing.

    `shut_out` says that this came about.
    """

    def __init__(self, crm: Crm) -> None:
        """Stand in front of a CRM."""
        self._crm = crm
        self.shut_out = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._crm, name)

    def within(self, accord: Accord) -> Accord:
        """Return Accord with this CRM."""
        other, crm = copy(accord), cast(Crm, self)
        other.crm = crm
        return other

    def open(self, principal: str) -> Session:
        """Act as a user, or as nobody in their name."""
        try:
            session = self._crm.open(principal)
            # Opening alone asks nothing of a CRM on another machine.
            session.folders()
        except AuthFailed:
            self.shut_out = True
            return cast(Session, _Nobody(self._crm))
        return session


class _Nobody(OpenSession):
    """Be a session without a user: folders are there, nothing is seen in them or marked."""

    def __init__(self, crm: Crm) -> None:
        self._kinds = tuple(crm.traits.kinds)

    def folders(self) -> tuple[Folder, ...]:
        return tuple(
            Folder(id=str(kind), name=str(kind), kinds=frozenset({kind}), default=True)
            for kind in self._kinds
        )

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        return [Denied(ask.ref, "nobody may look at it in this name") for ask in asks]

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        return [() for _ in questions]

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        return [Gone(f"nobody may touch {mark.ref} in this name") for mark in marks]
