"""A CRM adapter from outside, named by its Python package: `crm = "python:PACKAGE?NAME=VALUE"`.

Called by `bootstrap`; the package is one that is installed, or a module beside accord.toml.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from accord.ports.errors import ConfigError
from accord.ports.settings import Setting, SettingType

if TYPE_CHECKING:
    from accord.service.accord import Crm

SCHEME = "python"


def build(address: str, folder: Path) -> Crm:
    """Return the adapter that an address without its scheme names; raises ConfigError."""
    name, _, query = address.partition("?")
    package = _package(name, folder)
    declared = {setting.name: setting for setting in package.SETTINGS}
    given = dict(_settings(declared, query))
    return cast("Crm", package.build(given))


def _package(name: str, folder: Path) -> Any:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        package = import_module(name)
    except (ImportError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the CRM adapter {name!r} can't be loaded: {error}",
            field="crm",
            hint=f"install it, or put {name}.py beside accord.toml",
        ) from error
    missing = [each for each in ("SETTINGS", "build") if not hasattr(package, each)]
    if missing:
        raise ConfigError(
            f"{name!r} is no CRM adapter: it has no {' and no '.join(missing)}",
            field="crm",
            hint="docs/own-crm.md shows a whole one",
        )
    return package


def _settings(declared: Mapping[str, Setting], query: str) -> Iterator[tuple[str, Any]]:
    """Yield what stands behind `?`, as the type that each setting has."""
    for name, text in parse_qsl(query, keep_blank_values=True):
        kind = declared[name].type if name in declared else SettingType.TEXT
        if kind is SettingType.NUMBER and text.isdigit():
            yield name, int(text)
        elif kind is SettingType.FLAG and text in ("true", "false"):
            yield name, text == "true"
        else:
            yield name, text
