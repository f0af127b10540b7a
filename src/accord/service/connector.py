"""A CRM on another machine, as `accord.toml` names it: `interface+https://…` and `[connector]`.

`config` reads the table with `read_table`, `bootstrap` opens the CRM with what `settings` returns.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from accord.ports.errors import ConfigError
from accord.ports.redact import hide
from accord.ports.settings import Setting, SettingType, read
from accord.rules.problem import Problem, instead
from accord.rules.source import Source
from accord.service.secret_refs import FORMS, SecretMissing, is_reference, resolve

TABLE = "connector"
SCHEMES = ("interface+https", "interface+http")
"""What an address of CRM.interface begins with where `crm = "…"` names it."""

PATH = "/CRM.interface"
"""Where CRM.interface answers unless the address says otherwise."""

KEY = "token_key"
KEY_FILE = "connector.key"
"""The file that holds the token key unless somebody says otherwise."""


def is_elsewhere(crm: str) -> bool:
    """Tell whether `crm = "…"` names a CRM behind CRM.interface."""
    return crm.partition(":")[0] in SCHEMES


def url_of(crm: str) -> str:
    """Return the address of CRM.interface that `crm = "…"` names; raises ConfigError."""
    url = crm.removeprefix("interface+")
    try:
        parts = urlsplit(url)
        good = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.username or parts.query or parts.fragment:
        raise ConfigError(
            "crm names no address of CRM.interface",
            field="crm",
            hint='write crm = "interface+https://host:port/CRM.interface", without login name and '
            "without anything behind the path",
        )
    return parts._replace(path=PATH).geturl() if parts.path in ("", "/") else url


def read_table(
    given: Mapping[str, Any], folder: Path, source: Source, problems: list[Problem]
) -> dict[str, Any]:
    """Return `[connector]` with paths resolved against `folder`; what is wrong goes to `problems`.

    The token key stays the reference that it is; `settings` follows it.
    """
    declared = _declared()
    found: dict[str, Any] = {}
    for key, value in given.items():
        setting = declared.get(key)
        wrong = _wrong(key, setting, value, declared)
        if wrong is not None:
            problems.append(source.problem((TABLE, key), wrong[0], hint=wrong[1]))
        elif setting is not None and setting.type is SettingType.FILE:
            found[key] = str(folder / Path(value).expanduser())
        else:
            found[key] = value
    return found


def settings(
    crm: str, given: Mapping[str, Any], folder: Path, environ: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Return the settings of the adapter, the token key itself included; raises ConfigError."""
    url = url_of(crm)
    if KEY not in given:
        raise ConfigError(
            f"there is no token key for {url}",
            field=f"{TABLE}.{KEY}",
            hint=f'write {KEY} = {{ file = "{KEY_FILE}" }} under [{TABLE}]; on the CRM\'s machine '
            f"`accord token key {KEY_FILE}` writes that file",
        )
    try:
        key = resolve(given[KEY], environ, folder)
    except SecretMissing as error:
        hint = f"on the CRM's machine `accord token key {KEY_FILE}` writes it; move it here"
        raise ConfigError(f"no token key: {error}", field=f"{TABLE}.{KEY}", hint=hint) from error
    hide(key)
    return {**given, "url": url, KEY: key}


def check(crm: str, given: Mapping[str, Any]) -> None:
    """Raise ConfigError unless the settings are right as far as that shows without the key."""
    from accord.crm.syncml.settings import configure

    configure({name: given[name] for name in given if name != KEY} | {"url": url_of(crm)})


def key_file(given: Mapping[str, Any], folder: Path) -> Path | None:
    """Return the file that holds the token key, where it is in one."""
    name = given.get(KEY, {}).get("file")
    return folder / Path(str(name)).expanduser() if name else None


def _declared() -> dict[str, Setting]:
    # Only here: the adapter is loaded where a CRM is on another machine, and nowhere else.
    from accord.crm.syncml.settings import SETTINGS

    return {setting.name: setting for setting in SETTINGS if setting.name != "url"}


def _wrong(
    key: str, setting: Setting | None, value: Any, declared: Mapping[str, Setting]
) -> tuple[str, str] | None:
    """Return what is wrong with a setting and how to mend it, or None."""
    if key == "url":
        return "the address doesn't stand here", 'write crm = "interface+https://…" at the top'
    if setting is None:
        return f"there is no setting {key[:60]!r} here", instead(key, declared)
    if setting.secret:
        if is_reference(value):
            return None
        return "a secret is given by reference", f"write {key} = {FORMS}"
    try:
        read([setting], {key: value}, TABLE)
    except ConfigError as error:
        return str(error).removeprefix(f"{TABLE}: "), error.hint
    return None
