"""Make sure that systems and users are those we knew: a backup put back or a clone isn't followed.

A visit asks before it reads anything; `accord check --accept` says that the change was meant.
"""

from __future__ import annotations

from contextlib import suppress

from accord.ports.errors import ConfigError
from accord.service.accord import Accord
from accord.state.records import Trouble

CRM = "crm"
_TARGET = "target/"


def verify(accord: Accord, target: str = "") -> None:
    """Note who the CRM and a target (its id) say they are; raises ConfigError for a stranger."""
    said = {CRM: (accord.crm.instance, revision(accord))}
    if target:
        said[instance_key(target)] = (accord.adapter(target).instance, 0)
    with accord.state.read() as tx:
        news = [name for name, one in said.items() if not tx.instances.stands(name, *one)]
    for name in news:
        _known(accord, name, *said[name])


def observe(accord: Accord, name: str, instance: str, stand: int = 0) -> Trouble | None:
    """Note who a side says it is, at which revision; returns what is wrong, and then notes nothing.

    Another process may note a higher revision before this one is; so the CRM is asked again before
    it is taken for one that went back.
    """
    with accord.state.begin() as tx:
        trouble = tx.instances.observe(name, instance, stand)
    if trouble is None or trouble.instance != instance:
        return trouble
    stand = revision(accord)
    with accord.state.begin() as tx:
        return tx.instances.observe(name, instance, stand)


def accept(accord: Accord) -> None:
    """Take CRM and targets for what they say they are now; cursors from before are dropped.

    The next visit lists everything anew, so that nothing is judged by a history that never was.
    A target that can't be opened as it is set up is left as it was.
    """
    with accord.state.read() as tx:
        targets = [target.id for target in tx.targets.all()]
    instances = {CRM: accord.crm.instance}
    for target in targets:
        with suppress(ConfigError):
            instances[instance_key(target)] = accord.adapter(target).instance
    with accord.state.begin() as tx:
        for name, instance in instances.items():
            tx.instances.accept(name, instance, revision(accord) if name == CRM else 0)
        for link, side in tx.cursors.all():
            tx.cursors.drop(link, side)


def require_user(accord: Accord, user: str) -> None:
    """Raise AuthFailed for a stranger to the CRM, and for whom it doesn't let in."""
    with accord.crm.open(user) as session:
        # Opening alone asks nothing of a CRM on another machine.
        session.folders()


def instance_key(target: str) -> str:
    """Return the name under which state knows the instance of a target."""
    return f"{_TARGET}{target}"


def revision(accord: Accord) -> int:
    """Return the CRM's highest revision; 0 where it counts none."""
    return int(getattr(accord.crm, "revision", 0))


def _known(accord: Accord, name: str, instance: str, stand: int) -> None:
    trouble = observe(accord, name, instance, stand)
    if trouble is None:
        return
    why = trouble.why
    if name != CRM:
        with accord.state.read() as tx:
            target = tx.targets.get(name.removeprefix(_TARGET))
        why = why.replace(name, f"target {target.name if target else name}")
    asked = "was a backup restored or a database copied" if name == CRM else "was it moved"
    raise ConfigError(
        f"held: {why}",
        field=CRM if name == CRM else "target",
        hint=f"{asked}? If that is meant, run `accord check --accept`, then look at `accord plan "
        "--all-steps` before you synchronize",
    )
