"""What happened to tokens, and how often somebody failed; never a token itself.

Strangers decide how much is refused, so both tables are bounded, whatever they do.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import case, delete, func, or_, select

from accord.db import folded
from accord.state.context import Repository
from accord.state.schema import TOKEN_FAILURES, TOKEN_LOG

HOURLY = 1000
"""How many lines an hour has at most; what more happens is counted in one line."""

KEPT = timedelta(days=365)
"""How long lines are kept."""

MOST_COUNTED = 10_000
"""How many users and addresses are counted at most; others share one count."""

REST = "(others)"
"""The name of what is counted together."""


class Noted(Struct, frozen=True, kw_only=True):
    """Be a line: what happened (`issued`, `rotated`, `revoked` or `refused:` and the reason).

    `user` is whom the token names or who was named beside it: of a refused one, hearsay. `token`
    is its id; of `rotated` it is the key's. `times` is how often the same happened between `first`
    and `last`, in one hour.
    """

    event: str
    user: str = ""
    peer: str = ""
    token: str = ""
    why: str = ""
    by: str = ""
    times: int = 1
    first: datetime | None = None
    last: datetime | None = None


class TokenLog(Repository):
    """Keep what happened to tokens, equal things of an hour in one line."""

    def note(self, line: Noted) -> None:
        """Add a line, or count one up that says the same."""
        now = self.context.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        key = {
            "hour": hour,
            "event": line.event,
            "user": line.user,
            "peer": line.peer,
            "token": line.token,
        }
        if self._count(key, line, now):
            return
        full = select(func.count()).where(TOKEN_LOG.c.hour == hour)
        if (self.db.execute(full).scalar() or 0) >= HOURLY:
            key = {"hour": hour, "event": REST, "user": "", "peer": "", "token": ""}
            line = Noted(event=REST, why="more than one hour's lines can tell")
        self.db.execute(delete(TOKEN_LOG).where(TOKEN_LOG.c.last < now - KEPT))
        values = {**key, "why": line.why, "by": line.by, "times": 1, "first": now, "last": now}
        fresh = self.db.inserting(TOKEN_LOG).values(values)
        more = {"times": TOKEN_LOG.c.times + 1, "last": now}
        self.db.execute(fresh.on_conflict_do_update(index_elements=list(key), set_=more))

    def query(
        self,
        *,
        user: str | None = None,
        event: str | None = None,
        token: str | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[Noted]:
        """Return lines, what happened last first; `event` may be `refused`, whatever the reason.

        Of what happened last `before` a moment only.
        """
        named = {"user": user, "token": token}
        query = select(TOKEN_LOG).where(
            *(TOKEN_LOG.c[name] == value for name, value in named.items() if value is not None)
        )
        if event is not None:
            part = TOKEN_LOG.c.event.startswith(f"{event}:", autoescape=True)
            query = query.where(or_(TOKEN_LOG.c.event == event, part))
        if before is not None:
            query = query.where(TOKEN_LOG.c.last < before)
        column = TOKEN_LOG.c
        query = query.order_by(column.last.desc(), column.first.desc(), column.event).limit(limit)
        found = self.db.execute(query).all()
        return [Noted(**{k: v for k, v in row._mapping.items() if k != "hour"}) for row in found]

    def _count(self, key: dict[str, object], line: Noted, now: datetime) -> bool:
        same = [TOKEN_LOG.c[name] == value for name, value in key.items()]
        more = {"times": TOKEN_LOG.c.times + 1, "last": now, "why": line.why}
        return self.db.execute(TOKEN_LOG.update().where(*same).values(more)).rowcount > 0


class Failures(Repository):
    """Count failures by name (`user:anna`, `peer:192.0.2.1`), each within a window of its own."""

    def count(self, names: Iterable[str], window: timedelta) -> None:
        """Count a failure of each; a window begins with the first and ends by itself."""
        now = self.context.now()
        for name in names:
            key = name if self._has_room(name, now, window) else _rest(name)
            fresh = self.db.inserting(TOKEN_FAILURES).values(name=key, times=1, since=now)
            over = TOKEN_FAILURES.c.since <= now - window
            again = {
                "times": case((over, 1), else_=TOKEN_FAILURES.c.times + 1),
                "since": case((over, now), else_=TOKEN_FAILURES.c.since),
            }
            self.db.execute(fresh.on_conflict_do_update(index_elements=["name"], set_=again))

    def wait(self, limits: dict[str, int], window: timedelta) -> float:
        """Return for how many seconds one of these names is over its limit; 0 for none."""
        now = self.context.now()
        known = {**{_rest(name): limit for name, limit in limits.items()}, **limits}
        query = select(TOKEN_FAILURES).where(
            TOKEN_FAILURES.c.name.in_(known), TOKEN_FAILURES.c.since > now - window
        )
        rows = {row.name: row for row in self.db.execute(query)}
        waits = [0.0]
        for name, limit in limits.items():
            row = rows.get(folded(name)) or rows.get(_rest(name))
            if row is not None and row.times >= limit:
                waits.append((row.since + window - now).total_seconds())
        return max(waits)

    def _has_room(self, name: str, now: datetime, window: timedelta) -> bool:
        column = TOKEN_FAILURES.c
        if self.db.execute(select(column.name).where(column.name == name)).first():
            return True
        self.db.execute(delete(TOKEN_FAILURES).where(column.since <= now - window))
        return (self.db.execute(select(func.count(column.name))).scalar() or 0) < MOST_COUNTED


def _rest(name: str) -> str:
    return f"{name.partition(':')[0]}:{REST}"
