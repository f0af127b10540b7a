"""The port beside the adapter for those that can tell when a mailbox changes, without being asked.

`service/listen` turns the hints into visits; an adapter without it is visited by the clock. A
hint carries no data: what changed, only a visit says, so a false one costs a look and no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

POLL = "poll"
"""The way of those who can't be listened to: they are visited by the clock alone."""


class Watched(Struct, frozen=True, kw_only=True):
    """Be what is to be watched of one principal: folders, as the adapter's sessions name them."""

    principal: str
    folders: frozenset[str]


class FolderHint(Struct, frozen=True, kw_only=True):
    """Say "look at this folder of this principal"; an empty folder means all that are watched.

    Where nothing could be listened to for a while, and so something may have changed, nothing
    was `heard`.
    """

    principal: str
    folder: str = ""
    heard: bool = True


class Way(Struct, frozen=True, kw_only=True):
    """Be how a principal is watched just now: `poll`, or a name of the adapter's own.

    `why` says why not in a better way; empty where there is none.
    """

    name: str = POLL
    why: str = ""


class Watch(Protocol):
    """Listen to mailboxes, from threads of its own, until it is closed; its calls may be made
    from any thread.
    """

    def cover(self, watched: Sequence[Watched]) -> None:
        """Watch these from now on, and no others; returns at once.

        Whoever is watched anew is hinted at once that is so: what changed before may be unseen.
        The very same sequence comes every few seconds where nothing has changed: then only
        folders that weren't there before are looked for, and nobody else is touched.
        """
        ...

    def hints(self) -> Iterator[FolderHint]:
        """Yield hints, waiting for them, until the watch is closed.

        After each time that something may have been missed, all folders concerned are hinted.
        """
        ...

    def ways(self) -> Mapping[str, Way]:
        """Return how each principal is watched just now."""
        ...

    def way(self, principal: str) -> Way:
        """Return how one of them is, `Way()` of a stranger; asked after each visit."""
        ...

    @property
    def turns(self) -> int:
        """Return a number that is another one whenever `ways` is; asked every second."""
        ...

    def close(self) -> None:
        """Stop listening; ends `hints`."""
        ...


@runtime_checkable
class Watcher(Protocol):
    """Be an adapter that can tell of changes."""

    def watch(self) -> Watch:
        """Return a watch that covers nobody yet."""
        ...
