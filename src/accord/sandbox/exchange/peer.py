"""The stand-in Exchange as a peer: a process of its own, for tests, trials and the demo."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx2
import msgspec

from accord.model.learning import learnt
from accord.sandbox.exchange.control import PATH as CONTROL
from accord.sandbox.exchange.control import Wish
from accord.sandbox.exchange.faults import Fault, Kind
from accord.sandbox.exchange.limits import USUAL, Limits
from accord.sandbox.exchange.roll import Person
from accord.sandbox.exchange.server import PATH
from accord.sandbox.exchange.serving import word_in
from accord.sandbox.exchange.store import Mail
from accord.sandbox.process import HOST, Peer, PeerFailed, free_port, no_tls

_USUAL = (Person(address="alice@example.com", password="secret"),)


class ExchangePeer(Peer):
    """Serve the given people's mailboxes; the state stays in `folder` over a restart.

    `url` is the address of its web services. What tests and the demo want to know or to happen
    goes over its control path.
    """

    name = "exchange"

    def __init__(
        self,
        people: Iterable[Person] = _USUAL,
        folder: Path | None = None,
        *,
        port: int | None = None,
        auth: Literal["basic", "ntlm", "both"] = "basic",
        limits: Limits = USUAL,
    ) -> None:
        super().__init__(folder)
        self.people = list(people)
        self.port = port or free_port()
        self.auth, self.limits = auth, limits
        self.url = f"http://{HOST}:{self.port}{PATH}"

    # ---- people ----

    def add(self, *people: Person) -> list[str]:
        """Give more people a mailbox, or another password, and return their passwords."""
        passwords = [str(each) for each in self._ask(Wish("people", people=list(people)))]
        self.people += people
        return passwords

    def grant(self, owner: str, to: str, level: str) -> None:
        """Let somebody see (`reader`) or change (`editor`) another's mailbox; `none` takes it."""
        self._ask(Wish("grant", owner=owner, to=to, level=level))

    # ---- mail ----

    def mails(self, sender: str | None = None) -> list[Mail]:
        """Return the mails that left all mailboxes, or one."""
        return msgspec.convert(self._ask(Wish("mails", sender=sender)), learnt(list[Mail]))

    @property
    def mail_count(self) -> int:
        """Count the mails that left all mailboxes."""
        return int(self._ask(Wish("count"))["mails"])

    @property
    def listening(self) -> int:
        """Count the open streaming connections."""
        return int(self._ask(Wish("count"))["listening"])

    # ---- what goes wrong ----

    def plan(
        self,
        kind: Kind,
        *,
        operation: str | None = None,
        mailbox: str | None = None,
        times: int | None = 1,
        seconds: float = 1.0,
        item: str | None = None,
    ) -> int:
        """Let the next requests that fit fail so (`faults.Fault`); return what `end` takes back."""
        fault = Fault(kind, operation, mailbox, times, seconds, item)
        return int(self._ask(Wish("plan", fault=fault)))

    def end(self, number: int) -> None:
        """Take a fault back."""
        self._ask(Wish("end", number=number))

    def sever(self) -> None:
        """Break all streaming connections off, without a word."""
        self._ask(Wish("sever"))

    def forget(self, mailbox: str | None = None) -> None:
        """Lose all subscriptions, or those to one mailbox, as a server does that fails over."""
        self._ask(Wish("forget", mailbox=mailbox))

    # ---- the process ----

    def prepare(self) -> None:
        """Write who has a mailbox, for this process only to read."""
        file = self.folder / "mailboxes.toml"
        file.touch(0o600)
        people = [_table("[[mailbox]]", each) for each in self.people]
        text = "\n\n".join([_table("[limits]", self.limits), *people])
        file.write_text(text + "\n", encoding="utf-8")
        word_in(self._word)

    def command(self) -> Sequence[str]:
        words = ["sandbox", "exchange", "--port", str(self.port), "--control", str(self._word)]
        words += ["--auth", self.auth]
        words += ["--mailboxes", str(self.folder / "mailboxes.toml")]
        words += ["--state", str(self.folder / "state.sqlite"), "--quiet"]
        return [sys.executable, "-m", "accord.cli.main", *words]

    def ready(self) -> bool:
        try:
            return bool(self._ask(Wish("count")))
        except httpx2.TransportError:
            return False

    def environment(self) -> Mapping[str, str]:
        given = super().environment()
        return {name: value for name, value in given.items() if not name.startswith("ACCORD_")}

    @property
    def _word(self) -> Path:
        return self.folder / "control"

    def _ask(self, wish: Wish) -> Any:
        reply = httpx2.post(
            f"http://{HOST}:{self.port}{CONTROL}",
            content=msgspec.json.encode(wish),
            headers={"Authorization": f"Bearer {word_in(self._word)}"},
            verify=no_tls(),
            trust_env=False,
        )
        if not reply.is_success:
            raise PeerFailed(f"{self.name}: {reply.status_code} {reply.text}")
        return reply.json()


def _table(head: str, values: msgspec.Struct) -> str:
    """Write a table of plain values; JSON's texts, numbers, truths and lists are TOML's."""
    known = msgspec.to_builtins(values)
    lines = [f"{name} = {msgspec.json.encode(each).decode()}" for name, each in known.items()]
    return "\n".join([head, *lines])
