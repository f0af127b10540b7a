"""How a connection signs in: by name and password, NTLM on that very connection, ticket or token.

`http` gives each connection one of these. NTLM vouches for a connection, not for a request
([MS-NTHT]): one shared pool refuses most requests, so every connection has a sign-in of its own.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import httpx2

from accord.groupware.exchange.tokens import Tokens
from accord.groupware.exchange.ways import Login, SignIn
from accord.ports.errors import AccordError, AuthFailed, ConfigError, Retry

T = TypeVar("T")

_ROUNDS = 5
_UNREACHABLE = ("Cannot contact any KDC", "Cannot find KDC", "unable to reach any KDC")


class Ntlm(httpx2.Auth):
    """Sign one connection in by NTLM; belongs to a client that holds one connection."""

    def __init__(self, login: Login) -> None:
        """Sign in as `login`, whose name may be DOMAIN\\NAME or NAME@DOMAIN."""
        self._login = login

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Ask; where the connection isn't signed in yet, go through the three messages."""
        response = yield request
        if response.status_code != 401 or not _offers(response, "ntlm"):
            return
        context = self._context(response)
        request.headers["Authorization"] = _header(context.step())
        response = yield request
        challenge = _challenge(response)
        if response.status_code != 401 or challenge is None:
            return
        request.headers["Authorization"] = _header(context.step(challenge))
        yield request

    def _context(self, response: httpx2.Response) -> Any:
        import spnego

        return spnego.client(
            self._login.user,
            self._login.password,
            hostname=response.request.url.host,
            service="HTTP",
            protocol="ntlm",
            channel_bindings=_bound(response),
        )


class Kerberos(httpx2.Auth):
    """Sign one connection in by a Kerberos ticket ([RFC 4559], SPNEGO), from the first request."""

    def __init__(self, config: SignIn, login: Login) -> None:
        """Sign in with the password or keytab of `login`, else with the process's own tickets.

        Raises ConfigError where the library for it isn't installed.
        """
        check_kerberos(config.where)
        self._config = config
        self._login = login
        self._bound: Any = None
        self._answered = False
        self._ahead = False

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Show a ticket where the connection isn't signed in yet.

        A server that asks for one with each request on one connection gets it without asking.
        """
        context, host = None, request.url.host
        if self._ahead:
            context = self._trying(lambda: self._context(host))
            request.headers["Authorization"] = _header(self._trying(context.step), "Negotiate")
        response = yield request
        if response.status_code != 401 or context is not None:
            return
        if not _offers(response, "negotiate"):
            return
        self._ahead, self._bound = self._answered, _bound(response)
        context = self._trying(lambda: self._context(host))
        told: bytes | None = None
        for _ in range(_ROUNDS):
            token = self._trying(lambda: context.step(told))  # noqa: B023 - called at once
            request.headers["Authorization"] = _header(token, "Negotiate")
            response = yield request
            self._answered = response.status_code != 401
            told = _challenge(response, "negotiate")
            if self._answered or told is None or context.complete:
                return

    def _context(self, host: str) -> Any:
        import spnego

        config, login = self._config, self._login
        given: Any = spnego.CredentialCache(username=login.user or None)
        if config.keytab and config.access != "own":
            given = spnego.KerberosKeytab(config.keytab, login.user or None)
        elif login.password:
            given = spnego.Password(login.user, login.password)
        return spnego.client(
            given,
            hostname=host,
            service="HTTP",
            protocol="kerberos",
            channel_bindings=self._bound,
        )

    def _trying(self, act: Callable[[], T]) -> T:
        """Do a step; raises AuthFailed or Retry where Kerberos itself fails."""
        try:
            return act()
        except Exception as error:
            if (failure := self._failure(error)) is None:
                raise
            raise failure from error

    def _failure(self, error: Exception) -> AccordError | None:
        """Return what a failure of Kerberos means, None where it is none."""
        from spnego.exceptions import SpnegoError

        krb5 = type(error).__module__.startswith(("krb5", "gssapi"))
        if not krb5 and not isinstance(error, SpnegoError):
            return None
        text = " ".join(str(error).split())[:300]
        who = self._login.user or "the tickets of this process"
        if any(each in text for each in _UNREACHABLE):
            return Retry(f"Kerberos can't be asked for {who}: {text}", after=60.0, code="kdc")
        return AuthFailed(
            f"Kerberos doesn't let {who} in: {text}; see that `kinit` works for the account on "
            "this machine, that its clock is right, and that the service name HTTP/HOST is set",
            code="kerberos",
        )


class Bearer(httpx2.Auth):
    """Show a token, a fresh one where the server no longer takes it."""

    def __init__(self, tokens: Tokens) -> None:
        """Show the tokens that `tokens` hands out."""
        self._tokens = tokens

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Ask with the token at hand; once more with a new one after a refusal."""
        token = self._tokens.current()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            request.headers["Authorization"] = f"Bearer {self._tokens.current(refused=token)}"
            yield request


def sign_in(config: SignIn, login: Login, tokens: Tokens | None) -> httpx2.Auth:
    """Return how a new connection signs in."""
    if tokens is not None:
        return Bearer(tokens)
    if config.auth == "ntlm":
        return Ntlm(login)
    if config.auth == "kerberos":
        return Kerberos(config, login)
    return httpx2.BasicAuth(login.user, login.password)


def check_kerberos(where: str) -> None:
    """Raise ConfigError where Kerberos can't be spoken here."""
    from importlib.util import find_spec

    if all(find_spec(each) is not None for each in ("spnego", "gssapi", "krb5")):
        return
    raise ConfigError(
        f"{where}: Kerberos needs a library that isn't installed",
        field="auth",
        hint="pip install 'accord-sync[kerberos]'; it is built with a C compiler and libkrb5-dev",
        code="library",
    )


def _offers(response: httpx2.Response, scheme: str) -> bool:
    offered = response.headers.get_list("www-authenticate")
    return any(each.strip().lower().split(" ")[0] == scheme for each in offered)


def _challenge(response: httpx2.Response, wanted: str = "ntlm") -> bytes | None:
    for each in response.headers.get_list("www-authenticate"):
        scheme, _, token = each.strip().partition(" ")
        if scheme.lower() == wanted and token:
            try:
                return base64.b64decode(token.strip(), validate=True)
            except binascii.Error:
                return None
    return None


def _header(token: bytes | None, scheme: str = "NTLM") -> str:
    return f"{scheme} {base64.b64encode(token or b'').decode()}"


def _bound(response: httpx2.Response) -> Any:
    """Return what binds a sign-in to the server's certificate, None without encryption."""
    from spnego.channel_bindings import GssChannelBindings

    digest = _certificate(response)
    if digest is None:
        return None
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest)


def _certificate(response: httpx2.Response) -> bytes | None:
    """Return the digest of the server's certificate, which Extended Protection asks for.

    RFC 5929 4.1: SHA-256, or the signature's own where that is stronger.
    """
    stream = response.extensions.get("network_stream")
    encrypted = stream.get_extra_info("ssl_object") if stream is not None else None
    certificate = encrypted.getpeercert(True) if encrypted is not None else None
    if not certificate:
        return None
    from cryptography import x509

    used = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    name = used.name if used is not None and used.name in ("sha384", "sha512") else "sha256"
    return hashlib.new(name, certificate).digest()
