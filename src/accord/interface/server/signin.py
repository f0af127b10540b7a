"""Who speaks: from credentials to a CRM user, or to the challenge that a device gets instead.

Accord's own scheme carries a token. Basic credentials carry one, too, or a device's password that
stands for one (`accord interface device`); with MD5 and HMAC a device proves that it has a password
and sends none.
OMA-TS-SyncML-RepPro-V1_2_2 section 9; SyncML 1.0 hashes in one step.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable

from msgspec import Struct

from accord.formats.syncml.message import Chal, Cred, Header, Meta
from accord.formats.syncml.status import StatusCode
from accord.formats.syncml.version import Version
from accord.interface.tokens.desk import Desk
from accord.ports.token import Refusal, TokenRefused
from accord.state import State
from accord.state.devices import DeviceSecret

BASIC = "syncml:auth-basic"
MD5 = "syncml:auth-md5"
MAC = "syncml:auth-MAC"
TOKEN = "accord:token"


class Admitted(Struct, frozen=True):
    """Say as whom somebody is in; `chal` tells how to prove it next time.

    `by_token` says that they came with Accord's own scheme, as connectors do.
    """

    user: str
    chal: Chal | None = None
    secret: str = ""
    by_token: bool = False


class Turned(Struct, frozen=True):
    """Say that somebody is not in: the status, and the challenge to answer."""

    code: StatusCode
    chal: Chal


class SignIn:
    """Check credentials; safe to use from many threads."""

    def __init__(self, state: State, desk: Desk) -> None:
        """Keep where nonces and secrets are, and the desk that knows tokens."""
        self._state = state
        self._desk = desk

    def check(
        self, header: Header, peer: str, signature: str = "", body: bytes = b""
    ) -> Admitted | Turned:
        """Return as whom the sender of a message speaks, or the challenge.

        `signature` is the HTTP header x-syncml-hmac over `body`. Raises Retry and ConfigError
        where nobody can say now.
        """
        device = header.source.uri
        if signature:
            return self._check_signed(device, signature, body, peer)
        cred = header.cred
        if cred is None:
            return self._turn(StatusCode.MISSING_CREDENTIALS, device, MD5)
        try:
            match _type(cred):
                case "syncml:auth-basic":
                    return self._check_basic(cred, device, peer)
                case "syncml:auth-md5":
                    return self._check_md5(header, cred, peer)
                case "accord:token":
                    name = header.source.name or ""
                    claims = self._desk.check(_plain(cred), user=name, peer=peer)
                    return Admitted(claims.user, by_token=True)
        except TokenRefused:
            pass
        return self._turn(StatusCode.INVALID_CREDENTIALS, device, BASIC)

    def sealed(
        self, user: str, secret: str, device: str, signature: str, body: bytes
    ) -> Chal | None:
        """Return with what to sign the next message, if this one is signed with its secret.

        None where a message of an open conversation isn't, or is one that was sent before.
        """
        with self._state.read() as tx:
            found = [one for one in tx.device_secrets.of(user) if one.id == secret]
            nonce = tx.device_nonces.get(device)
        if not found or nonce is None or not _signed(found[0], nonce, signature, body):
            return None
        if not self._state.run(lambda tx: tx.device_nonces.use(device, nonce)):
            return None
        return _chal(MAC, self._state.run(lambda tx: tx.device_nonces.renew(device)))

    def _check_basic(self, cred: Cred, device: str, peer: str) -> Admitted:
        name, colon, token = _plain(cred).partition(":")
        if not colon:
            name, token = "", name
        with self._state.read() as tx:
            secrets = tx.device_secrets.of(name) if name else []
        for one in secrets:
            if _same(one.password, token):
                token = one.text
        claims = self._desk.check(token, user=name, peer=peer)
        return Admitted(claims.user)

    def _check_md5(self, header: Header, cred: Cred, peer: str) -> Admitted | Turned:
        device, user = header.source.uri, header.source.name or ""
        old = header.version is Version.V1_0

        def proves(secret: DeviceSecret, nonce: bytes) -> bool:
            made = _md5_old if old else _md5
            return _same(made(user, secret.password, nonce), cred.data.strip())

        return self._prove(device, user, peer, MD5, proves)

    def _check_signed(
        self, device: str, signature: str, body: bytes, peer: str
    ) -> Admitted | Turned:
        user = _fields(signature).get("username", "")
        return self._prove(
            device, user, peer, MAC, lambda secret, nonce: _signed(secret, nonce, signature, body)
        )

    def _prove(
        self,
        device: str,
        user: str,
        peer: str,
        scheme: str,
        proves: Callable[[DeviceSecret, bytes], bool],
    ) -> Admitted | Turned:
        with self._state.read() as tx:
            nonce = tx.device_nonces.get(device)
            secrets = tx.device_secrets.of(user) if user and nonce is not None else []
        if nonce is None:
            # An empty nonce would make a proof that holds for ever.
            return self._turn(StatusCode.INVALID_CREDENTIALS, device, scheme)
        found = next((one for one in secrets if proves(one, nonce)), None)
        if found is None or not self._state.run(lambda tx: tx.device_nonces.use(device, nonce)):
            if secrets:
                self._desk.refuse(user, peer, "no password of theirs made this proof")
            # Who fails with a good nonce may have a token instead, which must be shown.
            return self._turn(StatusCode.INVALID_CREDENTIALS, device, BASIC)
        try:
            self._desk.check(found.text, user=user, peer=peer)
        except TokenRefused:
            return self._turn(StatusCode.INVALID_CREDENTIALS, device, scheme)
        following = self._state.run(lambda tx: tx.device_nonces.renew(device))
        return Admitted(user, _chal(scheme, following), found.id if scheme == MAC else "")

    def _turn(self, code: StatusCode, device: str, scheme: str) -> Turned:
        nonce = b"" if scheme == BASIC else self._nonce(device)
        return Turned(code, _chal(scheme, nonce))

    def _nonce(self, device: str) -> bytes:
        with self._state.read() as tx:
            nonce = tx.device_nonces.standing(device)
        return nonce or self._state.run(lambda tx: tx.device_nonces.challenge(device))


def _type(cred: Cred) -> str:
    name = (cred.meta.type if cred.meta else None) or BASIC
    return name.strip()


def _plain(cred: Cred) -> str:
    """Return what stands in credentials; raises TokenRefused."""
    form = ((cred.meta.format if cred.meta else None) or "b64").strip().lower()
    if form != "b64":
        return cred.data
    try:
        return base64.b64decode(cred.data, validate=False).decode()
    except (ValueError, binascii.Error) as error:
        raise TokenRefused(Refusal.MALFORMED, "the credentials are no base64") from error


def _md5(user: str, password: str, nonce: bytes) -> str:
    inner = _b64(hashlib.md5(f"{user}:{password}".encode(), usedforsecurity=False).digest())
    return _b64(hashlib.md5(inner.encode() + b":" + nonce, usedforsecurity=False).digest())


def _md5_old(user: str, password: str, nonce: bytes) -> str:
    whole = f"{user}:{password}:".encode() + nonce
    return _b64(hashlib.md5(whole, usedforsecurity=False).digest())


def _signed(secret: DeviceSecret, nonce: bytes, signature: str, body: bytes) -> bool:
    said = _fields(signature)
    user = f"{said.get('username', '')}:{secret.password}".encode()
    inner = _b64(hashlib.md5(user, usedforsecurity=False).digest()).encode()
    whole = _b64(hashlib.md5(body, usedforsecurity=False).digest()).encode()
    made = _b64(hashlib.md5(b":".join((inner, nonce, whole)), usedforsecurity=False).digest())
    return said.get("algorithm", "MD5").upper() == "MD5" and _same(made, said.get("mac", ""))


def _same(made: str, given: str) -> bool:
    """Compare in constant time; what a peer gives may hold any character."""
    return hmac.compare_digest(made.encode(), given.encode("utf-8", "replace"))


def _fields(signature: str) -> dict[str, str]:
    """Return what x-syncml-hmac says (OMA-TS-SyncML-HTTPBinding-V1_2, section 5.6)."""
    found = re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^,\s]*))', signature[:2000])
    return {name.lower(): quoted or bare for name, quoted, bare in found}


def _chal(scheme: str, nonce: bytes) -> Chal:
    told = _b64(nonce) if nonce else None
    return Chal(Meta(type=scheme, format="b64", next_nonce=told))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
