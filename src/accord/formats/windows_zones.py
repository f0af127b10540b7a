"""Time zone names of Windows and Exchange, to and from IANA names.

The table is the Unicode CLDR's, as tzlocal ships it.
"""

from __future__ import annotations

from functools import cache

from tzlocal.windows_tz import tz_win, win_tz


def iana(windows: str) -> str | None:
    """Return the IANA zone of a Windows zone name; capitals don't matter."""
    return _by_windows().get(windows.strip().casefold())


def windows(zone: str) -> str | None:
    """Return the Windows name of an IANA zone; None where Windows has none."""
    return tz_win.get(zone)


def common() -> tuple[str, ...]:
    """Return the IANA zones that stand for a Windows zone: one for each set of rules in use."""
    return tuple(dict.fromkeys(win_tz.values()))


@cache
def _by_windows() -> dict[str, str]:
    return {name.casefold(): zone for name, zone in win_tz.items()}
