"""Stop at once: what every write asks just before it, also in the middle of a visit.

`accord pause` and `accord mode` only set what this reads; other processes see it at their next
batch.
"""

from __future__ import annotations

from accord.ports.errors import ConfigError
from accord.service.visit import Visit
from accord.state.records import Mode
from accord.state.state import Tx


def require_going(visit: Visit, tx: Tx | None = None) -> None:
    """Raise ConfigError where everything, or the visit's link, may not write any more.

    A withdrawal goes on although its link is paused: it has paused it itself.
    """
    if tx is None:
        with visit.state.read() as tx:
            require_going(visit, tx)
        return
    if tx.settings.get("paused"):
        raise ConfigError("paused", field="paused", hint="run `accord resume` to go on")
    if visit.parting:
        return
    link = tx.links.get(visit.link.id)
    if link is None:
        raise ConfigError("the link was removed meanwhile", field="link")
    if link.paused:
        raise ConfigError("paused", field="paused", hint="run `accord resume` to go on")
    if link.mode is Mode.OBSERVE:
        hint = "run `accord mode` to let it write"
        raise ConfigError("it only observes since a moment ago", field="mode", hint=hint)
