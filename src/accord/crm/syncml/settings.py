"""What an administrator sets for a CRM behind CRM.interface; `build` works with the checked result.

Command line, console form and docs render from SETTINGS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from accord.ports.errors import ConfigError
from accord.ports.settings import (
    CA_FILE,
    PROXY,
    TIMEOUT,
    WITHOUT_TLS,
    Setting,
    SettingType,
    at_least,
    read,
)
from accord.ports.tls import is_near

SETTINGS = (
    Setting(
        name="url",
        label="Address",
        type=SettingType.URL,
        required=True,
        help="where CRM.interface answers, such as https://crm.example.com:8443/CRM.interface",
    ),
    Setting(
        name="token_key",
        label="Token key",
        type=SettingType.SECRET,
        secret=True,
        help="the line that `accord token key` writes on the CRM's machine; with it the connector "
        "signs its tokens, so that each user's rights count there",
    ),
    Setting(
        name="token_minutes",
        label="How long a token holds",
        type=SettingType.NUMBER,
        default=60,
        advanced=True,
        help="minutes; a new one is signed in good time",
    ),
    CA_FILE,
    msgspec.structs.replace(
        WITHOUT_TLS,
        help="lets interface+http:// go to another machine: whoever can listen on the way reads "
        "tokens and everybody's items",
    ),
    PROXY,
    Setting(
        name="concurrency",
        label="Conversations at once",
        type=SettingType.NUMBER,
        default=8,
        advanced=True,
        help="sessions open at once",
    ),
    TIMEOUT,
    Setting(
        name="max_message",
        label="Largest message",
        type=SettingType.NUMBER,
        default=1_000_000,
        advanced=True,
        help="bytes that an answer may have; larger items come in parts",
    ),
    Setting(
        name="max_object",
        label="Largest item",
        type=SettingType.NUMBER,
        default=50_000_000,
        advanced=True,
        help="bytes that an item may have",
    ),
)


class Config(Struct, frozen=True, kw_only=True):
    """Be the checked settings."""

    where: str
    url: str
    token_key: str
    token_minutes: float
    ca_file: str
    without_tls: bool
    proxy: str
    concurrency: int
    timeout: float
    max_message: int
    max_object: int


_LEAST = {
    "token_minutes": 1,
    "concurrency": 1,
    "timeout": 0.001,
    "max_message": 8_000,
    "max_object": 8_000,
}


def configure(given: Mapping[str, Any], where: str = "interface") -> Config:
    """Return the checked settings; `where` names the CRM in error texts.

    Raises ConfigError naming the setting and the way to mend it.
    """
    values = read(SETTINGS, given, where)
    parts = urlsplit(values["url"])
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ConfigError(
            f"{where}: 'url' is no address of CRM.interface",
            field="url",
            hint="write https://host/CRM.interface without a login name in it",
        )
    if parts.scheme == "http" and not values["without_tls"] and not is_near(parts.hostname):
        raise ConfigError(
            f"{where}: over http anybody on the way to {parts.hostname} could read tokens and data",
            field="url",
            hint="write https://…; a certificate of your own is trusted by 'ca_file'; if the way "
            "is safe, say so by 'without_tls'",
        )
    at_least(values, _LEAST, where)
    values |= {name: values[name] or "" for name in ("token_key", "ca_file", "proxy")}
    whole = ("concurrency", "max_message", "max_object")
    return Config(where=where, **values | {name: int(values[name]) for name in whole})
