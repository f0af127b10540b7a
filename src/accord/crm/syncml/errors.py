"""What the statuses of SyncML and HTTP mean to the rest of Accord: one table each.

CRM.interface sends the port's own error along wherever it can; these are for where it can't.
"""

from __future__ import annotations

from collections.abc import Mapping

from accord.formats import wire
from accord.formats.syncml.status import StatusCode
from accord.model.canonical import InvalidItem
from accord.ports.errors import (
    AccordError,
    AuthFailed,
    ConfigError,
    CursorExpired,
    Denied,
    Gone,
    ItemError,
    Rejected,
    Retry,
    Stale,
)

ITEMS: Mapping[int, type[ItemError]] = {
    StatusCode.FORBIDDEN: Denied,
    StatusCode.NOT_FOUND: Gone,
    StatusCode.CONFLICT: Stale,
    StatusCode.GONE: Gone,
    StatusCode.ITEM_NOT_DELETED: Gone,
}
"""A status of one item; all others that aren't success or `SESSIONS` are Rejected."""

SESSIONS: Mapping[int, type[AccordError]] = {
    StatusCode.IN_PROGRESS: Retry,
    StatusCode.INVALID_CREDENTIALS: AuthFailed,
    StatusCode.MISSING_CREDENTIALS: AuthFailed,
    StatusCode.PERMISSION_DENIED: AuthFailed,
    StatusCode.FORBIDDEN: AuthFailed,
    StatusCode.RETRY_LATER: Retry,
    StatusCode.NOT_FOUND: ConfigError,
    StatusCode.COMMAND_NOT_IMPLEMENTED: ConfigError,
    StatusCode.DTD_VERSION_NOT_SUPPORTED: ConfigError,
    StatusCode.PROTOCOL_VERSION_NOT_SUPPORTED: ConfigError,
    StatusCode.REFRESH_REQUIRED: CursorExpired,
}
"""A status of a message, or of a command that is about no single item; all others are Retry."""

HTTP: Mapping[int, type[AccordError]] = {
    401: ConfigError,
    403: ConfigError,
    404: ConfigError,
    405: ConfigError,
    407: ConfigError,
    413: ConfigError,
    415: ConfigError,
}
"""An HTTP status: whoever answers so is not CRM.interface; all others are Retry."""

_AFTER = 30.0
_REFUSED = 10.0
"""Seconds after which a token is shown again: no account is locked, and clocks are set right."""

_HINTS: Mapping[int, str] = {
    StatusCode.NOT_FOUND: "the server knows no such store: is it an older version?",
    StatusCode.COMMAND_NOT_IMPLEMENTED: "the server is another version of CRM.interface",
}


def of_item(code: int, text: str, what: str) -> AccordError:
    """Return the error of one item; it may concern the whole session all the same."""
    said = _said(text)
    if said is not None:
        return said
    if code in SESSIONS and code not in ITEMS:
        return of_session(code, "", what)
    return ITEMS.get(code, Rejected)(f"{what}: CRM.interface answers {_name(code)}", code=str(code))


def of_session(code: int, text: str, what: str) -> AccordError:
    """Return the error of a message, or of a command about no single item."""
    said = _said(text)
    if isinstance(said, Denied):
        return AuthFailed(str(said), after=_REFUSED, code=said.code)
    if said is not None and not isinstance(said, ItemError):
        return said
    message = f"{what}: {said or f'CRM.interface answers {_name(code)}'}"
    made = ConfigError if said is not None else SESSIONS.get(code, Retry)
    if issubclass(made, Retry):
        return made(message, after=_AFTER, code=str(code))
    if issubclass(made, ConfigError):
        return made(message, code=str(code), hint=_HINTS.get(code, ""))
    if issubclass(made, AuthFailed):
        return made(message, after=_REFUSED, code=str(code))
    return made(message, code=str(code))


def of_http(status: int, after: float | None, where: str) -> AccordError:
    """Return the error of an answer that is no SyncML."""
    message = f"{where} answers HTTP {status}"
    if HTTP.get(status) is ConfigError or 300 <= status < 400:
        hint = "is that the address of CRM.interface, or of a server in front of it?"
        return ConfigError(message, field="url", hint=hint, code=str(status))
    return Retry(message, after=_AFTER if after is None else after, code=str(status))


def _said(text: str) -> AccordError | None:
    if not text:
        return None
    try:
        return wire.failure(text)
    except InvalidItem:
        return None


def _name(code: int) -> str:
    try:
        return f"{code} ({StatusCode(code).name.replace('_', ' ').lower()})"
    except ValueError:
        return str(code)
