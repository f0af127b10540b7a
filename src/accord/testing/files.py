"""The promises of a session that keeps files with its items (`ports/attachments.py`)."""

from __future__ import annotations

import hashlib
import io
from typing import Any, cast

import pytest

from accord.model.item import Item
from accord.model.kinds import Kind
from accord.model.parts import STORED, Attachment, files
from accord.ports import errors
from accord.ports.attachments import Attachments, KeepsFiles
from accord.testing.base import Contract, only
from accord.testing.place import Place, revise
from accord.testing.samples import plain, title_field

SIZES = {"nothing": b"", "a few bytes": b"\x00\xff<", "much": bytes(range(256)) * 8_000}
NAMES = ("plan.pdf", 'Größe & "Maß" <1>.txt', "日本語 🙂.txt", "no extension")


class FilesContract(Contract):
    """Check files on entries and tasks; add it for adapters whose sessions are `Attachments`."""

    @only(Kind.EVENT, Kind.TASK)
    def test_a_file_is_read_as_it_was_hung_on(self, place: Place) -> None:
        """Byte for byte, whatever its size; the item names it, in another version."""
        (made,) = place.create(plain(place.kind, "with files"))
        for name, content in SIZES.items():
            hang(place, made.ref, name, content)
        after = place.read(made.ref)
        assert after.version != made.version
        assert read(place, after.ref, after.item) == SIZES

    @only(Kind.EVENT, Kind.TASK)
    def test_files_keep_their_names(self, place: Place) -> None:
        """Whatever letters they have."""
        (made,) = place.create(plain(place.kind, "with files"))
        for name in NAMES:
            hang(place, made.ref, name, name.encode())
        after = place.read(made.ref)
        assert read(place, after.ref, after.item) == {name: name.encode() for name in NAMES}

    @only(Kind.EVENT, Kind.TASK)
    def test_an_edit_leaves_files_alone(self, place: Place) -> None:
        """Neither another title nor other links take files off, and none can be named by hand."""
        (made,) = place.create(plain(place.kind, "before"))
        uri = hang(place, made.ref, "plan", b"plan")
        before = place.read(made.ref)
        place.edit(before, **{title_field(place.kind): "after"})
        if "attachments" in place.writable:
            forged = (Attachment(uri="stored:elsewhere", name="forged"),)
            place.edit(place.read(made.ref), attachments=forged)
        after = place.read(made.ref)
        assert read(place, after.ref, after.item) == {"plan": b"plan"}
        assert uri in ("", held(after.item)[0].uri)

    @only(Kind.EVENT, Kind.TASK)
    def test_a_file_is_taken_off_once(self, place: Place) -> None:
        """The others stay; a second time is no error, and reading it says Gone."""
        (made,) = place.create(plain(place.kind, "with files"))
        for name in ("one", "two"):
            hang(place, made.ref, name, name.encode())
        before = place.read(made.ref)
        gone = next(each for each in held(before.item) if each.name == "one")
        for _ in range(2):
            session(place).detach(place.folder, place.kind, made.ref, gone.uri)
        after = place.read(made.ref)
        assert after.version != before.version
        assert read(place, after.ref, after.item) == {"two": b"two"}
        with pytest.raises(errors.Gone):
            list(session(place).open_file(place.folder, place.kind, made.ref, gone.uri))

    @only(Kind.EVENT, Kind.TASK)
    def test_what_was_taken_off_is_kept_or_gone(self, place: Place) -> None:
        """Where a side keeps the bytes, for that item alone, until it is told to forget them."""
        kept = session(place)
        if not isinstance(kept, KeepsFiles):
            return  # and nobody asks such a side for them
        (made,) = place.create(plain(place.kind, "with files"))
        for name, forget in (("one", False), ("two", True)):
            hang(place, made.ref, name, name.encode())
            (file,) = held(place.read(made.ref).item)
            kept.detach(place.folder, place.kind, made.ref, file.uri, forget=forget)
            where = (place.folder, place.kind, made.ref, file.uri)
            if forget:
                with pytest.raises(errors.Gone):
                    list(kept.open_kept(*where))
            else:
                assert b"".join(kept.open_kept(*where)) == b"one"
        with pytest.raises(errors.Gone):
            list(kept.open_kept(place.folder, place.kind, made.ref, f"{STORED}nowhere"))

    @only(Kind.EVENT, Kind.TASK)
    def test_nothing_is_hung_on_what_is_gone(self, place: Place) -> None:
        """A deleted item answers Gone."""
        (made,) = place.create(plain(place.kind, "deleted"))
        place.remove(made)
        with pytest.raises(errors.Gone):
            hang(place, made.ref, "plan", b"plan")

    @only(Kind.EVENT, Kind.TASK)
    def test_a_file_makes_the_version_in_hand_stale(self, place: Place) -> None:
        """Who read the item before it had the file doesn't write over it unawares."""
        (made,) = place.create(plain(place.kind, "before"))
        hang(place, made.ref, "plan", b"plan")
        (answer,) = place.update(revise(made, **{title_field(place.kind): "after"}))
        assert isinstance(answer, errors.Stale)

    @only(Kind.EVENT, Kind.TASK)
    def test_there_is_room_for_files(self, place: Place) -> None:
        """The session says how much it takes."""
        assert session(place).room > 0


def session(place: Place) -> Attachments:
    """Return the session under test, which must know files."""
    assert isinstance(place.session, Attachments)
    return place.session


def hang(place: Place, ref: str, name: str, content: bytes) -> str:
    """Hang a file on an item and return the uri that the session told."""
    digest = hashlib.sha256(content).hexdigest()
    file = Attachment(name=name, media_type="text/plain", size=len(content), digest=digest)
    stream = io.BytesIO(content)
    return session(place).attach(place.folder, place.kind, ref, file, stream)


def held(item: Item) -> tuple[Attachment, ...]:
    """Return the files that an item names."""
    return files(cast(Any, item).attachments)


def read(place: Place, ref: str, item: Item) -> dict[str, bytes]:
    """Return the content of each file of an item, by name; no two may share one."""
    found = {
        each.name: b"".join(session(place).open_file(place.folder, place.kind, ref, each.uri))
        for each in held(item)
    }
    assert len(found) == len(held(item))
    return found
