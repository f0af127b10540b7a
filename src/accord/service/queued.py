"""What stands in the queue, in the words of those who set Accord up: mailboxes and links.

Read by `accord queue`; the queue itself knows folders by their keys alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from accord.ports.queue import Circuit, Current, Entry, Queue, Stage
from accord.service.accord import Accord
from accord.service.roster import Post, Roster, read


class Queued(Struct, frozen=True, kw_only=True):
    """Be one folder in the queue; `seconds` is how long it has stood at its stage.

    Of a planned one `seconds` is negative: so long until it is due. Folders whose links are
    paused or gone have none.
    """

    folder: str
    stage: Stage
    seconds: float
    cause: str
    attempts: int
    why: str
    target: str
    principal: str
    links: tuple[str, ...]


class Resting(Struct, frozen=True, kw_only=True):
    """Be a target that failed: `state` as a circuit breaker's, tried again `after` seconds.

    It is in this state for so many `seconds`, after so many `failures` in a row.
    """

    target: str
    state: Current
    failures: int
    seconds: float
    after: float
    why: str

    @property
    def alone(self) -> bool:
        """Tell whether it is left alone, but for one visit that tries it."""
        return self.state is not Current.CLOSED


def resting(accord: Accord, queue: Queue) -> list[Resting]:
    """Return the targets that failed of late, by their names."""
    with accord.state.read() as tx:
        names = {target.id: target.name for target in tx.targets.all()}
    return sorted(rests(queue.circuits(), names).values(), key=lambda each: each.target)


def rests(circuits: Iterable[Circuit], names: Mapping[str, str]) -> dict[str, Resting]:
    """Return how it stands with the targets that failed, by their ids, of which `names` says."""
    return {
        each.place: Resting(
            target=names[each.place],
            state=each.current,
            failures=each.failures,
            seconds=-each.since,
            after=each.after,
            why=each.why,
        )
        for each in circuits
        if each.place in names
    }


def queued(accord: Accord, queue: Queue, stages: Collection[Stage]) -> list[Queued]:
    """Return the folders at these stages, longest waiting first."""
    entries = queue.entries(*stages)
    roster = read(accord)
    return [_queued(entry, roster) for entry in entries]


def revive(accord: Accord, queue: Queue, names: Sequence[str]) -> list[str]:
    """Visit buried folders again: those of mailboxes, links or keys of these names, or all."""
    if not names:
        return queue.revive()
    roster = read(accord)
    keys = [
        entry.folder
        for entry in queue.entries(Stage.BURIED)
        if set(names) & _names(entry.folder, roster.posts.get(entry.folder))
    ]
    return queue.revive(keys) if keys else []


def _names(folder: str, post: Post | None) -> set[str]:
    if post is None:
        return {folder}
    return {folder, post.principal, *(link.name for link in post.links)}


def _queued(entry: Entry, roster: Roster) -> Queued:
    post = roster.posts.get(entry.folder)
    target = roster.targets.get(post.target) if post is not None else None
    return Queued(
        folder=entry.folder,
        stage=entry.stage,
        seconds=round(-entry.since, 1),
        cause=entry.cause,
        attempts=entry.attempts,
        why=entry.why,
        target=target.name if target is not None else "",
        principal=post.principal if post is not None else "",
        links=tuple(link.name for link in post.links) if post is not None else (),
    )
