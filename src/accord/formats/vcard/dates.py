"""Birthdays and anniversaries: the many spellings of a date to YYYY-MM-DD or --MM-DD."""

from __future__ import annotations

import re
from datetime import date

_FULL = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ].*)?\Z", re.ASCII)
_YEARLESS = re.compile(r"--(\d{2})-?(\d{2})\Z", re.ASCII)


def read_date(value: str, omitted_year: str = "") -> str:
    """Return the date in a vCard value; empty where it isn't a whole date.

    `omitted_year` is the year that stands for none (Apple writes 1604).
    """
    value = value.strip()
    full = _FULL.match(value)
    if full is not None:
        year, month, day = full.groups()
        if year == omitted_year:
            return f"--{month}-{day}" if _exists(2000, month, day) else ""
        return f"{year}-{month}-{day}" if _exists(int(year), month, day) else ""
    short = _YEARLESS.match(value)
    if short is not None and _exists(2000, short[1], short[2]):
        return f"--{short[1]}-{short[2]}"
    return ""


def write_date(value: str, version: str) -> tuple[dict[str, tuple[str, ...]], str]:
    """Return parameters and value of a date; 3.0 knows no date without a year but Apple's."""
    if not value.startswith("--"):
        return {}, value if version == "3.0" else value.replace("-", "")
    if version == "3.0":
        return {"X-APPLE-OMIT-YEAR": ("1604",)}, f"1604{value[1:]}"
    return {}, f"--{value[2:].replace('-', '')}"


def _exists(year: int, month: str, day: str) -> bool:
    try:
        date(year, int(month), int(day))
    except ValueError:
        return False
    return True
