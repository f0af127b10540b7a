"""What will stop working on a day that is known: certificates, keys and passwords that expire.

`accord status` tells it ahead. How long a server lets a sign-in stand, it tells nobody; of those
it is known when they were last renewed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from accord.service.accord import Accord
from accord.service.config import Config
from accord.state.state import Tx

SOON = timedelta(days=14)
"""What expires sooner is a person's matter now."""

AHEAD = timedelta(days=60)
"""What expires later isn't told."""


class Expiry(Struct, frozen=True, kw_only=True):
    """Be what expires, when, and what to do before; `routine` says that nothing need be done.

    `kind` is `certificate`, `token key` or `device password`; whose it is, `name` says.
    """

    kind: str
    name: str
    at: datetime
    hint: str
    routine: bool = False


def expiries(accord: Accord, config: Config | None, tx: Tx) -> list[Expiry]:
    """Return what expires in the time ahead, or did, the first one first."""
    until = accord.clock() + AHEAD
    found = [*_stored(tx, until), *(_certificates(config) if config is not None else ())]
    return sorted((one for one in found if one.at <= until), key=lambda one: (one.at, one.name))


def _stored(tx: Tx, until: datetime) -> Iterator[Expiry]:
    for key, at in tx.token_keys.retiring().items():
        hint = "bring the new key to connectors that still sign with this one (`accord token key`)"
        yield Expiry(kind="token key", name=key, at=at, hint=hint)
    for key, user, at in tx.device_secrets.expiring(until):
        hint = f"`accord interface device {user}` makes a new one for the device"
        yield Expiry(kind="device password", name=f"{user} ({key})", at=at, hint=hint, routine=True)


def _certificates(config: Config) -> Iterator[Expiry]:
    for table, name in (
        ("interface", config.interface.certificate),
        ("web", config.web.certificate),
    ):
        if name and (at := end_of(config.folder / name)) is not None:
            hint = "renew it, and start what serves it anew"
            yield Expiry(kind="certificate", name=f"{name} of [{table}]", at=at, hint=hint)


def end_of(file: Path) -> datetime | None:
    """Return when the first certificate in a file expires; None where there is none to read."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return None
    return min(each.not_valid_after_utc for each in found)
