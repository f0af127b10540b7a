"""What an administrator sets for an Exchange target; `build` works with the checked result.

Command line, console form and docs render from SETTINGS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import structs
from tzlocal import get_localzone_name

from accord.formats import windows_zones
from accord.groupware.exchange.foreign import Property, property_named
from accord.groupware.exchange.ways import SIGN_IN, TABLES, SignIn, check_ways
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
    read,
    texts,
)

PATH = "/EWS/Exchange.asmx"
MOST = 512
"""Changes that one SyncFolderItems may answer (Exchange's own limit)."""

DELEGATED = 20
"""Visits at once where one account bears the load of all; 27 requests are its limit."""

CONNECTIONS, CONNECTIONS_OF_ONE = 24, 8
"""Connections of a process: where each mailbox has a budget of its own, and where one bears all."""

SETTINGS = (
    Setting(
        name="url",
        label="Address",
        type=SettingType.URL,
        default="",
        help="where Exchange Web Services are, such as https://mail.example.com/EWS/Exchange.asmx; "
        "a bare host gets that path; empty asks Autodiscover with the person's address",
    ),
    *SIGN_IN,
    Setting(
        name="time_zone",
        label="Time zone of the people",
        default="",
        help="such as Europe/Berlin: where whole days begin, and days of tasks; empty takes the "
        "zone of this machine",
    ),
    CA_FILE,
    VERIFY,
    WITHOUT_TLS,
    PROXY,
    Setting(
        name="calendar",
        label="Calendar",
        default="",
        help="name of the calendar for events where nobody chose; empty takes the person's own",
    ),
    Setting(
        name="task_list",
        label="Task folder",
        default="",
        help="name of the folder for tasks where nobody chose; empty takes the person's own",
    ),
    Setting(
        name="address_book",
        label="Contact folder",
        default="",
        help="name of the folder for contacts where nobody chose; empty takes one of their own, "
        "'CRM contacts', made with the first of them",
    ),
    Setting(
        name="create_missing",
        label="Make named folders",
        type=SettingType.FLAG,
        default=False,
        help="make the folders named above, with their first item, for a person who has none",
    ),
    Setting(
        name="adopt",
        label="Another connector's mark",
        advanced=True,
        help="the extended property, such as PublicStrings/CrmId, in which it kept the CRM "
        "record's id on items; they are paired by it",
    ),
    Setting(
        name="notifications",
        label="How changes are heard of",
        type=SettingType.CHOICE,
        choices=("auto", "streaming", "push", "pull", "poll"),
        default="auto",
        help="for `accord run`: auto takes the first that works, in this order, and push only "
        "with a push_url; poll looks by the clock alone",
    ),
    Setting(
        name="push_url",
        label="Where Exchange reaches Accord",
        type=SettingType.URL,
        default="",
        advanced=True,
        help="for push: the address at which `push_listen` is reached, such as "
        "https://accord.example.com/notices",
    ),
    Setting(
        name="push_listen",
        label="Where Accord listens for Exchange",
        default="127.0.0.1:8461",
        advanced=True,
        help="for push: HOST:PORT, without TLS: let a server in front of it have that",
    ),
    Setting(
        name="concurrency",
        label="Connections at once",
        type=SettingType.NUMBER,
        default=None,
        advanced=True,
        help=f"of each process; unset, {CONNECTIONS}, but {CONNECTIONS_OF_ONE} where one account "
        "opens all mailboxes (access = delegate), for Exchange allows it 27 requests at once",
    ),
    structs.replace(
        VISITS,
        default=None,
        help=f"{VISITS.help}; unset, {DELEGATED} where one account opens all mailboxes "
        "(access = delegate), for Exchange allows it 27 requests at once",
    ),
    REQUESTS_PER_MINUTE,
    Setting(
        name="page",
        label="Items in one answer",
        type=SettingType.NUMBER,
        default=100,
        advanced=True,
        help="how many items one request reads; take less if answers time out",
    ),
    Setting(
        name="batch",
        label="Items in one request",
        type=SettingType.NUMBER,
        default=50,
        advanced=True,
        help="how many items one request writes",
    ),
    TIMEOUT,
    MAX_MEGABYTES,
    Setting(
        name="attachment_megabytes",
        label="Attachments of one item",
        type=SettingType.NUMBER,
        default=20,
        help="how large the files on one item may be together to be carried; 0 carries none",
    ),
    Setting(
        name="user_agent", label="Name of this client", default="Accord (Exchange)", advanced=True
    ),
)

_ONLINE = ("outlook.office365.com", "outlook.office.com", "outlook.com", "outlook.live.com")
_LEAST = {
    "concurrency": 1,
    "visits": 0,
    "requests_per_minute": 0,
    "page": 1,
    "batch": 1,
    "timeout": 0.001,
    "max_megabytes": 1,
    "attachment_megabytes": 0,
}
_WHOLE = ("concurrency", "visits", "page", "batch")


class Config(SignIn, frozen=True, kw_only=True):
    """Be the checked settings of one target; `url` is empty where Autodiscover is asked."""

    url: str
    time_zone: str
    ca_file: str
    verify: bool
    without_tls: bool
    proxy: str
    calendar: str
    task_list: str
    address_book: str
    create_missing: bool
    adopt: Property | None
    notifications: str
    push_url: str
    push_listen: str
    concurrency: int
    visits: int
    requests_per_minute: float
    page: int
    batch: int
    timeout: float
    max_bytes: int
    attachment_bytes: int
    user_agent: str


def configure(
    given: Mapping[str, Any], where: str = "exchange", *, signed_in: bool = True
) -> Config:
    """Return the checked settings; `where` names the target in error texts.

    Without `signed_in` nobody has signed in yet where a person has to. Raises ConfigError naming
    the setting and the way to mend it.
    """
    values = read(SETTINGS, given, where)
    if values["visits"] is None:
        values["visits"] = DELEGATED if values["access"] == "delegate" else 0
    if values["concurrency"] is None:
        one = values["access"] == "delegate"
        values["concurrency"] = CONNECTIONS_OF_ONE if one else CONNECTIONS
    at_least(values, _LEAST, where)
    values |= {name: int(values[name]) for name in _WHOLE}
    values |= {name: texts(values, name, where) for name in TABLES}
    values |= {name: "" for name, value in values.items() if value is None}
    values["url"] = address(values["url"], where) if values["url"] else ""
    values["max_bytes"] = int(values.pop("max_megabytes") * 1024 * 1024)
    values["attachment_bytes"] = int(values.pop("attachment_megabytes") * 1024 * 1024)
    values["time_zone"] = _zone(values["time_zone"], where)
    values["adopt"] = _mark(values["adopt"], where)
    config = Config(where=where, **values)
    check_ways(config, signed_in=signed_in)
    _check_push(config)
    if config.by_token and not (config.url or config.scope or config.resource):
        raise ConfigError(
            f"{where}: nothing says what tokens are for",
            field="scope",
            hint="set 'url', or the scope that the authority knows the server by",
        )
    return config


def address(url: str, where: str) -> str:
    """Return the address of the services on a host; raises ConfigError where it is none."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ConfigError(
            f"{where}: 'url' is not an address of a server",
            field="url",
            hint=f"write https://host{PATH} without a login name in it",
        )
    host = parts.hostname.casefold()
    if any(host == each or host.endswith(f".{each}") for each in _ONLINE):
        raise ConfigError(
            f"{where}: {host} is Exchange Online, which ends Exchange Web Services",
            field="url",
            hint="Exchange Web Services are for Exchange on premises; use Microsoft Graph for the "
            "cloud",
            code="exchange-online",
        )
    return url if parts.path.strip("/") else f"{parts.scheme}://{parts.netloc}{PATH}"


def _check_push(config: Config) -> None:
    wanted = bool(config.push_url) or config.notifications == "push"
    parts = urlsplit(config.push_url)
    if wanted and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
        raise ConfigError(
            f"{config.where}: 'push_url' must say where Exchange reaches Accord",
            field="push_url",
            hint="write http://HOST:PORT or https://HOST/PATH, without anything behind it",
        )
    host, _, port = config.push_listen.rpartition(":")
    if wanted and not (host and port.isdecimal() and int(port) < 65536):
        raise ConfigError(
            f"{config.where}: 'push_listen' is {config.push_listen!r}",
            field="push_listen",
            hint="write HOST:PORT, such as 0.0.0.0:8461",
        )


def _mark(text: str, where: str) -> Property | None:
    """Return the property in which another connector kept the CRM record's id, if any."""
    found = property_named(text)
    if text and found is None:
        raise ConfigError(
            f"{where}: 'adopt' is {text!r:.200}, which names no extended property",
            field="adopt",
            hint="write SET/NAME such as PublicStrings/CrmId, SET/#NUMBER such as Common/#34112, "
            "or a tag below 0x8000 such as 0x6A01; SET is a name of the EWS schema or an id",
        )
    return found


def _zone(name: str, where: str) -> str:
    """Return the name of a zone that Windows has a name for, too."""
    wanted = name.strip() or get_localzone_name() or "UTC"
    if wanted == "UTC" or windows_zones.windows(wanted) is not None:
        return wanted
    if not name:
        return "UTC"
    raise ConfigError(
        f"{where}: 'time_zone' is {name!r}, which Windows has no name for",
        field="time_zone",
        hint="use a name such as Europe/Berlin or America/New_York",
    )
