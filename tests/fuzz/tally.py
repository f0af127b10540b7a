"""How many histories and messages were played; printed at the end of the tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

RecordProperty = Callable[[str, object], None]
_NAME = "played: "


def note(count: int, what: str, record_property: RecordProperty) -> None:
    """Note on a test, in whichever process it ran, how many of what it has played."""
    record_property(f"{_NAME}{what}", count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":  # all that was noted by then
                for name, count in report.user_properties:
                    counts[name] += count if name.startswith(_NAME) else 0
    for name, count in sorted((+counts).items()):
        terminalreporter.write_line(f"{count:,} {name.removeprefix(_NAME)}")
