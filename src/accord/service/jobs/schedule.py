"""When a job is due: every so often, or daily or weekly at an hour of the machine's own time.

Schedules are text such as `every 15m`, `daily 03:30` and `weekly sun 02:00`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from accord.ports.errors import ConfigError

FORMS = "`every 15m` (m, h or d), `daily 03:30` or `weekly sun 02:00`"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_LONGEST = timedelta(days=8)
_LEAST, _MOST = timedelta(minutes=1), timedelta(days=31)
_EVERY = re.compile(r"(?:every )?(\d{1,5}) ?(m|h|d)(?:in|inutes?|ours?|ays?)?")
_DAILY = re.compile(r"(?:daily )?([01]?\d|2[0-3]):([0-5]\d)")
_WEEKLY = re.compile(r"(?:weekly )?(\w{3})\w* ([01]?\d|2[0-3]):([0-5]\d)")


class Schedule(Struct, frozen=True, kw_only=True):
    """Be `every` so often, or at an hour and minute, every day or on one `day` (0 is Monday)."""

    every: timedelta | None = None
    hour: int = 0
    minute: int = 0
    day: int | None = None

    def __str__(self) -> str:
        """Return the text from which it is read."""
        if self.every is not None:
            seconds = int(self.every.total_seconds())
            unit = next(unit for unit in reversed(_UNITS) if seconds % _UNITS[unit] == 0)
            return f"every {seconds // _UNITS[unit]}{unit}"
        at = f"{self.hour:02}:{self.minute:02}"
        return f"daily {at}" if self.day is None else f"weekly {DAYS[self.day]} {at}"

    def first(self, now: datetime) -> datetime:
        """Return when a job is due that was just switched on."""
        return now if self.every is not None else self._at(now)

    def next(self, began: datetime, now: datetime) -> datetime:
        """Return when a job is due again that began then and has just ended."""
        if self.every is None:
            return self._at(now)
        # One that takes longer than its turn leaves others a breath.
        return max(began + self.every, now + min(self.every, timedelta(minutes=1)))

    def sooner(self, due: datetime, now: datetime) -> datetime:
        """Return when it is due at the latest, whatever a clock once said that was wrong."""
        if self.every is not None:
            return min(due, now + self.every)
        return due if due <= now + _LONGEST else self._at(now)

    def _at(self, now: datetime) -> datetime:
        """Return the next such moment by this machine's clock; one that a zone skips is near."""
        today = now.astimezone().date()
        for ahead in range(9):
            day = today + timedelta(days=ahead)
            if self.day is not None and day.weekday() != self.day:
                continue
            local = datetime(day.year, day.month, day.day, self.hour, self.minute)
            moment = local.astimezone().astimezone(UTC)
            if moment > now:
                return moment
        raise AssertionError("unreachable")


def parse(text: str) -> Schedule:
    """Return what a text says; raises ConfigError."""
    said = " ".join(text.casefold().split())
    if found := _EVERY.fullmatch(said):
        every = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
        if not _LEAST <= every <= _MOST:
            raise _wrong(text, "not less than a minute and not more than 31 days")
        return Schedule(every=every)
    if found := _DAILY.fullmatch(said):
        return Schedule(hour=int(found[1]), minute=int(found[2]))
    if (found := _WEEKLY.fullmatch(said)) and found[1] in DAYS:
        return Schedule(day=DAYS.index(found[1]), hour=int(found[2]), minute=int(found[3]))
    raise _wrong(text, f"write {FORMS}")


def _wrong(text: str, hint: str) -> ConfigError:
    return ConfigError(f"{text[:60]!r} is no schedule", field="schedule", hint=hint)
