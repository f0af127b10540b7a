"""What an administrator sets for a CalDAV/CardDAV target; `build` works with the checked result.

Command line, console form and docs render from SETTINGS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from accord.ports.errors import ConfigError
from accord.ports.settings import (
    CA_FILE,
    MAX_MEGABYTES,
    PROXY,
    REQUESTS_PER_MINUTE,
    TIMEOUT,
    VERIFY,
    VISITS,
    WITHOUT_TLS,
    Setting,
    SettingType,
    at_least,
    by_person,
    filled,
    read,
    texts,
)

SETTINGS = (
    Setting(
        name="url",
        label="Address",
        type=SettingType.URL,
        required=True,
        help="where the server is, such as https://dav.example.com/; the rest is discovered",
    ),
    Setting(
        name="user",
        label="Login name",
        default="{principal}",
        help="may hold {principal}, {local} and {domain} of the person; the default is {principal}",
    ),
    Setting(
        name="password",
        label="Password or app password",
        type=SettingType.SECRET,
        secret=True,
        help="for everybody who has none in 'passwords'",
    ),
    Setting(
        name="users",
        label="Login names by person",
        type=SettingType.TABLE,
        help="where a person's login name doesn't follow 'user'",
    ),
    Setting(
        name="passwords",
        label="Passwords by person",
        type=SettingType.TABLE,
        secret=True,
        help="passwords or app passwords of single people",
    ),
    Setting(
        name="principal_path",
        label="Where a person's account is",
        advanced=True,
        help="for an account that may act for others: the path of a person's principal, such as "
        "/principals/users/{principal}/, with {principal}, {local} or {domain} in it",
    ),
    Setting(
        name="auth",
        label="Way to sign in",
        type=SettingType.CHOICE,
        choices=("auto", "basic", "digest"),
        default="auto",
        advanced=True,
        help="auto takes what the server asks for",
    ),
    CA_FILE,
    VERIFY,
    WITHOUT_TLS,
    Setting(
        name="trusted_hosts",
        label="Further hosts of this server",
        default="",
        advanced=True,
        help="hosts that may get the credentials too, separated by blanks; *.example.com works",
    ),
    PROXY,
    Setting(
        name="calendar",
        label="Calendar",
        default="",
        help="name or path of the calendar for events where nobody chose; empty takes the server's",
    ),
    Setting(
        name="task_list",
        label="Task list",
        default="",
        help="name or path of the collection for tasks where nobody chose",
    ),
    Setting(
        name="address_book",
        label="Address book",
        default="",
        help="name or path of the address book for contacts where nobody chose; empty takes one "
        "of their own, 'CRM contacts', made with the first of them",
    ),
    Setting(
        name="create_missing",
        label="Make named collections",
        type=SettingType.FLAG,
        default=False,
        help="make the calendar, task list or address book named above, with its first item, "
        "for a person who has none",
    ),
    Setting(
        name="scheduling",
        label="Server mails attendees",
        type=SettingType.CHOICE,
        choices=("auto", "yes", "no"),
        default="auto",
        advanced=True,
        help="auto believes what the server says of itself (calendar-auto-schedule)",
    ),
    Setting(
        name="adopt",
        label="Another connector's mark",
        advanced=True,
        help="the property, such as X-CRM-ID, in which it kept the CRM record's id on items; "
        "they are paired by it",
    ),
    Setting(
        name="concurrency",
        label="Connections at once",
        type=SettingType.NUMBER,
        default=4,
        advanced=True,
        help="for one batch of writes, and sessions open at once",
    ),
    VISITS,
    REQUESTS_PER_MINUTE,
    Setting(
        name="page",
        label="Items in one answer",
        type=SettingType.NUMBER,
        default=200,
        advanced=True,
        help="how many items one multiget asks for",
    ),
    TIMEOUT,
    MAX_MEGABYTES,
    Setting(
        name="user_agent", label="Name of this client", default="Accord (CalDAV)", advanced=True
    ),
)


class Config(Struct, frozen=True, kw_only=True):
    """Be the checked settings of one target."""

    where: str
    url: str
    user: str
    password: str
    users: dict[str, str]
    passwords: dict[str, str]
    principal_path: str
    auth: str
    ca_file: str
    verify: bool
    without_tls: bool
    trusted_hosts: tuple[str, ...]
    proxy: str
    calendar: str
    task_list: str
    address_book: str
    create_missing: bool
    scheduling: str
    adopt: str
    concurrency: int
    visits: int
    requests_per_minute: float
    page: int
    timeout: float
    max_bytes: int
    user_agent: str


class Login(Struct, frozen=True, kw_only=True):
    """Be what one session signs in with; `principal_path` is set where it acts for somebody."""

    principal: str
    user: str
    password: str
    principal_path: str = ""


def configure(given: Mapping[str, Any], where: str = "dav") -> Config:
    """Return the checked settings; `where` names the target in error texts.

    Raises ConfigError naming the setting and the way to mend it.
    """
    values = read(SETTINGS, given, where)
    parts = urlsplit(values["url"])
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ConfigError(
            f"{where}: 'url' is not an address of a server",
            field="url",
            hint="write https://host/ without a login name in it",
        )
    at_least(values, _LEAST, where)
    values |= {name: values[name] or "" for name in _TEXTS}
    values |= {name: texts(values, name, where) for name in ("users", "passwords")}
    values |= {name: int(values[name]) for name in ("concurrency", "page", "visits")}
    values["url"] = values["url"] if parts.path else values["url"] + "/"
    values["trusted_hosts"] = tuple(values["trusted_hosts"].casefold().split())
    values["max_bytes"] = int(values.pop("max_megabytes") * 1024 * 1024)
    return Config(where=where, **values)


def login(config: Config, principal: str) -> Login:
    """Return what to sign in with for a person.

    Raises ConfigError where there is no password, and where a fixed login name would open one
    and the same mailbox for different people.
    """
    own = by_person(config.users, principal)
    user = own or filled(config.user, principal)
    password = by_person(config.passwords, principal) or config.password
    if not password:
        raise ConfigError(
            f"{config.where}: there is no password for {principal or user!r}",
            field="passwords",
            hint="add the person to 'passwords', or set 'password'",
        )
    path = ""
    if principal:
        path = filled(config.principal_path, principal, lambda each: quote(each, safe="@"))
    fixed = not own and not path and user == config.user
    if principal and fixed and not _same_person(user, principal):
        raise ConfigError(
            f"{config.where}: the login name {user!r} would open its own mailbox for {principal!r}",
            field="user",
            hint="put {principal} or {local} into 'user', list the person in 'users', "
            "or set 'principal_path' for an account that may act for others",
        )
    return Login(principal=principal, user=user, password=password, principal_path=path)


_LEAST = {
    "concurrency": 1,
    "visits": 0,
    "requests_per_minute": 0,
    "page": 1,
    "timeout": 0.001,
    "max_megabytes": 1,
}
_TEXTS = (
    "user",
    "password",
    "principal_path",
    "adopt",
    "auth",
    "ca_file",
    "proxy",
    "calendar",
    "task_list",
    "address_book",
    "scheduling",
    "user_agent",
)


def _same_person(user: str, principal: str) -> bool:
    one, other = user.casefold(), principal.casefold()
    if "@" in one and "@" in other:
        return one == other
    return one.partition("@")[0] == other.partition("@")[0]
