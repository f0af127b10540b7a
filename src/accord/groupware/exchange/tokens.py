"""Tokens of an authority (AD FS, Entra ID): asked for, kept while they are good, renewed.

`signin` shows them. Written against RFC 6749, RFC 7636 and RFC 8414 rather than with oauthlib,
which `exchangelib` brings along: that one refuses the loopback address of RFC 8252, obeys
variables of the environment, and fails in its own way over answers that aren't what they should be.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec
from msgspec import Struct

from accord.groupware.exchange.ways import Login, SignIn, of_both
from accord.ports.errors import AccordError, AuthFailed, ConfigError, Retry
from accord.ports.tls import is_near, untrusted
from accord.ports.vault import Vault

EARLY = 120.0
"""Seconds before its end that a token is renewed."""
AGAIN = 30.0
"""Seconds after a refusal until the authority is asked again."""
_USUAL = 3600.0
_WELL_KNOWN = "/.well-known/openid-configuration"
_THE_APPLICATION = ("invalid_client", "unauthorized_client", "access_denied")
_THE_PERSON = ("invalid_grant", "interaction_required", "login_required", "consent_required")

Send = Callable[[httpx2.Request], httpx2.Response]


class Issued(Struct, frozen=True):
    """Be what an authority issued; `lasts` is seconds, `refresh` empty where there is none."""

    access: str
    lasts: float
    refresh: str = ""

    def __repr__(self) -> str:
        """Tell nothing of the tokens."""
        return f"Issued(lasts={self.lasts})"


class Authority:
    """Be the place that issues tokens for one target; thread-safe."""

    def __init__(self, config: SignIn, send: Send) -> None:
        """Ask over `send`; nothing is asked yet."""
        self._config = config
        self._send = send
        self._lock = threading.Lock()
        self._told: dict[str, Any] | None = None

    @property
    def sign_in_url(self) -> str:
        """Return where people sign in: as set, or as the authority tells."""
        return self._config.sign_in_url or self._endpoint("authorization_endpoint", "sign_in_url")

    def issue(self, values: Mapping[str, str], whose: str) -> Issued:
        """Return what is issued for a grant; `whose` names for whom, in error texts.

        Raises AuthFailed, ConfigError, or Retry where the authority can't answer now.
        """
        config = self._config
        url = config.token_url or self._endpoint("token_endpoint", "token_url")
        given = {"client_id": config.client_id} | dict(of_both(config)) | dict(values)
        if config.client_secret:
            given["client_secret"] = config.client_secret
        status, found = self._ask(httpx2.Request("POST", url, data=given))
        access, refresh = found.get("access_token"), found.get("refresh_token")
        if status == 200 and isinstance(access, str) and access and access.isascii():
            kept = refresh if isinstance(refresh, str) else ""
            return Issued(access, _seconds(found.get("expires_in")), kept)
        raise self._refusal(status, found, urlsplit(url).hostname or "", whose)

    def _endpoint(self, name: str, setting: str) -> str:
        with self._lock:
            if self._told is None:
                self._told = self._discovered()
            url = self._told.get(name)
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
        if parts.scheme == "https" or (parts.scheme == "http" and is_near(parts.hostname)):
            return str(url)
        raise ConfigError(
            f"{self._config.where}: {self._config.authority} tells no {setting} by https",
            field=setting,
            hint=f"set {setting!r} yourself",
        )

    def _discovered(self) -> dict[str, Any]:
        url = self._config.authority.rstrip("/") + _WELL_KNOWN
        status, found = self._ask(httpx2.Request("GET", url))
        if status == 200 and found:
            return found
        if status >= 500 or status == 429:
            raise Retry(f"{url}: no answer now ({status})", after=30.0, code=str(status))
        raise ConfigError(
            f"{self._config.where}: {url} tells nothing ({status})",
            field="authority",
            hint="AD FS is named as https://HOST/adfs, Entra ID as "
            "https://login.microsoftonline.com/TENANT/v2.0",
            code=str(status),
        )

    def _ask(self, request: httpx2.Request) -> tuple[int, dict[str, Any]]:
        host = request.url.host
        try:
            reply = self._send(request)
            text = reply.read()
        except httpx2.HTTPError as error:
            if refused := untrusted(error, host, "the authority's own certificate authority"):
                raise refused from error
            what = f"{host}: {type(error).__name__}: {error}"
            raise Retry(what, after=30.0, code="token-unreachable") from error
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = {}
        return reply.status_code, found if isinstance(found, dict) else {}

    def _refusal(self, status: int, found: Mapping[str, Any], host: str, whose: str) -> AccordError:
        code = str(found.get("error", status))[:100]
        said = " ".join(str(found.get("error_description", "")).split())[:300]
        why = f"{code}: {said}" if said else code
        if status >= 500 or status == 429:
            return Retry(f"{host}: no token now ({why})", after=30.0, code=code)
        if code in _THE_APPLICATION:
            return AuthFailed(f"{host} refuses the application's id or secret ({why})", code=code)
        if code in _THE_PERSON:
            return AuthFailed(
                f"{host} no longer takes the sign-in of {whose} ({why}); sign in again with "
                "`accord init exchange --auth oauth2-user` and import what it writes",
                code=code,
            )
        return ConfigError(
            f"{host} issues no token ({why})",
            field="authority" if self._config.authority else "token_url",
            hint="check authority or token_url, client_id, scope and resource",
            code=code,
        )


class Tokens:
    """Keep the token that one login shows; thread-safe."""

    def __init__(self, ask: Callable[[], Issued]) -> None:
        """Get tokens by `ask` when they are needed."""
        self._ask = ask
        self._lock = threading.Lock()
        self._held: tuple[str, float] | None = None
        self._refusal: tuple[AuthFailed, float] | None = None

    def current(self, refused: str = "") -> str:
        """Return a token that is good for a while; one that was `refused` is replaced.

        Raises AuthFailed, ConfigError, or Retry where the issuer can't be asked.
        """
        with self._lock:
            now = time.monotonic()
            if self._held is not None and self._held[0] != refused and now <= self._held[1]:
                return self._held[0]
            if self._refusal is not None and now < self._refusal[1]:
                error = self._refusal[0]
                raise AuthFailed(str(error), code=error.code)
            try:
                issued = self._ask()
            except AuthFailed as error:
                self._refusal = (error, now + AGAIN)
                raise
            self._held = (issued.access, time.monotonic() + max(issued.lasts - EARLY, 1.0))
            return issued.access

    def renew(self) -> None:
        """Get a new token whether or not the one at hand is good; raises as `current` does."""
        with self._lock:
            issued = self._ask()
            self._refusal = None
            self._held = (issued.access, time.monotonic() + max(issued.lasts - EARLY, 1.0))


def asking(config: SignIn, login: Login, authority: Authority, vault: Vault, server: str) -> Tokens:
    """Return the tokens of a login; `server` is the address of the services."""
    if config.auth == "oauth2":
        values = {"grant_type": "client_credentials", "scope": scope_of(config, server)}
        return Tokens(lambda: authority.issue(values, "the application"))
    whose = login.user or "the service account"

    def renewed() -> Issued:
        issued: list[Issued] = []

        def exchange(token: str) -> str:
            values = {"grant_type": "refresh_token", "refresh_token": token}
            if config.scope or not config.resource:
                values["scope"] = scope_of(config, server)
            issued.append(authority.issue(values, whose))
            return issued[-1].refresh or token

        vault.renew(login.user, login.password, exchange)
        return issued[-1]

    return Tokens(renewed)


def scope_of(config: SignIn, server: str) -> str:
    """Return what a token is asked for."""
    if config.scope:
        return config.scope
    parts = urlsplit(server)
    whole = f"{parts.scheme}://{parts.netloc}/.default"
    if config.auth == "oauth2":
        return whole
    # AD FS names the server by its resource, and issues refresh tokens without being asked.
    return "openid" if config.resource else f"{whole} openid offline_access"


def _seconds(told: object) -> float:
    """Return how long a token lasts; authorities write the number as text, too (AD FS)."""
    try:
        lasts = float(told)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return _USUAL
    return lasts if 0 < lasts < 10 * 365 * 86_400 else _USUAL
