"""How an adapter declares its settings, once: command line, console form and docs render from it.

Each adapter offers `SETTINGS` and `build(settings) -> Adapter`; `service/registry` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

from msgspec import Struct

from accord.ports.errors import ConfigError


class SettingType(StrEnum):
    """Name what a setting holds."""

    TEXT = "text"
    URL = "url"
    SECRET = "secret"
    FLAG = "flag"
    NUMBER = "number"
    CHOICE = "choice"
    FILE = "file"
    DATE = "date"
    TABLE = "table"


class Setting(Struct, frozen=True, kw_only=True):
    """Describe one setting: its name in text, its label for people, and what it may hold.

    A `table` maps texts to texts (a principal to its password, say), a `date` is a text such as
    2027-05-01; a `secret` is encrypted at rest, never printed and never exported.
    """

    name: str
    label: str
    type: SettingType = SettingType.TEXT
    required: bool = False
    advanced: bool = False
    secret: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    help: str = ""


_TYPES: dict[SettingType, type | tuple[type, ...]] = {
    SettingType.TEXT: str,
    SettingType.URL: str,
    SettingType.SECRET: str,
    SettingType.FLAG: bool,
    SettingType.NUMBER: (int, float),
    SettingType.CHOICE: str,
    SettingType.FILE: str,
    SettingType.DATE: str,
    SettingType.TABLE: dict,
}


CA_FILE = Setting(
    name="ca_file",
    label="Own certificate authority",
    type=SettingType.FILE,
    advanced=True,
    help="a PEM file to trust instead of the system's authorities",
)

PROXY = Setting(
    name="proxy",
    label="Proxy",
    type=SettingType.URL,
    advanced=True,
    help="the address of an HTTP proxy; the environment is not asked",
)

VERIFY = Setting(
    name="verify",
    label="Check the server's certificate",
    type=SettingType.FLAG,
    default=True,
    advanced=True,
    help="switching this off lets anybody on the way read passwords; use ca_file instead",
)

WITHOUT_TLS = Setting(
    name="without_tls",
    label="Without encryption",
    type=SettingType.FLAG,
    default=False,
    advanced=True,
    help="lets an address with http:// be on another machine: whoever can listen on the way reads "
    "passwords and everybody's items",
)

TIMEOUT = Setting(
    name="timeout",
    label="Patience",
    type=SettingType.NUMBER,
    default=60,
    advanced=True,
    help="seconds without a byte until a request counts as failed",
)

MAX_MEGABYTES = Setting(
    name="max_megabytes",
    label="Largest answer",
    type=SettingType.NUMBER,
    default=64,
    advanced=True,
    help="an answer that is larger is refused, unpacked size",
)
VISITS = Setting(
    name="visits",
    label="Visits at once",
    type=SettingType.NUMBER,
    default=0,
    advanced=True,
    help="for `accord run`, of all processes together; 0 sets no limit but that of the workers",
)

REQUESTS_PER_MINUTE = Setting(
    name="requests_per_minute",
    label="Requests in a minute",
    type=SettingType.NUMBER,
    default=0,
    advanced=True,
    help="of all processes of `accord run` together, each has its part; 0 sets no limit",
)
"""What an adapter that speaks HTTP lets its administrator set, as are those above."""


def read(declared: Sequence[Setting], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the settings with defaults filled in.

    `where` names the target for error texts. Raises ConfigError for an unknown, missing or
    ill-typed setting, naming it and the way to mend it.
    """
    known = {setting.name: setting for setting in declared}
    for name in given:
        if name not in known:
            raise ConfigError(
                f"{where}: there is no setting {name!r}",
                field=name,
                hint=f"use one of: {', '.join(sorted(known))}",
            )
    return {name: _one(setting, given.get(name), where) for name, setting in known.items()}


def at_least(values: Mapping[str, Any], least: Mapping[str, float], where: str) -> None:
    """Raise ConfigError for the first number that is smaller than it may be."""
    for name, smallest in least.items():
        if values[name] < smallest:
            raise ConfigError(f"{where}: {name!r} must be at least {smallest}", field=name)


def texts(values: Mapping[str, Any], name: str, where: str) -> dict[str, str]:
    """Return a table that must map texts to texts; raises ConfigError."""
    table = values[name] or {}
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in table.items()):
        raise ConfigError(f"{where}: {name!r} must map texts to texts", field=name)
    return dict(table)


def by_person(table: Mapping[str, str], principal: str) -> str:
    """Return what a table says of a person, in any case; empty where it says nothing."""
    wanted = principal.casefold()
    return next((value for name, value in table.items() if name.casefold() == wanted), "")


def filled(
    template: str, principal: str, escape: Callable[[str], str] = lambda value: value
) -> str:
    """Return a text with {principal}, {local} and {domain} of a person in it."""
    local, _, domain = principal.partition("@")
    for name, value in (("principal", principal), ("local", local), ("domain", domain)):
        template = template.replace(f"{{{name}}}", escape(value))
    return template


def _one(setting: Setting, value: Any, where: str) -> Any:
    if value is None:
        if setting.required:
            raise ConfigError(
                f"{where}: the setting {setting.name!r} ({setting.label}) is missing",
                field=setting.name,
                hint=setting.help or f"add {setting.name} = …",
            )
        return setting.default
    if not isinstance(value, _TYPES[setting.type]):
        found = f"a {type(value).__name__}" if setting.secret else f"{value!r:.40}"
        raise ConfigError(
            f"{where}: {setting.name!r} must be a {setting.type}, not {found}",
            field=setting.name,
            hint=setting.help,
        )
    if setting.type is SettingType.DATE and value and not _is_date(value):
        raise ConfigError(
            f"{where}: {setting.name!r} is no date: {value!r:.40}",
            field=setting.name,
            hint=f'write it as {setting.name} = "2027-05-01"',
        )
    if setting.choices and value not in setting.choices:
        raise ConfigError(
            f"{where}: {setting.name!r} is {value!r}",
            field=setting.name,
            hint=f"use one of: {', '.join(setting.choices)}",
        )
    return value


def _is_date(text: Any) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
