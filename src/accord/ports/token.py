"""The port for tokens: who issues them, and whom a token speaks for.

CRM.interface asks a provider about every session; `interface/tokens` has two, docs/tokens.md says
how to write another.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from accord.ports.errors import AuthFailed, Retry

CONNECTOR = "accord:connector"
"""The connector itself, as the user of a token: nobody in the CRM, but who may ask what concerns
all users (who changed what, who is who). A token in this name needs the key that signs."""


class Claims(Struct, frozen=True, kw_only=True):
    """Be what a token says: the CRM user it speaks for, from when until when, and its id.

    `id` names the token where the token itself must not stand: in the journal, in revocations.
    `once` says that it opens one session only; without it, any number until it expires.
    """

    user: str
    issued: datetime
    expires: datetime
    id: str
    once: bool = False


class Token(Struct, frozen=True, kw_only=True):
    """Be a token, for its owner's eyes only (`text`), and what it says."""

    text: str
    claims: Claims

    def __repr__(self) -> str:
        """Name the token without showing it."""
        return f"Token({self.claims.id!r}, user={self.claims.user!r})"

    __str__ = __repr__


class Refusal(StrEnum):
    """Say why a token is refused; `HINTS` says what to do."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    FORGED = "forged"
    EXPIRED = "expired"
    SKEWED = "skewed"
    REPLAYED = "replayed"
    REVOKED = "revoked"
    OTHER_USER = "other-user"
    NO_USER = "no-user"


HINTS = {
    Refusal.MALFORMED: "give the token whole, as it was issued, without blanks",
    Refusal.UNKNOWN: "its key was retired, or it was issued elsewhere: get a new token",
    Refusal.FORGED: "it was altered, or somebody tries out tokens: get a new token",
    Refusal.EXPIRED: "get a new token",
    Refusal.SKEWED: "set the clocks: the issuer's is ahead of this machine's",
    Refusal.REPLAYED: "it was for one session: get a new token, and find out who has used it",
    Refusal.REVOKED: "ask the administrator, then get a new token",
    Refusal.OTHER_USER: "sign in as the user to whom the token was issued",
    Refusal.NO_USER: "the CRM has no such user, or doesn't let them in",
}
"""What to do about a refused token."""


class TokenRefused(AuthFailed):
    """The token speaks for nobody; a client needs to know no more than that.

    `claims` are what it said, where it could be read; of a forged token they are hearsay.
    """

    def __init__(self, refusal: Refusal, message: str = "", claims: Claims | None = None) -> None:
        """Keep the reason, for journal and administrator."""
        super().__init__(message or f"the token is refused: {refusal}", code=refusal.value)
        self.refusal = refusal
        self.claims = claims

    @property
    def hint(self) -> str:
        """Return what to do about it."""
        return HINTS[self.refusal]


class TooManyRefusals(Retry):
    """Too many tokens of this user or from this address were refused; ask again after a while."""


class TokenProvider(Protocol):
    """Issue tokens and tell for whom one speaks; anything else is done around it.

    Revocation, use once, the limit on failures, the CRM user's existence and the journal are the
    same for all providers (`interface.tokens.desk`), so a provider knows of none of them.
    """

    guessable: bool
    """Say whether a token may be guessed, or asking costs much: then it isn't asked at all while
    a user or an address has had too many refusals."""

    def issue(self, user: str, lifetime: timedelta, *, once: bool = False) -> Token:
        """Return a new token for a CRM user.

        Raises ConfigError where none can be issued as things are set up, Retry where not now.
        """
        ...

    def check(self, text: str, *, user: str = "", peer: str = "") -> Claims:
        """Return what a genuine token says, be it expired or not.

        `text` is whatever a stranger sent; `user` is the name sent beside it and `peer` the
        address, each empty where there was none. Raises TokenRefused, ConfigError, Retry.
        """
        ...
