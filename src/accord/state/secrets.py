"""Encryption at rest: AES-256-GCM under keys from a file, each value bound to its record's id.

Targets' secrets, private snapshots and steps go through here on their way into the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from accord.ports.errors import ConfigError

_FORM = b"\x01"
_ID = 4
_NONCE = 12


class Keys:
    """Be the keys of one installation: the last one seals, all of them open."""

    def __init__(self, keys: dict[bytes, bytes]) -> None:
        """Keep the keys by id, oldest first; raises ConfigError where there is none."""
        if not keys:
            raise ConfigError("the key file holds no key", field="key_file", hint=_HINT)
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self._current = next(reversed(keys))
        self._digesting = hmac.digest(keys[self._current], b"accord digests", "sha256")

    def __repr__(self) -> str:
        """Say how many keys there are and nothing else."""
        return f"Keys({len(self._ciphers)})"

    def seal(self, data: bytes, record: str) -> bytes:
        """Return `data` encrypted so that it opens only as part of `record`."""
        nonce = os.urandom(_NONCE)
        cipher = self._ciphers[self._current]
        return _FORM + self._current + nonce + cipher.encrypt(nonce, data, record.encode())

    def open(self, sealed: bytes, record: str) -> bytes:
        """Return what was sealed for `record`; raises ConfigError where no key fits."""
        name, nonce = sealed[1 : 1 + _ID], sealed[1 + _ID : 1 + _ID + _NONCE]
        cipher = self._ciphers.get(name)
        if sealed[:1] != _FORM or cipher is None:
            raise ConfigError(
                f"{record} was encrypted under a key that the key file doesn't hold",
                field="key_file",
                hint="restore the key file that belongs to this database",
            )
        try:
            return cipher.decrypt(nonce, sealed[1 + _ID + _NONCE :], record.encode())
        except InvalidTag as error:
            raise ConfigError(f"{record} was altered, or belongs to another record") from error

    def current(self, sealed: bytes) -> bool:
        """Tell whether this was sealed under the newest key."""
        return sealed[1 : 1 + _ID] == self._current

    def digest(self, data: bytes) -> str:
        """Return a digest that tells nothing to those who have no key, in hexadecimal."""
        return hmac.digest(self._digesting, data, "sha256").hex()


def load_keys(path: Path) -> Keys:
    """Read the key file, making it (mode 0600) with a first key where there is none.

    One key a line: an id of 8 hexadecimal digits and 32 bytes in base64, the newest last.
    Raises ConfigError for a file that others may read or that holds something else.
    """
    if not path.exists():
        _write_new(path, _line())
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise ConfigError(
            f"others may read the key file {path}", field="key_file", hint=f"chmod 600 {path}"
        )
    keys: dict[bytes, bytes] = {}
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            name, key = _parse(line, f"{path}:{number}")
            keys[name] = key
    return Keys(keys)


def add_key(path: Path) -> Keys:
    """Add a new key to the file, which seals from now on; older ones still open."""
    load_keys(path)
    text = path.read_text(encoding="ascii")
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    _write_new(fresh, text.rstrip("\n") + "\n" + _line())
    fresh.replace(path)
    return load_keys(path)


_HINT = "remove it to have a new one made (what was encrypted before stays unreadable)"


def _line() -> str:
    key = secrets.token_bytes(32)
    name = hashlib.sha256(b"accord key id" + key).digest()[:_ID]
    return f"{name.hex()} {base64.b64encode(key).decode()}\n"


def _parse(line: str, where: str) -> tuple[bytes, bytes]:
    try:
        name, _, text = line.partition(" ")
        key = base64.b64decode(text.strip(), validate=True)
        found = bytes.fromhex(name)
    except ValueError as error:
        raise ConfigError(f"{where}: not a key", field="key_file", hint=_HINT) from error
    if len(key) != 32 or len(found) != _ID:
        raise ConfigError(f"{where}: not a key", field="key_file", hint=_HINT)
    return found, key


def _write_new(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return  # somebody else has just made it
    except OSError as error:
        raise ConfigError(f"can't write the key file {path}: {error.strerror}") from error
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
