"""Shares: which of the mailboxes this listener hears of, where several divide them.

The mailboxes of a target are divided into groups that fit a streaming connection, and each group
has a lease. Each listener holds as many as fall to it, gives back what is too much when another
one comes, and takes what a dead one held. Whose lease is late for a moment may be listened to
twice: hints carry no data, so that costs a look.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence

from accord.service.presence import Presence
from accord.service.roster import Roster
from accord.state.leases import LeaseLost
from accord.state.processes import LIFE
from accord.state.records import Lease
from accord.state.state import State, Tx
from accord.state.taking import take

LISTENER = "listener"
GROUP = 160
"""Mailboxes of a group at most, on average: chance puts more into some, and 200 fit a stream."""

_PREFIX = "listen:"
_FEED = f"{_PREFIX}crm"


class Shares:
    """Hold this process's share of the listening; calls come from the thread of `run`."""

    def __init__(self, state: State, presence: Presence) -> None:
        """Hold nothing yet."""
        self._state, self._presence = state, presence
        self._held: dict[str, Lease] = {}
        self._groups: dict[str, int] = {}
        self.alone = False
        self.changes = 0
        """How often what falls to this process may have become something else."""

    def divide(self, roster: Roster) -> None:
        """Take and give back so that each living listener has its share of these mailboxes.

        Raises Retry where the database is away: what is held until then is.
        """
        living = self._presence.living(LISTENER)
        groups = {key: _count(len(some)) for key, some in roster.mailboxes().items()}
        wanted = {_FEED: [_FEED]} | {
            key: [_name(key, count, number) for number in range(count)]
            for key, count in groups.items()
        }
        held = self._state.run(lambda tx: self._settle(tx, wanted, living), durable=False)
        if held.keys() != self._held.keys() or groups != self._groups:
            self.changes += 1
        self._held, self._groups = held, groups
        self.alone = len(living) == 1

    def has(self, target: str, principal: str) -> bool:
        """Tell whether this process is to hear of a mailbox."""
        count = self._groups.get(target, 0)
        return count > 0 and _name(target, count, _group(principal, count)) in self._held

    @property
    def feed(self) -> Lease | None:
        """Return the lease on asking the CRM, None where another process does."""
        return self._held.get(_FEED)

    def close(self) -> None:
        """Give everything back, so that others take it at once."""
        held, self._held = self._held, {}
        self.changes += 1
        if held:
            with self._state.begin(durable=False) as tx:
                for lease in held.values():
                    tx.leases.release(lease)

    def _settle(
        self, tx: Tx, wanted: Mapping[str, Sequence[str]], living: Sequence[str]
    ) -> dict[str, Lease]:
        """Return the leases to hold from now on, after those too many were given back."""
        keep: dict[str, Lease] = {}
        taken = set(tx.leases.standing(_PREFIX))
        for key, names in wanted.items():
            mine = [self._held[name] for name in names if name in self._held]
            most = _quota(key, len(names), living, self._presence.name)
            keep |= _renewed(tx, mine[:most])
            missing = most - len(mine[:most])
            for name in _free_first(names, taken) if missing > 0 else ():
                if name in keep or missing <= 0:
                    continue
                if (lease := take(tx.leases, name, LIFE)) is not None:
                    keep[name] = lease
                    missing -= 1
        for name, lease in self._held.items():
            if name not in keep:
                tx.leases.release(lease)
        return keep


def _renewed(tx: Tx, leases: Iterable[Lease]) -> dict[str, Lease]:
    found = {}
    for lease in leases:
        try:
            found[lease.name] = tx.leases.renew(lease, LIFE)
        except LeaseLost:
            continue
    return found


def _free_first(names: Sequence[str], taken: set[str]) -> list[str]:
    """Return names, first those that nobody has: the others may be a dead one's."""
    return sorted(names, key=lambda name: (name in taken, name))


def _quota(key: str, groups: int, living: Sequence[str], me: str) -> int:
    """Return how many groups fall to a listener; whose turn it is for the rest differs by key."""
    rank = (living.index(me) + zlib.crc32(key.encode())) % len(living)
    return groups // len(living) + (rank < groups % len(living))


def _count(mailboxes: int) -> int:
    """Return how many groups there are: a power of two, so that few move where people come."""
    count = 1
    while mailboxes > count * GROUP:
        count *= 2
    return count


def _group(principal: str, count: int) -> int:
    return zlib.crc32(principal.casefold().encode()) % count


def _name(target: str, count: int, number: int) -> str:
    return f"{_PREFIX}{target}/{count}/{number}"
