"""The provider of Accord's own tokens: signed with HMAC-SHA-256 under keys kept in state.

Asked by the desk. The newest key signs; older ones verify until their time has come.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from accord.formats.token import Key, is_genuine, new_claims, new_key, read, write
from accord.ports.errors import ConfigError
from accord.ports.token import Claims, Refusal, Token, TokenRefused
from accord.state import State, Tx
from accord.state.token_keys import SigningKey


class HmacTokens:
    """Issue and verify tokens that prove themselves; no token is stored anywhere."""

    guessable = False

    def __init__(self, state: State) -> None:
        """Keep where the keys are; the first one is made when it is first needed."""
        self._state = state

    def issue(self, user: str, lifetime: timedelta, *, once: bool = False) -> Token:
        """Return a token signed by the newest key."""
        claims = new_claims(user, self._state.clock(), lifetime, once=once)
        try:
            return Token(text=write(claims, self.key()), claims=claims)
        except ValueError as error:
            raise ConfigError(f"no token for {user!r}: {error}", field="user") from error

    def check(self, text: str, *, user: str = "", peer: str = "") -> Claims:
        """Return what a token says that one of our keys has signed."""
        written = read(text)
        with self._state.read() as tx:
            known = tx.token_keys.get(written.key)
        if known is None:
            raise TokenRefused(
                Refusal.UNKNOWN, f"its key {written.key} isn't (or no longer) ours", written.claims
            )
        if not is_genuine(written, _plain(known)):
            raise TokenRefused(Refusal.FORGED, f"key {written.key} didn't sign it", written.claims)
        return written.claims

    def key(self) -> Key:
        """Return the key that signs, made now if there is none."""
        with self._state.read() as tx:
            found = tx.token_keys.newest()
        return _plain(found or self._state.run(_first))

    def rotate(self, until: datetime) -> tuple[Key, int]:
        """Sign with a new key from now on; return it, and how many older ones that retires.

        The older keys verify until then.
        """

        def work(tx: Tx) -> tuple[SigningKey, int]:
            tx.token_keys.prune()
            fresh = _added(tx)
            return fresh, tx.token_keys.retire(fresh.id, until)

        fresh, retired = self._state.run(work)
        return _plain(fresh), retired


def _first(tx: Tx) -> SigningKey:
    return tx.token_keys.newest() or _added(tx)


def _added(tx: Tx) -> SigningKey:
    fresh = new_key()
    return tx.token_keys.add(fresh.id, fresh.secret)


def _plain(key: SigningKey) -> Key:
    return Key(id=key.id, secret=key.secret)
