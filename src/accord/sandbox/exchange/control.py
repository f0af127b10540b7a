"""The way in for those who run the stand-in: count mails, plant faults, add people.

It is served only where a word was agreed upon, and only to who knows it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from accord.model.learning import learnt
from accord.ports.errors import ConfigError
from accord.sandbox.exchange import roll
from accord.sandbox.exchange.faults import Fault, Faults
from accord.sandbox.exchange.notices import Notices
from accord.sandbox.exchange.people import People
from accord.sandbox.exchange.store import Mail, Store

PATH = "/control"


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a client asks for; only the fields that belong to `do` count."""

    do: str
    sender: str | None = None
    mailbox: str | None = None
    people: list[roll.Person] = []
    owner: str = ""
    to: str = ""
    level: str = ""
    fault: Fault | None = None
    number: int = 0


class Control:
    """Do what is wished for of a server's parts."""

    def __init__(
        self, store: Store, people: People, faults: Faults, notices: Notices, word: str
    ) -> None:
        self._store, self._people = store, people
        self._faults, self._notices = faults, notices
        self._word = word
        self._planned: dict[int, Fault] = {}
        self._wishes: dict[str, Callable[[Wish], Any]] = {
            "count": self._count,
            "mails": self._mails,
            "people": self._add,
            "grant": self._grant,
            "plan": self._plan,
            "end": self._end,
            "sever": self._sever,
            "forget": self._forget,
        }

    def route(self) -> Route:
        """Return the path to serve."""
        return Route(PATH, self._serve, methods=["POST"])

    async def _serve(self, request: Request) -> Response:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._word}".encode()):
            return Response(status_code=401)
        text = await request.body()
        try:
            wish = msgspec.json.decode(text, type=learnt(Wish))
            answer = await run_in_threadpool(self._wishes[wish.do], wish)
        except (msgspec.DecodeError, KeyError, ConfigError) as error:
            return Response(str(error), 400)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    def _count(self, _: Wish) -> dict[str, int]:
        mails = self._store.rows("SELECT count(*) FROM mail")[0][0]
        return {"mails": int(str(mails)), "listening": self._notices.listening}

    def _mails(self, wish: Wish) -> list[Mail]:
        return self._store.mails(wish.sender)

    def _add(self, wish: Wish) -> list[str]:
        with self._store.writing():
            return [each.password for each in roll.settle(self._people, wish.people)]

    def _grant(self, wish: Wish) -> None:
        owner, to = self._people.by_address(wish.owner), self._people.by_address(wish.to)
        if owner is None or to is None:
            raise KeyError(wish.owner if owner is None else wish.to)
        self._people.grant(owner, to, wish.level)

    def _plan(self, wish: Wish) -> int:
        if wish.fault is None:
            raise KeyError("fault")
        number = len(self._planned) + 1
        self._planned[number] = self._faults.add(wish.fault)
        return number

    def _end(self, wish: Wish) -> None:
        self._faults.end(self._planned[wish.number])

    def _sever(self, _: Wish) -> None:
        self._notices.sever()

    def _forget(self, wish: Wish) -> None:
        if wish.mailbox is None:
            self._notices.forget()
            return
        found = self._people.by_address(wish.mailbox)
        if found is None:
            raise KeyError(wish.mailbox)
        self._notices.forget(found.id)
