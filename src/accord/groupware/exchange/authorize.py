"""A person's sign-in in a browser, from its beginning to the token that Accord keeps.

`accord init exchange` goes through it (RFC 6749 4.1 with PKCE, RFC 7636; loopback, RFC 8252).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from accord.groupware.exchange.http import Http
from accord.groupware.exchange.settings import configure
from accord.groupware.exchange.tokens import scope_of
from accord.groupware.exchange.ways import of_both
from accord.ports.errors import AuthFailed, ConfigError


class Authorization:
    """Be one sign-in under way: `url` is to be opened in a browser, which comes back to us."""

    def __init__(self, settings: Mapping[str, Any], redirect: str, person: str) -> None:
        """Prepare it for an address of ours, `redirect`; the authority may be asked.

        Raises ConfigError for settings that won't do, Retry where the authority isn't reached.
        """
        self._config = configure(settings, signed_in=False)
        self._http = Http(self._config)
        self._redirect = redirect
        self._person = person
        self._state = secrets.token_urlsafe(32)
        self._verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self._verifier.encode()).digest()
        values = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": redirect,
            "scope": scope_of(self._config, self._config.url),
            "state": self._state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            "login_hint": person,
        } | dict(of_both(self._config))
        place = self._http.authority.sign_in_url
        self.url = f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(values)}"

    def finish(self, came_back: str) -> str:
        """Return the token to keep; `came_back` is the address that the browser was sent to.

        Raises AuthFailed where the person or the authority said no, ConfigError where no token
        comes that lasts.
        """
        given = {name: values[0] for name, values in parse_qs(urlsplit(came_back).query).items()}
        if not hmac.compare_digest(given.get("state", "").encode(), self._state.encode()):
            raise AuthFailed("that answer belongs to another sign-in; begin anew", code="state")
        if error := given.get("error"):
            said = " ".join(given.get("error_description", "").split())[:300]
            why = f"{error[:100]}: {said}" if said else error[:100]
            raise AuthFailed(f"the authority refused the sign-in ({why})", code=error[:100])
        values = {
            "grant_type": "authorization_code",
            "code": given.get("code", ""),
            "redirect_uri": self._redirect,
            "code_verifier": self._verifier,
        }
        issued = self._http.authority.issue(values, self._person)
        if issued.refresh:
            return issued.refresh
        raise ConfigError(
            "the authority issues no token that lasts (no refresh token)",
            field="scope",
            hint="let the application have offline access (Entra ID: scope offline_access; AD FS: "
            "Set-AdfsRelyingPartyTrust -IssueOAuthRefreshTokensTo AllDevices)",
        )

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()
