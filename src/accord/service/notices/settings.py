"""Where notices go: the tables `[smtp]` and `[notify]` of accord.toml, secrets by reference.

Read by `service.config`; `mail` and `webhook` work by them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from accord.ports.errors import ConfigError
from accord.ports.tls import is_near
from accord.rules.problem import Problem
from accord.rules.source import Source
from accord.service.secret_refs import FORMS, SecretMissing, is_reference, resolve

_ADDRESS = re.compile(r"[^@\s<>,;\x00-\x1f]+@[^@\s<>,;\x00-\x1f]+")
_SERVER = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?")


class Security(StrEnum):
    """Say how the way to the mail server is protected; its certificate is always checked."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"
    """Not at all: only to a server on this machine."""


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


class SmtpSettings(Struct, frozen=True, kw_only=True):
    """Be the table `[smtp]`: the server that takes mail, and who it is from.

    `server` is HOST or HOST:PORT. `password` is a reference.
    """

    server: str = ""
    security: Security = Security.STARTTLS
    user: str = ""
    password: dict[str, Any] = {}
    sender: str = ""
    ca_file: str = ""
    timeout: Annotated[float, Meta(ge=1, le=600)] = 30.0

    def place(self) -> tuple[str, int]:
        """Return host and port; raises ConfigError."""
        found = _SERVER.fullmatch(self.server)
        port = int(found["port"] or _PORTS[self.security]) if found else 0
        if found is None or not 0 < port < 65_536:
            raise _wrong("smtp.server", f"{self.server[:60]!r} is no HOST or HOST:PORT")
        host = found["host"].strip("[]")
        if self.security is Security.NONE and not is_near(host):
            hint = "security = 'none' is for a server on this machine; write 'starttls' or 'tls'"
            raise _wrong("smtp.security", "what is mailed would be read on the way", hint)
        if not is_address(self.sender):
            hint = 'write sender = "accord@example.com"'
            raise _wrong("smtp.sender", "no address says whom mails are from", hint)
        if self.user and not self.password:
            raise _wrong("smtp.password", "the login name has no password", f"write {FORMS}")
        return host, port


class NotifySettings(Struct, frozen=True, kw_only=True):
    """Be the table `[notify]`: who is told what is wrong, beside the log.

    `webhook` is an address that takes JSON, `secret_webhook` the same by reference, where whoever
    knows the address may post there; `token` is a reference to what signs in.
    """

    mail: tuple[str, ...] = ()
    webhook: str = ""
    secret_webhook: dict[str, Any] = {}
    token: dict[str, Any] = {}
    ca_file: str = ""
    timeout: Annotated[float, Meta(ge=1, le=600)] = 30.0

    def address(self, folder: Path) -> str:
        """Return the webhook's address, empty where there is none; raises ConfigError."""
        url = self.webhook
        if self.secret_webhook:
            url = secret(self.secret_webhook, "notify.secret_webhook", folder)
        if not url:
            return ""
        parts = urlsplit(url)
        near = parts.scheme == "http" and is_near(parts.hostname)
        if not parts.hostname or not (parts.scheme == "https" or near):
            raise _wrong("notify.webhook", "the webhook is no https address")
        return url


_SECRETS = {"smtp": ("password",), "notify": ("secret_webhook", "token")}


def problems(smtp: SmtpSettings, notify: NotifySettings, source: Source) -> Iterator[Problem]:
    """Yield what is wrong with the tables, as far as that shows without their secrets."""
    for table, names in _SECRETS.items():
        for name in names:
            value = getattr(smtp if table == "smtp" else notify, name)
            if value and not is_reference(value):
                message = "a secret is given by reference"
                yield source.problem((table, name), message, hint=f"write {name} = {FORMS}")
    if notify.webhook and notify.secret_webhook:
        message = "the webhook's address is given twice"
        yield source.problem(("notify", "webhook"), message, hint="leave one of the two out")
    checks: list[Callable[[], object]] = [smtp.place] if smtp.server else []
    if not notify.secret_webhook:
        checks.append(lambda: notify.address(Path()))
    for check in checks:
        try:
            check()
        except ConfigError as error:
            table, _, name = error.field.partition(".")
            yield source.problem((table, name), str(error), hint=error.hint)
    for each in notify.mail:
        if not is_address(each):
            yield source.problem(("notify", "mail"), f"{each[:60]!r} is no address")
    if notify.mail and not smtp.server:
        message = "nothing says which server takes mail"
        yield source.problem(("notify", "mail"), message, hint="add the table [smtp]")


def is_address(text: str) -> bool:
    """Tell whether a text is one plain e-mail address."""
    return _ADDRESS.fullmatch(text) is not None


def secret(reference: dict[str, Any], field: str, folder: Path) -> str:
    """Return what a reference leads to; raises ConfigError."""
    try:
        return resolve(reference, os.environ, folder)
    except SecretMissing as error:
        raise ConfigError(f"{field}: {error}", field=field, hint=error.hint) from error


def _wrong(field: str, message: str, hint: str = "") -> ConfigError:
    return ConfigError(message, field=field, hint=hint)
