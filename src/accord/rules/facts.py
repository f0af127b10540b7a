"""What a rule may know beside the item: who owns the link, what day it is, who is known.

`service` gathers it once per run; rules and engine only read it.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from accord.model.parts import Person


class Facts(Struct, frozen=True, kw_only=True):
    """Be the surroundings of one decision.

    `now` is UTC. `owner` is the link's user, `addresses` all of theirs, casefolded.
    `contacts` and `users` map known addresses (casefolded) to CRM refs and user names; of what
    the CRM doesn't know, `aliases` map mailboxes to the users whose they are. `homes` are main
    addresses of users.
    `consents` says that the owner agreed to full synchronization of private items.
    `clocks_apart` says in plain words why the sides' times can't be compared; empty where both
    clocks were seen within 2 s of ours in the last hour.
    """

    now: datetime
    owner: Person
    user: str = ""
    addresses: frozenset[str] = frozenset()
    contacts: dict[str, str] = {}
    users: dict[str, str] = {}
    aliases: dict[str, str] = {}
    homes: dict[str, str] = {}
    consents: bool = False
    clocks_apart: str = "nobody has looked at the clocks"

    def is_owner(self, address: str) -> bool:
        """Tell whether `address` is one of the owner's."""
        return address.casefold() in self.addresses
