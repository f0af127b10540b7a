"""Requests to one DAV server: signing in, redirects, limits, patience; all others ask through it.

Credentials go to the configured host only, never down from https to http (RFC 6764 8).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from fnmatch import fnmatchcase
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urljoin, urlsplit

import httpx2
import stamina
from msgspec import Struct

from accord.groupware.dav import wire
from accord.groupware.dav.connections import Connections
from accord.groupware.dav.errors import error_for
from accord.groupware.dav.hrefs import origin, ref_of, same_server
from accord.groupware.dav.settings import Config, Login
from accord.ports.errors import AccordError, ConfigError, Retry
from accord.ports.http import (
    Budget,
    Counted,
    ServerClocks,
    Told,
    TooLarge,
    Unanswered,
    bounded,
    unreached,
)
from accord.ports.requests import Requests

_log = logging.getLogger("accord.groupware.dav")

REDIRECTS = 5
ATTEMPTS = 3
LONGEST_INNER_WAIT = 10.0
_MOVED = frozenset({301, 302, 307, 308})
LOCKED = 423
BUSY = frozenset({LOCKED, 429, 502, 503, 504})
_XML = {"Content-Type": "application/xml; charset=utf-8"}


class Reply(Struct, frozen=True):
    """Be a whole answer about `ref`, which redirects may have changed; `home` is the target."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    ref: str
    home: str

    @property
    def ok(self) -> bool:
        """Tell whether the server did what was asked."""
        return 200 <= self.status < 300

    @property
    def sure(self) -> bool:
        """Tell whether it is a DAV server that says so: a gateway in front of one says 200, too."""
        if self.status != 200:
            return self.status in (201, 204)
        if "etag" in self.headers:
            return True
        # So does Radicale answer a DELETE.
        try:
            told = wire.read_multistatus(self.body, self.ref, self.home).entries
        except Retry:
            return False
        return bool(told) and all(each.status == 200 for each in told)

    def error(self, what: str) -> AccordError:
        """Return the error that this answer stands for; `what` names the place, for people."""
        reason = wire.read_reason(self.body)
        return error_for(self.status, self.conditions, self.headers, what, reason)

    @property
    def conditions(self) -> frozenset[str]:
        """Return the names of the preconditions that failed."""
        return wire.read_conditions(self.body)

    def multistatus(self) -> wire.Multistatus:
        """Return the 207 answer; raises the fitting error for any other."""
        if self.status != 207:
            error = self.error(self.ref)
            raise Retry(str(error), after=60.0) if self.ok else error
        return wire.read_multistatus(self.body, self.ref, self.home)


class Http:
    """Hold the connections of one target; thread-safe, shared by all its sessions.

    There is no cookie jar: a server's session cookie would answer one person as another.
    """

    def __init__(self, config: Config, transport: httpx2.BaseTransport | None = None) -> None:
        """Prepare connections; nothing is sent yet. Raises ConfigError for an unusable CA file."""
        self.config = config
        self.requests = Requests()
        self.clocks = ServerClocks()
        self.budget = Budget(config.requests_per_minute)
        self._turn = threading.Lock()
        self._in_turns = False
        self.home = origin(config.url)
        self.start = ref_of(config.url, "/", self.home)
        jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx2.Client(
            transport=transport or Connections(config),
            trust_env=False,
            cookies=jar,
            timeout=httpx2.Timeout(config.timeout, connect=min(config.timeout, 10.0)),
            headers={"User-Agent": config.user_agent, "Accept": "*/*"},
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def url(self, ref: str) -> str:
        """Return the whole address of a ref."""
        return self.home + ref if ref.startswith("/") else ref

    def ask(
        self,
        auth: httpx2.Auth | None,
        method: str,
        ref: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request that changes nothing; try again a few times where the server is busy.

        Raises Retry when that doesn't help, ConfigError where the address is wrong.
        """
        for attempt in stamina.retry_context(
            on=patience, attempts=ATTEMPTS, timeout=30.0, wait_initial=0.2, wait_max=5.0
        ):
            with attempt:
                reply = self.send(auth, method, ref, body=body, headers={**_XML, **(headers or {})})
                if reply.status in BUSY:
                    raise reply.error(ref)
                return reply
        raise AssertionError  # the last attempt returns or raises

    def send(
        self,
        auth: httpx2.Auth | None,
        method: str,
        ref: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request once, following redirects on this server; raises Retry, ConfigError."""
        url = self.url(ref if ref.startswith("/") else self.check_place(ref))
        for _ in range(REDIRECTS + 1):
            reply = self._send(auth, method, url, body, headers or {})
            if reply.status not in _MOVED:
                return reply
            url = self._next(url, reply)
        raise ConfigError(
            f"{self.url(ref)}: more than {REDIRECTS} redirects",
            field="url",
            hint="set the address to where the server finally sends a browser",
            code="redirects",
        )

    def turn(self) -> AbstractContextManager[object]:
        """Return what to hold during a write: nothing, or the turn where writes take turns."""
        return self._turn if self._in_turns else nullcontext()

    def take_turns(self) -> None:
        """Write one by one from now on: a server that locks its store refuses all others."""
        if not self._in_turns:
            _log.info("dav.writes_one_by_one", extra={"target": self.config.where})
        self._in_turns = True

    def check_place(self, ref: str) -> str:
        """Return the ref if credentials may be sent there.

        Raises ConfigError for another host, or for http where the target is https.
        """
        url = self.url(ref)
        if not self._trusted(url):
            raise ConfigError(
                f"{self.home} points to {origin(url)}, which would get the password too",
                field="trusted_hosts",
                hint=f"if {urlsplit(url).hostname} belongs to the same server, add it to "
                "'trusted_hosts'; if the server has moved, change 'url'",
                code="other-host",
            )
        return ref

    def _next(self, url: str, reply: Reply) -> str:
        target = urljoin(url, reply.headers.get("location", ""))
        self.check_place(target)
        fields = {"status": reply.status, "host": urlsplit(target).hostname}
        _log.debug("dav.redirect", extra=fields)
        return target

    def _trusted(self, url: str) -> bool:
        parts, home = urlsplit(url), urlsplit(self.home)
        host = (parts.hostname or "").casefold()
        if parts.scheme not in ("http", "https") or not host:
            return False
        if parts.scheme == "http" and home.scheme == "https":
            return False
        if same_server(origin(url), self.home):
            return True
        patterns = self.config.trusted_hosts
        return any(fnmatchcase(host, each) or fnmatchcase(parts.netloc, each) for each in patterns)

    def _send(
        self,
        auth: httpx2.Auth | None,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> Reply:
        try:
            request = self._client.build_request(method, url, content=body or None, headers=headers)
        except (httpx2.InvalidURL, ValueError) as error:
            raise ConfigError(f"{url!r:.100} is no address: {error}", field="url") from error
        self.budget.wait()
        began = time.monotonic()
        try:
            counted = Counted(self.requests.count, self.clocks, auth)
            response = self._client.send(request, auth=counted, stream=True)
            try:
                reply = self._read(response)
            finally:
                response.close()
        except httpx2.HTTPError as error:
            raise unreached(error, method, url) from error
        taken = round(time.monotonic() - began, 3)
        fields = {"method": method, "ref": reply.ref, "status": reply.status, "seconds": taken}
        _log.debug("dav.request", extra=fields)
        return reply

    def _read(self, response: httpx2.Response) -> Reply:
        config = self.config
        body = bounded(response, response.url.path, config.max_bytes, config.timeout)
        ref = ref_of(str(response.url), "/", self.home)
        return Reply(response.status_code, response.headers, body, ref, self.home)


def credentials(login: Login, way: str) -> httpx2.Auth:
    """Return how a session signs in: `basic`, `digest`, or `auto` for what the server asks."""
    match way:
        case "basic":
            return httpx2.BasicAuth(login.user, login.password)
        case "digest":
            return _Digest(login)
        case _:
            return _Asked(login)


def patience(error: Exception) -> bool | float:
    """Say whether and when a request is worth repeating at once (for stamina)."""
    match error:
        case TooLarge():
            return False
        case Told():
            return error.after if error.after <= LONGEST_INNER_WAIT else False
        case Unanswered():
            return True
        case Retry():
            return error.code.partition(" ")[0] in {str(status) for status in BUSY}
        case _:
            return False


class _Digest(httpx2.Auth):
    """Sign in by Digest with a nonce count of its own in each thread."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._threads = threading.local()

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        own: httpx2.DigestAuth | None = getattr(self._threads, "auth", None)
        if own is None:
            own = self._threads.auth = httpx2.DigestAuth(self._login.user, self._login.password)
        yield from own.auth_flow(request)


class _Asked(httpx2.Auth):
    """Sign in the way the first 401 asks for, Digest before Basic, and from then on at once."""

    def __init__(self, login: Login) -> None:
        self._basic = httpx2.BasicAuth(login.user, login.password)
        self._digest = _Digest(login)
        self._chosen: httpx2.Auth | None = None

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        if self._chosen is not None:
            yield from self._chosen.auth_flow(request)
            return
        response = yield request
        if response.status_code != 401:
            return
        offered = response.headers.get_list("www-authenticate")
        if not any(each.lower().startswith("digest ") for each in offered):
            self._chosen = self._basic
            yield from self._basic.auth_flow(request)
            return
        self._chosen = self._digest
        flow = self._digest.auth_flow(request)
        next(flow)  # the request that was just refused
        yield flow.send(response)
