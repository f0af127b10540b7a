"""`accord sandbox`: stand-in servers to try rules with, without touching production."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.listener import listen_on, stopped_by_signals
from accord.cli.words import plural
from accord.ports.errors import ConfigError

if TYPE_CHECKING:
    from accord.sandbox.exchange.auth import Way
    from accord.sandbox.exchange.limits import Limits
    from accord.sandbox.exchange.roll import Person
    from accord.sandbox.exchange.server import Exchange
    from accord.sandbox.exchange.store import Mailbox

sandbox = App(name="sandbox", help="Start a stand-in server to try things with.")

_HOST = "127.0.0.1"
_SHOWN = 20


@sandbox.command
def exchange(
    *,
    port: Annotated[
        int, Parameter(help="Where to listen on 127.0.0.1; any free port if not given.")
    ] = 0,
    state: Annotated[
        Path | None, Parameter(help="File that keeps all; without one it ends with the process.")
    ] = None,
    mailbox: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="ADDRESS or ADDRESS:PASSWORD of somebody with a mailbox."),
    ] = (),
    service: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="The same, of an account that may act as everybody."),
    ] = (),
    mailboxes: Annotated[
        Path | None,
        Parameter(
            help="TOML file with [[mailbox]] tables (address, password, name, login, "
            "impersonates, also) and [limits]."
        ),
    ] = None,
    auth: Annotated[
        Literal["basic", "ntlm", "both"],
        Parameter(help="How accounts may log in.", show_default=True),
    ] = "basic",
    control: Annotated[
        Path | None,
        Parameter(help="File with a word (made if missing): who knows it may plant faults."),
    ] = None,
    call: CallArgument,
) -> int:
    """Serve a stand-in Exchange until it is stopped.

    It speaks Exchange Web Services, to this machine only and without TLS, and sends no mail to the
    world: what goes to one of its own mailboxes arrives there, all else is only counted. Where
    nobody is named, alice@example.com, bob@example.com and the service account
    accord@example.com have mailboxes. Passwords that are not given are made up.
    """
    from accord.sandbox.exchange.limits import USUAL
    from accord.sandbox.exchange.roll import EXAMPLE, read_file, settle
    from accord.sandbox.exchange.server import PATH
    from accord.sandbox.exchange.serving import serve, word_in

    people, limits = ([], USUAL) if mailboxes is None else read_file(mailboxes)
    people += [*_people(mailbox, service=False), *_people(service, service=True)]
    word = "" if control is None else word_in(control)
    with listen_on(_HOST, _port(port), "port") as listener:
        served = _open(state, word, ("ntlm", "basic") if auth == "both" else (auth,), limits)
        with served.store.writing():
            settle(served.people, people or ([] if served.people.all() else EXAMPLE))
        url = f"http://{_HOST}:{listener.getsockname()[1]}{PATH}"
        _tell(call, url, served.people.all(), state)
        with stopped_by_signals():
            serve(served, listener)
    return exits.OK


def _people(named: Iterable[str], *, service: bool) -> list[Person]:
    from accord.sandbox.exchange.roll import Person

    halves = (each.partition(":") for each in named)
    return [
        Person(address=address, password=password, impersonates=service)
        for address, _, password in halves
    ]


def _port(number: int) -> int:
    if not 0 <= number <= 65_535:
        raise Usage(f"{number} is no port", "write a number up to 65535; 0 is any free one")
    return number


def _open(state: Path | None, word: str, ways: Sequence[Way], limits: Limits) -> Exchange:
    from accord.sandbox.exchange.server import Exchange

    try:
        return Exchange(state, control=word, ways=ways, limits=limits)
    except sqlite3.Error as error:
        raise ConfigError(
            f"can't keep the state in {state}: {error}",
            field="state",
            hint="name a new file, or one that this command has made",
        ) from error


def _tell(call: Call, url: str, people: list[Mailbox], state: Path | None) -> None:
    fields = ("address", "login", "password", "name", "impersonates")
    told = [{name: getattr(each, name) for name in fields} for each in people]
    call.data({"url": url, "mailboxes": told, "state": state and str(state)})
    call.say(f"The stand-in Exchange answers at {url}", markup=False)
    for each in people[:_SHOWN]:
        role = ", may act as everybody" if each.impersonates else ""
        login = "" if each.login == each.address else f", login {each.login}"
        call.say(f"    {each.address}{login}, password {each.password}{role}", markup=False)
    if len(people) > _SHOWN:
        call.say(f"    and {plural(len(people) - _SHOWN, 'more mailbox', 'more mailboxes')}")
    kept = f"all is kept in {state}" if state else "all is forgotten then"
    call.note(f"Stop it with Ctrl-C; {kept}.", style="dim", markup=False)
