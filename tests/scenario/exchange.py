"""The stage of the stories with Exchange: the stand-in behind a proxy, and people's own programs.

What people do and see goes by plain EWS; the stand-in counts every mail that leaves a mailbox.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from accord.sandbox.exchange.hand import Hand, Thing, entry
from accord.sandbox.process import Peer
from tests.databases import Databases
from tests.exchange import House
from tests.peers import PASSWORD, Account
from tests.scenario.stage import _NAMES, BERLIN, MONDAY, Stage

CONNECTOR = "accord@example.com"
WINDOWS = "W. Europe Standard Time"
_WRITES = (b"<m:CreateItem ", b"<m:UpdateItem ", b"<m:DeleteItem ", b"<m:MoveItem ")


class ExchangeStage(Stage):
    """Hold both sides; `hands` are the people's programs."""

    def __init__(
        self,
        folder: Path,
        house: House,
        names: tuple[str, ...],
        databases: Databases,
        *,
        home: str = BERLIN,
        **more: Any,
    ) -> None:
        self.house, self.home = house, home
        accounts = {name: _account(house, name) for name in names}
        super().__init__(folder, accounts, databases, **more)
        self.hands = {
            name: Hand(house.url, account.address, PASSWORD) for name, account in accounts.items()
        }

    def __exit__(self, *error: Any) -> None:
        for hand in self.hands.values():
            hand.close()
        super().__exit__(*error)

    def written(self) -> int:
        """Return how many requests that change items the server got since `proxy.clear`."""
        return sum(any(each in r.body for each in _WRITES) for r in self.proxy.requests)

    def asked(self, operation: str) -> int:
        """Return how many requests of a kind the server got since `proxy.clear`."""
        return sum(f"<m:{operation}".encode() in r.body for r in self.proxy.requests)

    def mails(self) -> dict[str, int]:
        """Return how many messages each address was sent from these people's mailboxes."""
        found: dict[str, int] = {}
        for account in self.accounts.values():
            for mail in self.house.exchange.mails(account.address):
                found[mail.recipient] = found.get(mail.recipient, 0) + 1
        return found

    def fault(self, kind: Any, **more: Any) -> Any:
        """Let Anna's next requests that fit fail."""
        mailbox = self.address(next(iter(self.accounts)))
        return self.house.exchange.faults.plan(kind, mailbox=mailbox, **more)

    def end(self, fault: Any) -> None:
        """Let them work again."""
        self.house.exchange.faults.end(fault)

    def titles(self, name: str = "anna", folder: str = "calendar") -> list[str]:
        """Return what a person's mailbox holds."""
        return self.hands[name].titles(folder)

    def records(self, name: str = "anna") -> list[str]:
        """Return the titles of a person's appointments in the CRM."""
        return sorted(event.title for event in self.events(name))

    def _text(self) -> str:
        lines = [
            "[[target]]", 'name = "mailboxes"', 'adapter = "exchange"',
            'notifications = "pull"',  # the proxy holds a stream back until it ends
            f'url = "{self.proxy.url}"', 'auth = "basic"', f'user = "{CONNECTOR}"',
            'password = { file = "password" }', f'time_zone = "{self.home}"',
        ]  # fmt: skip
        for name in self.accounts:
            for kind in self.kinds:
                lines += ["[[link]]", 'target = "mailboxes"', f'user = "{name}"']
                lines += [f'kind = "{kind}"', f'name = "{name}-{kind}"', 'mode = "active"']
        for kind in self.kinds:
            lines += ["[[rule]]", f'name = "{_NAMES[kind]}"', f'kind = "{kind}"', self.rules[kind]]
        return "\n".join(lines) + "\n"


def own(title: str, hours: float = 10, **more: Any) -> str:
    """Return an hour's calendar entry in Berlin, so many hours after Monday's first."""
    begin = berlin(hours)
    return entry(title, begin, begin + timedelta(hours=1), **({"zone": WINDOWS} | more))


def berlin(hours: float) -> datetime:
    """Return a moment in Berlin, so many hours after Monday's first."""
    return (MONDAY + timedelta(hours=hours)).replace(tzinfo=ZoneInfo(BERLIN))


def begins(thing: Thing, zone: str = BERLIN) -> datetime:
    """Return when something begins, by the clocks in a zone."""
    return thing.start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def clocks(hand: Hand, title: str, around: datetime, zone: str) -> list[datetime]:
    """Return when the clocks in a zone show each occurrence, as a calendar shows it."""
    span = timedelta(weeks=8)
    seen = hand.view(around.replace(tzinfo=UTC) - span, around.replace(tzinfo=UTC) + span)
    return sorted(begins(each, zone) for each in seen if each.title == title)


def _account(house: House, name: str) -> Account:
    people = house.exchange.people
    if people.by_address(CONNECTOR) is None:
        people.add(CONNECTOR, PASSWORD, impersonates=True)
    address = f"{name}-{secrets.token_hex(4)}@example.com"
    people.add(address, PASSWORD, name=name.title())
    server: Any = house
    assert not isinstance(server, Peer)
    return Account(server, house.url, address, PASSWORD, address, house.url, "", "")
