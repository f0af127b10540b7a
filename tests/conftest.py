"""What all tests share: Hypothesis without timed assertions, and peers that may not be missing.

With ACCORD_REQUIRE_PEERS=1 (continuous integration) a test marked `peer` or `postgres` that
skips is a failure: a missing server must not look like a passing one.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings

from tests.fuzz.seeds import FRESH

# Loading makes lasting objects; to look them through for garbage again and again takes time.
gc.disable()

pytest_plugins = ["tests.peers", "tests.databases", "tests.fuzz.tally"]

# The same examples for everybody, so that a red run is about the change; `make fuzz` asks for
# others, which nobody has tried.
settings.register_profile(
    "accord",
    deadline=None,
    derandomize=not FRESH,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("accord")

_SPREAD = 0.6
"""Over which part of all others slow tests are spread."""

REQUIRED = ("peer", "postgres") if os.environ.get("ACCORD_REQUIRE_PEERS") == "1" else ()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process waits for another in the end.

    Slow tests mostly wait. They are spread among those that compute, so that there is always
    something to compute.
    """
    longest = [item for item in items if item.get_closest_marker("fuzz")]
    slow = [item for item in items if item.get_closest_marker("slow") and item not in longest]
    others = [item for item in items if item not in {*longest, *slow}]
    apart = int(len(others) * _SPREAD / max(len(slow), 1))
    for number, item in enumerate(slow):
        others.insert(number * (apart + 1), item)
    items[:] = [*longest, *others]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Look for garbage from now on, but not among what was loaded, and not at every turn."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


@pytest.fixture(autouse=True)
def _no_log_outlives_its_test() -> Iterator[None]:
    """Forget where a command sent its logs: that stream is closed when the next test logs."""
    yield
    root = logging.getLogger()
    for each in root.handlers[:]:
        if type(each).__module__ == "accord.cli.logs":
            root.removeHandler(each)


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """Expect faults of Accord's own, and list what was logged of them."""
    with _listening() as found:
        yield found


@pytest.fixture(autouse=True)
def _no_fault_stays_unseen(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail where Accord met a fault of its own: contained as it was, no other test would see it."""
    with _listening() as found:
        yield
    if found and "faults" not in request.fixturenames:
        pytest.fail("\n".join(found), pytrace=False)


@contextmanager
def _listening() -> Iterator[list[str]]:
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("accord.fault")
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)


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
