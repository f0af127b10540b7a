"""The promises of a session that keeps photos with its contacts (`ports/attachments.py`)."""

from __future__ import annotations

import hashlib
import io

import pytest

from accord.model.files import files_of
from accord.model.kinds import Kind
from accord.model.parts import Attachment
from accord.ports import errors
from accord.ports.attachments import KeepsFiles
from accord.testing.base import Contract, only
from accord.testing.files import session
from accord.testing.place import Place, revise
from accord.testing.samples import plain

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 4 + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(255, -1, -1)) * 400
"""How pictures begin, and any bytes: no side has a reason to look into them."""


class PhotosContract(Contract):
    """Check contacts' photos; add it for adapters whose sessions are `Attachments` for contacts."""

    @only(Kind.CONTACT)
    def test_the_traits_say_that_photos_are_kept(self, place: Place) -> None:
        """The service goes by them."""
        assert place.traits.files
        assert session(place).room >= len(PNG)

    @only(Kind.CONTACT)
    def test_a_photo_is_read_as_it_was_given(self, place: Place) -> None:
        """Byte for byte, under a name of the side's own, in another version."""
        (made,) = place.create(plain(place.kind, "with a photo"))
        uri = give(place, made.ref, JPEG)
        after = place.read(made.ref)
        assert after.version != made.version
        (named,) = files_of(after.item)
        assert uri in ("", named.uri)
        assert shown(place, made.ref) == JPEG

    @only(Kind.CONTACT)
    def test_another_photo_takes_its_place(self, place: Place) -> None:
        """A contact has one; the former one is Gone."""
        (made,) = place.create(plain(place.kind, "with a photo"))
        give(place, made.ref, JPEG)
        (former,) = files_of(place.read(made.ref).item)
        give(place, made.ref, PNG, "image/png")
        assert shown(place, made.ref) == PNG
        (named,) = files_of(place.read(made.ref).item)
        assert named.uri != former.uri
        with pytest.raises(errors.Gone):
            list(session(place).open_file(place.folder, place.kind, made.ref, former.uri))

    @only(Kind.CONTACT)
    def test_an_edit_leaves_the_photo_alone(self, place: Place) -> None:
        """Neither other fields nor a photo named by hand take it off, and none is forged."""
        (made,) = place.create(plain(place.kind, "before"))
        give(place, made.ref, JPEG)
        place.edit(place.read(made.ref), full_name="after", nickname="Nick")
        if "photo" in place.writable:
            forged = Attachment(uri="stored:elsewhere", name="forged")
            place.edit(place.read(made.ref), photo=forged)
            place.edit(place.read(made.ref), photo=None)
        assert shown(place, made.ref) == JPEG

    @only(Kind.CONTACT)
    def test_a_photo_is_taken_off_once(self, place: Place) -> None:
        """A second time is no error."""
        (made,) = place.create(plain(place.kind, "with a photo"))
        give(place, made.ref, JPEG)
        before = place.read(made.ref)
        (gone,) = files_of(before.item)
        for _ in range(2):
            session(place).detach(place.folder, place.kind, made.ref, gone.uri)
        after = place.read(made.ref)
        assert after.version != before.version
        assert files_of(after.item) == ()
        with pytest.raises(errors.Gone):
            list(session(place).open_file(place.folder, place.kind, made.ref, gone.uri))

    @only(Kind.CONTACT)
    def test_a_former_photo_is_kept_or_gone(self, place: Place) -> None:
        """Where a side keeps the bytes: of one that was replaced as of one that was taken off."""
        kept = session(place)
        if not isinstance(kept, KeepsFiles):
            return  # and nobody asks such a side for them
        (made,) = place.create(plain(place.kind, "with a photo"))
        give(place, made.ref, JPEG)
        (first,) = files_of(place.read(made.ref).item)
        give(place, made.ref, PNG, "image/png")
        (second,) = files_of(place.read(made.ref).item)
        kept.detach(place.folder, place.kind, made.ref, second.uri)
        for former, content in ((first, JPEG), (second, PNG)):
            pieces = kept.open_kept(place.folder, place.kind, made.ref, former.uri)
            assert b"".join(pieces) == content

    @only(Kind.CONTACT)
    def test_a_photo_makes_the_version_in_hand_stale(self, place: Place) -> None:
        """Who read the contact before it had the photo doesn't write over it unawares."""
        (made,) = place.create(plain(place.kind, "before"))
        give(place, made.ref, JPEG)
        (answer,) = place.update(revise(made, full_name="after"))
        assert isinstance(answer, errors.Stale)

    @only(Kind.CONTACT)
    def test_no_photo_is_given_to_what_is_gone(self, place: Place) -> None:
        """A deleted contact answers Gone."""
        (made,) = place.create(plain(place.kind, "deleted"))
        place.remove(made)
        with pytest.raises(errors.Gone):
            give(place, made.ref, JPEG)


def give(place: Place, ref: str, content: bytes, media_type: str = "image/jpeg") -> str:
    """Give a contact a photo and return the uri that the session told."""
    digest = hashlib.sha256(content).hexdigest()
    file = Attachment(name="me", media_type=media_type, size=len(content), digest=digest)
    return session(place).attach(place.folder, place.kind, ref, file, io.BytesIO(content))


def shown(place: Place, ref: str) -> bytes:
    """Return the photo of a contact, which has one."""
    (named,) = files_of(place.read(ref).item)
    return b"".join(session(place).open_file(place.folder, place.kind, ref, named.uri))
