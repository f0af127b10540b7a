"""Where logs go on the command line: to standard error, warnings only unless asked for more."""

from __future__ import annotations

import logging
import os
import sys

import structlog


def log_to_errors(*, verbose: bool) -> None:
    """Send logs to standard error, so that results in a pipe stay clean."""
    level = logging.DEBUG if verbose else logging.WARNING
    colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=colours),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
