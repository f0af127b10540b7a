"""Whose mailboxes a stand-in Exchange holds: named one by one or in a TOML file."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from accord.ports.errors import ConfigError
from accord.rules.problem import Problem, RuleErrors
from accord.rules.source import Source
from accord.rules.text import read
from accord.sandbox.exchange.limits import Limits
from accord.sandbox.exchange.people import People
from accord.sandbox.exchange.store import Mailbox


class Person(Struct, frozen=True, kw_only=True):
    """Somebody with a mailbox; what is left empty follows from the address.

    `impersonates` lets the account act as everybody, `also` are further addresses. Without a
    password one is made up, or the known one stays.
    """

    address: str
    password: str = ""
    name: str = ""
    login: str = ""
    impersonates: bool = False
    also: list[str] = []


EXAMPLE = (
    Person(address="alice@example.com"),
    Person(address="bob@example.com"),
    Person(address="accord@example.com", impersonates=True),
)
"""Who is there where nobody is named."""


def read_file(path: Path) -> tuple[list[Person], Limits]:
    """Read the `[[mailbox]]` tables and the `[limits]` of a file.

    Raises ConfigError and RuleErrors.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "name a text in UTF-8 with [[mailbox]] tables"
        raise ConfigError(f"can't read {path}: {error}", field="mailboxes", hint=hint) from error
    source = Source(text, str(path))
    strange = source.data.keys() - {"mailbox", "limits"}
    hint = "mailbox or limits"
    problems: list[Problem] = [
        source.problem((key,), f"there is no key {key!r} here", hint=hint) for key in strange
    ]
    tables = source.data.get("mailbox", [])
    if not isinstance(tables, list):
        problems.append(source.problem(("mailbox",), "write [[mailbox]], in double brackets"))
        tables = []
    found = [
        read(Person, table, ("mailbox", at), source, problems) for at, table in enumerate(tables)
    ]
    limits = read(Limits, source.data.get("limits", {}), ("limits",), source, problems)
    if problems:
        raise RuleErrors(problems)
    return found, limits


def settle(people: People, wanted: Iterable[Person]) -> list[Mailbox]:
    """Give everybody who is wanted a mailbox, or a known one its new password.

    Raises ConfigError where an address is none or is somebody else's.
    """
    return [_settle(people, each) for each in wanted]


def _settle(people: People, person: Person) -> Mailbox:
    local, at, domain = person.address.partition("@")
    if not (local and at and domain) or person.address != person.address.strip():
        raise _wrong(f"{person.address!r} is no address", "write NAME@DOMAIN")
    found = people.by_address(person.address)
    if found is None:
        login = person.login or person.address
        if people.by("login = ?", login.lower()) is not None:
            raise _wrong(f"there are two accounts {login!r}", "give each a login of its own")
        found = people.add(
            person.address,
            person.password or secrets.token_urlsafe(9),
            name=person.name,
            login=person.login,
            impersonates=person.impersonates,
        )
    elif found.address != person.address.lower():
        raise _wrong(f"{person.address} belongs to {found.address}", "use another address")
    else:
        person = replace(person, password=person.password or found.password)
        people.renew(found, person.password, impersonates=person.impersonates)
    for address in person.also:
        owner = people.by_address(address)
        if owner is not None and owner.id != found.id:
            raise _wrong(f"{address} belongs to {owner.address}", "use another address")
        if owner is None:
            people.also(found, address)
    settled = people.by("id = ?", found.id)
    assert settled is not None
    return settled


def _wrong(message: str, hint: str) -> ConfigError:
    return ConfigError(message, field="mailbox", hint=hint)
