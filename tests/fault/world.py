"""The stage of the crash test: a mailbox, the built-in CRM, and hands that edit both sides."""

from __future__ import annotations

import random
from pathlib import Path

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.service.accord import Accord
from accord.service.bootstrap import open_accord
from accord.service.init import init
from accord.service.transfer import import_
from tests.elsewhere import Elsewhere
from tests.fault.hands import Hands
from tests.fault.mailboxes import ADDRESS, USER, WORD, Mailbox

TEXT = """\
[[target]]
name = "mailboxes"
{target}
password = {{ file = "password" }}

[[link]]
name = "events"
target = "mailboxes"
user = "anna"
kind = "event"
rule = "events"
mode = "active"

[[rule]]
name = "events"
kind = "event"
scope = "all"

[rule.guard]
deletes = 100000
target = 100000
target_updates = 100000
share = 1.0
"""


class World(Hands):
    """Hold both sides, and be the hands at them."""

    def __init__(
        self, mailbox: Mailbox, folder: Path, seed: int, database: str, *, split: bool = False
    ) -> None:
        """Set up CRM and link in `folder`; state and CRM live in `database`.

        With `split` the CRM is served by a process of its own, from a database of its own.
        """
        self.folder = folder
        self.machine = Elsewhere(folder / "crm") if split else None
        (folder / "password").write_text(WORD, encoding="utf-8")
        if self.machine is not None:
            self.machine.start()
            self.machine.write_key(folder)
        made = init(
            folder, database=database, crm=self.machine.crm if self.machine else "database:"
        )
        self.accord: Accord = open_accord(made.config)
        self._there = self.machine.open() if self.machine is not None else self.accord
        assert isinstance(self._there.crm, DatabaseCrm)
        crm = Administration(self._there.crm)
        super().__init__(mailbox, crm, USER, random.Random(seed))
        crm.add_user(USER, ADDRESS, display_name="Anna")
        import_(self.accord, TEXT.format(target=mailbox.target), "fault.toml", folder=folder)

    def close(self) -> None:
        """Leave the stage."""
        self.accord.close()
        if self.machine is not None:
            self._there.close()
            self.machine.close()
