"""The Exchange of the storm: the stand-in in a process of its own, which lets Accord in by tokens.

The authority that issues them lives in the same process; people's hands sign in by password.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import httpx2

from accord.cli.listener import listen_on, stopped_by_signals
from accord.sandbox.exchange.peer import ExchangePeer
from accord.sandbox.exchange.roll import Person, read_file, settle
from accord.sandbox.exchange.server import Exchange
from accord.sandbox.exchange.serving import serve, word_in
from accord.sandbox.process import HOST, free_port, no_tls
from tests.authority import CLIENT, Authority

ROBOT = "robot@example.com"
"""For whom the authority issues tokens."""

_ROOT = Path(__file__).parents[3]
_START = """import sys
sys.path.insert(0, sys.argv.pop(1))
from tests.fault.storm.company import main
main(sys.argv[1:])"""


class Company(ExchangePeer):
    """Serve people's mailboxes, and the robot that acts for all of them."""

    def __init__(self, people: Sequence[Person], password: str) -> None:
        robot = Person(address=ROBOT, password=password, impersonates=True)
        super().__init__([*people, robot])
        self.authority = free_port()

    def target(self, port: int) -> str:
        """Return what an import says of it, where it is reached at a port."""
        return (
            f'adapter = "exchange"\nurl = "{self.url.replace(str(self.port), str(port))}"\n'
            f'auth = "oauth2"\nauthority = "http://{HOST}:{self.authority}/adfs"\n'
            f'client_id = "{CLIENT}"\nclient_secret = {{ file = "secret" }}\n'
            'time_zone = "UTC"\ntimeout = 10\n'
        )

    def expire(self) -> None:
        """Let no token hold any more that was issued so far."""
        url = f"http://{HOST}:{self.authority}/adfs/expire"
        httpx2.post(url, verify=no_tls(), trust_env=False).raise_for_status()

    def command(self) -> Sequence[str]:
        files = ("control", "mailboxes.toml", "state.sqlite")
        words = [str(self.port), str(self.authority), *(str(self.folder / each) for each in files)]
        return [sys.executable, "-c", _START, str(_ROOT), *words]


def main(words: Sequence[str]) -> None:
    """Serve until a signal ends it."""
    port, authority = int(words[0]), Authority(port=int(words[1]))
    control, mailboxes, state = (Path(word) for word in words[2:])
    people, limits = read_file(mailboxes)
    with listen_on(HOST, port, "port") as listener:
        served = Exchange(
            state,
            control=word_in(control),
            ways=("bearer", "basic"),
            tokens=authority.whose,
            limits=limits,
        )
        with served.store.writing():
            settle(served.people, people)
        with stopped_by_signals():
            serve(served, listener)
    authority.close()
