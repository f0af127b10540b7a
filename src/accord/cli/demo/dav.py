"""The demo's mailboxes on Radicale, a real CalDAV and CardDAV server."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from accord.cli.demo import past, week
from accord.cli.demo.hands import Mailbox
from accord.cli.demo.place import Box, write_secret
from accord.sandbox.radicale import Radicale


class DavServer(Radicale):
    """Be that server; everybody signs in by themselves."""

    title = "A CalDAV/CardDAV server, three mailboxes and a CRM."
    broken = past.BROKEN

    def fill_past(self, name: str, today: date, singles: int, series: int) -> int:
        """Fill a calendar; return how many entries it holds."""
        files = past.past_entries(name, today, singles, series)
        files |= past.broken_entries(name)
        files |= week.mailbox_entries(name, today)
        self.fill(name, "calendar", files)
        return len(files)

    def box(self, name: str) -> Box:
        """Return a person's calendar program."""
        return Mailbox(self.url, name, self.users[name])

    def settings(self, folder: Path) -> str:
        """Return what an import says of the target."""
        lines = [
            'adapter = "dav"',
            f'url = "{self.url}"',
            'user = "{local}"',
            'calendar = "calendar"',
            'task_list = "Accord tasks"',
            'address_book = "Accord contacts"',
            "create_missing = true",
            "",
            "[target.passwords]",
        ]
        for name, word in self.users.items():
            file = write_secret(folder, name, word)
            lines.append(f'"{week.address(name)}" = {{ file = "{file}" }}')
        return "\n".join(lines) + "\n"

    def mails(self) -> int | None:
        """Count nothing: Radicale never mails anybody, and its silence would prove nothing."""
        return None
