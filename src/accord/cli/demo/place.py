"""Where the demo's mailboxes are: on the stand-in Exchange, or on Radicale.

Either fills them with a believable past, and gives each person a program to work with.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal, Protocol

Target = Literal["exchange", "dav"]


class Box(Protocol):
    """Be one person's mail program; things go by their titles. Raises DemoFailed."""

    def close(self) -> None:
        """Put the program away."""

    def has(self, title: str) -> bool:
        """Tell whether there is something with that title."""
        ...

    def location(self, title: str) -> str:
        """Return where an entry is."""
        ...

    def place(self, title: str, location: str) -> None:
        """Write where an entry is."""

    def rename(self, title: str, new: str) -> None:
        """Give an entry another title."""

    def finish(self, title: str) -> None:
        """Tick a task off."""

    def delete_many(self, titles: frozenset[str]) -> int:
        """Delete every entry that has one of these titles; return how many."""
        ...


class MailServer(Protocol):
    """Be the server with everybody's mailbox; its process runs while it is entered."""

    title: str
    broken: int
    """How many entries of each calendar there can't be read, corrupted long ago."""

    def fill_past(self, name: str, today: date, singles: int, series: int) -> int:
        """Fill a mailbox with so much past and the coming week; return how many entries."""
        ...

    def box(self, name: str) -> Box:
        """Return a person's program."""
        ...

    def settings(self, folder: Path) -> str:
        """Return what an import says of the target, its secrets written into files."""
        ...

    def mails(self) -> int | None:
        """Count the mails that left the mailboxes; None where the server never sends any."""
        ...


def write_secret(folder: Path, name: str, word: str) -> str:
    """Write a secret into a file that nobody else may read; return its name."""
    file = folder / f"{name}.password"
    file.touch(0o600)
    file.write_text(word, encoding="utf-8")
    return file.name
