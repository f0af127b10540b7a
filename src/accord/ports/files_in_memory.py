"""The files of the adapters in memory: both hold them the same way.

A session derives from it and says which record a call is about.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, BinaryIO, Protocol

import msgspec

from accord.model.files import files_of, size_beside, with_file, without_file
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.model.parts import STORED, Attachment
from accord.ports.errors import Gone, Rejected


class Shelf(Protocol):
    """Hold the bytes of files by their uri, and say how many there may be on one item."""

    contents: dict[str, bytes]
    room: int
    number: int


class FilesInMemory(ABC):
    """Read, hang and take off files; see `ports.attachments.Attachments` for the calls."""

    _store: Shelf
    _digests = True
    """Whether this side tells the digests of what it holds."""

    @property
    def room(self) -> int:
        """Return how many bytes all files on one item may have together."""
        return self._store.room

    def open_file(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        with self._filing(folder, ref, reading=True) as held:
            if all(each.uri != uri for each in files_of(held.item)):
                raise Gone(f"no such file is on {ref}", code="not-there")
            content = self._store.contents[uri]
        yield content

    def attach(self, folder: str, kind: Kind, ref: str, file: Attachment, content: BinaryIO) -> str:
        """Hang a file on an item."""
        content.seek(0)
        with self._filing(folder, ref) as held:
            whole = content.read()
            if size_beside(held.item) + len(whole) > self.room:
                room = f"the files on one item may have {self.room:,} bytes"
                raise Rejected(room, code="too-large")
            uri = f"{STORED}{self._store.number}-{len(self._store.contents)}"
            self._store.contents[uri] = whole
            digest = file.digest if self._digests else ""
            named = msgspec.structs.replace(file, uri=uri, digest=digest)
            self._refile(held, with_file(held.item, named))
        return uri

    def detach(self, folder: str, kind: Kind, ref: str, uri: str, *, forget: bool = False) -> None:
        """Take a file off an item."""
        with self._filing(folder, ref) as held:
            rest = without_file(held.item, uri)
            if rest is not held.item:
                self._refile(held, rest)
            if forget:
                self._store.contents.pop(uri, None)

    @abstractmethod
    def _filing(
        self, folder: str, ref: str, *, reading: bool = False
    ) -> AbstractContextManager[Any]:
        """Yield what holds the item whose files are read or changed, under the store's lock."""

    @abstractmethod
    def _refile(self, held: Any, item: Item) -> None:
        """Store what `held` holds with other files."""
