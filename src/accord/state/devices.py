"""Devices that sync over CRM.interface: what they are, and how they prove who speaks.

Written by the server's sign-in; a nonce is good for one proof and is stored before it is told.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import delete, func, or_, select, update

from accord.db.tx import AnyRow, chunks
from accord.state.codec import pack, unpack
from accord.state.context import Repository
from accord.state.schema import DEVICE_NONCES, DEVICE_SECRETS, DEVICES

UNPROVEN = timedelta(hours=1)
"""How long the nonce of a device that never signed in is kept."""

MOST_UNPROVEN = 10_000
"""How many such nonces there are: strangers may name as many devices as they like."""


class Devices(Repository):
    """Keep what each user's devices said of themselves."""

    def devinf(self, user: str, device: str) -> bytes | None:
        """Return a device's description, None where it never gave one."""
        query = select(DEVICES.c.devinf).where(DEVICES.c.user == user, DEVICES.c.device == device)
        found = self.db.execute(query).scalar()
        return None if found is None else unpack(found)

    def put_devinf(self, user: str, device: str, devinf: bytes) -> None:
        """Store a device's description."""
        row = {"user": user, "device": device, "devinf": pack(devinf), "at": self.context.now()}
        self.db.upsert(DEVICES, [row])


class DeviceNonces(Repository):
    """Keep the nonce that each device's next proof must be made with."""

    def get(self, device: str) -> bytes | None:
        """Return the nonce last told to a device; None where there is none."""
        query = select(DEVICE_NONCES.c.nonce).where(DEVICE_NONCES.c.device == device)
        return self.db.execute(query).scalar()

    def standing(self, device: str) -> bytes | None:
        """Return a nonce that a device can be told without changing any; None where none is."""
        soon = self.context.now() - UNPROVEN / 2
        lasting = or_(DEVICE_NONCES.c.proven, DEVICE_NONCES.c.at > soon)
        query = select(DEVICE_NONCES.c.nonce).where(DEVICE_NONCES.c.device == device, lasting)
        return self.db.execute(query).scalar()

    def challenge(self, device: str) -> bytes:
        """Return the nonce of a device, a new one where it has none that lasts.

        One that stands is told again: who only asks, in whoever's name, spoils nobody's proof.
        """
        nonce = self.standing(device)
        return self._put(device, proven=False) if nonce is None else nonce

    def renew(self, device: str) -> bytes:
        """Store and return a new nonce for a device that just signed in."""
        return self._put(device, proven=True)

    def _put(self, device: str, *, proven: bool) -> bytes:
        nonce = _fresh()
        row = {"device": device, "nonce": nonce, "proven": proven, "at": self.context.now()}
        self.db.upsert(DEVICE_NONCES, [row])
        self._prune()
        return nonce

    def _prune(self) -> None:
        unproven = DEVICE_NONCES.c.proven.is_(False)
        old = DEVICE_NONCES.c.at <= self.context.now() - UNPROVEN
        self.db.execute(delete(DEVICE_NONCES).where(unproven, old))
        newest = DEVICE_NONCES.c.at.desc(), DEVICE_NONCES.c.device
        kept = select(DEVICE_NONCES.c.device).where(unproven).order_by(*newest)
        many = self.db.execute(kept.offset(MOST_UNPROVEN)).scalars().all()
        for some in chunks(many):
            gone = delete(DEVICE_NONCES).where(unproven, DEVICE_NONCES.c.device.in_(some))
            self.db.execute(gone)

    def use(self, device: str, nonce: bytes) -> bool:
        """Use a nonce up; tell whether it still was this device's, however many ask at once."""
        here = (DEVICE_NONCES.c.device == device, DEVICE_NONCES.c.nonce == nonce)
        # The row stays, so that whoever asks next is told a new one and not to sign in otherwise.
        spent = update(DEVICE_NONCES).where(*here).values(nonce=_fresh())
        return self.db.execute(spent).rowcount > 0


def _fresh() -> bytes:
    # Letters only: real clients keep a nonce as text that ends at the first zero byte.
    return secrets.token_urlsafe(12).encode()


class DeviceSecret(Struct, frozen=True, kw_only=True):
    """Be a device's password, short enough for phones, and the token that it stands for.

    `id` is the token's, `text` the token.
    """

    id: str
    user: str
    text: str
    password: str
    until: datetime

    def __repr__(self) -> str:
        """Name the secret without showing it."""
        return f"DeviceSecret({self.id!r}, user={self.user!r})"

    __str__ = __repr__


class DeviceSecrets(Repository):
    """Keep tokens of devices, encrypted; they go when they have expired."""

    def add(self, secret: DeviceSecret) -> None:
        """Store a secret under its token's id."""
        self.db.execute(delete(DEVICE_SECRETS).where(DEVICE_SECRETS.c.until <= self.context.now()))
        both = f"{secret.password}\0{secret.text}".encode()
        sealed = self.context.wrap(both, _record(secret.id), private=True)
        row = {"id": secret.id, "user": secret.user, "secret": sealed, "until": secret.until}
        self.db.upsert(DEVICE_SECRETS, [row])

    def of(self, user: str) -> list[DeviceSecret]:
        """Return a user's secrets that hold now, newest first, at most 50."""
        query = select(DEVICE_SECRETS).where(
            DEVICE_SECRETS.c.user == user, DEVICE_SECRETS.c.until > self.context.now()
        )
        query = query.order_by(DEVICE_SECRETS.c.until.desc()).limit(50)
        return [self._secret(row) for row in self.db.execute(query)]

    def ending(self, before: datetime) -> dict[str, datetime]:
        """Return until when the last secrets of users hold that end before then."""
        row = DEVICE_SECRETS.c
        last = func.max(row.until)
        query = select(row.user, last).group_by(row.user).order_by(row.user)
        ending = query.having(last < before).having(last > self.context.now())
        return self.db.mapping(ending)

    def drop(self, id_: str) -> bool:
        """Forget a secret; tell whether it was there."""
        gone = delete(DEVICE_SECRETS).where(DEVICE_SECRETS.c.id == id_)
        return self.db.execute(gone).rowcount > 0

    def _secret(self, row: AnyRow) -> DeviceSecret:
        both = self.context.unwrap(row.secret, _record(row.id)).decode()
        password, _, text = both.partition("\0")
        return DeviceSecret(id=row.id, user=row.user, text=text, password=password, until=row.until)


def new_password() -> str:
    """Return a password of 100 random bits that can be typed: four groups of five."""
    letters = [secrets.choice(_LETTERS) for _ in range(20)]
    return "-".join("".join(letters[at : at + 5]) for at in range(0, 20, 5))


_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # none that looks like another


def _record(id_: str) -> str:
    return f"device-secret:{id_}"
