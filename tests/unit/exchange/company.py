"""A company whose Exchange stands behind a strict sign-in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from starlette.testclient import TestClient

from accord.sandbox.exchange.server import PATH, Exchange
from accord.sandbox.exchange.streaming import Pace
from tests.unit.exchange.bridge import ALICE, BOB, ROBOT
from tests.unit.exchange.strict import StrictServer
from tests.unit.sandbox.ews import login as basic

USERS = f"EXAMPLE:robot:secret\n:{ALICE}:secret\n:{BOB}:secret\n"


class Company:
    """A stand-in Exchange behind a server that wants NTLM, or Kerberos.

    `names` tells the account of who signed in, where it isn't that name.
    """

    def __init__(self, names: Mapping[str, str] | None = None, **more: Any) -> None:
        self.names = dict(names or {})
        # Answers come whole, streams at their end; so a minute is short.
        self.exchange = Exchange(pace=Pace(minute=0.01))
        people = self.exchange.people
        for address, robot in ((ALICE, False), (BOB, False), (ROBOT, True)):
            people.add(address, "secret", login="robot" if robot else "", impersonates=robot)
        self._client = TestClient(self.exchange.app)
        self._turn = threading.Lock()
        self.asked: list[str] = []
        self.server = StrictServer(self._answer, **more)

    def _answer(self, user: str, body: bytes) -> tuple[int, bytes]:
        with self._turn:
            self.asked.append(user)
            reply = self._client.post(PATH, content=body, headers=basic(self.names.get(user, user)))
        return reply.status_code, reply.content

    def close(self) -> None:
        self.server.close()
        self.exchange.close()
