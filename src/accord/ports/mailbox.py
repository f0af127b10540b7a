"""E-mail in a mailbox, an optional part of the groupware port: list, read, mark, move.

Nothing here sends anything, read receipts included, and nothing is deleted. `accord mail` uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from accord.model.item import Mail
from accord.ports.adapter import Outcome


class MailFolder(Struct, frozen=True, kw_only=True):
    """Be a folder of e-mails: its id, its names from the top down, and how many it holds."""

    id: str
    path: tuple[str, ...]
    total: int = 0
    unread: int = 0


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
