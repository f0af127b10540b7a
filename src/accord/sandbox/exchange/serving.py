"""A stand-in Exchange in a process of its own: served until a signal ends it."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from pathlib import Path

import uvicorn

from accord.ports.errors import ConfigError
from accord.sandbox.exchange.notices import Notices
from accord.sandbox.exchange.server import Exchange

_PATIENCE = 5


def serve(exchange: Exchange, listener: socket.socket) -> None:
    """Serve on a listening socket until SIGTERM or SIGINT; open streams end then."""
    # Where a connection is broken off on purpose, the server would complain.
    logging.getLogger("uvicorn.error").addFilter(_told)
    config = uvicorn.Config(
        exchange.app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
        timeout_keep_alive=120,
    )
    try:
        _Server(config, exchange.notices).run(sockets=[listener])
    finally:
        logging.getLogger("uvicorn.error").removeFilter(_told)
        exchange.close()


def word_in(file: Path) -> str:
    """Return the word in a file; a new file gets one that nobody else may read.

    Raises ConfigError.
    """
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise _unreadable(file, error) from error
    else:
        with os.fdopen(handle, "w", encoding="ascii") as new:
            new.write(secrets.token_urlsafe(24) + "\n")
    try:
        word = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    if len(word) < 16:
        raise ConfigError(
            f"the word in {file} is too short",
            field="control",
            hint="remove the file, and a new one is written",
        )
    return word


class _Server(uvicorn.Server):
    """Let streams end before waiting for what is open."""

    def __init__(self, config: uvicorn.Config, notices: Notices) -> None:
        super().__init__(config)
        self._notices = notices

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._notices.sever(ever=True)
        await super().shutdown(sockets)


def _told(record: logging.LogRecord) -> bool:
    return "without completing response" not in record.getMessage()


def _unreadable(file: Path, error: Exception) -> ConfigError:
    hint = "name a file that can be read or made"
    return ConfigError(f"can't read {file}: {error}", field="control", hint=hint)
