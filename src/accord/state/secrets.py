"""Encryption at rest: AES-256-GCM under keys from a file or a program, bound to the record's id.

Targets' secrets, private snapshots and steps go through here on their way into the database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from accord.ports.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORM = b"\x01"
_ID = 4
_NONCE = 12
_KEY = 32


class Keys(ABC):
    """Be the keys of one installation: the last one seals, all of them open.

    `where` says in words where they come from, `field` which setting says so, and `erasures` is
    the file that goes where the keys go (`service.erasures`).
    """

    field: ClassVar[str]
    hint: ClassVar[str]

    def __init__(self, where: str, erasures: Path) -> None:
        """Keep where things are."""
        self.where = where
        self.erasures = erasures
        self._lock = threading.Lock()

    @abstractmethod
    def __repr__(self) -> str:
        """Say where the keys are, and nothing of what they are."""

    @abstractmethod
    def refresh(self) -> None:
        """Read the keys again if that costs next to nothing; called for every transaction."""

    @abstractmethod
    def add(self) -> None:
        """Let a new key be the newest; it seals from now on, the older ones still open."""

    @abstractmethod
    def retire(self) -> int:
        """Forget all keys but the newest for good, where that is Accord's; return how many went.

        What was sealed under them can't be opened any more: seal it anew first.
        """

    @property
    def newest(self) -> str:
        """Return the id of the key that seals."""
        return self._current[0].hex()

    @property
    def older(self) -> list[str]:
        """Return the ids of the keys that only open."""
        return [name.hex() for name in self._keys if name != self._current[0]]

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
            self._seek(name)
        key = self._keys.get(name)
        if sealed[:1] != _FORM or key is None:
            raise ConfigError(
                f"{record} was encrypted under the key {name.hex()}, which is not in {self.where}",
                field=self.field,
                hint=self.hint,
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

    def _seek(self, _name: bytes) -> None:
        """Read the keys again for one that isn't known."""
        self.refresh()

    def _take(self, text: str, hint: str) -> None:
        """Take the keys: one a line, an id of 8 hexadecimal digits and 32 bytes in base64.

        The newest is the last. What is wrong is told by its line: it may be a key nearly.
        """
        keys: dict[bytes, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if _is_key(line):
                name, key = _parse(line)
                if not name or keys.get(name, key) != key:
                    wrong = f"has the id of another key, {name.hex()}" if name else "is no key"
                    detail = f"line {number} of {self.where} {wrong}"
                    raise ConfigError(detail, field=self.field, hint=hint)
                # A key that is listed twice is as new as its last line.
                keys.pop(name, None)
                keys[name] = key
        if not keys:
            raise ConfigError(f"{self.where} holds no key", field=self.field, hint=hint)
        self._keys = keys
        self._current = list(keys.items())[-1]
        self._digesting = hmac.digest(self._current[1], b"accord digests", "sha256")


class FileKeys(Keys):
    """Be the keys of a file, which every process reads again when it changes."""

    field = "key_file"
    hint = "restore the key file that belongs to this database"

    def __init__(self, path: Path) -> None:
        """Read the key file, making it (mode 0600) with a first key where there is none.

        Raises ConfigError for a file that others may read or that holds something else.
        """
        super().__init__(str(path), path.with_name(f"{path.name}.erasures"))
        self.path = path
        self._stamp = (0, 0)
        if not path.exists():
            _write_new(path, _new_line())
        self.refresh()

    def __repr__(self) -> str:
        """Name the file and nothing that is in it."""
        return f"FileKeys({self.where!r})"

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

    def add(self) -> None:
        """Add a new key to the file."""
        self._rewrite([*self._lines(), _new_line()])

    def retire(self) -> int:
        """Take all keys but the newest out of the file; return how many went."""
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
            text = self.path.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(self.path, error) from error
        self._take(text, _HINT)


class CommandKeys(Keys):
    """Be the keys that a program prints, asked at the start and for every key not known yet.

    Whoever manages them adds and retires them; what the program prints stays in this process.
    """

    field = "key_command"
    hint = "let the program print the keys that belong to this database, the older ones too"

    def __init__(self, ask: Callable[[], str], where: str, erasures: Path) -> None:
        """Ask the program; `ask` returns what it prints, or raises ConfigError."""
        super().__init__(where, erasures)
        self._ask = ask
        self._asked: dict[bytes, float] = {}
        self.add()

    def __repr__(self) -> str:
        """Name the program and nothing that it prints."""
        return f"CommandKeys({self.where!r})"

    def refresh(self) -> None:
        """Leave the program alone: it may take seconds."""

    def add(self) -> None:
        """Take over what the program prints by now."""
        with self._lock:
            self._take(self._ask(), _FORMAT)

    def retire(self) -> int:
        """Retire none."""
        return 0

    def _seek(self, name: bytes) -> None:
        """Ask for a key, but not over and over for one that is lost."""
        with self._lock:
            now = time.monotonic()
            if name not in self._keys and now - self._asked.get(name, -_AGAIN) >= _AGAIN:
                self._asked[name] = now
                self._take(self._ask(), _FORMAT)


_AGAIN = 30.0
"""After how many seconds a program is asked anew for the same key."""

_FORMAT = "it must print what a key file holds: an id of 8 hex digits and 32 bytes in base64 a line"

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


def _parse(line: str) -> tuple[bytes, bytes]:
    """Return id and key of a line, both empty where it holds none."""
    try:
        text, _, encoded = line.partition(" ")
        key = base64.b64decode(encoded.strip(), validate=True)
        name = bytes.fromhex(text)
    except ValueError:
        return b"", b""
    return (name, key) if (len(name), len(key)) == (_ID, _KEY) else (b"", b"")


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
