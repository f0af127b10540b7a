"""Where logs go on the command line: to standard error, warnings only unless asked for more."""

from __future__ import annotations

import logging
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter


def log_to_errors(*, verbose: bool) -> None:
    """Send logs to standard error, so that results in a pipe stay clean."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    root = logging.getLogger()
    for each in root.handlers[:]:
        if isinstance(each.formatter, _Lines):
            root.removeHandler(each)
    root.addHandler(handler)
    logging.getLogger("accord").setLevel(logging.DEBUG if verbose else logging.WARNING)
    _log_retries()


class _Lines(logging.Formatter):
    """Word a record in one line; structlog is loaded with the first, most commands have none."""

    def format(self, record: logging.LogRecord) -> str:
        return self._words.format(record)

    @cached_property
    def _words(self) -> ProcessorFormatter:
        import structlog

        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(),
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer(colors=colours),
            ],
        )


def _log_retries() -> None:
    # By itself it would log through structlog, which nobody has set up: to standard output.
    from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

    set_on_retry_hooks([LoggingOnRetryHook])
