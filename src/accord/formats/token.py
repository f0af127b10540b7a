"""The text of a token of Accord's own: what it says, and the HMAC-SHA-256 that proves it.

Written where somebody signs in to CRM.interface and read by it; pure, so that both sides may
stand on machines that share nothing but a key.

    a1 . KEY . USER . ISSUED . EXPIRES . USE ID . MAC        (without blanks)

KEY is the key's id, USER the user's name in base64url, the moments milliseconds since 1970, USE
`s` for a session token and `o` for one that may be used once, ID 128 random bits in hexadecimal,
MAC base64url over all that stands before its dot. Only letters, digits, `-`, `_` and `.` occur,
so a token stands unchanged in URLs, headers, XML and behind the colon of a basic credential.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from accord.ports.errors import ConfigError
from accord.ports.token import Claims, Refusal, TokenRefused

FORM = "a1"
LONGEST = 640
"""How many characters a token has at most."""

LONGEST_USER = 256
"""How many bytes a user's name has at most, in UTF-8."""


class Key(Struct, frozen=True, kw_only=True):
    """Be a signing key: its id, which stands in tokens, and 32 secret bytes."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        """Name the key without its secret."""
        return f"Key({self.id!r})"

    __str__ = __repr__


class Written(Struct, frozen=True, kw_only=True):
    """Be a token as it was read, which proves nothing yet: see `is_genuine`."""

    key: str
    claims: Claims
    signed: str
    mac: str


def new_key() -> Key:
    """Return a new random key."""
    return Key(id=secrets.token_hex(8), secret=secrets.token_bytes(_SECRET))


def key_text(key: Key) -> str:
    """Return a key in one line, for the other machine; keep it as you would keep a password."""
    return f"{key.id} {base64.b64encode(key.secret).decode()}"


def read_key(text: str) -> Key:
    """Return the key in a line that `key_text` made; raises ConfigError."""
    name, _, encoded = text.strip().partition(" ")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except ValueError:
        secret = b""
    if not re.fullmatch(r"[0-9a-f]{16}", name) or len(secret) != _SECRET:
        raise ConfigError(
            "that is no token key", field="token_key", hint="`accord token key FILE` writes one"
        )
    return Key(id=name, secret=secret)


def new_claims(user: str, issued: datetime, lifetime: timedelta, *, once: bool = False) -> Claims:
    """Return claims with an id of their own, their moments cut to what a token can hold."""
    return Claims(
        user=user,
        issued=_moment(_milliseconds(issued)),
        expires=_moment(_milliseconds(issued + lifetime)),
        id=secrets.token_hex(16),
        once=once,
    )


def write(claims: Claims, key: Key) -> str:
    """Return the token; raises ValueError for a user whose name is empty or too long."""
    name = claims.user.encode()
    if not 0 < len(name) <= LONGEST_USER:
        raise ValueError(f"a user's name has 1 to {LONGEST_USER} bytes")
    use = "o" if claims.once else "s"
    moments = f"{_milliseconds(claims.issued):013}.{_milliseconds(claims.expires):013}"
    signed = f"{FORM}.{key.id}.{_encode(name)}.{moments}.{use}{claims.id}"
    return f"{signed}.{_mac(signed, key)}"


def read(text: str) -> Written:
    """Return what a text says, of which nothing is proven; raises TokenRefused (malformed)."""
    found = _TEXT.fullmatch(text) if len(text) <= LONGEST else None
    if found is None:
        raise TokenRefused(Refusal.MALFORMED, "that is no token")
    try:
        user = _decode(found["user"]).decode()
    except ValueError as error:
        raise TokenRefused(Refusal.MALFORMED, "that is no token: its user is no text") from error
    claims = Claims(
        user=user,
        issued=_moment(int(found["issued"])),
        expires=_moment(int(found["expires"])),
        id=found["id"],
        once=found["use"] == "o",
    )
    return Written(key=found["key"], claims=claims, signed=found["signed"], mac=found["mac"])


def is_genuine(written: Written, key: Key) -> bool:
    """Tell whether the key's owner wrote this; takes as long for a nearly right MAC as for any.

    The texts are compared, not the bytes they stand for: of the last character of a MAC only
    some bits count, and a token must have one spelling.
    """
    return hmac.compare_digest(written.mac, _mac(written.signed, key))


_SECRET = 32
_LABEL = b"accord token\0"  # so that no MAC made for anything else is one
_TEXT = re.compile(
    rf"(?P<signed>{FORM}\.(?P<key>[0-9a-f]{{16}})\.(?P<user>[A-Za-z0-9_-]{{2,400}})"
    r"\.(?P<issued>[0-9]{13})\.(?P<expires>[0-9]{13})\.(?P<use>[so])(?P<id>[0-9a-f]{32}))"
    r"\.(?P<mac>[A-Za-z0-9_-]{43})"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)


def _mac(signed: str, key: Key) -> str:
    return _encode(hmac.digest(key.secret, _LABEL + signed.encode(), "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _TICK


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + milliseconds * _TICK
