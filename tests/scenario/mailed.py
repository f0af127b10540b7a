"""The stage of the stories on Cyrus, which delivers invitations: what reached whom is counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from accord.sandbox.cyrus import Cyrus
from tests.databases import Databases
from tests.peers import new_account
from tests.scenario.stage import Stage


class MailedStage(Stage):
    """Hold both sides; people's inboxes are read over IMAP, by themselves."""

    def __init__(
        self,
        folder: Path,
        server: Cyrus,
        names: tuple[str, ...],
        databases: Databases,
        **more: Any,
    ) -> None:
        self._server = server
        accounts = {name: new_account(server, name, mailed=True) for name in names}
        super().__init__(folder, accounts, databases, **more)

    def mails(self) -> dict[str, int]:
        """Return how many messages ever reached each of these people, or left them for outside."""
        here = {self.address(n): self._server.received(a.user) for n, a in self.accounts.items()}
        outside = [mail for mail in self._server.sent_outside() if mail.sender in here]
        left = Counter(each for mail in outside for each in mail.recipients if each not in here)
        return {address: count for address, count in (here | left).items() if count}
