"""Whom an adapter trusts on the way to its server, and what a refused certificate means.

Adapters that speak HTTP build their connections on this.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from accord.ports.errors import ConfigError

UNCHECKED = "THE CERTIFICATE IS NOT CHECKED: whoever is on the way can read passwords and items."
"""What is said of a target whose administrator has switched the check off, wherever it is shown."""

READABLE = "WITHOUT TLS: whoever can listen on the way reads passwords and everybody's items."
"""What is said of a target on another machine that is reached by http, wherever it is shown."""


def danger(*, unchecked: bool, readable: bool) -> str:
    """Return what is said of a target that is reached unsafely; empty where it isn't."""
    return READABLE if readable else UNCHECKED if unchecked else ""


def is_readable(settings: Mapping[str, Any]) -> bool:
    """Tell whether the settings of a target send passwords unencrypted to another machine."""
    parts = urlsplit(str(settings.get("url") or ""))
    return parts.scheme == "http" and not is_near(parts.hostname)


def require_tls(settings: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError for such settings where they don't say themselves that it is meant.

    `where` names the target. Only new settings are asked for it: what works goes on working.
    """
    if is_readable(settings) and settings.get("without_tls") is not True:
        host = urlsplit(str(settings["url"])).hostname
        raise ConfigError(
            f"{where}: over http anybody on the way to {host} could read passwords and items",
            field="url",
            hint="write https://…; a certificate of your own is trusted by 'ca_file'; if the way "
            "is safe, say so by without_tls = true",
        )


def is_unchecked(settings: Mapping[str, Any]) -> bool:
    """Tell whether the settings of a target have the server's certificate go unchecked."""
    return settings.get("verify") is False and not str(settings.get("url")).startswith("http:")


_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""What OpenSSL says of an answer to its greeting that is none; the latter since version 3.2."""


def is_near(host: str | None) -> bool:
    """Tell whether a host is this very machine, so that nobody can listen on the way."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def trusting(ca_file: str, where: str) -> ssl.SSLContext:
    """Return what trusts the authorities of `ca_file`, or the system's where it is empty.

    `where` names the target or CRM in error texts. Raises ConfigError for an unusable file.
    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{where}: the CA file can't be used: {error}",
            field="ca_file",
            hint="give the path of a PEM file",
        ) from error


def untrusted(error: BaseException, host: str, authority: str) -> ConfigError | None:
    """Return what to mend if a certificate that isn't trusted is behind an error, else None.

    `authority` says in the hint whose certificate authority to name.
    """
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ConfigError(
                f"{host}: the certificate isn't trusted: {cause.verify_message}",
                field="ca_file",
                hint=f"name {authority} in 'ca_file', or mend the certificate "
                "(host name, end date)",
                code="certificate",
            )
    return None


def without(error: BaseException, host: str) -> ConfigError | None:
    """Return what to mend if a port that was to speak TLS answered something else, else None."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return ConfigError(
                f"{host}: this port doesn't speak TLS",
                field="url",
                hint="name the port for https in 'url'; if the server has none, write http://…",
                code="no-tls",
            )
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what is behind it; libraries wrap what the handshake raised."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
