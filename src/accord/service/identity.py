"""Make sure that the CRM is the one we knew: a restored backup or a clone is held, not followed.

A visit asks before it reads anything; `accord check --accept` says that the change was meant.
"""

from __future__ import annotations

from accord.ports.errors import ConfigError
from accord.service.accord import Accord

CRM = "crm"


def verify(accord: Accord) -> None:
    """Note who the CRM says it is; raises ConfigError where it isn't the one we knew."""
    with accord.state.begin() as tx:
        trouble = tx.instances.observe(CRM, accord.crm.instance, revision(accord))
    if trouble is not None:
        raise ConfigError(
            f"held: {trouble.why}",
            field=CRM,
            hint="was a backup restored or a database copied? If that is meant, run `accord check "
            "--accept`, then look at `accord plan --all-steps` before you synchronize",
        )


def accept(accord: Accord) -> None:
    """Take the CRM for what it says it is now; cursors from before are dropped.

    The next visit lists everything anew, so that nothing is judged by a history that never was.
    """
    with accord.state.begin() as tx:
        tx.instances.accept(CRM, accord.crm.instance, revision(accord))
        for link, side in tx.cursors.all():
            tx.cursors.drop(link, side)


def revision(accord: Accord) -> int:
    """Return the CRM's highest revision; 0 where it counts none."""
    return int(getattr(accord.crm, "revision", 0))
