"""Encryption at rest: AES-256-GCM under keys from a file, each value bound to its record's id.

Targets' secrets, private snapshots and steps go through here on their way into the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from accord.ports.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORM = b"\x01"
_ID = 4
_NONCE = 12
_KEY = 32


class Keys:
    """Be the keys of one installation: the last one seals, all of them open.

    The file is read again when it changes, so every process follows a rotation.
    """

    def __init__(self, path: Path) -> None:
        """Read the key file, making it (mode 0600) with a first key where there is none.

        One key a line: an id of 8 hexadecimal digits and 32 bytes in base64, the newest last.
        Raises ConfigError for a file that others may read or that holds something else.
        """
        self.path = path
        self._lock = threading.Lock()
        self._stamp = (0, 0)
        if not path.exists():
            _write_new(path, _new_line())
        self.refresh()

    def __repr__(self) -> str:
        """Name the file and nothing that is in it."""
        return f"Keys({str(self.path)!r})"

    def refresh(self) -> None:
        """Read the file again if it was changed."""
        try:
            found = self.path.stat()
        except OSError as error:
            raise _unreadable(self.path, error) from error
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._stamp:
            with self._lock:
                self._load()
                self._stamp = stamp

    def seal(self, data: bytes, record: str) -> bytes:
        """Return `data` encrypted so that it opens only as part of `record`."""
        nonce = os.urandom(_NONCE)
        name, key = self._current
        return _FORM + name + nonce + _cipher(key).encrypt(nonce, data, record.encode())

    def open(self, sealed: bytes, record: str) -> bytes:
        """Return what was sealed for `record`; raises ConfigError where no key fits."""
        from cryptography.exceptions import InvalidTag

        name, nonce = _name_of(sealed), sealed[1 + _ID : 1 + _ID + _NONCE]
        if name not in self._keys:
            self.refresh()
        key = self._keys.get(name)
        if sealed[:1] != _FORM or key is None:
            raise ConfigError(
                f"{record} was encrypted under a key that {self.path} doesn't hold",
                field="key_file",
                hint="restore the key file that belongs to this database",
            )
        try:
            return _cipher(key).decrypt(nonce, sealed[1 + _ID + _NONCE :], record.encode())
        except InvalidTag as error:
            raise ConfigError(
                f"{record} was altered in the database, or belongs to another record"
            ) from error

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether this was sealed under the newest key."""
        return _name_of(sealed) == self._current[0]

    def digest(self, data: bytes) -> str:
        """Return a digest that tells nothing to those who have no key, in hexadecimal."""
        return hmac.digest(self._digesting, data, "sha256").hex()

    def add(self) -> None:
        """Add a new key to the file; it seals from now on, the older ones still open."""
        self._rewrite([*self._lines(), _new_line()])

    def retire(self) -> int:
        """Take all keys but the newest out of the file; return how many went.

        What was sealed under them can't be opened any more: seal it anew first.
        """
        lines = self._lines()
        self._rewrite(lines[-1:])
        return len(lines) - 1

    def _lines(self) -> list[str]:
        self.refresh()
        text = self.path.read_text(encoding="ascii")
        return [each + "\n" for each in text.splitlines() if _is_key(each)]

    def _rewrite(self, lines: list[str]) -> None:
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.unlink(missing_ok=True)
        _write_new(fresh, "".join(lines))
        fresh.replace(self.path)
        self.refresh()

    def _load(self) -> None:
        if os.name == "posix" and self.path.stat().st_mode & 0o077:
            raise ConfigError(
                f"others may read the key file {self.path}",
                field="key_file",
                hint=f"chmod 600 {self.path}",
            )
        try:
            lines = self.path.read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(self.path, error) from error
        keys = [
            _parse(each, f"{self.path}:{n}") for n, each in enumerate(lines, 1) if _is_key(each)
        ]
        if not keys:
            raise ConfigError(f"{self.path} holds no key", field="key_file", hint=_HINT)
        self._keys = dict(keys)
        self._current = keys[-1]
        self._digesting = hmac.digest(keys[-1][1], b"accord digests", "sha256")


_HINT = "restore it, or remove it to have a new one made (what is encrypted stays unreadable then)"


def _cipher(key: bytes) -> AESGCM:
    # The library takes a while to load, and most visits open no secret.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)


def _name_of(sealed: bytes) -> bytes:
    return sealed[1 : 1 + _ID]


def _is_key(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _new_line() -> str:
    key = secrets.token_bytes(_KEY)
    name = hashlib.sha256(b"accord key id" + key).digest()[:_ID]
    return f"{name.hex()} {base64.b64encode(key).decode()}\n"


def _parse(line: str, where: str) -> tuple[bytes, bytes]:
    try:
        text, _, encoded = line.partition(" ")
        key = base64.b64decode(encoded.strip(), validate=True)
        name = bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError(f"{where}: not a key", field="key_file", hint=_HINT) from error
    if len(key) != _KEY or len(name) != _ID:
        raise ConfigError(f"{where}: not a key", field="key_file", hint=_HINT)
    return name, key


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(f"can't read the key file {path}: {error}", field="key_file", hint=_HINT)


def _write_new(path: Path, text: str) -> None:
    # Written aside and linked into place: nobody ever reads half a key, and the first one wins.
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError(
            f"can't write the key file {path}: {error.strerror}", field="key_file"
        ) from error
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError:
        pass  # somebody else has just made it
    finally:
        aside.unlink()
