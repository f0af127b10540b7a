"""A CRM behind CRM.interface, on this machine or another: the client of `interface/connector`.

`build` makes one from settings; the page on CRM.interface in docs/ says what is said on the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from accord.crm.syncml.adapter import SyncmlCrm
from accord.crm.syncml.settings import SETTINGS, configure
from accord.crm.syncml.tokens import Tokens, signed
from accord.ports.errors import ConfigError

__all__ = ["SETTINGS", "SyncmlCrm", "Tokens", "build", "signed"]


def build(settings: Mapping[str, Any], tokens: Tokens | None = None) -> SyncmlCrm:
    """Return the CRM that the settings describe; nothing is asked yet.

    `tokens` issues a user's token; without it the key in the settings signs them. Raises
    ConfigError for a setting that isn't right.
    """
    config = configure(settings)
    if tokens is None:
        if not config.token_key:
            raise ConfigError(
                f"{config.where}: there is no key to sign tokens with",
                field="token_key",
                hint="on the CRM's machine `accord token key FILE` writes it",
            )
        tokens = signed(config.token_key, timedelta(minutes=config.token_minutes))
    return SyncmlCrm(config, tokens)
