"""What a session may offer beside the port: the bytes of the files that hang on items.

Items name such files (`Attachment.stored`); their bytes stream from side to side through these.
A contact's photo is its one file: `attach` puts another in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol, runtime_checkable

import msgspec

from accord.model.fields import is_empty
from accord.model.files import file_field, files_of, with_file, without_file
from accord.model.item import kind_of
from accord.model.kinds import Kind
from accord.model.parts import Attachment
from accord.ports.adapter import Draft, Revision


@runtime_checkable
class Attachments(Protocol):
    """Be a session that reads files on items, hangs files on them and takes them off.

    Each call raises Gone where the item or the file isn't there any more, Denied where this
    principal may not do that, Rejected for what the side will never do.
    """

    @property
    def room(self) -> int:
        """Return how many bytes all files on one item may have together; 0 for none at all."""
        ...

    def open_file(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file, in pieces."""
        ...

    def attach(self, folder: str, kind: Kind, ref: str, file: Attachment, content: BinaryIO) -> str:
        """Hang a file on an item and return the uri it has there, empty where that isn't told.

        Name, media type, size and digest are `file`'s. Nothing is mailed. Whoever repeats it
        looks first whether it hangs there already.
        """
        ...

    def detach(self, folder: str, kind: Kind, ref: str, uri: str, *, forget: bool = False) -> None:
        """Take a file off an item; one that isn't there any more is none to complain about.

        A side that keeps the bytes of what was taken off drops them, too, where told to `forget`.
        """
        ...


@runtime_checkable
class KeepsFiles(Protocol):
    """Be a session whose side keeps the bytes of files that were taken off."""

    def open_kept(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file that hangs on an item, or did so.

        Raises Gone where they aren't kept any more, and as `open_file` does for the item.
        """
        ...


def without_files(draft: Draft) -> Draft:
    """Return a draft that names no files: they are hung on what is made of it."""
    item = draft.item
    for each in files_of(item):
        item = without_file(item, each.uri)
    return draft if item is draft.item else msgspec.structs.replace(draft, item=item)


def leaving_files(revision: Revision) -> Revision:
    """Return a revision that leaves an item's files as they are.

    Only an address of a contact's photo takes the place of the one that is kept.
    """
    name = file_field(kind_of(revision.after))
    if name not in revision.changed:
        return revision
    item = revision.after
    for each in files_of(item):
        item = without_file(item, each.uri)
    for each in files_of(revision.before):
        if name != "photo" or is_empty(item, name):
            item = with_file(item, each)
    return msgspec.structs.replace(revision, after=item)
