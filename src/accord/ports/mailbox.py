"""E-mail in a mailbox, optional parts of the groupware port: list, read, mark, move; lay aside.

Nothing here sends anything, read receipts included. `accord mail` uses `Mailbox`, which deletes
nothing; `accord check --mailbox` tries them on an e-mail that it lays aside (`LetterMaker`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from accord.model.item import Mail
from accord.ports.adapter import Outcome


class MailFolder(Struct, frozen=True, kw_only=True):
    """Be a folder of e-mails: its id, its names from the top down, and how many it holds.

    `trash` says that it is the trash, or lies in it.
    """

    id: str
    path: tuple[str, ...]
    total: int = 0
    unread: int = 0
    trash: bool = False


class Letter(Struct, frozen=True, kw_only=True):
    """Be one e-mail as a list knows it: `mail` without body; None where `why` it can't be read."""

    ref: str
    version: str = ""
    read: bool = False
    mail: Mail | None = None
    why: str = ""


class Original(Struct, frozen=True, kw_only=True):
    """Be one e-mail as it arrived: `raw` are the bytes of its MIME, `mail` what they say."""

    ref: str
    version: str
    read: bool
    mail: Mail
    raw: bytes


@runtime_checkable
class Mailbox(Protocol):
    """Be a session on a mailbox whose e-mails can be read."""

    def mail_folders(self) -> tuple[MailFolder, ...]:
        """Return the folders that hold e-mails, parents before what is in them."""
        ...

    def letters(self, folder: str, *, unread: bool = False) -> Iterator[Letter]:
        """Yield the e-mails of one folder, newest first, page by page; raises ConfigError.

        With `unread` only those that nobody has read.
        """
        ...

    def letter(self, ref: str) -> Original:
        """Return one e-mail with its original, unread if it was; raises Gone, and Rejected.

        Rejected is one that is larger than the target lets an answer be.
        """
        ...

    def mark_letters(self, refs: Sequence[str], *, read: bool = True) -> list[Outcome]:
        """Mark e-mails as read or unread; no sender is told."""
        ...

    def move_letters(self, refs: Sequence[str], folder: str) -> list[Outcome]:
        """Move e-mails into another folder; they have other refs there, where the side tells."""
        ...


@runtime_checkable
class LetterMaker(Protocol):
    """Be such a session that lays e-mails into folders made for them, and takes both away again."""

    def make_mail_folder(self, name: str) -> MailFolder:
        """Return the folder of that name, made at the top where it isn't there yet.

        Raises Denied or Rejected where the server doesn't allow it.
        """
        ...

    def store_letter(self, folder: str, raw: bytes) -> str:
        """Lay an e-mail into a folder, sending nothing, and return its ref.

        Raises Denied or Rejected where the server doesn't allow it.
        """
        ...

    def discard_letters(self, refs: Sequence[str]) -> list[Outcome]:
        """Move e-mails into the trash; no sender is told."""
        ...

    def remove_mail_folder(self, folder: str) -> None:
        """Move an empty folder into the trash.

        Raises Rejected where something is in it, Denied where the server doesn't allow it.
        """
        ...
