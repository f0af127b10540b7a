"""Exchange on premises over Exchange Web Services: calendars, tasks and contacts.

`build` makes the adapter from settings; read `session` first, then `sync`, `find` and `write`.
"""

from __future__ import annotations

from accord.groupware.exchange.adapter import ExchangeAdapter, build
from accord.groupware.exchange.session import ExchangeSession
from accord.groupware.exchange.settings import SETTINGS

__all__ = ["SETTINGS", "ExchangeAdapter", "ExchangeSession", "build"]
