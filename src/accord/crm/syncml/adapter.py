"""The CRM behind CRM.interface as an adapter: the port, the feed and the people over HTTP."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx2
import msgspec

from accord.crm.syncml import reading
from accord.crm.syncml.http import Http
from accord.crm.syncml.session import SyncmlSession
from accord.crm.syncml.settings import Config
from accord.crm.syncml.talk import Link
from accord.crm.syncml.tokens import Kept, Tokens
from accord.formats import wire
from accord.formats.syncml.media import Media
from accord.model.parts import Person
from accord.model.traits import Traits
from accord.ports.adapter import Finding, Hint
from accord.ports.checking import clock
from accord.ports.errors import AccordError, AuthFailed, ConfigError, Retry
from accord.ports.tls import is_near
from accord.ports.token import CONNECTOR

T = TypeVar("T")

_FRESH = 10.0
"""For so many seconds an instance is believed that an answer named."""

_ADDRESSES = 100


class SyncmlCrm:
    """Be a CRM on another machine; safe to use from many threads."""

    def __init__(
        self, config: Config, tokens: Tokens, transport: httpx2.BaseTransport | None = None
    ) -> None:
        """Prepare; nothing is asked yet. Raises ConfigError for an unusable CA file."""
        media = Media.XML
        self._http = Http(config, media.value, transport)
        self._link = Link(config, self._http, Kept(tokens), media)
        self._config = config
        self._traits: Traits | None = None

    @property
    def traits(self) -> Traits:
        """Return what the CRM can do, as it said when first asked; raises as all calls do."""
        if self._traits is None:
            told = self._ask("./traits", Traits)
            self._traits = msgspec.structs.replace(told, concurrency=self._config.concurrency)
        return self._traits

    @property
    def instance(self) -> str:
        """Return the id of the very CRM behind it."""
        if not self._link.instance or time.monotonic() - self._link.heard > _FRESH:
            return self._ask("./instance", wire.Self).instance
        return self._link.instance

    @property
    def revision(self) -> int:
        """Return the CRM's highest revision; 0 where it counts none."""
        return self._ask("./instance", wire.Self).revision

    @property
    def requests(self) -> int:
        """Return how many messages this thread has had sent."""
        return self._http.requests.own

    def open(self, principal: str) -> SyncmlSession:
        """Act as a user; who they are is asked with the first call."""
        return SyncmlSession(self._link, principal)

    def hints(self, cursor: str) -> tuple[tuple[Hint, ...], str]:
        """Return whom changes since `cursor` concern, in one request for all users."""
        return self._ask(f"./feed?since={quote(cursor, safe='')}", tuple[tuple[Hint, ...], str])

    def identities(self, user: str) -> tuple[Person, ...]:
        """Return a user under each of their addresses, the main one first."""
        return self._ask(f"./people/{wire.name(f'identities/{user}')}", tuple[Person, ...])

    def users(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the CRM user of each known address, casefolded."""
        return self._people("users", addresses)

    def contacts(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the one contact that has each address, casefolded."""
        return self._people("contacts", addresses)

    def check(self, principal: str = "") -> tuple[Finding, ...]:
        """Say whether CRM.interface answers and lets us in, and what it finds itself."""
        try:
            instance = self._ask("./instance", wire.Self).instance
        except AccordError as error:
            return (_fault("interface", error),)
        where = f"{self._config.url}, CRM {instance}"
        answers = [Finding(subject="interface", ok=True, detail=where), _encryption(self._config)]
        if not principal:
            answers.append(clock(self._http.clocks.reading()))
        try:
            inside = self._ask(f"./check?user={quote(principal, safe='')}", tuple[Finding, ...])
            if principal and all(one.ok for one in inside):
                with self._link.talk(principal) as talk:
                    reading.read(talk, "./instance", wire.Self)
        except AccordError as error:
            return (*answers, _fault("sign-in", error))
        return (*answers, *inside)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _people(self, question: str, addresses: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        wanted = list(dict.fromkeys(address for address in addresses if len(address) < 1_000))
        some: list[str] = []
        for at, address in enumerate(wanted, 1):
            some.append(address)
            if at == len(wanted) or len(some) == _ADDRESSES or sum(map(len, some)) > 1_000:
                text = wire.name(f"{question}/{wire.encode(some)}")
                found |= self._ask(f"./people/{text}", dict[str, str])
                some = []
        return found

    def _ask(self, uri: str, type_: type[T]) -> T:
        with self._link.talk(CONNECTOR) as talk:
            return reading.read(talk, uri, type_)


def _fault(subject: str, error: AccordError) -> Finding:
    match error:
        case ConfigError():
            hint = error.hint
        case AuthFailed():
            hint = (
                "on the CRM's machine `accord token log` says why the token was refused; "
                "`accord token key FILE` writes the key to sign with; compare the clocks"
            )
        case Retry(code="unreachable"):
            hint = "does `accord interface` run there, and may this machine reach that port?"
        case _:
            hint = ""
    return Finding(subject=subject, ok=False, detail=str(error), hint=hint)


def _encryption(config: Config) -> Finding:
    detail, hint = "the certificate is trusted", ""
    if config.url.startswith("http:"):
        here = is_near(urlsplit(config.url).hostname)
        detail = "no encryption" + (
            ", but on this very machine" if here else ": readable on the way"
        )
        hint = "" if here else "give CRM.interface a certificate and use interface+https://"
    return Finding(subject="encryption", ok=not hint, detail=detail, hint=hint)
