"""A stand-in Exchange over a real port, Alice's mailbox in it, and ones that two clients share."""

from __future__ import annotations

from tests.unit.exchange.gateway import gateway
from tests.unit.exchange.pair import pair, scene
from tests.unit.sandbox.test_exchange_exchangelib import account, exchange

__all__ = ["account", "exchange", "gateway", "pair", "scene"]
