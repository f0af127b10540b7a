"""Requests to one Exchange server: connections that sign in, limits, patience.

`client` asks through it. Its transport is httpx2 and lxml, not exchangelib's: that one has one
process-wide setting for certificates and proxies, so that targets could not differ; it reads
answers of any size, counts nothing, sleeps where the caller should decide, and with its one
session a stream holds up everything else. What exchangelib knows of items is used (`trees`).
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2
import stamina
from msgspec import Struct

from accord.groupware.exchange import wire
from accord.groupware.exchange.errors import status_error
from accord.groupware.exchange.settings import Config
from accord.groupware.exchange.signin import sign_in
from accord.groupware.exchange.tokens import Authority, Tokens, asking
from accord.groupware.exchange.ways import Login
from accord.groupware.exchange.wire import Node
from accord.ports.errors import ConfigError, Retry
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
from accord.ports.requests import Helpers, Requests
from accord.ports.tls import trusting
from accord.ports.vault import MemoryVault, Vault

_log = logging.getLogger("accord.groupware.exchange")

ATTEMPTS = 3
LONGEST_INNER_WAIT = 10.0
_XML = "text/xml; charset=utf-8"
_AFFINITY = "X-BackEndOverrideCookie"
_BUSY = frozenset({"429", "502", "503", "504", "ErrorServerBusy"})
_UNSURE = frozenset({"500", "502", "504"})
"""What comes from a gateway, or from a server that fails: it may have acted all the same."""


class _Line(Struct, eq=False):
    """Be one connection, and as whom it is signed in."""

    login: Login
    client: httpx2.Client


class Route:
    """Say which of the servers behind an address is meant, as far as a client can.

    The mailbox is a hint for every request. Subscriptions live on one server only, so a `lasting`
    route asks to stay there, and shows the cookie by which that server made itself known
    (Microsoft: maintain affinity between a group of subscriptions and the Mailbox server).
    """

    def __init__(self, anchor: str, *, lasting: bool = False) -> None:
        """Go to where `anchor` is served."""
        self.anchor = anchor
        self._lasting = lasting
        self._cookie = ""

    def headers(self) -> dict[str, str]:
        """Return what a request says of its way."""
        told = {"X-AnchorMailbox": self.anchor} if self.anchor else {}
        if self._lasting:
            told["X-PreferServerAffinity"] = "true"
        if self._cookie:
            told["Cookie"] = f"{_AFFINITY}={self._cookie}"
        return told

    def learn(self, headers: httpx2.Headers) -> None:
        """Keep the cookie by which an answer names its server."""
        for each in headers.get_list("set-cookie") if self._lasting else ():
            name, _, rest = each.partition("=")
            value = rest.partition(";")[0].strip()
            if name.strip().casefold() == _AFFINITY.casefold() and value.isprintable():
                self._cookie = value


class Held:
    """Be an answer that goes on for as long as somebody listens; `cut` is for other threads."""

    def __init__(self, response: httpx2.Response) -> None:
        """Listen to `response`, whose headers have come."""
        self._response = response
        self.status = response.status_code
        self.headers = response.headers

    def parts(self) -> Iterator[bytes]:
        """Yield what comes, as it comes."""
        return self._response.iter_bytes()

    def cut(self) -> None:
        """Break the connection off; whoever waits for more gets an end or an error."""
        stream = self._response.extensions.get("network_stream")
        found = stream.get_extra_info("socket") if stream is not None else None
        with suppress(OSError):
            if found is not None:
                # A second handle: an encrypted socket must not be touched while it is read.
                with socket.socket(fileno=os.dup(found.fileno())) as handle:
                    handle.shutdown(socket.SHUT_RDWR)


class Http:
    """Hold the connections of one target; thread-safe, shared by all its sessions.

    Each connection belongs to one login: NTLM vouches for connections, and one person's must
    never carry another's request. There is no cookie jar for the same reason.
    """

    def __init__(self, config: Config, transport: httpx2.BaseTransport | None = None) -> None:
        """Prepare; nothing is sent yet. Raises ConfigError for an unusable CA file."""
        self.config = config
        self.requests = Requests()
        self.clocks = ServerClocks()
        self.budget = Budget(config.requests_per_minute)
        self.version = ""
        self._transport = transport
        self._context: ssl.SSLContext | None = None
        if config.ca_file:
            named = trusting(config.ca_file, config.where)
            self._context = named if config.verify else None
        self._lock = threading.Lock()
        self.pool = Helpers(config.concurrency, thread_name_prefix="exchange")
        self._free = threading.BoundedSemaphore(config.concurrency)
        self._idle: list[_Line] = []
        self._resting: dict[str, float] = {}
        self.vault: Vault = MemoryVault()
        self.authority = Authority(config, self._ask_issuer)
        self._tokens: dict[Login, Tokens] = {}

    def close(self) -> None:
        """Close all connections that nobody uses now, when what is done beside others is over."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            idle, self._idle = self._idle, []
        for line in idle:
            line.client.close()

    def ask(
        self, url: str, login: Login, request: Node, headers: Sequence[Node], anchor: str | Route
    ) -> Node:
        """Send what changes nothing and return the body's content; try again where it helps.

        Raises the error of a SOAP fault or of an HTTP status.
        """
        return self._patiently(lambda: self.send(url, login, request, headers, anchor), _patience)

    def write(
        self, url: str, login: Login, request: Node, headers: Sequence[Node], anchor: str | Route
    ) -> Node:
        """Send what changes something; again only where the server did not take it at all.

        Raises Unanswered where nobody knows whether it was carried out.
        """

        def once() -> Node:
            try:
                return self.send(url, login, request, headers, anchor)
            except Retry as error:
                if error.code not in _UNSURE:
                    raise
                everybody = error.everybody
                raise Unanswered(
                    str(error), after=error.after, code=error.code, everybody=everybody
                ) from error

        return self._patiently(once, _refused)

    def send(
        self, url: str, login: Login, request: Node, headers: Sequence[Node], anchor: str | Route
    ) -> Node:
        """Send a request once and return the content of the answer's body."""
        what = wire.local(request)
        whose = anchor.anchor if isinstance(anchor, Route) else anchor
        budget = whose if self.config.access == "impersonation" else login.user
        self._wait_for(budget)
        self.budget.wait()
        try:
            return self._sent(url, login, wire.envelope(request, headers), anchor, what)
        except Told as error:
            self._slow_down(budget, error.after)
            raise

    def _sent(self, url: str, login: Login, text: bytes, anchor: str | Route, what: str) -> Node:
        status, said, body = self.post(url, login, text, anchor, what)
        root = None
        if status == 200 or (status >= 400 and b"Envelope" in body[:2000]):
            root = wire.parse(body)
            if (fault := wire.fault_of(root, what)) is not None:
                raise fault
        if status != 200 or root is None:
            raise status_error(status, said, what, self.config.auth)
        self._note_version(root)
        return wire.body_of(root, what)

    def post(
        self, url: str, login: Login, text: bytes, anchor: str | Route, what: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send a text and return status, headers and text of the answer; raises Retry."""
        route = anchor if isinstance(anchor, Route) else Route(anchor)
        headers = {"Content-Type": _XML, "User-Agent": self.config.user_agent, **route.headers()}
        began = time.monotonic()
        with self._line(login) as client:
            auth = Counted(self.requests.count, self.clocks, client.auth)
            try:
                request = client.build_request("POST", url, content=text, headers=headers)
                response = client.send(request, auth=auth, stream=True)
                try:
                    route.learn(response.headers)
                    answer = self._read(response)
                finally:
                    response.close()
            except httpx2.HTTPError as error:
                raise unreached(error, what, url) from error
            except (httpx2.InvalidURL, ValueError) as error:
                raise ConfigError(f"{url!r:.100} is no address: {error}", field="url") from error
        fields = {"operation": what, "status": answer[0], "mailbox": route.anchor}
        _log.debug("exchange.request", extra=fields | {"seconds": time.monotonic() - began})
        return answer

    @contextmanager
    def held(
        self, url: str, login: Login, text: bytes, route: Route, silence: float
    ) -> Iterator[Held]:
        """Send a text over a connection of its own and listen to the answer as it comes.

        It is none of those that are counted as at once. No byte for `silence` seconds ends it.
        Raises Retry, also from within where the connection breaks.
        """
        headers = {"Content-Type": _XML, "User-Agent": self.config.user_agent, **route.headers()}
        headers["Accept-Encoding"] = "identity"
        what = "notifications"
        with self._client(login) as client:
            patience = httpx2.Timeout(silence, connect=min(self.config.timeout, 10.0))
            auth = Counted(self.requests.count, self.clocks, client.auth)
            try:
                request = client.build_request(
                    "POST", url, content=text, headers=headers, timeout=patience
                )
                response = client.send(request, auth=auth, stream=True)
                try:
                    route.learn(response.headers)
                    yield Held(response)
                finally:
                    response.close()
            except httpx2.ReadTimeout as error:
                told = f"nothing came for {silence:g} s: a proxy on the way may hold it back"
                raise Unanswered(told, after=15.0, code="held-back") from error
            except httpx2.HTTPError as error:
                raise unreached(error, what, url) from error

    # connections

    @contextmanager
    def _line(self, login: Login) -> Iterator[httpx2.Client]:
        with self._free:
            line = self._take(login)
            try:
                yield line.client
            except BaseException:
                line.client.close()
                raise
            with self._lock:
                self._idle.append(line)

    def _take(self, login: Login) -> _Line:
        """Return an idle connection of this login, else a new one in place of another's."""
        spare = None
        with self._lock:
            own = next((each for each in reversed(self._idle) if each.login == login), None)
            if own is not None:
                self._idle.remove(own)
                return own
            if len(self._idle) >= self.config.concurrency:
                spare = self._idle.pop(0)
        if spare is not None:
            spare.client.close()
        return _Line(login, self._client(login))

    def _client(self, login: Login) -> httpx2.Client:
        config = self.config
        client = httpx2.Client(
            transport=self._transport or self._transport_of_its_own(),
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx2.Timeout(config.timeout, connect=min(config.timeout, 10.0)),
        )
        client.auth = sign_in(config, login, self._tokens_of(login))
        return client

    def _transport_of_its_own(self) -> httpx2.HTTPTransport:
        limits = httpx2.Limits(max_connections=1, max_keepalive_connections=1)
        return httpx2.HTTPTransport(
            verify=self._trust(), trust_env=False, limits=limits, proxy=self.config.proxy or None
        )

    def _trust(self) -> ssl.SSLContext:
        """Return whom to trust; reading all authorities takes long and is done once if needed."""
        if self.config.url.startswith("http:"):
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with self._lock:
            if self._context is None and not self.config.verify:
                fields = {"target": self.config.where, "url": self.config.url}
                _log.warning("exchange.certificate_unchecked", extra=fields)
                self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                self._context.check_hostname = False
                self._context.verify_mode = ssl.CERT_NONE
            if self._context is None:
                self._context = trusting("", self.config.where)
            return self._context

    def renew(self, login: Login) -> None:
        """Renew the token of a login; raises AuthFailed, ConfigError or Retry."""
        tokens = self._tokens_of(login)
        if tokens is not None:
            tokens.renew()

    def _tokens_of(self, login: Login) -> Tokens | None:
        config = self.config
        if not config.by_token:
            return None
        with self._lock:
            if login not in self._tokens:
                self._tokens[login] = asking(config, login, self.authority, self.vault, config.url)
            return self._tokens[login]

    def _ask_issuer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.count()
        limits = self._transport or httpx2.HTTPTransport(
            verify=trusting(self.config.ca_file, self.config.where),
            trust_env=False,
            proxy=self.config.proxy or None,
        )
        with httpx2.Client(transport=limits, trust_env=False, timeout=self.config.timeout) as each:
            answer = each.send(request, stream=True)
            status, headers, body = self._read(answer)
            kept = {"content-type": headers.get("content-type", "")}
            return httpx2.Response(status, headers=kept, content=body, request=request)

    # patience

    def _wait_for(self, budget: str) -> None:
        """Wait until whoever was told to slow down may go on: all of their requests do."""
        with self._lock:
            pause = self._resting.get(budget, 0.0) - time.monotonic()
            if pause <= 0:
                self._resting.pop(budget, None)
        if pause > 0:
            time.sleep(pause)

    def _slow_down(self, budget: str, seconds: float) -> None:
        """Let all requests of somebody rest; a long rest is the caller's, who is told of it."""
        if seconds <= LONGEST_INNER_WAIT:
            until = time.monotonic() + seconds
            with self._lock:
                self._resting[budget] = max(until, self._resting.get(budget, 0.0))

    # answers

    def _read(self, response: httpx2.Response) -> tuple[int, Mapping[str, str], bytes]:
        config = self.config
        body = bounded(response, response.url.path, config.max_bytes, config.timeout)
        return response.status_code, response.headers, body

    def _note_version(self, root: Node) -> None:
        found = wire.child(root, "Header", "ServerVersionInfo")
        if found is not None:
            names = ("MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber")
            self.version = ".".join(found.get(name) or "0" for name in names)

    def _patiently(
        self, act: Callable[[], Node], worth: Callable[[Exception], bool | float]
    ) -> Node:
        for attempt in stamina.retry_context(
            on=worth, attempts=ATTEMPTS, timeout=30.0, wait_initial=0.2, wait_max=5.0
        ):
            with attempt:
                return act()
        raise AssertionError  # the last attempt returns or raises


def _patience(error: Exception) -> bool | float:
    """Say whether and when a question is worth repeating at once (for stamina)."""
    return isinstance(error, Unanswered) or _refused(error)


def _refused(error: Exception) -> bool | float:
    """Say so of a request that the server did not take, so that repeating it does no harm."""
    match error:
        case TooLarge() | Unanswered():
            return False
        case Told():
            return error.after if error.after <= LONGEST_INNER_WAIT else False
        case Retry():
            return error.code in _BUSY
        case _:
            return False
