"""NTLM as a server sees it: the challenge, and whether the answer to it knows the password.

Version 2 only, with Unicode names, as [MS-NLMP] describes it; sealing and signing play no part.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
import time
from dataclasses import dataclass

_SIGNATURE = b"NTLMSSP\0"
_UNICODE, _TARGET, _NTLM, _SIGN = 0x1, 0x4, 0x200, 0x8000
_DOMAIN, _EXTENDED, _INFO = 0x10000, 0x80000, 0x800000
_ALLOWED = 0x10 | _SIGN | _EXTENDED | 0x20000000 | 0x40000000 | 0x80000000
_EPOCH = 116_444_736_000_000_000  # of Windows, in tenths of microseconds before 1970


@dataclass(frozen=True, slots=True)
class Answer:
    """Say who somebody claims to be, and what proves it."""

    user: str
    domain: str
    proof: bytes
    blob: bytes


def kind(token: bytes) -> int:
    """Return which of the three messages a token is; 0 where it is none."""
    if not token.startswith(_SIGNATURE) or len(token) < 12:
        return 0
    return int(struct.unpack_from("<I", token, 8)[0])


def challenge(asked: bytes, secret: bytes, domain: str, host: str) -> bytes:
    """Return the challenge to a first message; `secret` are its eight random bytes."""
    wanted = struct.unpack_from("<I", asked, 12)[0] if len(asked) >= 16 else 0
    flags = _UNICODE | _TARGET | _NTLM | _DOMAIN | _INFO | (wanted & _ALLOWED)
    name = domain.upper().encode("utf-16-le")
    now = int(time.time() * 10_000_000) + _EPOCH
    pairs = (
        (2, name),
        (1, host.upper().encode("utf-16-le")),
        (4, domain.encode("utf-16-le")),
        (3, f"{host}.{domain}".encode("utf-16-le")),
        (7, struct.pack("<Q", now)),
        (0, b""),
    )
    info = b"".join(struct.pack("<HH", number, len(value)) + value for number, value in pairs)
    start = 56
    return (
        _SIGNATURE
        + struct.pack("<I", 2)
        + struct.pack("<HHI", len(name), len(name), start)
        + struct.pack("<I", flags)
        + secret
        + bytes(8)
        + struct.pack("<HHI", len(info), len(info), start + len(name))
        + bytes((10, 0))
        + struct.pack("<H", 17763)
        + bytes((0, 0, 0, 15))
        + name
        + info
    )


def answer(token: bytes) -> Answer | None:
    """Read a third message; None where it is none of version 2 in Unicode."""
    if kind(token) != 3 or len(token) < 64:
        return None
    flags = struct.unpack_from("<I", token, 60)[0]
    try:
        response = _field(token, 20)
        domain, user = (_field(token, at).decode("utf-16-le") for at in (28, 36))
    except (ValueError, struct.error):
        return None
    if not flags & _UNICODE or len(response) <= 24:
        return None
    return Answer(user, domain, response[:16], response[16:])


def proves(given: Answer, secret: bytes, password: str) -> bool:
    """Tell whether an answer to a challenge was made by somebody who knows the password."""
    name = (given.user.upper() + given.domain).encode("utf-16-le")
    key = _mac(md4(password.encode("utf-16-le")), name)
    return hmac.compare_digest(_mac(key, secret + given.blob), given.proof)


def md4(data: bytes) -> bytes:
    """Return the MD4 of some bytes (RFC 1320), which NTLM still hashes passwords with."""
    size = struct.pack("<Q", len(data) * 8)
    data += b"\x80" + bytes(-(len(data) + 9) % 64) + size
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    for start in range(0, len(data), 64):
        words = struct.unpack_from("<16I", data, start)
        a, b, c, d = state
        for step in range(48):
            turn, at = divmod(step, 16)
            mixed = (
                ((b & c) | (~b & d)),
                ((b & c) | (b & d) | (c & d)),
                b ^ c ^ d,
            )[turn]
            word = words[_ORDER[turn][at]]
            total = (a + (mixed & _MASK) + word + _ADDED[turn]) & _MASK
            shift = _SHIFTS[turn][at % 4]
            a, b, c, d = d, (total << shift | total >> (32 - shift)) & _MASK, b, c
        state = tuple(  # type: ignore[assignment]
            (old + new) & _MASK for old, new in zip(state, (a, b, c, d), strict=True)
        )
    return struct.pack("<4I", *state)


_MASK = 0xFFFFFFFF
_ADDED = (0, 0x5A827999, 0x6ED9EBA1)
_SHIFTS = ((3, 7, 11, 19), (3, 5, 9, 13), (3, 9, 11, 15))
_ORDER = (
    tuple(range(16)),
    (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
    (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
)


def _field(token: bytes, at: int) -> bytes:
    length, _, start = struct.unpack_from("<HHI", token, at)
    if start + length > len(token):
        raise ValueError("the field lies outside")
    return token[start : start + length]


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.md5).digest()
