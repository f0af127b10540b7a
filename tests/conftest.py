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
from zlib import crc32

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

_SPREAD = {"fuzz": 0.0, "slow": 0.6, "waits": 0.95}
"""Over which part of a run tests of a kind are spread."""

REQUIRED = ("peer", "postgres") if os.environ.get("ACCORD_REQUIRE_PEERS") == "1" else ()


ALTERNATING = os.environ.get("ACCORD_STORIES") == "alternating"
"""Whether each story is played on one of the two databases, half of them on either."""

_STORIES = ("tests/unit/service/", "tests/unit/cli/", "tests/scenario/")
"""What tells nothing of one database that the tests of `db`, `state` and `queue` don't tell."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no process waits for another in the end.

    Those that wait are spread among those that compute, so that there is always something to
    compute.
    """
    if ALTERNATING:
        left_out = _other_database(items)
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]
    parts: dict[str, list[pytest.Item]] = {name: [] for name in (*_SPREAD, "")}
    for item in items:
        parts[next((name for name in _SPREAD if item.get_closest_marker(name)), "")].append(item)
    # Neighbours wait alike.
    parts["waits"].sort(key=lambda item: crc32(item.nodeid.encode()))
    placed = [
        (_SPREAD.get(name, 1.0) * number / len(some), item)
        for name, some in parts.items()
        for number, item in enumerate(some)
    ]
    items[:] = [item for _, item in sorted(placed, key=lambda each: each[0])]


def _other_database(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return one of each two tests that play the same story on SQLite and on PostgreSQL."""
    stories = {item.nodeid: item for item in items if item.nodeid.startswith(_STORIES)}
    pairs = [
        (stories[name], item)
        for nodeid, item in stories.items()
        if (name := nodeid.replace("postgres", "sqlite")) != nodeid and name in stories
    ]
    return [pair[crc32(pair[0].nodeid.encode()) % 2] for pair in pairs]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Look for garbage from now on, but not among what was loaded, and not at every turn."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


@pytest.fixture(autouse=True)
def _no_log_outlives_its_test() -> Iterator[None]:
    """Forget where a command sent its logs, a stream that is closed soon, and how much it told."""
    levels = {name: logging.getLogger(name).level for name in ("accord", "stamina")}
    yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
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
