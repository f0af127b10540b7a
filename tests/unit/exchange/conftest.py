"""A stand-in Exchange over a real port, and Alice's mailbox in it."""

from __future__ import annotations

from tests.unit.sandbox.test_exchange_exchangelib import account, exchange

__all__ = ["account", "exchange"]
