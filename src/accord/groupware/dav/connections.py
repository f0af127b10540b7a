"""Connections to one DAV server, encrypted ones checked as its settings say; `http` asks over them.

Reading all authorities takes longer than many a visit: a target on http that names none of its own
does it when sent to https.
"""

from __future__ import annotations

import logging
import ssl
import threading

import httpx2

from accord.groupware.dav.hrefs import origin
from accord.groupware.dav.settings import Config
from accord.ports.tls import trusting

_log = logging.getLogger("accord.groupware.dav")


class Connections(httpx2.BaseTransport):
    """Be the connections of one target; thread-safe."""

    def __init__(self, config: Config) -> None:
        """Prepare connections; nothing is sent yet. Raises ConfigError for an unusable CA file."""
        self._config = config
        self._lock = threading.Lock()
        self._encrypted: httpx2.HTTPTransport | None = None
        # Trusts no authority: nothing but http gets anywhere over it.
        self._plain = _pool(config, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        if config.ca_file or origin(config.url).startswith("https:"):
            self._secure()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request over a connection of its kind; raises ConfigError as above."""
        plain = request.url.scheme == "http"
        return (self._plain if plain else self._secure()).handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        self._plain.close()
        if self._encrypted is not None:
            self._encrypted.close()

    def _secure(self) -> httpx2.HTTPTransport:
        with self._lock:
            if self._encrypted is None:
                self._encrypted = _pool(self._config, _context(self._config))
            return self._encrypted


def _pool(config: Config, context: ssl.SSLContext) -> httpx2.HTTPTransport:
    limits = httpx2.Limits(
        max_connections=max(8, 2 * config.concurrency), max_keepalive_connections=8
    )
    return httpx2.HTTPTransport(
        verify=context, trust_env=False, limits=limits, proxy=config.proxy or None
    )


def _context(config: Config) -> ssl.SSLContext:
    if not config.verify:
        fields = {"target": config.where, "url": origin(config.url)}
        _log.warning("dav.certificate_unchecked", extra=fields)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    return trusting(config.ca_file, config.where)
