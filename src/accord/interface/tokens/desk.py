"""The desk: issues tokens, and says of every one shown whom it speaks for or why for nobody.

The way into CRM.interface. A provider says what is genuine; what all providers need is done here:
clocks, revocation, use once, the CRM user, the limit on failures and the log.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from accord.formats.token import Key
from accord.interface.tokens.hmac import HmacTokens
from accord.interface.tokens.settings import TokenSettings
from accord.ports.errors import AuthFailed, ConfigError
from accord.ports.token import (
    CONNECTOR,
    Claims,
    Refusal,
    Token,
    TokenProvider,
    TokenRefused,
    TooManyRefusals,
)
from accord.state import State, Tx
from accord.state.token_log import Noted
from accord.state.token_marks import Revocation

LIMITED = "refused:limited"
"""The event in the log for refusals whose reason wasn't looked for, or isn't told any more."""


class Desk:
    """Issue, check, revoke; safe to use from many threads and processes at once."""

    def __init__(
        self,
        state: State,
        provider: TokenProvider,
        enter: Callable[[str], None],
        settings: TokenSettings,
    ) -> None:
        """Take state, the provider and the settings.

        `enter` raises AuthFailed for whom the CRM doesn't let in.
        """
        self._state = state
        self._provider = provider
        self._enter = enter
        self._settings = settings

    def issue(self, user: str, lifetime: timedelta, *, once: bool = False, by: str = "") -> Token:
        """Return a new token for a CRM user, who must exist.

        Raises AuthFailed for a user whom the CRM doesn't let in, ConfigError for a lifetime that
        isn't allowed, and what the provider raises.
        """
        if not timedelta(seconds=1) <= lifetime <= self._settings.longest:
            raise ConfigError(
                f"a token holds for 1 s to {self._settings.longest_days} days",
                field="tokens.longest_days",
                hint="ask for less, or allow more in [tokens] of accord.toml",
            )
        self._enter(user)
        token = self._provider.issue(user, lifetime, once=once)
        if token.claims.user != user:
            raise ConfigError(f"the token program issues a token of {token.claims.user!r} instead")
        word = "for one session" if once else "for any number of sessions"
        why = f"{word}, until {token.claims.expires:%Y-%m-%d %H:%M:%S} UTC"
        self._note(Noted(event="issued", user=user, token=token.claims.id, why=why, by=by))
        return token

    def check(self, text: str, *, user: str = "", peer: str = "") -> Claims:
        """Return what a token says that holds now; one for a single session is used up by it.

        `user` is the name that was given beside it, which must be the token's own, and `peer` the
        address it came from; each may be empty. Raises TokenRefused, TooManyRefusals where the
        user or the address had too many, and Retry or ConfigError where the provider can't say.
        Every refusal is in the log. A genuine token of Accord's own is accepted even then: nobody
        can lock out somebody else by failing in their name.
        """
        user, peer = _printable(user), _printable(peer)
        wait = self._wait(user, peer)
        if wait and self._provider.guessable:
            raise self._limited(user, peer, wait)
        try:
            claims = self._provider.check(text, user=user, peer=peer)
            self._admit(claims, user)
        except TokenRefused as refused:
            claimed = refused.claims
            whom = user or _printable(claimed.user if claimed else "")
            wait = wait or self._wait(whom, peer)
            if wait:
                raise self._limited(whom, peer, wait) from None
            self._refused(refused, whom, peer)
            raise
        return claims

    def refuse(self, user: str, peer: str, why: str) -> None:
        """Count and note a proof that failed without a token having been shown."""
        user, peer = _printable(user), _printable(peer)
        if wait := self._wait(user, peer):
            self._limited(user, peer, wait)
            return
        self._refused(TokenRefused(Refusal.FORGED, why), user, peer)

    def revoke(self, token: str, *, by: str = "") -> Revocation:
        """Revoke a token by its id; it never holds again."""
        until = self._state.clock() + self._remembered

        def work(tx: Tx) -> Revocation:
            tx.token_log.note(Noted(event="revoked", token=token, by=by))
            return tx.revocations.of_token(token, until, by)

        return self._state.run(work)

    def revoke_user(self, user: str, before: datetime | None = None, *, by: str = "") -> Revocation:
        """Revoke all tokens of a user issued up to `before` (now, if not given)."""
        moment = before or self._state.clock()
        until = moment + self._remembered
        why = f"all issued up to {moment:%Y-%m-%d %H:%M:%S} UTC"

        def work(tx: Tx) -> Revocation:
            tx.token_log.note(Noted(event="revoked", user=user, why=why, by=by))
            return tx.revocations.of_user(user, moment, until, by)

        return self._state.run(work)

    def rotate(self, keep: timedelta | None = None, *, by: str = "") -> tuple[Key, int]:
        """Sign with a new key from now on; return it, and how many older ones that retires.

        The older keys verify for `keep` (as long as a token may hold, if not given). Raises
        ConfigError where a program issues the tokens.
        """
        until = self._state.clock() + (self._remembered if keep is None else keep)
        key, retired = self.signer().rotate(until)
        why = f"the older keys verify until {until:%Y-%m-%d %H:%M:%S} UTC"
        self._note(Noted(event="rotated", token=key.id, why=why, by=by))
        return key, retired

    def signer(self) -> HmacTokens:
        """Return the provider of Accord's own tokens; raises ConfigError for another one."""
        if not isinstance(self._provider, HmacTokens):
            raise ConfigError(
                "a program issues the tokens, so Accord has no keys for them",
                field="tokens.provider",
                hint='use that program, or write provider = "hmac"',
            )
        return self._provider

    def admits(self, user: str) -> bool:
        """Tell whether the CRM lets this user in."""
        try:
            self._enter(user)
        except AuthFailed:
            return False
        return True

    def has_seen(self, token: str) -> bool:
        """Tell whether the log of the last year knows a token of this id."""
        with self._state.read() as tx:
            return bool(tx.token_log.query(token=token, limit=1))

    @property
    def _remembered(self) -> timedelta:
        """Return after which time a token has expired whatever it says."""
        return self._settings.longest + 2 * self._settings.tolerance

    def _admit(self, claims: Claims, user: str) -> None:
        """Raise TokenRefused unless a genuine token holds here and now; use it up at the end."""
        if user and user != _printable(claims.user):
            raise _refusal(Refusal.OTHER_USER, f"it was issued to {claims.user!r}", claims)
        expires = self._check_time(claims)
        with self._state.read() as tx:
            revoked = tx.revocations.holds(claims.id, claims.user, claims.issued)
        if revoked:
            raise _refusal(Refusal.REVOKED, "it was revoked", claims)
        try:
            if claims.user != CONNECTOR:
                self._enter(claims.user)
        except TokenRefused:
            raise
        except AuthFailed as error:
            raise _refusal(Refusal.NO_USER, str(error), claims) from error
        if claims.once and not self._state.run(lambda tx: tx.token_uses.use(claims.id, expires)):
            raise _refusal(Refusal.REPLAYED, "it was used before", claims)

    def _check_time(self, claims: Claims) -> datetime:
        """Return when the token has expired for good, clocks being as they are."""
        now, skew = self._state.clock(), self._settings.tolerance
        if claims.issued > now + skew:
            raise _refusal(Refusal.SKEWED, f"it was issued in the future: {claims.issued}", claims)
        expires = min(claims.expires, claims.issued + self._settings.longest)
        if expires + skew <= now:
            raise _refusal(Refusal.EXPIRED, f"it expired {expires:%Y-%m-%d %H:%M:%S} UTC", claims)
        return expires + skew

    def _wait(self, user: str, peer: str) -> float:
        limits = self._limits(user, peer)
        if not limits:
            return 0.0
        with self._state.read() as tx:
            return tx.failures.wait(limits, self._window)

    def _refused(self, refused: TokenRefused, user: str, peer: str) -> None:
        token = refused.claims.id if refused.claims else ""
        line = Noted(
            event=f"refused:{refused.refusal}", user=user, peer=peer, token=token, why=str(refused)
        )

        def work(tx: Tx) -> None:
            tx.failures.count(self._limits(user, peer), self._window)
            tx.token_log.note(line)

        # A power cut may forget the last of them; no writer waits for the disk because of them.
        self._state.run(work, durable=False)

    def _limited(self, user: str, peer: str, wait: float) -> TooManyRefusals:
        why = "too many were refused before"
        self._note(Noted(event=LIMITED, user=user, peer=peer, why=why), durable=False)
        return TooManyRefusals("too many tokens were refused; wait a while", after=wait)

    def _limits(self, user: str, peer: str) -> dict[str, int]:
        settings = self._settings
        limits = {}
        if user:
            limits[f"user:{user}"] = settings.user_failures
        if peer:
            limits[f"peer:{_network(peer)}"] = settings.peer_failures
        return limits

    @property
    def _window(self) -> timedelta:
        return timedelta(seconds=self._settings.window)

    def _note(self, line: Noted, *, durable: bool = True) -> None:
        self._state.run(lambda tx: tx.token_log.note(line), durable=durable)


def _refusal(refusal: Refusal, message: str, claims: Claims) -> TokenRefused:
    return TokenRefused(refusal, message, claims)


def _printable(name: str) -> str:
    """Return a stranger's text so that it does nothing to the terminal that shows it."""
    return name if name.isprintable() else ascii(name)


def _network(peer: str) -> str:
    """Return what one party holds: of IPv6 a whole /64, so that changing addresses is no use."""
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if address.version == 4:
        return peer
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address.packed, 64), strict=False))
