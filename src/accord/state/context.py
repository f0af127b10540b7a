"""What every repository needs: the open transaction, the time and the keys.

Made by `State.begin` once per transaction; repositories derive from `Repository`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select

from accord.db import Tx as Transaction
from accord.ports.clock import Clock, system_clock
from accord.ports.errors import ConfigError
from accord.state.codec import pack, unpack
from accord.state.secrets import Keys

SEALED = b"\x02"

_MOMENT = select(func.clock_timestamp())


class Context:
    """Be the surroundings of the repositories of one transaction."""

    def __init__(self, db: Transaction, clock: Clock, keys: Keys | None) -> None:
        """Keep the transaction, the clock and the keys."""
        self.db = db
        self.clock = clock
        self.keys = keys

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return self.clock()

    def agreed_now(self) -> datetime:
        """Return the present moment as all processes tell it, also those on other machines."""
        # Many machines share a PostgreSQL; its clock is the one they all agree on.
        if self.db.dialect == "postgresql" and self.clock is system_clock:
            moment: datetime = self.db.execute(_MOMENT).scalar_one()
            return moment.astimezone(UTC)
        return self.now()

    def wrap(self, data: bytes, record: str, *, private: bool) -> bytes:
        """Return `data` compressed and, if private, encrypted as part of `record`."""
        packed = pack(data)
        if not private:
            return packed
        return SEALED + self.require_keys().seal(packed, record)

    def unwrap(self, data: bytes, record: str) -> bytes:
        """Return what was wrapped."""
        if data[:1] == SEALED:
            data = self.require_keys().open(data[1:], record)
        return unpack(data)

    def require_keys(self) -> Keys:
        """Return the keys; raises ConfigError where state was opened without a key file."""
        if self.keys is None:
            raise ConfigError(
                "secrets and private items need a key",
                field="key_file",
                hint="name a key file in the start-up settings; it is made when missing",
            )
        return self.keys


class Repository:
    """Be the base of all repositories."""

    def __init__(self, context: Context) -> None:
        """Keep the surroundings."""
        self.context = context
        self.db = context.db
