"""What all tests share: Hypothesis without timed assertions, and peers that may not be missing.

With ACCORD_REQUIRE_PEERS=1 (continuous integration) a test marked `peer` or `postgres` that
skips is a failure: a missing server must not look like a passing one.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.peers", "tests.databases", "tests.fuzz.tally"]

settings.register_profile(
    "accord", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("accord")

REQUIRED = ("peer", "postgres") if os.environ.get("ACCORD_REQUIRE_PEERS") == "1" else ()


@pytest.fixture(autouse=True)
def _no_log_outlives_its_test() -> Iterator[None]:
    """Forget where a command sent its logs: that stream is closed when the next test logs."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    missing = report.skipped and not hasattr(report, "wasxfail")
    if missing and any(item.get_closest_marker(name) for name in REQUIRED):
        report.outcome = "failed"
        report.longrepr = f"skipped although ACCORD_REQUIRE_PEERS=1: {report.longrepr}"
    return report
