"""Where logs go on the command line: to standard error, warnings only unless asked for more.

Every line comes through `clean`: no password or token that shows by its form, none of this
installation's own secrets, and of an error that nobody expected no words but its name.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from accord.ports.fault import contained
from accord.ports.redact import GONE, clean, is_secret_name

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter


def log_to_errors(*, verbose: bool, json: bool = False) -> None:
    """Send logs to standard error, so that results in a pipe stay clean; as JSON if wanted."""
    handler = _Errors(sys.stderr)
    handler.setFormatter(_Lines(json=json))
    root = logging.getLogger()
    for each in root.handlers[:]:
        if isinstance(each, _Errors):
            root.removeHandler(each)
    root.addHandler(handler)
    logging.getLogger("accord").setLevel(logging.DEBUG if verbose else logging.WARNING)
    # That something is tried again is a warning for stamina; for people it is none before it fails.
    logging.getLogger("stamina").setLevel(logging.DEBUG if verbose else logging.ERROR)
    _log_retries()


@contextmanager
def threads_logged() -> Iterator[None]:
    """Have the end of a thread that nobody expected logged as any fault, not printed as it is."""
    before = threading.excepthook

    def log(args: threading.ExceptHookArgs) -> None:
        if isinstance(args.exc_value, Exception):
            name = args.thread.name if args.thread is not None else "a thread"
            contained(args.exc_value, f"in the thread {name}")

    threading.excepthook = log
    try:
        yield
    finally:
        threading.excepthook = before


class _Errors(logging.StreamHandler):  # type: ignore[type-arg]
    """Write to standard error what can be written; nothing about what can't."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Leave it: what logging would print about it shows all that was to be taken out."""


class _Lines(logging.Formatter):
    """Word a record in one line; structlog is loaded with the first, most commands have none."""

    def __init__(self, *, json: bool) -> None:
        super().__init__()
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        return self._words.format(record)

    @cached_property
    def _words(self) -> ProcessorFormatter:
        import structlog

        formatter = structlog.stdlib.ProcessorFormatter
        colours = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        last: Any = (
            structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)
            if self._json
            else structlog.dev.ConsoleRenderer(colors=colours)
        )
        stamp = "iso" if self._json else "%Y-%m-%d %H:%M:%S"
        return formatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(),
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt=stamp, utc=self._json),
            ],
            processors=[formatter.remove_processors_meta, _without_words, _redacted, last],
        )


def _without_words(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> Any:
    """Tell an error by its name and the way to it: its own words may quote what somebody wrote."""
    found = line.pop("exc_info", None)
    line.pop("stack_info", None)
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        way = "".join(traceback.format_tb(error.__traceback__)).rstrip()
        line["event"] = f"{line.get('event', '')}: {type(error).__name__}\n{way}".rstrip()
    return line


def _redacted(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> Any:
    """Take out what nobody may read."""
    line.pop("message", None)  # another handler's, which is the event once more
    for name, value in line.items():
        line[name] = GONE if is_secret_name(name) and value else _plain(value)
    return line


def _plain(value: Any) -> Any:
    """Return a value with every text in it clean; what is no plain value becomes one."""
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {
                str(name): GONE if is_secret_name(str(name)) and each else _plain(each)
                for name, each in value.items()
            }
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return clean(str(value))


def _log_retries() -> None:
    # By itself it would log through structlog, which nobody has set up: to standard output.
    from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

    set_on_retry_hooks([LoggingOnRetryHook])
