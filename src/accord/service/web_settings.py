"""The start-up settings of what `accord run` serves over HTTP: the table `[web]` of accord.toml.

Read by `service.config`; `cli.endpoint` opens the socket, `web.health` answers on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from accord.ports.errors import ConfigError
from accord.ports.redact import hide
from accord.service.secret_refs import FORMS, SecretMissing, is_reference, resolve

TOKEN = "metrics_token"
SHORTEST = 16


class WebSettings(Struct, frozen=True, kw_only=True):
    """Be the table `[web]`.

    `listen` is host and port; without it nothing is served. `certificate` and `key` are files in
    PEM for TLS, and `without_tls` says that it is meant to go without on a network.
    `metrics_token` leads to the secret that whoever reads the metrics has to show.
    """

    listen: str = ""
    certificate: str = ""
    key: str = ""
    without_tls: bool = False
    metrics_token: dict[str, Any] = {}


def wrong_token(given: Any) -> tuple[str, str] | None:
    """Return what is wrong with the reference to the metrics' token and how to mend it, or None."""
    if not given or is_reference(given):
        return None
    return "a secret is given by reference", f"write {TOKEN} = {FORMS}"


def metrics_token(settings: WebSettings, environ: Mapping[str, str], folder: Path) -> str:
    """Return the secret that the metrics ask for, empty where none; raises ConfigError."""
    if not settings.metrics_token:
        return ""
    field = f"web.{TOKEN}"
    try:
        found = resolve(settings.metrics_token, environ, folder)
    except SecretMissing as error:
        raise ConfigError(
            f"no token for the metrics: {error}", field=field, hint=error.hint
        ) from error
    if len(found) < SHORTEST or not found.isascii() or not found.isprintable() or " " in found:
        raise ConfigError(
            f"the token for the metrics is no {SHORTEST} letters long, or holds others than that",
            field=field,
            hint="take a long one by chance, such as `openssl rand -hex 24` prints",
        )
    hide(found)
    return found
