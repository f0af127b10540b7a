"""How an adapter declares its settings, once: command line, console form and docs render from it.

Each adapter offers `SETTINGS` and `build(settings) -> Adapter`; `service/registry` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    TABLE = "table"


class Setting(Struct, frozen=True, kw_only=True):
    """Describe one setting: its name in text, its label for people, and what it may hold.

    A `table` maps texts to texts (a principal to its password, say); a `secret` is encrypted
    at rest, never printed and never exported.
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
"""What every adapter lets its administrator set that speaks HTTP, as is `CA_FILE`."""


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
        raise ConfigError(
            f"{where}: {setting.name!r} must be a {setting.type}, not {value!r:.40}",
            field=setting.name,
            hint=setting.help,
        )
    if setting.choices and value not in setting.choices:
        raise ConfigError(
            f"{where}: {setting.name!r} is {value!r}",
            field=setting.name,
            hint=f"use one of: {', '.join(setting.choices)}",
        )
    return value
