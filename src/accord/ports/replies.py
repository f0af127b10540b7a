"""Automatic replies, an optional part of the groupware port: read them, set them.

`service/replies.py` asks for it where a rule for absences sets replies; a session without it
belongs to a server that has none, or none that others may set.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from accord.model.replies import Replies


@runtime_checkable
class Answering(Protocol):
    """Be a session on a mailbox that answers by itself while its owner is away."""

    @property
    def time_zone(self) -> str:
        """Return the IANA zone in which whole days of the owner begin and end."""
        ...

    def replies(self) -> Replies:
        """Return how the mailbox answers now; raises Denied where that may not be seen."""
        ...

    def set_replies(self, wanted: Replies) -> None:
        """Let the mailbox answer so; raises Denied or Rejected."""
        ...
