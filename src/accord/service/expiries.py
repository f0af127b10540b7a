"""What will stop working on a day that is known: certificates, keys, secrets and passwords.

`accord status` tells it ahead, and the job `tokens` whoever is told what is wrong. How long a
server lets a sign-in stand, it tells nobody; of those it is known when they were last renewed.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from msgspec import Struct

from accord.service.accord import Accord
from accord.service.config import Config
from accord.state.state import Tx

SOON = timedelta(days=14)
"""What expires sooner is a person's matter now."""

AHEAD = timedelta(days=60)
"""What expires later isn't told."""


SECRET_UNTIL = "client_secret_until"
"""The setting by which targets say when the secret of this application expires."""


class Expiry(Struct, frozen=True, kw_only=True):
    """Be what expires, when, and what to do before; `routine` says that nothing need be done.

    `kind` is `certificate`, `authority` (the certificate of one that a server is trusted by),
    `client secret`, `token key` or `device password`; whose it is, `name` says.
    """

    kind: str
    name: str
    at: datetime
    hint: str
    routine: bool = False

    def words(self, now: datetime) -> str:
        """Return it in words."""
        return f"{self.kind} {self.name} {self.when(now)}"

    def when(self, now: datetime) -> str:
        """Return in words when it expires, or did."""
        verb = "expired" if self.at <= now else "expires"
        return f"{verb} {self.at:%Y-%m-%d %H:%M} UTC"


def expiries(
    accord: Accord, config: Config | None, tx: Tx, ahead: timedelta = AHEAD
) -> list[Expiry]:
    """Return what expires in the time ahead, or did, the first one first."""
    until = accord.clock() + ahead
    found = [*_stored(tx, until), *(_certificates(config, tx) if config is not None else ())]
    return sorted((one for one in found if one.at <= until), key=lambda one: (one.at, one.name))


def _stored(tx: Tx, until: datetime) -> Iterator[Expiry]:
    for key, at in tx.token_keys.retiring().items():
        hint = "bring the new key to connectors that still sign with this one (`accord token key`)"
        yield Expiry(kind="token key", name=key, at=at, hint=hint)
    for user, at in tx.device_secrets.ending(until).items():
        hint = f"`accord interface device {user}` makes a new one for the device"
        yield Expiry(kind="device password", name=user, at=at, hint=hint, routine=True)
    for target in tx.targets.all():
        if day := target.settings.get(SECRET_UNTIL):
            # The day at its beginning: nobody knows at which hour, or where that is counted.
            at = datetime.combine(date.fromisoformat(day), time(), UTC)
            hint = f"let the authority make a new one, and import it into {target.name} with "
            hint += f"its {SECRET_UNTIL}"
            yield Expiry(kind="client secret", name=f"of {target.name}", at=at, hint=hint)


def _certificates(config: Config, tx: Tx) -> Iterator[Expiry]:
    for table, name in (
        ("interface", config.interface.certificate),
        ("web", config.web.certificate),
    ):
        if name and (ends := _ends_of(config.folder / name)):
            hint = "renew it, and start what serves it anew"
            # Its own, and those by which it is trusted: without one of them it is worth nothing.
            yield Expiry(kind="certificate", name=f"{name} of [{table}]", at=min(ends), hint=hint)
    for name, uses in _authorities(config, tx).items():
        path = config.folder / Path(name).expanduser()
        if ends := _ends_of(path):
            # A bundle holds others', too, of which it is no matter when they expire.
            whose, hint = f"{name} of {', '.join(uses)}", f"put a new one into {path}"
            yield Expiry(kind="authority", name=whose, at=max(ends), hint=hint)


def _authorities(config: Config, tx: Tx) -> dict[str, list[str]]:
    """Return the files of authorities that accord.toml and the targets name, and what for."""
    named = [
        ("[smtp]", config.smtp.ca_file),
        ("[notify]", config.notify.ca_file),
        ("[connector]", config.connector.get("ca_file", "")),
        *((target.name, target.settings.get("ca_file")) for target in tx.targets.all()),
    ]
    found: dict[str, list[str]] = {}
    for what, file in named:
        if file:
            found.setdefault(str(file), []).append(what)
    return found


def _ends_of(file: Path) -> list[datetime]:
    """Return when the certificates in a file expire; nothing where there are none to read."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return []
    return [each.not_valid_after_utc for each in found]
