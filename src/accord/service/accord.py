"""Accord as one value: state, the CRM, the targets' adapters and the clock, ready to work.

`bootstrap` makes it from configuration, tests make it from memory adapters; nothing else does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from accord.ports.adapter import Adapter, Limited, People
from accord.ports.clock import Clock, system_clock
from accord.ports.errors import ConfigError
from accord.service.patience import Patience
from accord.state.records import Target
from accord.state.state import State


class Crm(Adapter, People, Protocol):
    """Be a CRM adapter that also knows who is who."""


class Accord:
    """Hold what all commands work with; adapters are built when first needed."""

    def __init__(
        self,
        state: State,
        crm: Crm,
        build: Callable[[Target], Adapter],
        clock: Clock = system_clock,
    ) -> None:
        """Take state, CRM, a way to build a target's adapter, and the clock.

        Who opens it for a person's command gives it some `patience`.
        """
        self.state = state
        self.crm = crm
        self.clock = clock
        self.patience = Patience()
        self._build = build
        self._adapters: dict[str, Adapter] = {}
        self._lock = threading.Lock()

    def adapter(self, target: str) -> Adapter:
        """Return the adapter of a target by the target's id or name; raises ConfigError."""
        with self._lock:
            if target in self._adapters:
                return self._adapters[target]
            with self.state.read() as tx:
                found = tx.targets.get(target) or tx.targets.by_name(target)
            if found is None:
                hint = "list the targets with `accord export`"
                raise ConfigError(f"there is no target {target!r}", field="target", hint=hint)
            self._adapters[target] = self._build(found)
            return self._adapters[target]

    def limits(self, targets: Iterable[Target], processes: int) -> dict[str, int]:
        """Share what targets allow in a time among processes; return how much they allow at once.

        What can't be built says nothing.
        """
        found: dict[str, int] = {}
        for target in targets:
            try:
                adapter = self.adapter(target.id)
            except Exception:  # noqa: BLE001, S112 (the edge: a visit tells why)
                continue
            if isinstance(adapter, Limited):
                adapter.share(processes)
                if adapter.visits:
                    found[target.id] = adapter.visits
        return found

    def build(self, target: Target) -> Adapter:
        """Return a new adapter of a target that need not be stored; raises ConfigError."""
        return self._build(target)

    def forget(self, target: Target) -> None:
        """Close the adapter of a target that has changed; the next use builds it anew."""
        with self._lock:
            for key in {target.id, target.name} & self._adapters.keys():
                self._adapters.pop(key).close()

    def close(self) -> None:
        """Let go of all connections."""
        with self._lock:
            for adapter in self._adapters.values():
                adapter.close()
            self._adapters.clear()
        self.crm.close()
        self.state.database.close()
