"""Messages to one CRM.interface: connections that stay open, limits, and patience.

A message whose answer is lost is sent again, byte by byte: the server answers it as before.
"""

from __future__ import annotations

import logging
import ssl
import time
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx2

from accord.crm.syncml.errors import of_http
from accord.crm.syncml.settings import Config
from accord.ports.errors import AccordError, ConfigError, Retry
from accord.ports.http import ServerClocks
from accord.ports.requests import Requests
from accord.ports.tls import trusting, untrusted, without

_log = logging.getLogger("accord.crm.syncml")

_PAUSES = (0.1, 0.5, 2.0)
"""Seconds to wait before a message goes out again."""

_BUSY = frozenset({429, 502, 503, 504})


class Http:
    """Hold the connections; thread-safe, shared by all sessions."""

    def __init__(
        self, config: Config, media: str, transport: httpx2.BaseTransport | None = None
    ) -> None:
        """Prepare connections; nothing is sent yet. Raises ConfigError for an unusable CA file."""
        self.config = config
        self.requests = Requests()
        self.clocks = ServerClocks()
        self._media = media
        self._home = _origin(config.url)
        limits = httpx2.Limits(
            max_connections=2 * config.concurrency, max_keepalive_connections=config.concurrency
        )
        self._client = httpx2.Client(
            transport=transport
            or httpx2.HTTPTransport(
                verify=_context(config), trust_env=False, limits=limits, proxy=config.proxy or None
            ),
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx2.Timeout(config.timeout, connect=min(config.timeout, 10.0)),
            headers={"User-Agent": "Accord", "Content-Type": media, "Accept": media},
        )

    def post(self, url: str, body: bytes) -> bytes:
        """Return the answer to a message; raises Retry and ConfigError."""
        if _origin(url) != self._home:
            raise ConfigError(
                f"{self._home} wants the next message to go to {_origin(url)}, with the token's "
                "rights",
                field="url",
                hint="set 'url' to the address that CRM.interface is to be reached at",
                code="other-host",
            )
        cut_off = False
        for pause in (*_PAUSES, None):
            try:
                return self._once(url, body)
            except Retry as error:
                # Of a server that is started anew the answer breaks off, then nobody listens.
                starts = cut_off and error.code == "unreachable"
                soon = starts or (pause is not None and error.after <= pause * 10)
                if pause is None or not soon or not (starts or error.code in _AGAIN):
                    raise
                cut_off = cut_off or error.code == "unanswered"
            time.sleep(pause)
        raise AssertionError  # the last round returns or raises

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _once(self, url: str, body: bytes) -> bytes:
        self.requests.count()
        began = time.monotonic()
        try:
            with self._client.stream("POST", url, content=body) as response:
                self.clocks.note(response, time.monotonic() - began)
                data = self._read(response)
        except httpx2.HTTPError as error:
            raise _unreached(error, self._home) from error
        except (httpx2.InvalidURL, ValueError) as error:
            raise ConfigError(f"{url!r:.100} is no address: {error}", field="url") from error
        seconds = round(time.monotonic() - began, 3)
        _log.debug("syncml.request", extra={"bytes": len(body), "seconds": seconds})
        status, kind = response.status_code, response.headers.get("content-type", "")
        if status != 200:
            wait = response.headers.get("retry-after", "")
            after = float(wait) if wait.isascii() and wait.isdigit() else None
            busy = 0.0 if after is None and status in _BUSY else after
            raise of_http(status, busy, self.config.url)
        if kind.partition(";")[0].strip().lower() != self._media:
            hint = "is that the address of CRM.interface?"
            raise ConfigError(
                f"{self.config.url} answers with {kind[:60] or 'something'}, not with SyncML",
                field="url",
                hint=hint,
            )
        return data

    def _read(self, response: httpx2.Response) -> bytes:
        most = 2 * self.config.max_message + 100_000
        deadline = time.monotonic() + 10 * self.config.timeout
        data = bytearray()
        for piece in response.iter_bytes():
            data += piece
            if len(data) > most:
                raise Retry(
                    f"{self._home}: an answer is larger than {most:,} bytes",
                    after=600.0,
                    code="too-large",
                )
            if time.monotonic() > deadline:
                raise Retry(f"{self._home}: an answer never ends", after=60.0, code="slow")
        length = response.headers.get("content-length", "")
        if length.isdigit() and int(length) != len(data) and not _packed(response):
            raise Retry(f"{self._home}: an answer is cut off", code="unanswered")
        return bytes(data)


_AGAIN = frozenset({"unanswered", *(str(status) for status in _BUSY)})


def _packed(response: httpx2.Response) -> bool:
    return bool(response.headers.get("content-encoding"))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').casefold()}:{port}"


def _context(config: Config) -> ssl.SSLContext:
    if config.url.startswith("http:"):
        # Trusts no authority: nothing but http gets anywhere over it.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return trusting(config.ca_file, config.where)


def _unreached(error: httpx2.HTTPError, home: str) -> AccordError:
    if refused := untrusted(error, home, "the authority of CRM.interface"):
        return refused
    if isinstance(error, httpx2.ConnectError) and (plain := without(error, home)):
        return plain
    what = f"{home}: {type(error).__name__}: {error}"
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return ConfigError(what, field="url", code="protocol")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return Retry(what, after=15.0, code="unreachable")
    return Retry(what, after=0.0, code="unanswered")
