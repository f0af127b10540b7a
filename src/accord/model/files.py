"""The files of an item, whatever its kind: what hangs on entries and tasks, a contact's photo."""

from __future__ import annotations

from accord.model.diff import patch
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.parts import Attachment, files

PHOTO = "the photo"
"""How every photo is called where files are compared: each side has a name of its own for them."""


def file_field(kind: Kind) -> str:
    """Return the field that names an item's files; a contact has one of them at most."""
    return "photo" if kind is Kind.CONTACT else "attachments"


def files_of(item: Item) -> tuple[Attachment, ...]:
    """Return the files that its side keeps with an item."""
    held = getattr(item, file_field(kind_of(item)), None) or ()
    return files(held if isinstance(held, tuple) else (held,))


def with_file(item: Item, file: Attachment) -> Item:
    """Return an item with one more file; a contact's takes the place of its photo."""
    name = file_field(kind_of(item))
    return patch(item, {name: file if name == "photo" else (*getattr(item, name), file)})


def without_file(item: Item, uri: str) -> Item:
    """Return an item without the file of that uri, or as it is."""
    if all(each.uri != uri for each in files_of(item)):
        return item
    name = file_field(kind_of(item))
    if name == "photo":
        return patch(item, {name: None})
    return patch(item, {name: tuple(each for each in getattr(item, name) if each.uri != uri)})


def size_beside(item: Item) -> int:
    """Return how many bytes the files have that one more would hang beside."""
    if kind_of(item) is Kind.CONTACT:
        return 0
    return sum(each.size or 0 for each in files_of(item))
