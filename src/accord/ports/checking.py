"""What `accord check` says of any target that is reached over HTTP.

An adapter's own `check` builds on it and adds its steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from accord.ports.adapter import Finding
from accord.ports.clock import AGREEING, Reading, differing
from accord.ports.errors import AccordError, AuthFailed, ConfigError, Retry
from accord.ports.mailbox_state import ADVICE, MailboxState
from accord.ports.tls import UNCHECKED, is_near

T = TypeVar("T")

_USABLE = 60.0
"""A clock that is so many seconds off is a fault."""


def attempt(subject: str, act: Callable[[], T], sign_in: str) -> T | Finding:
    """Return what `act` gives, or what went wrong; `sign_in` is the hint for a refused login."""
    try:
        return act()
    except AccordError as error:
        hint = _hint(error, sign_in)
        detail = f"mailbox {error.state}: {error}" if error.state else str(error)
        return Finding(subject=subject, ok=False, detail=detail, hint=hint)


def _hint(error: AccordError, sign_in: str) -> str:
    match error:
        case ConfigError() if error.hint:
            return error.hint
        case _ if error.state:
            return ADVICE[MailboxState(error.state)]
        case AuthFailed():
            return sign_in
        case Retry():
            return "check address, port and firewall, and whether the server is running"
        case _:
            return ""


def encryption(url: str, *, verify: bool, good: str) -> Finding:
    """Say who could read along; `good` is said of a certificate that is checked."""
    parts = urlsplit(url)
    if parts.scheme != "http":
        if verify:
            return Finding(subject="encryption", ok=True, detail=good)
        return Finding(
            subject="encryption",
            ok=False,
            detail=UNCHECKED,
            hint="set verify = true, and ca_file if the server has an authority of its own",
        )
    local = is_near(parts.hostname)
    return Finding(
        subject="encryption",
        ok=local,
        detail="no encryption"
        + (", but on this very machine" if local else ": readable on the way"),
        hint="" if local else "use https://",
    )


def clock(reading: Reading | None) -> Finding:
    """Say how far the server's clock is from ours; None where it hasn't told."""
    if reading is None:
        return Finding(subject="clock", ok=True, detail="the server doesn't tell its time")
    right = abs(reading.ahead) < _USABLE
    far = abs(reading.ahead) > AGREEING
    return Finding(
        subject="clock",
        ok=right,
        detail=f"the server's clock is {differing(reading)}"
        + ('; a rule\'s clash = "newest" decides nothing' if far else ""),
        hint="" if right else "let both machines ask a time server",
    )
