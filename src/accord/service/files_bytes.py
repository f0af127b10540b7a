"""The bytes of one pair's files: read from a side, at hand on the way, hung on the other side.

`files_pair` says what is to be done. Nothing here decides, and nothing is kept when it ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from io import SEEK_END
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from msgspec import Struct

from accord.engine.files import File, file_of
from accord.engine.plan import Hung, Pairing
from accord.model.files import PHOTO
from accord.model.kinds import Kind, Side
from accord.model.parts import Attachment
from accord.ports.attachments import Attachments, KeepsFiles
from accord.ports.errors import Gone, Rejected
from accord.service.visit import Visit

_IN_MEMORY = 1_000_000
"""Bytes of a file that are kept in memory on the way; more goes to a temporary file."""

_AROUND = 65_536
"""Bytes that a side may count as a file's beside its content."""


class Read(Struct, frozen=True):
    """Be one file on one side, with its content told."""

    there: Attachment
    file: File
    size: int


class Bytes:
    """Hold the files of one pair while something is done about them.

    `held` are those on both sides, with their contents told; `made` gives, by uri, the digest of
    what was hung on. What was read stays at hand until `stack` closes. Of `photos` an item has one.
    """

    def __init__(self, visit: Visit, pairing: Pairing) -> None:
        """Serve one pair of a visit's link."""
        self.visit = visit
        self.pairing = pairing
        self.photos = visit.end(Side.CRM).kind is Kind.CONTACT
        self.stack = ExitStack()
        self.held: dict[Side, list[Read]] = {side: [] for side in Side}
        self.made: dict[Side, dict[str, str]] = {side: {} for side in Side}
        self._spools: dict[File, BinaryIO] = {}

    @cached_property
    def room(self) -> int:
        """Return how many bytes the files on one item may have on either side."""
        return min(self.side(side).room for side in Side)

    def side(self, side: Side) -> Attachments:
        """Return the session of a side, which knows files."""
        return cast(Attachments, self.visit.end(side).session)

    def file(self, name: str, digest: str) -> File:
        """Return what makes a file that a side names so the same on both sides."""
        return File(PHOTO if self.photos else name, digest)

    def called(self, name: str) -> str:
        """Return what people call a file of that name."""
        return PHOTO if self.photos else name or "a file"

    def kept(self, side: Side, one: Read, known: Iterator[str]) -> str:
        """Return the uri under which the CRM keeps a file of a side once it is off.

        `known` are the uris that the same file had in the CRM.
        """
        if not isinstance(self.side(Side.CRM), KeepsFiles):
            return ""
        return one.there.uri if side is Side.CRM else next(known, "")

    def fathom(self, side: Side, ref: str, each: Attachment, room: int) -> tuple[str, int]:
        """Read a file and return its digest and length; it stays at hand."""
        if (each.size or 0) > room + _AROUND:
            raise self.too_large(each.size or 0)
        spool = self._spool()
        digest = hashlib.sha256()
        for piece in self._pieces(side, ref, each.uri):
            digest.update(piece)
            spool.write(piece)
            if spool.tell() > room:
                raise self.too_large(max(each.size or 0, spool.tell()))
        self._spools[self.file(each.name, digest.hexdigest())] = spool
        return digest.hexdigest(), spool.tell()

    def too_large(self, size: int) -> Rejected:
        """Return the refusal of a file of this size."""
        return Rejected(
            f"too large ({_megabytes(size)}): the files on one item may have "
            f"{_megabytes(self.room)} together",
            code="too-large",
        )

    def take_off(self, side: Side, some: Sequence[Read]) -> None:
        """Take files off the item of a side."""
        end, ref = self.visit.end(side), self.pairing.side(side).ref
        for one in some:
            self.side(side).detach(end.folder, end.kind, ref, one.there.uri)

    def hang(self, side: Side, new: Hung) -> None:
        """Hang a file on the item of a side."""
        end, ref = self.visit.end(side), self.pairing.side(side).ref
        if not self.bring(new):
            raise Rejected("it has changed while it was read")
        spool = self._spools[file_of(new)]
        size = spool.seek(0, SEEK_END)
        name = self._name(new) if self.photos else new.name
        file = Attachment(name=name, media_type=new.media_type, size=size, digest=new.digest)
        uri = self.side(side).attach(end.folder, end.kind, ref, file, spool)
        if uri:
            self.made[side][uri] = new.digest

    def bring(self, hung: Hung) -> bool:
        """Have a file's bytes at hand, from where it hangs or is kept; tell whether they are."""
        file = file_of(hung)
        if file in self._spools:
            return True
        spool = self._spool()
        try:
            for piece in self._found(hung):
                spool.write(piece)
        except Gone:
            return False
        spool.seek(0)
        digest = hashlib.sha256()
        while piece := spool.read(_AROUND):
            digest.update(piece)
        if digest.hexdigest() != hung.digest:
            return False
        self._spools[file] = spool
        return True

    def _name(self, photo: Hung) -> str:
        """Return the name that a photo has where it comes from."""
        found = (one.there.name for side in Side for one in self.held[side] if is_file(one, photo))
        return next(filter(None, found), "photo")

    def _found(self, hung: Hung) -> Iterator[bytes]:
        """Yield the bytes of a file wherever they are; raises Gone."""
        for side in Side:
            for one in self.held[side]:
                if is_file(one, hung):
                    return self._pieces(side, self.pairing.side(side).ref, one.there.uri)
        crm, end = self.side(Side.CRM), self.visit.end(Side.CRM)
        if hung.kept and isinstance(crm, KeepsFiles):
            return crm.open_kept(end.folder, end.kind, self.pairing.crm.ref, hung.kept)
        return iter(())  # which is right for a file that holds nothing

    def _pieces(self, side: Side, ref: str, uri: str) -> Iterator[bytes]:
        end = self.visit.end(side)
        return self.side(side).open_file(end.folder, end.kind, ref, uri)

    def _spool(self) -> BinaryIO:
        spool = cast(BinaryIO, SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115
        self.stack.callback(spool.close)
        return spool


def is_file(one: Read, file: Hung | None) -> bool:
    """Tell whether a file is the one that a step names."""
    return file is not None and one.file == file_of(file)


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f} MB"


def keeps(visit: Visit, side: Side) -> bool:
    """Tell whether a side keeps files with its items."""
    end = visit.end(side)
    return end.traits.files and isinstance(end.session, Attachments)
