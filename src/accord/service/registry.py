"""Which adapters there are, by the names used in text; a package is loaded when first needed.

Import, check and bootstrap look adapters up here; a new adapter is a line here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

from accord.ports.adapter import Adapter
from accord.ports.errors import ConfigError
from accord.ports.redact import hide
from accord.ports.settings import Setting
from accord.ports.vault import Keeping, Vault
from accord.rules.problem import instead
from accord.state.records import Target

GROUPWARE = {
    "dav": "accord.groupware.dav",
    "exchange": "accord.groupware.exchange",
    "memory": "accord.groupware.memory",
}
"""The groupware adapters by the name a target gives them."""

CRM = {
    "database": "accord.crm.database",
    "memory": "accord.crm.memory",
    "interface+https": "accord.crm.syncml",
    "interface+http": "accord.crm.syncml",
}
"""The CRM adapters by the part before the colon of `crm = "…:"`."""


class Package(Protocol):
    """Be what every adapter's package offers."""

    SETTINGS: Sequence[Setting]

    def build(self, settings: Mapping[str, Any], *, where: str) -> Adapter:
        """Return the adapter that the settings describe; raises ConfigError.

        `where` names the target in errors and in the log.
        """
        ...


def groupware(name: str) -> Package:
    """Return the package of a groupware adapter; raises ConfigError for an unknown name."""
    if name not in GROUPWARE:
        hint = instead(name, GROUPWARE)
        raise ConfigError(f"there is no adapter {name!r}", field="adapter", hint=hint)
    return cast(Package, import_module(GROUPWARE[name]))


def build(target: Target, vault: Vault | None = None) -> Adapter:
    """Return the adapter of a target, secrets included; raises ConfigError naming the target.

    What its server replaces of them is kept in `vault`, without one until the process ends.
    """
    package = groupware(target.adapter)
    hide(target.secrets)
    try:
        adapter = package.build({**target.settings, **target.secrets}, where=target.name)
    except ConfigError as error:
        told = str(error).removeprefix(f"{target.name}: ")
        raise ConfigError(
            f"target {target.name}: {told}", field=error.field, hint=error.hint, code=error.code
        ) from error
    if vault is not None and isinstance(adapter, Keeping):
        adapter.keep_in(vault)
    return adapter
