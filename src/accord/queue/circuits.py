"""Circuit breakers: places that failed too often, or asked for it, are left alone for a while.

The rules are pure, one place's standing in, the next one out; `memory` and `places` keep them.
"""

from __future__ import annotations

from msgspec import Struct

from accord.ports.queue import TROUBLES, Circuit, Current
from accord.queue.backoff import backoff

FIRST, LONGEST = 15.0, 600.0
"""Seconds for which a place is left alone at first, and at most where nobody asks for more."""


class Standing(Struct, frozen=True, kw_only=True):
    """Be how it stands with a place that failed.

    `who` met the last failure; `opened` counts how often in a row it was left alone, `since` and
    `until` say when it is, None where it isn't.
    """

    failures: int = 0
    who: str = ""
    opened: int = 0
    since: float | None = None
    until: float | None = None
    why: str = ""

    def failed(self, who: str, why: str, after: float, now: float) -> Standing:
        """Return the standing after one more failure."""
        # One mailbox that fails again and again says nothing of the place.
        failures = self.failures + (who != self.who)
        if self.until is not None and now < self.until:
            # Begun before it was left alone: it told that already.
            until: float | None = max(self.until, now + after)
            opened = self.opened
        elif self.until is not None or after > 0 or failures >= TROUBLES:
            opened = self.opened + 1
            until = now + max(after, backoff(opened, FIRST, LONGEST))
        else:
            opened, until = 0, None
        since = None if until is None else now if self.since is None else self.since
        return Standing(
            failures=failures, who=who, opened=opened, since=since, until=until, why=why
        )

    def left(self, now: float) -> float:
        """Return for how many seconds it is left alone from now."""
        return 0.0 if self.until is None else max(self.until - now, 0.0)

    def heals(self, now: float) -> bool:
        """Tell whether a success ends it: what was begun before it was left alone says nothing."""
        return self.until is None or now >= self.until

    def room(self, under_way: int, most: int, now: float) -> int:
        """Return how many more runs may be begun there, of `most` at once."""
        if self.until is None:
            return most - under_way
        return min(1, most) - under_way if now >= self.until else 0

    def shown(self, place: str, now: float) -> Circuit:
        """Return it for people."""
        current = Current.CLOSED
        if self.until is not None:
            current = Current.OPEN if now < self.until else Current.HALF_OPEN
        return Circuit(
            place=place,
            current=current,
            why=self.why,
            failures=self.failures,
            since=0.0 if self.since is None else self.since - now,
            after=self.left(now),
        )
